/// Group normalisation (Wu and He 2018, equation 1) followed by Mish.
final class GroupNormMish {
    private static let epsilon: Float = 1e-5

    private let channels: Int
    private let groups: Int
    private let gain: FloatBuffer
    private let bias: FloatBuffer

    /// - Parameters:
    ///   - gain: [channels].
    ///   - bias: [channels].
    init(gain: [Float], bias: [Float], groups: Int) {
        self.channels = gain.count
        self.groups = groups
        self.gain = FloatBuffer(gain)
        self.bias = FloatBuffer(bias)
    }

    /// Normalises one sample `values` [length, channels] in place: each group of channels over all of its time.
    func callAsFunction(_ values: UnsafeMutablePointer<Float>, length: Int) {
        let width = channels / groups
        for group in 0..<groups {
            let first = group * width
            let count = Float(length * width)
            var sum: Float = 0
            for time in 0..<length {
                let row = values + time * channels + first
                for channel in 0..<width { sum += row[channel] }
            }
            let mean = sum / count
            var squares: Float = 0
            for time in 0..<length {
                let row = values + time * channels + first
                for channel in 0..<width {
                    let centred = row[channel] - mean
                    squares += centred * centred
                }
            }
            let inverse = 1 / (squares / count + Self.epsilon).squareRoot()
            for time in 0..<length {
                let row = values + time * channels + first
                for channel in 0..<width {
                    let normal = (row[channel] - mean) * inverse
                    row[channel] = mish(
                        normal * gain.pointer[first + channel] + bias.pointer[first + channel]
                    )
                }
            }
        }
    }
}
