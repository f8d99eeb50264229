import Foundation

/// A box in which a robot's tool must stay.
public struct Workspace: Sendable, Hashable {
    /// How the tool's place follows from an action.
    public enum Tool: Sendable, Hashable {
        /// Three or fewer dimensions of the action are its coordinates, in order.
        case coordinates([Int])
        /// The action is the joints' angles, in radians, of an arm with these links, base first.
        case joints([Link])
    }

    /// A link of an arm and the joint that turns it, after Denavit and Hartenberg (*A Kinematic Notation for
    /// Lower-Pair Mechanisms Based on Matrices*, 1955), in the distal convention: the transform to the next frame is
    /// Rz(theta + offset) Tz(d) Tx(a) Rx(alpha).
    public struct Link: Sendable, Hashable {
        /// Along the old z axis, in metres.
        public var d: Double
        /// Along the new x axis, in metres.
        public var a: Double
        /// About the new x axis, in radians.
        public var alpha: Double
        /// What is added to the joint's angle, in radians.
        public var offset: Double

        /// A link.
        public init(d: Double, a: Double, alpha: Double, offset: Double = 0) {
            self.d = d
            self.a = a
            self.alpha = alpha
            self.offset = offset
        }
    }

    /// How the tool is found.
    public var tool: Tool
    /// For each coordinate of the tool, where it must be: one to three ranges.
    public var box: [ClosedRange<Double>]

    /// A workspace. `box` has a range for each coordinate: three for an arm.
    public init(tool: Tool, box: [ClosedRange<Double>]) {
        let coordinates =
            switch tool {
            case .coordinates(let dimensions): dimensions.count
            case .joints: 3
            }
        precondition(box.count == coordinates, "\(box.count) ranges, expected \(coordinates)")
        self.tool = tool
        self.box = box
    }

    /// Whether the tool is in the box. False if its place is not a number.
    public func contains(_ action: [Float]) -> Bool {
        zip(place(of: action), box).allSatisfy { $1.contains($0) }
    }

    /// The tool's coordinates, as many as the box has.
    func place(of action: [Float]) -> [Double] {
        switch tool {
        case .coordinates(let dimensions): dimensions.map { Double(action[$0]) }
        case .joints(let links): Self.toolPlace(of: links, angles: action)
        }
    }

    /// The tool's place by the product of the links' transforms, applied from the tool to the base.
    private static func toolPlace(of links: [Link], angles: [Float]) -> [Double] {
        var (x, y, z) = (0.0, 0.0, 0.0)
        for (link, angle) in zip(links, angles).reversed() {
            // Rx(alpha), then the translation by a along x and d along z, then Rz(theta).
            let (alphaCosine, alphaSine) = (cos(link.alpha), sin(link.alpha))
            (y, z) = (alphaCosine * y - alphaSine * z, alphaSine * y + alphaCosine * z)
            x += link.a
            z += link.d
            let (cosine, sine) = (cos(Double(angle) + link.offset), sin(Double(angle) + link.offset))
            (x, y) = (cosine * x - sine * y, sine * x + cosine * y)
        }
        return [x, y, z]
    }
}
