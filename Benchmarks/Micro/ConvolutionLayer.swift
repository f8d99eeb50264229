import CKernels

/// The shape of a convolution in time.
struct ConvolutionLayer {
    enum Kind {
        /// Odd many taps, padded so that the length stays as it is.
        case centred(taps: Int)
        /// 3 taps, stride 2.
        case downsampling
        /// 4 taps, transposed, stride 2.
        case upsampling
    }

    let inChannels: Int
    let outChannels: Int
    /// Times of the input.
    let length: Int
    let kind: Kind

    /// Times of the output.
    var outLength: Int {
        switch kind {
        case .centred: length
        case .downsampling: length / 2
        case .upsampling: length * 2
        }
    }

    var name: String {
        let kindName =
            switch kind {
            case .centred(let taps): "k\(taps)"
            case .downsampling: "down"
            case .upsampling: "up"
            }
        return "\(inChannels)-\(outChannels) \(kindName) length \(twoDigits(length))"
    }

    /// Whether the denoiser has this layer in bf16; a small one keeps single precision.
    var hasBF16: Bool { inChannels * outChannels >= 4096 }

    /// The taps that meet more than padding, in positions of `batch` samples, in the denoiser's order.
    func taps(batch: Int) -> [dn_tap] {
        func tap(_ output: Int, _ count: Int, _ input: Int, starts: Bool = false) -> dn_tap {
            dn_tap(
                output_first: Int32(output * batch),
                count: Int32(count * batch),
                input_first: Int32(input * batch),
                starts: starts
            )
        }
        switch kind {
        case .centred(let taps):
            let shifts = [0] + (-(taps / 2)...taps / 2).filter { $0 != 0 && abs($0) < length }
            return shifts.map { tap(max(0, -$0), length - abs($0), max(0, $0), starts: $0 == 0) }
        case .downsampling:
            let half = length / 2
            return [tap(0, half, 0, starts: true), tap(1, half - 1, half), tap(0, half, half)]
        case .upsampling:
            return [
                tap(0, length, 0, starts: true), tap(1, length - 1, 0),
                tap(length, length, 0, starts: true), tap(length, length - 1, 1),
            ]
        }
    }

    /// Every shape that the UNet of the Diffusion Policy paper has (256-512-1024, horizon 16, 2 numbers an action).
    static let paper: [ConvolutionLayer] = [
        layer(2, 256, 16), layer(256, 256, 16), layer(2, 256, 16, .centred(taps: 1)),
        layer(256, 256, 16, .downsampling),
        layer(256, 512, 8), layer(512, 512, 8), layer(256, 512, 8, .centred(taps: 1)),
        layer(512, 512, 8, .downsampling),
        layer(512, 1024, 4), layer(1024, 1024, 4), layer(512, 1024, 4, .centred(taps: 1)),
        layer(2048, 512, 4), layer(512, 512, 4), layer(2048, 512, 4, .centred(taps: 1)),
        layer(512, 512, 4, .upsampling),
        layer(1024, 256, 8), layer(256, 256, 8), layer(1024, 256, 8, .centred(taps: 1)),
        layer(256, 256, 8, .upsampling),
        layer(256, 2, 16, .centred(taps: 1)),
    ]

    private static func layer(
        _ inChannels: Int,
        _ outChannels: Int,
        _ length: Int,
        _ kind: Kind = .centred(taps: 5)
    ) -> ConvolutionLayer {
        ConvolutionLayer(inChannels: inChannels, outChannels: outChannels, length: length, kind: kind)
    }
}
