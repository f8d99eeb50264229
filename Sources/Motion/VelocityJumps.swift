/// How abruptly a robot's commands change their velocity, where one chunk takes over from another and elsewhere.
///
/// With c_j the command at control step j and v_j = (c_j - c_j-1) / period, the jump at step k is
///
///     max |v_j - v_j-1|   over j = k, k + 1, k + 2
///
/// with the Euclidean norm, in the robot's units a second. Three steps, because a discontinuity that is spread over a few
/// commands is to count as what is left of it: c_k alone would show a third of one that fades over three.
public struct VelocityJumps: Sendable, Hashable {
    /// At the steps with which a chunk took over.
    public private(set) var atHandOvers: [Double] = []
    /// At the steps in whose reach no chunk took over.
    public private(set) var elsewhere: [Double] = []

    /// Steps whose velocities are looked at.
    private static let reach = 3

    /// The jumps of one episode.
    ///
    /// - Parameters:
    ///   - commands: what was carried out at each control step, [actionDim] each.
    ///   - handOvers: the steps with which chunks took over from others; those within the first two steps have no velocity
    ///     before them and are left out.
    ///   - period: seconds from one step to the next.
    public init(commands: [[Double]], handOvers: Set<Int>, period: Double) {
        guard commands.count > 2 else { return }
        let changes = (2..<commands.count).map { step in
            Self.norm(commands[step], commands[step - 1], commands[step - 2]) / period
        }
        for step in 2..<commands.count {
            let last = min(step + Self.reach, commands.count)
            let jump = changes[step - 2..<last - 2].max() ?? 0
            if handOvers.contains(step) {
                atHandOvers.append(jump)
            } else if (step + 1 - Self.reach..<step + Self.reach).allSatisfy({ !handOvers.contains($0) }) {
                elsewhere.append(jump)
            }
        }
    }

    /// |a - 2 b + c|.
    private static func norm(_ a: [Double], _ b: [Double], _ c: [Double]) -> Double {
        a.indices.reduce(0.0) { sum, dimension in
            let change = a[dimension] - 2 * b[dimension] + c[dimension]
            return sum + change * change
        }.squareRoot()
    }
}
