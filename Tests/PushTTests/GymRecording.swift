import Foundation
import Testing

/// Episodes and resets recorded from gym-pusht by Tests/Oracles/pusht.py.
struct GymRecording: Decodable {
    struct Reset: Decodable, CustomTestStringConvertible {
        let seed: String
        let state: [Double]
        let keypoints: [Double]
        let coverage: Double

        var testDescription: String { "seed \(seed)" }
    }

    /// 300 steps, each target held for `hold` of them; what followed is recorded after the numbers of
    /// `steps`.
    struct Episode: Decodable, CustomTestStringConvertible {
        let name: String
        let seed: UInt64?
        let initialState: [Double]?
        let firstObservation: [Double]
        let firstCoverage: Double
        let hold: Int
        let targets: [[Double]]
        let steps: [Int]
        let states: [[Double]]
        let coverage: [Double]
        let reward: [Double]
        let success: [Bool]
        let lastKeypoints: [Double]

        var testDescription: String { name }
    }

    let resets: [Reset]
    let episodes: [Episode]

    static let gym: GymRecording = {
        do {
            guard let url = Bundle.module.url(forResource: "Resources/gym_pusht", withExtension: "json")
            else {
                throw CocoaError(.fileNoSuchFile)
            }
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(GymRecording.self, from: Data(contentsOf: url))
        } catch {
            Issue.record("the recording of gym-pusht cannot be read: \(error)")
            return GymRecording(resets: [], episodes: [])
        }
    }()
}

/// The largest difference of two lists of numbers; infinite where their lengths differ.
func maximumDifference(_ found: [Double], _ expected: [Double]) -> Double {
    guard found.count == expected.count else { return .infinity }
    return zip(found, expected).reduce(0) { max($0, abs($1.0 - $1.1)) }
}
