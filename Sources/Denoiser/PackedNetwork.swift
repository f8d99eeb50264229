import CKernels

/// The network on the packed kernels: every layer's output channels are split between the threads, which run through
/// the layers side by side and meet where a layer needs what the others computed.
///
/// Activations exist in two forms. A convolution writes floats [position, channel], which normalisation, FiLM and the
/// residual work on in place; the next convolution reads `dn_pack`'s rows [channel (pair), position]. A position is a
/// (time, sample) pair, sample fastest, so that a tap is one range of positions whatever the batch, and ranges that meet
/// only padding are never computed.
///
/// `@unchecked Sendable`: the team's threads work on disjoint channels between barriers, and only inside `forward`,
/// which the owner calls from one thread at a time.
final class PackedNetwork: @unchecked Sendable {
    private let architecture: UNet1DArchitecture
    private let engine: Engine
    private let maximumBatch: Int
    private let encoder: [PackedResolution]
    private let bottom: [PackedBlock]
    private let decoder: [PackedResolution]
    private let finalConvolution: PackedConvolution
    private let finalNorm: PackedNorm
    private let outputConvolution: PackedConvolution
    private let memory: PackedActivations
    private var team: ThreadTeam?
    private var job = Job()

    /// What a forward pass was called with.
    private struct Job {
        var batch = 0
        var samples: UnsafePointer<Float>?
        var film: UnsafePointer<Float>?
        var filmStride = 0
        var outputs: UnsafeMutablePointer<Float>?
    }

    init<Failure: Error>(
        architecture: UNet1DArchitecture,
        engine: Engine,
        maximumBatch: Int,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) {
        self.architecture = architecture
        self.engine = engine
        self.maximumBatch = maximumBatch

        var filmOffset = 0
        func block(_ shape: ResidualBlockShape, length: Int, inputs: [Int]) throws(Failure) -> PackedBlock {
            let isFirst = filmOffset == 0
            let block = try PackedBlock(
                shape,
                inputs: inputs,
                length: length,
                filmOffset: filmOffset,
                inputFormat: isFirst ? dn_f32 : engine.format(weights: shape.inChannels * shape.outChannels),
                architecture: architecture,
                engine: engine,
                parameter: parameter
            )
            filmOffset += shape.outChannels * architecture.filmValuesPerChannel
            return block
        }
        func resample(
            _ name: String,
            channels: Int,
            taps: [Tap],
            outLength: Int,
            weightIndex: (_ out: Int, _ channel: Int, _ tap: Int) -> Int
        ) throws(Failure) -> PackedConvolution {
            let weight = try parameter("\(name).weight")
            return PackedConvolution(
                weight: { weight[weightIndex($0, $1, $2)] },
                bias: try parameter("\(name).bias"),
                inputs: [channels],
                taps: taps,
                outLength: outLength,
                share: ChannelShare(channels: channels, groupWidth: 1, threads: engine.threads),
                format: engine.format(weights: channels * channels),
                engine: engine
            )
        }

        var encoder: [PackedResolution] = []
        for shape in architecture.encoder {
            let first = try block(shape.first, length: shape.length, inputs: [shape.first.inChannels])
            let second = try block(shape.second, length: shape.length, inputs: [shape.second.inChannels])
            var downsample: PackedConvolution?
            if let name = shape.resample {
                let channels = shape.second.outChannels
                downsample = try resample(
                    name,
                    channels: channels,
                    taps: Tap.downsampling(length: shape.length),
                    outLength: shape.length / 2,
                    weightIndex: { out, channel, tap in (out * channels + channel) * 3 + tap }
                )
            }
            encoder.append(
                PackedResolution(first: first, second: second, length: shape.length, resample: downsample)
            )
        }
        let coarsest = encoder[encoder.count - 1].length
        var bottom: [PackedBlock] = []
        for shape in architecture.bottom {
            bottom.append(try block(shape, length: coarsest, inputs: [shape.inChannels]))
        }
        var decoder: [PackedResolution] = []
        for shape in architecture.decoder {
            let half = shape.first.inChannels / 2
            let first = try block(shape.first, length: shape.length, inputs: [half, half])
            let second = try block(shape.second, length: shape.length, inputs: [shape.second.inChannels])
            var upsample: PackedConvolution?
            if let name = shape.resample {
                let channels = shape.second.outChannels
                upsample = try resample(
                    name,
                    channels: channels,
                    taps: Tap.upsampling(length: shape.length),
                    outLength: 2 * shape.length,
                    weightIndex: { out, channel, tap in (channel * channels + out) * 4 + tap }
                )
            }
            decoder.append(
                PackedResolution(first: first, second: second, length: shape.length, resample: upsample)
            )
        }
        self.encoder = encoder
        self.bottom = bottom
        self.decoder = decoder

        let finest = architecture.downDims[0]
        let finalShare = ChannelShare(
            channels: finest,
            groupWidth: finest / UNet1DArchitecture.finalGroups,
            threads: engine.threads
        )
        self.finalConvolution = try PackedConvolution.centred(
            "final_conv.0.block.0",
            inputs: [finest],
            taps: architecture.kernelSize,
            length: architecture.horizon,
            share: finalShare,
            format: dn_f32,
            engine: engine,
            parameter: parameter
        )
        self.finalNorm = PackedNorm(
            gain: try parameter("final_conv.0.block.1.weight"),
            bias: try parameter("final_conv.0.block.1.bias"),
            groups: UNet1DArchitecture.finalGroups,
            share: finalShare,
            isa: engine.isa
        )
        self.outputConvolution = try PackedConvolution.centred(
            "final_conv.1",
            inputs: [finest],
            taps: 1,
            length: architecture.horizon,
            share: ChannelShare(channels: architecture.actionDim, groupWidth: 1, threads: engine.threads),
            format: dn_f32,
            engine: engine,
            parameter: parameter
        )
        self.memory = PackedActivations(
            architecture: architecture,
            decoderFormats: decoder.map(\.first.inputFormat),
            maximumBatch: maximumBatch
        )
        self.team = ThreadTeam(
            count: engine.threads,
            body: { [unowned self] thread in self.forward(thread: thread) }
        )
    }

