import Foundation
import Policy
import Robotics
import Safetensors
import Testing

/// A file or folder of `Tests/PolicyTests/Fixtures`.
package func fixture(_ name: String) -> URL {
    URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("PolicyTests/Fixtures").appendingPathComponent(name)
}

/// A copy of a fixture bundle that a test may spoil; removed with the value.
package final class BundleCopy: Sendable {
    package let directory: URL

    package init(of name: String) throws {
        directory = FileManager.default.temporaryDirectory
            .appendingPathComponent("denoised-tests-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.copyItem(at: fixture(name), to: directory)
    }

    deinit {
        try? FileManager.default.removeItem(at: directory)
    }

    package func url(_ file: String) -> URL { directory.appendingPathComponent(file) }

    package func remove(_ file: String) throws { try FileManager.default.removeItem(at: url(file)) }

    /// Replaces text that must be there.
    package func replace(_ text: String, with other: String, in file: String) throws {
        let content = try String(contentsOf: url(file), encoding: .utf8)
        try #require(content.contains(text), "\(file) has no \(text)")
        try Data(content.replacing(text, with: other).utf8).write(to: url(file))
    }

    /// Sets a top-level key of a JSON file to a value written as JSON; nil removes it.
    package func set(_ key: String, to json: String?, in file: String = "config.json") throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(contentsOf: url(file)))
        var object = try #require(parsed as? [String: Any])
        object[key] = try json.map {
            try JSONSerialization.jsonObject(with: Data($0.utf8), options: .fragmentsAllowed)
        }
        try JSONSerialization.data(withJSONObject: object).write(to: url(file))
    }

    /// Rewrites a safetensors file as F32 with some tensors changed.
    package func editTensors(
        in file: String = "model.safetensors",
        _ edit: (inout [String: SafetensorsWriter.Tensor]) throws -> Void
    ) throws {
        let old = try SafetensorsFile(contentsOf: url(file))
        var tensors: [String: SafetensorsWriter.Tensor] = [:]
        for name in old.names { tensors[name] = .f32(try old.floats(name), shape: try old.shape(of: name)) }
        try edit(&tensors)
        try remove(file)
        try SafetensorsWriter.write(tensors, to: url(file))
    }

    /// The error that opening the bundle gives.
    package func error() throws -> PolicyError {
        try #require(throws: PolicyError.self) { try PolicyBundle(directory: self.directory) }
    }
}

/// What LeRobot computed for a fixture bundle.
package struct Golden: Decodable {
    package struct Case: Decodable {
        package let arrived: Int
        package let condition: [Float]
        package let firstModelOutput: [Float]
        package let prediction: [Float]
        package let actions: [Float]

        enum CodingKeys: String, CodingKey {
            case arrived, condition
            case firstModelOutput = "first_model_output"
            case prediction = "action_pred"
            case actions = "action"
        }
    }

    package let state: [[Float]]
    package let environment: [[Float]]
    package let noise: [Float]
    package let cases: [Case]

    enum CodingKeys: String, CodingKey {
        case state = "observation.state"
        case environment = "observation.environment_state"
        case noise, cases
    }

    package init(of bundle: String) throws {
        self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: fixture("\(bundle)/golden.json")))
    }

    package func observation(_ index: Int) -> Observation {
        Observation(values: [
            "observation.state": state[index], "observation.environment_state": environment[index],
        ])
    }

    /// The history of a case.
    package func history(_ golden: Case, of bundle: PolicyBundle) throws -> ObservationHistory {
        var history = bundle.makeHistory()
        for index in 0..<golden.arrived { try history.append(observation(index)) }
        return history
    }
}

/// The largest difference, relative to the largest expected number or 1.
package func deviation(_ found: [Float], _ expected: [Float]) throws -> Float {
    try #require(found.count == expected.count)
    let scale = max(1, expected.map(abs).max() ?? 1)
    return zip(found, expected).map { abs($0 - $1) / scale }.max() ?? 0
}
