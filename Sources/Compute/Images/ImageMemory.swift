import CKernels

/// The activations of a packed image network, sized for the most frames. Those that are not needed at the same time share
/// memory.
///
/// An activation is kept in up to three forms: floats, for a pool, a residual and convolutions in single precision; pairs of
/// bf16; and integers.
final class ImageMemory {
    private let layers: [ImageLayer]
    private let engine: Engine
    private let floats: FloatBuffer
    private let cells: CellBuffer
    /// Where each activation's floats begin, by its number; likewise its pairs or integers.
    private let floatOffsets: [Int]
    private let cellOffsets: [Int]

    init(layers: [ImageLayer], engine: Engine, maximumFrames: Int) {
        self.layers = layers
        self.engine = engine
        func plan(_ format: dn_format, isNeeded: (ImageActivation) -> Bool) -> MemoryPlan {
            MemoryPlan(
                layers.enumerated().map { moment, layer in
                    let layout = PlaneLayout(layer.output, format: format, isa: engine.isa)
                    let count = isNeeded(layer.output) ? maximumFrames * layout.frameStride : 0
                    return MemoryPlan.Value(
                        count: count,
                        moments: moment...layers.lastReader(of: layer.output)
                    )
                }
            )
        }
        let floatPlan = plan(dn_f32) { engine.needsFloats(of: $0, layers: layers) }
        let cellPlan = plan(engine.imageFormat) {
            engine.imageFormat != dn_f32 && layers.isConvolved($0, isLogits: false)
        }
        self.floats = FloatBuffer(count: floatPlan.count)
        self.cells = CellBuffer(count: cellPlan.count)
        self.floatOffsets = floatPlan.offsets
        self.cellOffsets = cellPlan.offsets
    }

    /// An activation as floats; nil if nothing reads it so.
    func floats(of activation: ImageActivation) -> ImagePlanes<Float>? {
        guard engine.needsFloats(of: activation, layers: layers) else { return nil }
        let layout = PlaneLayout(activation, format: dn_f32, isa: engine.isa)
        return ImagePlanes(cells: floats.pointer + floatOffsets[activation.id - 1], layout: layout)
    }

    /// An activation as pairs of bf16 or as integers, whichever the engine multiplies; nil if nothing reads it so.
    func cells(of activation: ImageActivation) -> ImagePlanes<UInt32>? {
        guard engine.imageFormat != dn_f32, layers.isConvolved(activation, isLogits: false) else {
            return nil
        }
        let layout = PlaneLayout(activation, format: engine.imageFormat, isa: engine.isa)
        return ImagePlanes(cells: cells.pointer + cellOffsets[activation.id - 1], layout: layout)
    }
}

extension Engine {
    /// What convolutions multiply, but for the first and the last one, which work on floats.
    var imageFormat: dn_format {
        switch precision {
        case .f32: dn_f32
        case .bf16: dn_bf16
        case .int8: dn_integers
        }
    }

    /// Whether a layer reads an activation's floats. Integers are made from floats.
    fileprivate func needsFloats(of activation: ImageActivation, layers: [ImageLayer]) -> Bool {
        let isConvolved = layers.isConvolved(activation, isLogits: false)
        return layers.isConvolved(activation, isLogits: true) || isConvolved && imageFormat != dn_bf16
            || layers.contains {
                $0.residual == activation || $0.input == activation && $0.operation == .maximumPool
            }
    }
}

extension [ImageLayer] {
    /// Whether the convolution that makes the logits, or another one, reads an activation.
    fileprivate func isConvolved(_ activation: ImageActivation, isLogits: Bool) -> Bool {
        indices.contains { index in
            self[index].input == activation && self[index].convolution != nil
                && (index == count - 1) == isLogits
        }
    }

    /// The last layer that reads an activation; the list's end if none does.
    fileprivate func lastReader(of activation: ImageActivation) -> Int {
        lastIndex { $0.input == activation || $0.residual == activation } ?? count
    }
}
