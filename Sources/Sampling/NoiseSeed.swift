import NumPyRandom

/// Seeds for the noise of action chunks.
public enum NoiseSeed {
    /// The seed of one chunk. The same arguments give the same seed in every run and on every machine; changing any of
    /// them gives an unrelated one.
    ///
    /// - Parameters:
    ///   - base: The seed of the run.
    ///   - robot: The robot's id.
    ///   - episode: The episode's id.
    ///   - sequenceNumber: The observation's sequence number within the episode.
    public static func derived(
        base: UInt64,
        robot: String,
        episode: String,
        sequenceNumber: UInt64
    ) -> UInt64 {
        // Each number is split into 32-bit words because a seed sequence takes as many words as a number needs: without
        // the split, different arguments could give the same words.
        let words = [base, stableHash(robot), stableHash(episode), sequenceNumber].flatMap { number in
            [number & 0xffff_ffff, number >> 32]
        }
        let state = SeedSequence(entropy: words).generateState(words32: 2)
        return UInt64(state[0]) | UInt64(state[1]) << 32
    }

    /// FNV-1a over the string's UTF-8; Swift's own hashes change from run to run.
    static func stableHash(_ string: String) -> UInt64 {
        string.utf8.reduce(0xcbf2_9ce4_8422_2325) { hash, byte in
            (hash ^ UInt64(byte)) &* 0x100_0000_01b3
        }
    }
}
