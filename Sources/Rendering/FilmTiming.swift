/// Which control steps a film shows, and for how long.
///
/// A film runs at twice the episode's speed. It shows every control step, or every n-th of them, so that it has at most 25
/// pictures a second and a given number of them altogether. The end stays for two seconds.
package struct FilmTiming: Sendable, Hashable {
    /// How many times faster than the episode.
    package static let speed = 2.0
    private static let shortest = 0.040
    private static let heldAtEnd = 2000

    /// The control steps that are shown, from 0 to the last.
    package let steps: [Int]
    /// When each picture ends, in milliseconds from the film's start.
    package let ends: [Int]

    /// The timing of an episode of `stepCount` control steps.
    ///
    /// - Parameters:
    ///   - stepCount: control steps; 0 or more.
    ///   - rate: control steps a second; more than 0.
    ///   - mostPictures: how many pictures there may be; 3 or more.
    package init(stepCount: Int, rate: Double, mostPictures: Int) {
        precondition(stepCount >= 0 && rate > 0 && mostPictures >= 3)
        let perStep = 1 / (rate * Self.speed)
        // The start is a picture too, and so is an end that no stride meets.
        let forCount = (stepCount + mostPictures - 3) / (mostPictures - 2)
        let stride = max(Int((Self.shortest / perStep - 1e-9).rounded(.up)), forCount, 1)
        var steps = Array(Swift.stride(from: 0, through: stepCount, by: stride))
        if steps.last != stepCount { steps.append(stepCount) }
        let ends = steps.dropFirst().map { Int((Double($0) * perStep * 1000).rounded()) }
        self.steps = steps
        self.ends = ends + [(ends.last ?? 0) + Self.heldAtEnd]
    }
}
