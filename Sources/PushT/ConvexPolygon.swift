/// A convex polygon in the plane, in the world's pixels.
public struct ConvexPolygon: Sendable, Hashable {
    /// The corners in order, either way round.
    public let vertices: [SIMD2<Double>]

    /// A polygon of at least three corners that form a convex outline; ``isConvex`` checks it.
    public init(vertices: [SIMD2<Double>]) {
        self.vertices = vertices
    }

    /// The area inside, in square pixels; 0 for fewer than three corners.
    public var area: Double { abs(signedArea) }

    /// Whether the corners turn one way only, by less than a full turn in all, and enclose an area.
    public var isConvex: Bool {
        guard vertices.count >= 3, area > 0 else { return false }
        let direction = signedArea > 0 ? 1.0 : -1.0
        return edges.allSatisfy { start, end in
            vertices.allSatisfy { direction * cross(end - start, $0 - start) >= 0 }
        }
    }

    /// The part that both polygons share, by clipping this one at each edge of the other in turn.
    ///
    /// Source: I. Sutherland and G. Hodgman, "Reentrant Polygon Clipping", Communications of the ACM 17(1),
    /// 1974.
    public func intersection(_ other: ConvexPolygon) -> ConvexPolygon {
        let direction = other.signedArea > 0 ? 1.0 : -1.0
        var clipped = vertices
        for (start, end) in other.edges {
            let edge = direction * (end - start)
            let distances = clipped.map { cross(edge, $0 - start) }
            var kept: [SIMD2<Double>] = []
            for (index, point) in clipped.enumerated() {
                let next = (index + 1) % clipped.count
                if distances[index] >= 0 { kept.append(point) }
                if distances[index] * distances[next] < 0 {
                    let fraction = distances[index] / (distances[index] - distances[next])
                    kept.append(point + fraction * (clipped[next] - point))
                }
            }
            clipped = kept
        }
        return ConvexPolygon(vertices: clipped)
    }

    /// Positive where the corners run from the x axis towards the y axis (the shoelace formula).
    private var signedArea: Double {
        // Measured from a corner: products of large coordinates would cancel and cost digits.
        guard let origin = vertices.first else { return 0 }
        return edges.reduce(0) { $0 + cross($1.start - origin, $1.end - origin) } / 2
    }

    private var edges: [(start: SIMD2<Double>, end: SIMD2<Double>)] {
        vertices.indices.map { (vertices[$0], vertices[($0 + 1) % vertices.count]) }
    }
}

private func cross(_ a: SIMD2<Double>, _ b: SIMD2<Double>) -> Double {
    a.x * b.y - a.y * b.x
}
