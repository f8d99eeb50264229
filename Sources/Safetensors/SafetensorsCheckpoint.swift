import Foundation
import StrictJSON

/// The tensors of a model folder: one `model.safetensors`, or the shards that `model.safetensors.index.json`
/// names.
///
/// The index is an object whose `weight_map` gives, for each tensor, the file it is in. Index and shards must
/// agree: every mapped tensor is in its shard, and every tensor of a shard is mapped to it. Other members of the
/// index (`metadata`) say nothing that is needed and are not read.
public struct SafetensorsCheckpoint: Sendable {
    /// The file a folder without an index has.
    public static let fileName = "model.safetensors"
    /// The file that lists a sharded checkpoint's files.
    public static let indexName = "model.safetensors.index.json"

    /// The files the tensors are in, sorted by name.
    public let files: [SafetensorsFile]
    private let locations: [String: Int]

    /// Opens a checkpoint and checks every header. Reads no tensor data.
    ///
    /// - Throws: `SafetensorsError` for an unreadable or malformed file, or an index and shards that disagree.
    public init(directory: URL) throws(SafetensorsError) {
        let index = directory.appendingPathComponent(Self.indexName)
        let single = directory.appendingPathComponent(Self.fileName)
        guard FileManager.default.fileExists(atPath: index.path) else {
            self.init(try SafetensorsFile(contentsOf: single))
            return
        }
        let weightMap = try Self.readWeightMap(index)
        let fileNames = Set(weightMap.values).sorted()
        if !fileNames.contains(Self.fileName), FileManager.default.fileExists(atPath: single.path) {
            throw SafetensorsError(
                .shardIndex,
                file: Self.indexName,
                found: "a \(Self.fileName) beside it that it does not name",
                expected: "one of the two"
            )
        }
        var files: [SafetensorsFile] = []
        var locations: [String: Int] = [:]
        for fileName in fileNames {
            let file = try SafetensorsFile(contentsOf: directory.appendingPathComponent(fileName))
            for tensor in file.names {
                guard weightMap[tensor] == fileName else {
                    throw SafetensorsError(
                        .shardIndex,
                        file: fileName,
                        tensor: tensor,
                        found:
                            "in this shard, while the index says \(weightMap[tensor]?.quoted ?? "nothing of it")",
                        expected: "each tensor in the shard that \(Self.indexName) names for it, and no other"
                    )
                }
                locations[tensor] = files.count
            }
            files.append(file)
        }
        if let missing = weightMap.keys.sorted().first(where: { locations[$0] == nil }) {
            throw SafetensorsError(
                .shardIndex,
                file: Self.indexName,
                tensor: missing,
                found: "not in \((weightMap[missing] ?? "").quoted)",
                expected: "each tensor of weight_map in the shard it names"
            )
        }
        self.init(files: files, locations: locations)
    }

    private init(files: [SafetensorsFile], locations: [String: Int]) {
        self.files = files
        self.locations = locations
    }

    /// A checkpoint of one file, whatever its name.
    public init(_ file: SafetensorsFile) {
        self.init(files: [file], locations: file.tensors.mapValues { _ in 0 })
    }

    /// Name of the file that speaks for the whole: the only one, or the index.
    public var name: String { files.count == 1 ? files[0].name : Self.indexName }

    /// Names of the tensors in all files, sorted.
    public var names: [String] { locations.keys.sorted() }

    /// Whether there is a tensor of that name.
    public func contains(_ tensor: String) -> Bool { locations[tensor] != nil }

    /// The file a tensor is in.
    ///
    /// - Throws: `SafetensorsError` if there is no tensor of that name.
    public func file(of tensor: String) throws(SafetensorsError) -> SafetensorsFile {
        if let location = locations[tensor] { return files[location] }
        throw SafetensorsError(
            .missingTensor,
            file: name,
            tensor: tensor,
            found: "no such tensor",
            expected: "one of the checkpoint's \(locations.count) tensors"
        )
    }

    /// The tensor's dtype, shape and size.
    ///
    /// - Throws: `SafetensorsError` if there is no tensor of that name.
    public func description(of tensor: String) throws(SafetensorsError) -> TensorDescription {
        try file(of: tensor).description(of: tensor)
    }

    /// The elements of an F64, F32, F16 or BF16 tensor, row-major.
    ///
    /// - Throws: `SafetensorsError` for an unknown name or another dtype.
    public func floats(_ tensor: String) throws(SafetensorsError) -> [Float] {
        try file(of: tensor).floats(tensor)
    }

    /// The elements of a floating-point tensor in double precision, row-major.
    ///
    /// - Throws: as ``floats(_:)``.
    public func doubles(_ tensor: String) throws(SafetensorsError) -> [Double] {
        try file(of: tensor).doubles(tensor)
    }

    private static func readWeightMap(_ url: URL) throws(SafetensorsError) -> [String: String] {
        func failure(_ found: String, tensor: String? = nil, expected: String) -> SafetensorsError {
            SafetensorsError(.headerSyntax, file: indexName, tensor: tensor, found: found, expected: expected)
        }
        let root = try JSONValue(contentsOf: url, maximumByteCount: SafetensorsHeader.maximumByteCount)
        guard case .object(let object) = root, case .object(let map)? = object["weight_map"], !map.isEmpty
        else {
            throw failure("no weight_map", expected: "an object weight_map from tensor names to file names")
        }
        var weightMap: [String: String] = [:]
        for (tensor, value) in map.members {
            guard case .string(let file) = value, file.isSafetensorsFileName
            else {
                throw SafetensorsError(
                    .shardIndex,
                    file: indexName,
                    tensor: tensor,
                    found: value.summary,
                    expected: "the name of a .safetensors file in the same folder"
                )
            }
            weightMap[tensor] = file
        }
        return weightMap
    }
}
