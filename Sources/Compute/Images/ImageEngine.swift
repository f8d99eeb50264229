import CKernels

/// An image network's layers with their weights and all memory, on the packed kernels or on BLAS.
///
/// Numbers come and go as spans; the pointers into the engines' memory stay in this module. All memory is taken when it is
/// created; a pass allocates nothing, except within OpenBLAS if that runs on several threads. One thread at a time may use it;
/// it brings further threads itself.
package final class ImageEngine {
    private enum Work {
        case packed(PackedImageNetwork)
        case blas(BLASImageNetwork)
    }

    /// Bytes of convolution weights that a pass reads.
    package let weightBytes: Int
    private let work: Work
    private let pointCount: Int
    private let frameCount: Int

    /// - Parameters:
    ///   - layers: in the order in which they run: the first reads frames [height, width, 3], the last makes a map of logits
    ///     for each keypoint.
    ///   - grid: the points of the maps, [height * width, 2], x first.
    ///   - threads: threads that a pass runs on, the caller's included; at least 1.
    ///   - locksWeights: keeps the weights in memory if the system allows it (`RLIMIT_MEMLOCK`).
    ///   - maximumFrames: at least 1.
    ///   - parameter: the values of the grid or one of the layers' parameters, as many as its shape says.
    /// - Throws: what `parameter` throws.
    package init<Failure: Error>(
        layers: [ImageLayer],
        grid: NetworkParameter,
        kernel: Kernel,
        threads: Int,
        locksWeights: Bool,
        maximumFrames: Int,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        pointCount = 2 * layers[layers.count - 1].output.channels
        frameCount = layers[0].input.height * layers[0].input.width * layers[0].input.channels
        if let engine = kernel.engine(threads: threads, locksWeights: locksWeights) {
            let network = try PackedImageNetwork(
                layers: layers,
                grid: grid,
                engine: engine,
                maximumFrames: maximumFrames,
                parameter: parameter
            )
            weightBytes = network.weightBytes
            work = .packed(network)
        } else {
            setMatrixProductThreads(threads)
            let weights = layers.compactMap(\.convolution).reduce(0) { $0 + $1.weight.count }
            weightBytes = weights * MemoryLayout<Float>.stride
            work = .blas(try BLASImageNetwork(layers: layers, grid: grid, parameter: parameter))
        }
    }

    /// Finds where each frame's keypoints are expected.
    ///
    /// - Parameters:
    ///   - frames: [count, height, width, 3], with `count` in 1...`maximumFrames`.
    ///   - points: [count, keypoints, 2] at its beginning, x first.
    @_lifetime(points: copy points)
    package func locateKeypoints(_ frames: Span<Float>, count: Int, into points: inout MutableSpan<Float>) {
        precondition(frames.count == count * frameCount && points.count >= count * pointCount)
        frames.withUnsafeBufferPointer { frames in
            points.withUnsafeMutableBufferPointer { points in
                guard let frames = frames.baseAddress, let points = points.baseAddress else { return }
                if case .packed(let network) = work { network.run(frames, count: count) }
                for frame in 0..<count {
                    let found =
                        switch work {
                        case .packed(let network): network.points(frame: frame)
                        case .blas(let network): network.points(of: frames + frame * frameCount)
                        }
                    (points + frame * pointCount).update(from: found, count: pointCount)
                }
            }
        }
    }

    /// Lets the worker threads park until the next pass.
    package func rest() {
        // OpenBLAS keeps threads of its own.
        if case .packed(let network) = work { network.rest() }
    }
}
