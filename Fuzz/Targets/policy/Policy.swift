import Foundation
import Harness
import Policy
import Safetensors

/// Policy folders. The input is `config.json`, `policy_preprocessor.json` and `policy_postprocessor.json` with a zero byte
/// between them; the weights and statistics are those of a tiny policy. An accepted configuration is consistent, and an
/// accepted policy takes an observation.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    _ = tinyPolicy
    let parts = parts(input(start, count), limit: 3)
    let names = ["config.json", "policy_preprocessor.json", "policy_postprocessor.json"]
    for (index, name) in names.enumerated() {
        if index < parts.count {
            ScratchFolder.write(parts[index], as: name)
        } else {
            try? FileManager.default.removeItem(at: ScratchFolder.folder.appending(path: name))
        }
    }
    do throws(PolicyError) {
        check(try PolicyConfiguration(contentsOf: ScratchFolder.folder.appending(path: names[0])))
        try check(PolicyBundle(directory: ScratchFolder.folder))
    } catch {
        requireOneLine(error)
    }
    return 0
}

/// The weights and statistics, copied into the scratch folder once.
private let tinyPolicy: Void = {
    let source = URL(filePath: #filePath).deletingLastPathComponent()
        .appending(path: "../../../Tests/PolicyTests/Fixtures/processors").standardizedFileURL
    do {
        for name in try FileManager.default.contentsOfDirectory(atPath: source.path)
        where name.hasSuffix(".safetensors") {
            try FileManager.default.copyItem(
                at: source.appending(path: name),
                to: ScratchFolder.folder.appending(path: name)
            )
        }
    } catch {
        fail("no policy to fuzz: \(error)")
    }
}()

private func check(_ configuration: PolicyConfiguration) {
    require(
        configuration.nActionSteps >= 1
            && configuration.nActionSteps <= configuration.horizon - configuration.nObsSteps + 1,
        "\(configuration.nActionSteps) action steps of horizon \(configuration.horizon)"
    )
    require(
        (1...configuration.numTrainTimesteps).contains(configuration.numInferenceSteps),
        "\(configuration.numInferenceSteps) steps of \(configuration.numTrainTimesteps)"
    )
    require(configuration.actionDim > 0, "no action")
    require(!configuration.inputs.isEmpty && configuration.inputs.allSatisfy { $0.count > 0 }, "no inputs")
    if let range = configuration.clipSampleRange {
        require(range > 0 && range.isFinite, "clipped to \(range)")
    }
    for parameter in configuration.architecture.parameters {
        require(parameter.count > 0 && parameter.count == parameter.shape.reduce(1, *), "\(parameter.name)")
    }
}

private func check(_ bundle: PolicyBundle) throws(PolicyError) {
    let middle = bundle.middleObservation
    for feature in bundle.observationFeatures {
        let values = middle.values[feature.name] ?? []
        require(values.count == feature.count, "\(values.count) numbers for \(feature.name.debugDescription)")
    }
    require(
        Set(bundle.observationFeatures.map(\.name)).count == bundle.observationFeatures.count,
        "a name twice"
    )
    require(bundle.normalizationModes["action"] != nil, "the action's normalisation is unknown")
    require(!bundle.weightDTypes.isEmpty, "no weights")
    var history = bundle.makeHistory()
    do {
        try history.append(middle)
    } catch {
        require(false, "an observation of the policy's own features is refused: \(error)")
    }
    require(history.observations.count == bundle.configuration.nObsSteps, "the history is not filled up")
}
