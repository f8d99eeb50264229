/// NumPy's `numpy.random.SeedSequence`: spreads a seed of any length over a pool of 128 bits, so that seeds
/// that differ in one bit give unrelated streams.
///
/// Bit for bit what NumPy gives for the same entropy. The hash is M. E. O'Neill's `seed_seq_fe`
/// ("Developing a seed_seq Alternative", 2015), with NumPy's pool of four 32-bit words.
public struct SeedSequence: Sendable, Hashable {
    private static let poolSize = 4

    private let pool: SIMD4<UInt32>

    /// Mixes the entropy into a pool.
    ///
    /// `SeedSequence(entropy: [s])` equals `SeedSequence(s)` in NumPy, and `SeedSequence(entropy: [a, b])`
    /// equals `SeedSequence([a, b])`.
    /// - Parameter entropy: non-negative integers. Each counts as one 32-bit word, or as two, low word first,
    ///   from 2^32 on, as in NumPy.
    public init(entropy: [UInt64]) {
        let words = entropy.flatMap { value -> [UInt32] in
            let low = UInt32(truncatingIfNeeded: value)
            let high = UInt32(truncatingIfNeeded: value >> 32)
            return high == 0 ? [low] : [low, high]
        }
        var first = SIMD4<UInt32>()
        for (index, word) in words.prefix(Self.poolSize).enumerated() { first[index] = word }
        self.init(first: first, rest: words.dropFirst(Self.poolSize))
    }

    /// `SeedSequence(seed)` in NumPy. Allocates nothing.
    public init(seed: UInt64) {
        let low = UInt32(truncatingIfNeeded: seed)
        let high = UInt32(truncatingIfNeeded: seed >> 32)
        self.init(first: SIMD4(low, high, 0, 0), rest: [])
    }

    /// Mixes the first words, zeros if there are fewer than the pool holds, and those after them.
    private init(first: SIMD4<UInt32>, rest: ArraySlice<UInt32>) {
        var hash = Hash(constant: 0x43b0_d7e5, multiplier: 0x931e_8875)
        var pool = first
        for index in 0..<Self.poolSize { pool[index] = hash(first[index]) }
        for source in 0..<Self.poolSize {
            for destination in 0..<Self.poolSize where destination != source {
                pool[destination] = Self.mix(pool[destination], hash(pool[source]))
            }
        }
        for word in rest {
            for destination in 0..<Self.poolSize {
                pool[destination] = Self.mix(pool[destination], hash(word))
            }
        }
        self.pool = pool
    }

    /// The first words of the state that seeds a generator, as `generate_state(count, numpy.uint32)`.
    ///
    /// Every call starts from the first word again.
    /// - Parameter count: how many words; 0 or more.
    public func generateState(words32 count: Int) -> [UInt32] {
        var state = state
        return (0..<count).map { _ in state.nextWord() }
    }

    /// The first words of the state that seeds a generator, as `generate_state(count, numpy.uint64)`.
    ///
    /// - Parameter count: how many words; 0 or more.
    public func generateState(words64 count: Int) -> [UInt64] {
        var state = state
        return (0..<count).map { _ in state.nextLongWord() }
    }

    /// The state that seeds a generator, word by word; reading it allocates nothing.
    struct State {
        private let pool: SIMD4<UInt32>
        private var hash = Hash(constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded)
        private var position = 0

        fileprivate init(pool: SIMD4<UInt32>) { self.pool = pool }

        /// The next word of `generate_state(count, numpy.uint32)`.
        mutating func nextWord() -> UInt32 {
            defer { position += 1 }
            return hash(pool[position % poolSize])
        }

        /// The next word of `generate_state(count, numpy.uint64)`, if only such are read.
        mutating func nextLongWord() -> UInt64 {
            let low = UInt64(nextWord())
            return low | UInt64(nextWord()) << 32
        }
    }

    /// The state from its first word on.
    var state: State { State(pool: pool) }

    private static func mix(_ x: UInt32, _ y: UInt32) -> UInt32 {
        let mixed = 0xca01_f9dd &* x &- 0x4973_f715 &* y
        return mixed ^ (mixed >> 16)
    }

    /// A multiply-xorshift hash whose constant moves on with every word, so that equal words hash
    /// differently.
    private struct Hash {
        var constant: UInt32
        let multiplier: UInt32

        mutating func callAsFunction(_ word: UInt32) -> UInt32 {
            var value = word ^ constant
            constant &*= multiplier
            value &*= constant
            return value ^ (value >> 16)
        }
    }
}
