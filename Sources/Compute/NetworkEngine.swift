import Clocks
import Stalls

/// A network's layers with their weights and all memory, on the packed kernels or on BLAS.
///
/// Numbers come and go as spans; the pointers into the engines' memory stay in this module. A forward pass allocates nothing,
/// except within OpenBLAS if that runs on several threads. One thread at a time may use it; it brings further threads itself.
package final class NetworkEngine {
    private enum Work {
        case packed(PackedNetwork)
        case blas(BLASNetwork)
    }

    /// Bytes of convolution weights that a forward pass reads.
    package let weightBytes: Int
    private let work: Work

    /// - Parameters:
    ///   - layers: at least one, in the order in which they run.
    ///   - threads: threads a forward pass runs on, the caller's included; at least 1.
    ///   - locksWeights: keeps the weights in memory if the system allows it (`RLIMIT_MEMLOCK`).
    ///   - maximumBatch: at least 1.
    ///   - stallWatch: watches the passes that have a time; not on OpenBLAS.
    ///   - parameter: the values of one of the layers' parameters, as many as its shape says.
    /// - Throws: what `parameter` throws.
    package init<Failure: Error>(
        layers: [Layer],
        kernel: Kernel,
        threads: Int,
        locksWeights: Bool,
        maximumBatch: Int,
        stallWatch: StallWatch?,
        parameter: (NetworkParameter) throws(Failure) -> [Float]
    ) throws(Failure) {
        let engine = kernel.engine(threads: threads, locksWeights: locksWeights)
        // BLAS threads go on spinning after their work, on the cores that the packed kernels' threads need. Next to those,
        // BLAS only computes what is computed once, when the network is built.
        setMatrixProductThreads(engine == nil ? threads : 1)
        if let engine {
            let network = try PackedNetwork(
                layers: layers,
                engine: engine,
                maximumBatch: maximumBatch,
                stallWatch: stallWatch,
                parameter: parameter
            )
            weightBytes = network.weightBytes
            work = .packed(network)
        } else {
            let weights = layers.compactMap(\.convolution).reduce(0) { $0 + $1.weight.count }
            weightBytes = weights * MemoryLayout<Float>.stride
            work = .blas(
                try BLASNetwork(layers: layers, maximumBatch: maximumBatch, parameter: parameter)
            )
        }
    }

    /// The network's output for `batch` samples, unless it would be late. On OpenBLAS it always finishes.
    ///
    /// - Parameters:
    ///   - samples: [batch, length, channels] of the network's input.
    ///   - film: has the numbers of the batch's entries.
    ///   - instant: when to give up, between two layers; nil: it takes the time it takes.
    ///   - interruption: gives up between two layers when it is asked for.
    ///   - outputs: [batch, length, channels] of the network's output; as it was if the pass was given up.
    /// - Returns: whether there is an output.
    @_lifetime(outputs: copy outputs)
    package func forward(
        _ samples: Span<Float>,
        batch: Int,
        film: borrowing FiLMConditioning,
        until instant: MonotonicTime?,
        unless interruption: Interruption? = nil,
        into outputs: inout MutableSpan<Float>
    ) -> Bool {
        let (numbers, stride) = (film.numbers, film.count)
        return samples.withUnsafeBufferPointer { samples in
            outputs.withUnsafeMutableBufferPointer { outputs in
                guard let samples = samples.baseAddress, let outputs = outputs.baseAddress else {
                    return true
                }
                switch work {
                case .packed(let network):
                    return network.forward(
                        samples,
                        batch: batch,
                        film: numbers,
                        filmStride: stride,
                        until: instant,
                        unless: interruption,
                        into: outputs
                    )
                case .blas(let network):
                    network.forward(
                        samples,
                        batch: batch,
                        film: numbers,
                        filmStride: stride,
                        into: outputs
                    )
                    return true
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
