/// One tap of a convolution in time: which outputs it reaches and which inputs it reads for them.
///
/// Outputs at `first..<first + count` of the layer's own order take the inputs from `input` on.
struct Tap {
    let weightIndex: Int
    let first: Int
    let count: Int
    let input: Int
    /// Whether it is the first that reaches its outputs; each output has one such tap.
    var starts = false
}

extension Tap {
    /// The taps of a convolution with padding `taps / 2`: output `t` reads input `t + tap - taps / 2`. Those that meet
    /// nothing but padding at this length are left out. The middle one, which reaches every output, comes first.
    static func centred(taps: Int, length: Int) -> [Tap] {
        let middle = taps / 2
        return ([middle] + (0..<taps).filter { $0 != middle }).compactMap { tap in
            let shift = tap - middle
            let first = max(0, -shift)
            let end = min(length, length - shift)
            return first < end
                ? Tap(
                    weightIndex: tap,
                    first: first,
                    count: end - first,
                    input: first + shift,
                    starts: shift == 0
                ) : nil
        }
    }

    /// The taps of the downsampling convolution, 3 taps with stride 2 and padding 1, over an input whose even times come
    /// first and then its odd ones: output `t` reads inputs `2t - 1`, `2t` and `2t + 1`.
    static func downsampling(length: Int) -> [Tap] {
        let half = length / 2
        return [
            Tap(weightIndex: 1, first: 0, count: half, input: 0, starts: true),
            Tap(weightIndex: 0, first: 1, count: half - 1, input: half),
            Tap(weightIndex: 2, first: 0, count: half, input: half),
        ].filter { $0.count > 0 }
    }

    /// The taps of the upsampling transposed convolution, 4 taps with stride 2 and padding 1, writing the even output
    /// times first and then the odd ones: output `2t` reads inputs `t` and `t - 1` through taps 1 and 3, output `2t + 1`
    /// reads `t` and `t + 1` through taps 2 and 0.
    static func upsampling(length: Int) -> [Tap] {
        [
            Tap(weightIndex: 1, first: 0, count: length, input: 0, starts: true),
            Tap(weightIndex: 3, first: 1, count: length - 1, input: 0),
            Tap(weightIndex: 2, first: length, count: length, input: 0, starts: true),
            Tap(weightIndex: 0, first: length, count: length - 1, input: 1),
        ].filter { $0.count > 0 }
    }
}
