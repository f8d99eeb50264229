import ArgumentParser

/// Seeds as the command line takes them.
enum Seed {
    static func read(_ text: String) throws -> UInt64 {
        guard let seed = UInt64(text) else {
            throw ValidationError("expected a whole number from 0 to \(UInt64.max)")
        }
        return seed
    }
}
