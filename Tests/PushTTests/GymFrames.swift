import Foundation
import PushT
import Testing

/// Frames that gym-pusht gave, written by Tests/Oracles/pusht_frames.py, which says how they are kept.
struct GymFrames: Decodable {
    /// An episode from a seed or a state, each target held for `hold` steps.
    struct Episode: Decodable, CustomTestStringConvertible {
        let seed: UInt64?
        let state: [Double]?
        /// After which steps there is a frame; 0 is the reset.
        let steps: [Int]
        let targets: [[Double]]
        let frames: [Data]

        var testDescription: String { seed.map { "seed \($0)" } ?? "state \(state ?? [])" }
    }

    /// A frame of another size, of which only the hash is kept.
    struct Size: Decodable, CustomTestStringConvertible {
        let seed: UInt64
        let steps: [Int]
        let targets: [[Double]]
        let width: Int
        let height: Int
        let fnv1a: String

        var testDescription: String { "\(width) x \(height)" }
    }

    /// Brightness and noise as NumPy computes them.
    struct Disturbed: Decodable, CustomTestStringConvertible {
        let step: Int
        let seed: String
        let gain: Double
        let offset: Double
        let standardDeviation: Double
        let frame: [UInt8]
        let expected: [UInt8]

        var testDescription: String { "step \(step), seed \(seed)" }
    }

    /// Steps whose frames NumPy's generator says are lost.
    struct Drops: Decodable {
        let seed: String
        let probability: Double
        let count: Int
        let lost: [Int]
    }

    let hold: Int
    let bareState: [Double]
    let table: Data
    let episodes: [Episode]
    let sizes: [Size]
    /// Hashes of random shapes drawn by pygame, one for each seed from 0.
    let drawings: [String]
    let disturbed: [Disturbed]
    let drops: Drops

    static let gym: GymFrames = {
        do {
            let url = try #require(
                Bundle.module.url(forResource: "Resources/gym_frames", withExtension: "json")
            )
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(GymFrames.self, from: Data(contentsOf: url))
        } catch {
            preconditionFailure("the frames of gym-pusht cannot be read: \(error)")
        }
    }()

    static let byteCount = 96 * 96 * 3

    /// The walls and the goal alone.
    var bareTable: [UInt8] { Self.decoded(table, over: Array(repeating: 255, count: Self.byteCount)) }

    /// A simulation after the reset of an episode and as many of its steps.
    func simulation(seed: UInt64?, state: [Double]?, targets: [[Double]], steps: Int) throws
        -> PushTSimulation
    {
        let simulation = PushTSimulation()
        if let seed {
            simulation.reset(seed: seed)
        } else {
            try simulation.reset(to: #require(state))
        }
        for step in 0..<steps {
            let target = targets[step / hold]
            try simulation.step(SIMD2(target[0], target[1]))
        }
        return simulation
    }

    /// The frame whose runs of pixels stand in `runs`; the others are those of `base`.
    static func decoded(_ runs: Data, over base: [UInt8]) -> [UInt8] {
        var frame = base
        var rest = ArraySlice([UInt8](runs))
        var position = 0
        func number() -> Int {
            defer { rest = rest.dropFirst(2) }
            return Int(rest[rest.startIndex]) | Int(rest[rest.startIndex + 1]) << 8
        }
        while !rest.isEmpty {
            position += 3 * number()
            let count = 3 * number()
            frame.replaceSubrange(position..<position + count, with: rest.prefix(count))
            rest = rest.dropFirst(count)
            position += count
        }
        return frame
    }
}

/// The 64-bit FNV-1a hash, in hexadecimal.
func fnv1a(_ bytes: [UInt8]) -> String {
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in bytes { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    let digits = String(hash, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}
