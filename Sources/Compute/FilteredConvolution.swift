import CKernels

/// A convolution in time by minimal filtering: its products, and what makes outputs of them.
final class FilteredConvolution {
    /// A convolution over columns, with one tap for each product.
    let products: PackedConvolution
    private let filter: TemporalFilter
    private let length: Int
    private let bias: FloatBuffer
    /// [columns of all products][paddedChannels].
    private let values: UnsafeMutablePointer<Float>

    /// - Parameters:
    ///   - weight: PyTorch's [outChannels, inChannels, taps].
    ///   - bias: [outChannels].
    ///   - inputs: the channels of each of the tensors that lie one above the other in the input.
    ///   - length: times of input and output.
    ///   - values: room for all products of the largest batch, as floats.
    init(
        _ filter: TemporalFilter,
        weight: [Float],
        bias: [Float],
        inputs: [Int],
        length: Int,
        share: ChannelShare,
        values: UnsafeMutablePointer<Float>,
        engine: Engine
    ) {
        let inChannels = inputs.reduce(0, +)
        let weights = filter.weights(weight)
        self.filter = filter
        self.length = length
        self.values = values
        self.bias = FloatBuffer(count: paddedChannels(bias.count))
        for (channel, value) in bias.enumerated() { self.bias.pointer[channel] = value }
        self.products = PackedConvolution(
            weight: { out, channel, product in
                weights[(out * inChannels + channel) * filter.products + product]
            },
            bias: [Float](repeating: 0, count: bias.count),
            inputs: inputs,
            taps: filter.taps(length: length),
            outLength: filter.products * filter.tiles(covering: length),
            share: share,
            format: dn_f32,
            engine: engine
        )
    }

    /// Computes a part's channels.
    ///
    /// - Parameters:
    ///   - input: [rows][rowStride] cells, the columns of each product one after the other.
    ///   - output: [length * batch][paddedChannels].
    func callAsFunction(
        part: Int,
        batch: Int,
        input: UnsafePointer<UInt32>,
        rowStride: Int,
        output: UnsafeMutablePointer<Float>
    ) {
        let channels = products.share.ranges[part]
        guard !channels.isEmpty else { return }
        products(part: part, batch: batch, input: input, integers: nil, rowStride: rowStride, output: values)
        var interpolation = dn_filter_output(
            products: values + channels.lowerBound,
            output: output + channels.lowerBound,
            bias: bias.pointer + channels.lowerBound,
            stride: Int64(paddedChannels(products.outChannels)),
            taps: Int32(filter.taps),
            times: Int32(length),
            tiles: Int32(filter.tiles(covering: length)),
            samples: Int32(batch),
            channel_count: Int32(channels.count)
        )
        dn_interpolate_outputs(products.isa.table, &interpolation)
    }
}
