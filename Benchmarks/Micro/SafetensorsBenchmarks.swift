import Benchmark
import BenchmarkNetworks
import Networks
import Foundation
import Safetensors

/// Opening a checkpoint of the small network, and reading all of it as single precision; the file is in the page cache.
func addSafetensorsBenchmarks() {
    Benchmark("safetensors open f32") { _, checkpoint in
        blackHole(try SafetensorsFile(contentsOf: checkpoint.url))
    } setup: {
        try SmallCheckpoint { .f32($0, shape: $1) }
    }
    Benchmark("safetensors load f32") { _, checkpoint in
        try checkpoint.load()
    } setup: {
        try SmallCheckpoint { .f32($0, shape: $1) }
    }
    Benchmark("safetensors load bf16") { _, checkpoint in
        try checkpoint.load()
    } setup: {
        try SmallCheckpoint { .bf16($0, shape: $1) }
    }
}

/// A file of random weights, there as long as the instance is.
private final class SmallCheckpoint {
    let url: URL

    init(_ tensor: (_ values: [Float], _ shape: [Int]) -> SafetensorsWriter.Tensor) throws {
        url = FileManager.default.temporaryDirectory
            .appendingPathComponent("denoised-\(UUID().uuidString).safetensors")
        let architecture = UNet1DArchitecture.small
        let tensors = architecture.parameters.map { parameter in
            (parameter.name, tensor(architecture.randomValues(for: parameter, seed: 0), parameter.shape))
        }
        try SafetensorsWriter.write(Dictionary(uniqueKeysWithValues: tensors), to: url)
    }

    deinit { try? FileManager.default.removeItem(at: url) }

    func load() throws {
        let file = try SafetensorsFile(contentsOf: url)
        for name in file.names { blackHole(try file.floats(name)) }
    }
}
