/// The generator behind `numpy.random.default_rng(seed)`: PCG XSL-RR 128/64, and the draws that NumPy's
/// `Generator` makes of it.
///
/// Every draw consumes and returns exactly the bits that NumPy does, so a mixed sequence of draws stays in
/// step.
/// Source: M. E. O'Neill, "PCG: A Family of Simple Fast Space-Efficient Statistically Good Algorithms for
/// Random Number Generation", HMC-CS-2014-0905.
public struct PCG64: RandomNumberGenerator, Sendable, Hashable {
    private static let multiplier: UInt128 = 0x2360_ed05_1fc6_5da4_4385_df64_9fcc_f645

    private var state: UInt128
    private let increment: UInt128
    private var spareHalf: UInt32?

    /// As `numpy.random.default_rng(seed)`. Allocates nothing.
    public init(seed: UInt64) {
        self.init(SeedSequence(seed: seed))
    }

    /// As `numpy.random.default_rng(numpy.random.SeedSequence(...))`.
    public init(_ seedSequence: SeedSequence) {
        var words = seedSequence.state
        func nextWords() -> UInt128 {
            let high = UInt128(words.nextLongWord())
            return high << 64 | UInt128(words.nextLongWord())
        }
        let start = nextWords()
        increment = nextWords() << 1 | 1
        state = increment &+ start
        advance()
    }

    /// 64 uniform bits, as `Generator.bit_generator.random_raw()`.
    public mutating func next() -> UInt64 {
        advance()
        let folded = UInt64(truncatingIfNeeded: state >> 64) ^ UInt64(truncatingIfNeeded: state)
        let rotation = UInt64(truncatingIfNeeded: state >> 122)
        return folded >> rotation | folded << ((64 - rotation) & 63)
    }

    /// 32 uniform bits: the low half of a 64-bit draw, and its high half at the next call.
    ///
    /// The half in waiting outlives 64-bit draws made in between, as in NumPy.
    public mutating func nextUInt32() -> UInt32 {
        if let half = spareHalf {
            spareHalf = nil
            return half
        }
        let bits = next()
        spareHalf = UInt32(truncatingIfNeeded: bits >> 32)
        return UInt32(truncatingIfNeeded: bits)
    }

    /// A multiple of 2^-53 in [0, 1), as `Generator.random()`.
    public mutating func nextDouble() -> Double {
        Double(next() >> 11) * 0x1p-53
    }

    /// A number in [low, high), as `Generator.uniform(low, high)`.
    public mutating func uniform(low: Double, high: Double) -> Double {
        low + (high - low) * nextDouble()
    }

    /// An integer of the range, without bias, as `Generator.integers(range.lowerBound, range.upperBound)`.
    ///
    /// Source: D. Lemire, "Fast Random Integer Generation in an Interval", ACM TOMACS 29(1), 2019.
    /// - Parameter range: at least one integer. A range of one integer draws no bits.
    public mutating func integer(in range: Range<Int>) -> Int {
        precondition(!range.isEmpty, "integer(in:) needs a range that is not empty")
        let count = UInt64(bitPattern: Int64(range.upperBound &- range.lowerBound))
        let offset: UInt64
        switch count {
        case 1: offset = 0
        case 1 << 32: offset = UInt64(nextUInt32())
        case ..<(1 << 32): offset = UInt64(bounded(by: UInt32(count)) { $0.nextUInt32() })
        default: offset = bounded(by: count) { $0.next() }
        }
        return range.lowerBound &+ Int(truncatingIfNeeded: offset)
    }

    private mutating func bounded<Word: FixedWidthInteger & UnsignedInteger>(
        by count: Word,
        draw: (inout PCG64) -> Word
    ) -> Word where Word.Magnitude == Word {
        var product = draw(&self).multipliedFullWidth(by: count)
        if product.low < count {
            let threshold = (0 &- count) % count
            while product.low < threshold {
                product = draw(&self).multipliedFullWidth(by: count)
            }
        }
        return product.high
    }

    private mutating func advance() {
        state = state &* Self.multiplier &+ increment
    }
}
