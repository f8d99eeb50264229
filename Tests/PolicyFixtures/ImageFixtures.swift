import Foundation
import NumPyRandom
import Policy
import Robotics
import Safetensors

/// A policy that sees, as LeRobot wrote it, and what LeRobot computed with it.
///
/// Weights, frames and noise are large. They are drawn again here, by the rules of Tests/Oracles/image_policies.py.
package final class ImageFixture: Sendable {
    package struct Golden: Decodable, Sendable {
        package let observations: [[String: [Float]]]
        package let cameras: [String]
        package let condition: [Float]
        package let prediction: [Float]
    }

    package let golden: Golden
    package let copy: BundleCopy
    package let configuration: PolicyConfiguration
    private let name: String

    /// - Parameter name: a case of Tests/Oracles/image_policies.py.
    package init(_ name: String) throws {
        self.name = name
        copy = try BundleCopy(of: "images/\(name)")
        golden = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: copy.url("golden.json")))
        configuration = try PolicyConfiguration(contentsOf: copy.url(PolicyConfiguration.fileName))
        var tensors: [String: SafetensorsWriter.Tensor] = [:]
        for parameter in configuration.parameters {
            let values =
                parameter.name.hasSuffix("pos_grid")
                ? Self.grid(of: configuration) : Self.weights(parameter.name, shape: parameter.shape)
            tensors[parameter.name] = .f32(values, shape: parameter.shape)
        }
        if configuration.vision?.encoder.norm == .batch {
            tensors["diffusion.rgb_encoder.backbone.1.num_batches_tracked"] = .i64([7], shape: [])
        }
        try SafetensorsWriter.write(tensors, to: copy.url("model.safetensors"))
    }

    /// The observations of the case, oldest first.
    package func observations(of bundle: PolicyBundle) -> [Observation] {
        golden.observations.enumerated().map { step, values in
            Observation(
                values: values,
                frames: Dictionary(
                    uniqueKeysWithValues: bundle.cameras.map {
                        ($0.name, Self.frame(camera: $0.name, step: step, size: $0.size))
                    }
                )
            )
        }
    }

    /// The noise of the case, [numInferenceSteps + 1, horizon, actionDim].
    package var noise: [Float] {
        let count = (configuration.numInferenceSteps + 1) * configuration.horizon * configuration.actionDim
        var generator = Self.generator("\(name) noise")
        return (0..<count).map { _ in
            Float(2 * (generator.nextDouble() + generator.nextDouble() + generator.nextDouble()) - 3)
        }
    }

    /// The generator of a tensor: seeded by its name's bytes, read as a polynomial in 31, modulo 2^32.
    package static func generator(_ name: String) -> PCG64 {
        PCG64(seed: UInt64(name.utf8.reduce(UInt32(0)) { $0 &* 31 &+ UInt32($1) }))
    }

    package static func weights(_ name: String, shape: [Int]) -> [Float] {
        var generator = generator(name)
        let count = shape.reduce(1, *)
        let isVariance = name.hasSuffix("running_var")
        let gain: Double = name.contains(".pool.") ? 24 : 6
        let scale = shape.count == 1 ? 0.25 : (gain / Double(count / shape[0])).squareRoot()
        let middle: Double = isVariance || shape.count == 1 && name.hasSuffix("weight") ? 1 : 0
        var values = [Float](repeating: 0, count: count)
        for index in values.indices {
            values[index] = Float(middle + (isVariance ? 0.75 : scale) * (2 * generator.nextDouble() - 1))
        }
        return values
    }

    /// As LeRobot's pool has it: x and y from -1 to 1, row by row.
    private static func grid(of configuration: PolicyConfiguration) -> [Float] {
        guard let (height, width) = configuration.vision?.encoder.mapSize else { return [] }
        func point(_ index: Int, of count: Int) -> Float {
            count > 1 ? Float(-1 + 2 * Double(index) / Double(count - 1)) : -1
        }
        return (0..<height).flatMap { y in
            (0..<width).flatMap { [point($0, of: width), point(y, of: height)] }
        }
    }

    /// Blocks of 8 by 8 pixels of one colour, with noise.
    package static func frame(camera: String, step: Int, size: FrameSize) -> CameraFrame {
        var generator = generator("\(camera) \(step)")
        let columns = (size.width + 7) / 8
        let blocks = (0..<(size.height + 7) / 8 * columns * 3).map { _ in generator.nextDouble() }
        var pixels = [UInt8](repeating: 0, count: size.count)
        for index in pixels.indices {
            let (row, column, colour) = (index / 3 / size.width, index / 3 % size.width, index % 3)
            let block = blocks[(row / 8 * columns + column / 8) * 3 + colour]
            pixels[index] = UInt8(200 * block + 56 * generator.nextDouble())
        }
        return CameraFrame(height: size.height, width: size.width, pixels: pixels)
    }
}
