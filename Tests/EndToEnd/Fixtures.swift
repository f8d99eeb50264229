import Foundation
import Glibc
import Safetensors
import Testing

/// A folder that is removed with the value.
final class TemporaryFolder {
    let url: URL

    init() throws {
        url = FileManager.default.temporaryDirectory
            .appending(path: "denoised-tests-\(UInt64.random(in: 0 ... .max))")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(at: url)
    }

    func file(_ name: String) -> URL { url.appending(path: name) }
    func path(_ name: String) -> String { file(name).path(percentEncoded: false) }
}

/// Files of the source tree.
enum SourceTree {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    static func path(_ name: String) -> String { root.appending(path: name).path(percentEncoded: false) }

    /// A tiny policy with golden chunks from LeRobot.
    static func tinyPolicy(_ name: String) -> String { path("Tests/PolicyTests/Fixtures/\(name)") }

    static func json<Value: Decodable>(_ type: Value.Type, _ name: String) throws -> Value {
        try decode(type, from: Data(contentsOf: root.appending(path: name)))
    }

    /// The value of JSON whose keys are written with underscores.
    static func decode<Value: Decodable>(_ type: Value.Type, from json: Data) throws -> Value {
        let decoder = JSONDecoder()
        decoder.keyDecodingStrategy = .convertFromSnakeCase
        return try decoder.decode(type, from: json)
    }
}

/// A TCP connection to a port of this machine, which is closed with the handle.
func connection(port: UInt16) throws -> FileHandle {
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    try #require(descriptor >= 0)
    let handle = FileHandle(fileDescriptor: descriptor, closeOnDealloc: true)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    let connected = withUnsafeBytes(of: &address) { bytes in
        connect(descriptor, bytes.baseAddress?.assumingMemoryBound(to: sockaddr.self), socklen_t(bytes.count))
    }
    try #require(connected == 0)
    return handle
}

/// A copy of a tiny policy that a test may change.
final class PolicyCopy {
    private let folder: TemporaryFolder
    var path: String { folder.path("policy") }

    init(of name: String) throws {
        folder = try TemporaryFolder()
        try FileManager.default.copyItem(atPath: SourceTree.tinyPolicy(name), toPath: folder.path("policy"))
    }

    func file(_ name: String) -> URL { folder.file("policy").appending(path: name) }

    /// Changes a JSON file's top-level object.
    func edit(_ name: String, _ change: (inout [String: Any]) throws -> Void) throws {
        let parsed = try JSONSerialization.jsonObject(with: Data(contentsOf: file(name)))
        var object = try #require(parsed as? [String: Any])
        try change(&object)
        try JSONSerialization.data(withJSONObject: object).write(to: file(name))
    }

    /// Changes the tensors of a safetensors file.
    func editTensors(_ name: String, _ change: (_ name: String, inout [Float], inout [Int]) -> Void) throws {
        let old = try SafetensorsFile(contentsOf: file(name))
        var tensors: [String: SafetensorsWriter.Tensor] = [:]
        for tensor in old.names {
            var (values, shape) = (try old.floats(tensor), try old.shape(of: tensor))
            change(tensor, &values, &shape)
            tensors[tensor] = .f32(values, shape: shape)
        }
        try FileManager.default.removeItem(at: file(name))
        try SafetensorsWriter.write(tensors, to: file(name))
    }
}

/// A tiny policy of PushT's shape. It cannot play: its weights are made up, but always the same.
func pushTPolicy() throws -> PolicyCopy {
    let policy = try PolicyCopy(of: "processors")
    let keypoints = 16
    try policy.edit("config.json") { configuration in
        var features = try #require(configuration["input_features"] as? [String: Any])
        features["observation.environment_state"] = ["type": "ENV", "shape": [keypoints]]
        configuration["input_features"] = features
    }
    // Timestep embedding of 8, and two observations of 2 + 16 instead of 2 + 3 numbers.
    let (oldCondition, newCondition) = (8 + 2 * (2 + 3), 8 + 2 * (2 + keypoints))
    try policy.editTensors("model.safetensors") { name, values, shape in
        guard name.hasSuffix("cond_encoder.1.weight"), shape.last == oldCondition else { return }
        shape[1] = newCondition
        values = (0..<shape[0] * newCondition).map { 0.1 * Float(sin(Double($0 * $0 % 1009))) }
    }
    for processor in [
        "policy_preprocessor_step_3_normalizer_processor",
        "policy_postprocessor_step_0_unnormalizer_processor",
    ] {
        try policy.editTensors("\(processor).safetensors") { name, values, shape in
            guard name.hasPrefix("observation.") else { return }
            if name.hasPrefix("observation.environment_state.") { shape = [keypoints] }
            let value: Float =
                switch name.split(separator: ".").last {
                case "min": 0
                case "max": 512
                case "mean": 256
                default: 100
                }
            values = Array(repeating: value, count: shape[0])
        }
    }
    for file in ["policy_preprocessor.json", "policy_postprocessor.json"] {
        try policy.edit(file) { pipeline in
            var steps = try #require(pipeline["steps"] as? [[String: Any]])
            for index in steps.indices {
                guard var step = steps[index]["config"] as? [String: Any],
                    var features = step["features"] as? [String: Any],
                    features["observation.environment_state"] != nil
                else { continue }
                features["observation.environment_state"] = ["type": "ENV", "shape": [keypoints]]
                step["features"] = features
                steps[index]["config"] = step
            }
            pipeline["steps"] = steps
        }
    }
    return policy
}

/// The largest difference, relative to the largest expected number or 1; infinite where the counts differ.
func deviation<Number: BinaryFloatingPoint>(_ found: [Number], _ expected: [Number]) -> Number {
    guard found.count == expected.count else { return .infinity }
    let scale = max(1, expected.map(abs).max() ?? 1)
    return zip(found, expected).map { abs($0 - $1) / scale }.max() ?? 0
}
