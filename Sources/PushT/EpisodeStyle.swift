import Drawing
import Foundation

/// How episodes look, in every kind of picture.
package enum EpisodeStyle {
    /// The fill and the outline of a T.
    package struct Paint: Sendable {
        package let fill: Color
        package let stroke: Color
        /// In the world's units. Twice what shows of the outline: the fill covers the inner half.
        package let outline: Double
    }

    /// Pixels around a picture.
    package static let margin = 16.0
    package static let paper = Color(0xff_ffff)
    package static let ink = Color(0x4b_5157)
    package static let label = Color(0x8b_8f93)
    package static let faint = Color(0xd9_d6d0)
    // Wider than the block's, so that a rim of the goal shows around a block that covers it.
    package static let goal = Paint(fill: Color(0xe9_f2e9), stroke: Color(0x9c_c3a2), outline: 7)
    package static let block = Paint(fill: Color(0x7d_93ab), stroke: Color(0x3f_566e), outline: 3)
    /// Where the block was.
    package static let ghost = Paint(fill: Color(0xdf_e5ec), stroke: Color(0x7d_93ab), outline: 2)
    package static let agent = Color(0xc4_694b)
    /// Where the agent is to go: between its colour and the block's outline, to be seen on either.
    package static let plan = Color(0x8a_3d24)
    /// Text that tells of a success.
    package static let success = Color(0x3f_7f4c)
}

extension EpisodeRecording {
    /// The block's angle in each frame, in degrees, without jumps at a full turn: what is drawn between two frames turns the
    /// short way.
    package var blockDegrees: [Double] {
        var angles: [Double] = []
        for frame in frames {
            let degrees = frame.blockAngle * 180 / .pi
            let last = angles.last ?? degrees
            angles.append(last + (degrees - last).remainder(dividingBy: 360))
        }
        return angles
    }

    /// The task and where the episode began: "pusht, seed 7".
    package var title: String { "\(scenario.name), \(seed.map { "seed \($0)" } ?? "a given start")" }

    /// What came of it: "coverage 0.95 in 188 steps, success".
    package var outcome: String {
        "coverage \(String(format: "%.2f", maxCoverage)) in \(stepCount) steps, "
            + (isSuccess ? "success" : "no success")
    }
}