    deinit { team?.stop() }

    /// Bytes of weights a forward pass reads.
    var weightBytes: Int {
        let blocks = (encoder + decoder).flatMap { [$0.first, $0.second] } + bottom
        let convolutions =
            blocks.flatMap(\.convolutions) + (encoder + decoder).compactMap(\.resample)
            + [finalConvolution, outputConvolution]
        return convolutions.reduce(0) { $0 + $1.weightBytes }
    }

    /// The network's output for `batch` samples.
    ///
    /// - Parameters:
    ///   - samples: [batch, horizon, actionDim].
    ///   - film: [batch, filmStride], readable a vector beyond its end.
    ///   - outputs: [batch, horizon, actionDim].
    func forward(
        _ samples: UnsafePointer<Float>,
        batch: Int,
        film: UnsafePointer<Float>,
        filmStride: Int,
        into outputs: UnsafeMutablePointer<Float>
    ) {
        job = Job(batch: batch, samples: samples, film: film, filmStride: filmStride, outputs: outputs)
        memory.prepare(batch: batch)
        team?.run()
    }

    // MARK: - One thread's part

    private func forward(thread: Int) {
        guard let samples = job.samples, let film = job.film, let outputs = job.outputs, let team else {
            return
        }
        let batch = job.batch
        let pass = Pass(
            thread: thread,
            batch: batch,
            film: film,
            filmStride: job.filmStride,
            isa: engine.isa,
            memory: memory,
            team: team
        )
        // Packed rows take turns: `x` is what the next layer reads, `other` what it may write.
        var x = memory.packedA.pointer
        var other = memory.packedB.pointer
        // Likewise the floats that an identity residual adds.
        var stream = memory.streamA.pointer
        var nextStream = memory.streamB.pointer

        func run(
            _ block: PackedBlock,
            length: Int,
            input: UnsafeMutablePointer<UInt32>,
            to destinations: (PackedRows, PackedRows?)
        ) {
            block.forward(
                pass,
                length: length,
                input: input,
                hidden: other,
                residual: stream,
                output: nextStream,
                destinations: destinations
            )
            swap(&stream, &nextStream)
        }

        if thread == 0 {
            memory.load(
                samples,
                architecture: architecture,
                batch: batch,
                pass: pass,
                into: x,
                stream: stream
            )
        }
        team.barrier()

        func rows(
            _ cells: UnsafeMutablePointer<UInt32>,
            length: Int,
            format: dn_format,
            columns: UnsafePointer<Int32>? = nil
        ) -> PackedRows {
            PackedRows(
                rows: cells,
                rowStride: memory.rowStride(length, batch),
                columns: columns,
                format: format
            )
        }

        func resample(
            _ convolution: PackedConvolution,
            length: Int,
            outLength: Int,
            to destination: PackedRows
        ) {
            convolution(
                thread: thread,
                batch: batch,
                input: x,
                rowStride: memory.rowStride(length, batch),
                output: stream,
                outputStride: paddedChannels(convolution.outChannels)
            )
            pass.pack(
                stream,
                channels: convolution.outChannels,
                share: convolution.share,
                positions: outLength * batch,
                to: destination
            )
            team.barrier()
        }

        for (level, resolution) in encoder.enumerated() {
            let length = resolution.length
            let between = rows(x, length: length, format: resolution.second.inputFormat)
            run(resolution.first, length: length, input: x, to: (between, nil))
            let skip = level > 0 ? memory.skip(level, length: length, batch: batch) : nil
            if let downsample = resolution.resample {
                let evenFirst = rows(
                    x,
                    length: length,
                    format: downsample.format,
                    columns: memory.evenFirst(level)
                )
                run(resolution.second, length: length, input: x, to: (evenFirst, skip))
                let half = length / 2
                let next = rows(other, length: half, format: encoder[level + 1].first.inputFormat)
                resample(downsample, length: length, outLength: half, to: next)
                swap(&x, &other)
            } else {
                let next = rows(x, length: length, format: bottom[0].inputFormat)
                run(resolution.second, length: length, input: x, to: (next, skip))
            }
        }

        let coarsest = encoder[encoder.count - 1].length
        let between = rows(x, length: coarsest, format: bottom[1].inputFormat)
        run(bottom[0], length: coarsest, input: x, to: (between, nil))
        let next =
            decoder.isEmpty
            ? rows(x, length: coarsest, format: finalConvolution.format)
            : memory.lower(encoder.count - 1, length: coarsest, batch: batch, columns: nil)
        run(bottom[1], length: coarsest, input: x, to: (next, nil))

        for (index, resolution) in decoder.enumerated() {
            let level = encoder.count - 1 - index
            let length = resolution.length
            guard let upsample = resolution.resample else { continue }
            let between = rows(x, length: length, format: resolution.second.inputFormat)
            run(resolution.first, length: length, input: memory.joined(level), to: (between, nil))
            let upper = rows(x, length: length, format: upsample.format)
            run(resolution.second, length: length, input: x, to: (upper, nil))
            let columns = memory.interleaved(level - 1)
            if level > 1 {
                let next = memory.lower(level - 1, length: 2 * length, batch: batch, columns: columns)
                resample(upsample, length: length, outLength: 2 * length, to: next)
            } else {
                let next = rows(
                    other,
                    length: 2 * length,
                    format: finalConvolution.format,
                    columns: columns
                )
                resample(upsample, length: length, outLength: 2 * length, to: next)
                swap(&x, &other)
            }
        }

        let horizon = architecture.horizon
        let rowStride = memory.rowStride(horizon, batch)
        finalConvolution(
            thread: thread,
            batch: batch,
            input: x,
            rowStride: rowStride,
            output: stream,
            outputStride: paddedChannels(finalConvolution.outChannels)
        )
        finalNorm(pass, values: stream, length: horizon, filmOffset: nil, hasScale: false, residual: nil)
        pass.pack(
            stream,
            channels: finalConvolution.outChannels,
            share: finalConvolution.share,
            positions: horizon * batch,
            to: PackedRows(rows: other, rowStride: rowStride, columns: nil, format: outputConvolution.format)
        )
        team.barrier()
        outputConvolution(
            thread: thread,
            batch: batch,
            input: other,
            rowStride: rowStride,
            output: nextStream,
            outputStride: paddedChannels(architecture.actionDim)
        )
        let range = outputConvolution.share.ranges[thread].clamped(to: 0..<architecture.actionDim)
        for sample in 0..<batch {
            for time in 0..<horizon {
                let source = nextStream + (time * batch + sample) * paddedChannels(architecture.actionDim)
                let destination = outputs + (sample * horizon + time) * architecture.actionDim
                for channel in range { destination[channel] = source[channel] }
            }
        }
    }
}

