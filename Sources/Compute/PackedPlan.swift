import CKernels

/// The stages of a packed forward pass, as they follow from a network's layers.
///
/// Each convolution begins a stage. The layers behind it that work on its output in place belong to the same stage. A
/// residual that needs a product of its own is computed by the earlier stage that reads the same input.
struct PackedPlan {
    /// One stage: the layers that it takes together.
    struct Stage {
        let convolution: ConvolutionShape
        /// What the convolution reads, as the network's layers call it.
        let source: Activation
        /// What `source` consists of: itself, or the inputs of a concatenation.
        let inputs: [Activation]
        let output: Activation
        /// What the packed input holds.
        let format: dn_format
        var norm: GroupNormShape?
        var film: FiLMShape?
        /// A second product of the same input, with as many output channels, that a later stage adds to its output.
        var shortcut: Shortcut?
        /// What is added to the output at the end.
        var residual: Residual?

        /// Computes the convolution; nil: taps do. The shortcut is computed by taps.
        var filter: TemporalFilter?

        /// Whether anything reads the input as it is.
        var readsInput: Bool { filter == nil || shortcut != nil }

        /// Rows of the packed input.
        var rows: Int { inputs.reduce(0) { $0 + packedRows(channels: $1.channels, format: format) } }
    }

    enum Shortcut {
        case convolution(ConvolutionShape)
        /// The input as it is. A concatenation exists in packed rows alone, and what is added must be floats.
        case identity
    }

    enum Residual {
        case activation(Activation)
        case shortcut(ofStage: Int)
    }

    private(set) var stages: [Stage] = []
    /// Bytes that filtered layers' weights take beyond those of their taps.
    private(set) var filteringBytes = 0
    /// What the network reads.
    let input: Activation
    /// What the network gives.
    let output: Activation

    /// - Parameters:
    ///   - layers: at least one.
    ///   - filtering: which layers that compute in single precision are filtered.
    ///   - format: what a layer between the first and the last computes in, by the size of its weights at one tap.
    init(layers: [Layer], filtering: Filtering = .none, format: (_ weights: Int) -> dn_format) {
        self.input = layers.input
        self.output = layers.output
        var joined: [Activation: [Activation]] = [:]
        for layer in layers {
            let source = layer.inputs[0]
            switch layer.operation {
            case .concatenation: joined[layer.output] = layer.inputs
            case .convolution(let shape):
                // The first and the last layers compute in single precision. Their rounding would reach the result
                // directly, and they are too small to gain time.
                let isAtEnd = source == input || layer.output == output
                stages.append(
                    Stage(
                        convolution: shape,
                        source: source,
                        inputs: joined[source] ?? [source],
                        output: layer.output,
                        format: isAtEnd ? dn_f32 : format(shape.inChannels * shape.outChannels)
                    )
                )
            case .groupNormMish(let shape): stages[stage(writing: layer.output)].norm = shape
            case .modulation(let shape): stages[stage(writing: layer.output)].film = shape
            case .addedConvolution(let shape):
                add(.convolution(shape), of: source, to: layer.output)
            case .addition where joined[source] != nil: add(.identity, of: source, to: layer.output)
            case .addition: stages[stage(writing: layer.output)].residual = .activation(source)
            }
        }
        let shapes = stages.map { $0.format == dn_f32 ? $0.convolution : nil }
        let (filtered, bytes) = TemporalFilter.chosen(among: shapes, filtering)
        for index in filtered {
            stages[index].filter = TemporalFilter(taps: stages[index].convolution.taps)
        }
        filteringBytes = bytes
    }

    /// The finer lengths of all convolutions that halve or double the length: those at which positions change their order.
    var resampledLengths: [Int] {
        let lengths = stages.compactMap { stage -> Int? in
            switch stage.convolution.sampling {
            case .same: nil
            case .halving: stage.convolution.length
            case .doubling: stage.convolution.outLength
            }
        }
        return Set(lengths).sorted()
    }

    /// Has the first stage that reads `source` compute a shortcut, and the one that writes `output` add it.
    private mutating func add(_ shortcut: Shortcut, of source: Activation, to output: Activation) {
        guard let reader = stages.firstIndex(where: { $0.source == source }) else {
            preconditionFailure("no convolution reads activation \(source.id), which is a residual")
        }
        precondition(
            stages[reader].shortcut == nil && stages[reader].output.channels == output.channels,
            "a stage has one shortcut, of its own channels"
        )
        stages[reader].shortcut = shortcut
        stages[stage(writing: output)].residual = .shortcut(ofStage: reader)
    }

    /// The stage whose output a layer works on in place: the one that is being put together.
    private func stage(writing output: Activation) -> Int {
        let last = stages.count - 1
        precondition(last >= 0 && stages[last].output == output, "a layer works on what was written last")
        return last
    }
}

/// Rows of packed cells that so many channels take: a row for each channel, or for each pair in bf16.
func packedRows(channels: Int, format: dn_format) -> Int {
    format == dn_bf16 ? (channels + 1) / 2 : channels
}
