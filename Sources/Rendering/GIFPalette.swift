/// The colours of a GIF: those that its pictures have, or if these are too many, colours near to them.
///
/// Colours are cut apart where that lowers the squared error most (Heckbert's median cut, with the split of Wu that minimises
/// variance along a channel). A colour that most pixels of a group have stands for the group: areas of a drawing keep their colour
/// exactly.
struct GIFPalette {
    /// Colours that a palette has at most. One of GIF's 256 means "as before".
    static let mostColors = 255

    /// 0xRRGGBB each.
    let colors: [UInt32]
    private var known: [UInt32: UInt8]

    /// Colours that ``index(of:)`` remembers: noise never has the same one again.
    private static let mostKnown = 1 << 16

    /// The palette of pixels that were counted; not empty.
    init(of histogram: ColorHistogram) {
        precondition(!histogram.counts.isEmpty, "a palette is made of colours")
        // In one order, so that the same pictures give the same file.
        var groups = [Group(histogram.counts.map { Weighted($0.key, $0.value) }.sorted { $0.rgb < $1.rgb })]
        while groups.count < Self.mostColors {
            let widest = groups.indices.max { groups[$0].error < groups[$1].error }
            guard let widest, groups[widest].error > 0 else { break }
            let (low, high) = groups[widest].halves()
            groups[widest] = low
            groups.append(high)
        }
        colors = groups.map(\.color)
        known = Dictionary(zip(colors, 0...)) { first, _ in first }
    }

    /// The place of the nearest colour.
    mutating func index(of rgb: UInt32) -> UInt8 {
        if let index = known[rgb] { return index }
        var best = (index: UInt8(0), distance: Int32.max)
        let wanted = Weighted.channels(rgb)
        for (index, color) in colors.enumerated() {
            let apart = wanted &- Weighted.channels(color)
            let distance = (apart &* apart).wrappedSum()
            if distance < best.distance { best = (UInt8(index), distance) }
        }
        if known.count >= Self.mostKnown { known = Dictionary(zip(colors, 0...)) { first, _ in first } }
        known[rgb] = best.index
        return best.index
    }
}

/// How often each colour is there.
struct ColorHistogram {
    /// By 0xRRGGBB.
    private(set) var counts: [UInt32: Int] = [:]

    /// Counts the pixels of a picture.
    mutating func add(_ pixels: Span<UInt32>) {
        // Neighbours are mostly of one colour.
        var index = 0
        while index < pixels.count {
            let color = pixels[index]
            var run = 1
            while index + run < pixels.count, pixels[index + run] == color { run += 1 }
            counts[color, default: 0] += run
            index += run
        }
    }
}

/// A colour and the pixels that have it.
private struct Weighted {
    let rgb: UInt32
    let count: Double

    init(_ rgb: UInt32, _ count: Int) {
        self.rgb = rgb
        self.count = Double(count)
    }

    static func channels(_ rgb: UInt32) -> SIMD4<Int32> {
        SIMD4(Int32(rgb >> 16), Int32(rgb >> 8 & 0xff), Int32(rgb & 0xff), 0)
    }

    var channels: SIMD4<Double> { SIMD4(Self.channels(rgb)) }
}

/// Colours for which one stands.
private struct Group {
    private let members: [Weighted]
    /// The sum over pixels of the squared distance from the mean, channel by channel.
    private let errors: SIMD4<Double>
    private let sums: Sums

    private struct Sums {
        var count = 0.0
        var first = SIMD4<Double>()
        var second = SIMD4<Double>()

        mutating func add(_ member: Weighted) {
            count += member.count
            first += member.channels * member.count
            second += member.channels * member.channels * member.count
        }

        /// The sum of squared distances from the mean.
        var errors: SIMD4<Double> {
            let errors = second - first * first / count
            return errors.replacing(with: 0, where: errors .< 0)
        }

        func without(_ others: Sums) -> Sums {
            Sums(count: count - others.count, first: first - others.first, second: second - others.second)
        }
    }

    init(_ members: [Weighted]) {
        self.members = members
        var sums = Sums()
        for member in members { sums.add(member) }
        self.sums = sums
        errors = members.count > 1 ? sums.errors : SIMD4()
    }

    /// 0 only of one colour, or of colours that need not be told apart.
    var error: Double { errors.sum() }

    /// The colour that more than half of the pixels have, else the mean.
    var color: UInt32 {
        if let most = members.max(by: { $0.count < $1.count }), 2 * most.count > sums.count {
            return most.rgb
        }
        let mean = (sums.first / sums.count).rounded(.toNearestOrEven)
        return UInt32(mean.x) << 16 | UInt32(mean.y) << 8 | UInt32(mean.z)
    }

    /// Cuts the channel with the largest error so that the errors of both halves together are smallest.
    func halves() -> (Group, Group) {
        let channel = (0..<3).max { errors[$0] < errors[$1] } ?? 0
        let ordered = members.sorted { ($0.channels[channel], $0.rgb) < ($1.channels[channel], $1.rgb) }
        var below = Sums()
        var best = (cut: 1, error: Double.infinity)
        for cut in 1..<ordered.count {
            below.add(ordered[cut - 1])
            let error = below.errors[channel] + sums.without(below).errors[channel]
            if error < best.error { best = (cut, error) }
        }
        return (Group(Array(ordered[..<best.cut])), Group(Array(ordered[best.cut...])))
    }
}