/// `channels` up to the end of a vector: how far apart the rows of floats lie.
func paddedChannels(_ channels: Int) -> Int {
    let lanes = Int(dn_lanes)
    return (channels + lanes - 1) / lanes * lanes
}

/// Where packed rows go: row 0, the distance between rows in cells, the column of each position if not its own, and what
/// their cells hold.
struct PackedRows {
    let rows: UnsafeMutablePointer<UInt32>
    let rowStride: Int
    let columns: UnsafePointer<Int32>?
    let format: dn_format
}

/// What all layers of one thread's pass share.
struct Pass {
    let thread: Int
    let batch: Int
    let film: UnsafePointer<Float>
    let filmStride: Int
    let isa: dn_isa
    let memory: PackedActivations
    let team: ThreadTeam

    /// Packs the thread's channels of `values` [positions, paddedChannels(channels)].
    func pack(
        _ values: UnsafePointer<Float>,
        channels: Int,
        share: ChannelShare,
        positions: Int,
        to destination: PackedRows
    ) {
        let range = share.ranges[thread].clamped(to: 0..<channels)
        guard !range.isEmpty else { return }
        let firstRow = destination.format == dn_bf16 ? range.lowerBound / 2 : range.lowerBound
        var packing = dn_packing(
            values: values,
            value_stride: Int64(paddedChannels(channels)),
            positions: Int32(positions),
            channel_first: Int32(range.lowerBound),
            channel_count: Int32(range.count),
            input: destination.rows + firstRow * destination.rowStride,
            row_stride: Int64(destination.rowStride),
            columns: destination.columns
        )
        dn_pack(isa, destination.format, &packing)
    }
}

/// Two residual blocks at one resolution and the convolution that leads to the next.
struct PackedResolution {
    let first: PackedBlock
    let second: PackedBlock
    let length: Int
    let resample: PackedConvolution?
}

extension PackedConvolution {
    /// An ordinary convolution under its PyTorch name.
    static func centred<Failure: Error>(
        _ name: String,
        inputs: [Int],
        taps: Int,
        length: Int,
        share: ChannelShare,
        format: dn_format,
        engine: Engine,
        parameter: (String) throws(Failure) -> [Float]
    ) throws(Failure) -> PackedConvolution {
        let weight = try parameter("\(name).weight")
        let channels = inputs.reduce(0, +)
        return PackedConvolution(
            weight: { out, channel, tap in weight[(out * channels + channel) * taps + tap] },
            bias: try parameter("\(name).bias"),
            inputs: inputs,
            taps: Tap.centred(taps: taps, length: length),
            outLength: length,
            share: share,
            format: format,
            engine: engine
        )
    }
}
