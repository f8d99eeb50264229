import Robotics

/// The seed of a chunk's noise where the robot gives none.
public enum NoiseSeed {
    /// A hash of the daemon's seed and the observation's names, so that the same observation gets the same noise and
    /// different ones get unrelated noise: 64-bit FNV-1a over the seed and the sequence number (8 bytes each, little
    /// end first), the robot, a zero byte and the episode as text, then the finalizer of SplitMix64. docs/PROTOCOL.md
    /// states it, for robots that compute it.
    public static func derived(from seed: UInt64, robot: RobotID, episode: EpisodeID, sequence: UInt64)
        -> UInt64
    {
        var hash: UInt64 = 0xcbf2_9ce4_8422_2325
        func add(_ byte: UInt8) { hash = (hash ^ UInt64(byte)) &* 0x0000_0100_0000_01b3 }
        for shift in stride(from: 0, to: 64, by: 8) { add(UInt8(truncatingIfNeeded: seed >> shift)) }
        for shift in stride(from: 0, to: 64, by: 8) { add(UInt8(truncatingIfNeeded: sequence >> shift)) }
        for byte in robot.text.utf8 { add(byte) }
        add(0)
        for byte in episode.description.utf8 { add(byte) }
        hash = (hash ^ (hash >> 30)) &* 0xbf58_476d_1ce4_e5b9
        hash = (hash ^ (hash >> 27)) &* 0x94d0_49bb_1331_11eb
        return hash ^ (hash >> 31)
    }
}
