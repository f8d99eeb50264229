/// NumPy's `numpy.random.SeedSequence`: spreads a seed of any length over a pool of 128 bits, so that seeds
/// that differ in one bit give unrelated streams.
///
/// Bit for bit what NumPy gives for the same entropy. The hash is M. E. O'Neill's `seed_seq_fe`
/// ("Developing a seed_seq Alternative", 2015), with NumPy's pool of four 32-bit words.
public struct SeedSequence: Sendable, Hashable {
    private static let poolSize = 4

    private var pool: [UInt32]

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
        var hash = Hash(constant: 0x43b0_d7e5, multiplier: 0x931e_8875)
        var pool = (0..<Self.poolSize).map { hash(words.indices.contains($0) ? words[$0] : 0) }
        for source in 0..<Self.poolSize {
            for destination in 0..<Self.poolSize where destination != source {
                pool[destination] = Self.mix(pool[destination], hash(pool[source]))
            }
        }
        for word in words.dropFirst(Self.poolSize) {
            for destination in 0..<Self.poolSize {
                pool[destination] = Self.mix(pool[destination], hash(word))
            }
        }
        self.pool = pool
    }

    /// The first words of the state that seeds a generator, as `generate_state(count, numpy.uint32)`.
    ///
    /// Every call starts from the first word again.
    /// - Parameter words32: how many words; 0 or more.
    public func generateState(words32 count: Int) -> [UInt32] {
        var hash = Hash(constant: 0x8b51_f9dd, multiplier: 0x58f3_8ded)
        return (0..<count).map { hash(pool[$0 % Self.poolSize]) }
    }

    /// The first words of the state that seeds a generator, as `generate_state(count, numpy.uint64)`.
    ///
    /// - Parameter words64: how many words; 0 or more.
    public func generateState(words64 count: Int) -> [UInt64] {
        let halves = generateState(words32: 2 * count)
        return (0..<count).map { UInt64(halves[2 * $0]) | UInt64(halves[2 * $0 + 1]) << 32 }
    }

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
