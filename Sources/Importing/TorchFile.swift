import Foundation
import Pickle
import Safetensors
import StrictJSON

/// A file of `torch.save` since PyTorch 1.6: a zip archive with a pickle, `data.pkl`, and an entry for each storage.
///
/// The pickle is read as data (``Pickle/Pickle``). A tensor is a description until its numbers are asked for.
final class TorchFile {
    /// The archive.
    let archive: ZipArchive
    /// What was saved, with descriptions in the place of tensors.
    let pickle: Pickle
    /// The folder inside the archive, with a slash.
    private let prefix: String

    /// - Throws: `ImportError` for a file that is no such archive, or whose pickle cannot be read.
    init(contentsOf url: URL, limits: PickleLimits = PickleLimits()) throws(ImportError) {
        archive = try ZipArchive(contentsOf: url)
        let pickles = archive.entries.keys.filter { $0.split(separator: "/").last == "data.pkl" }.sorted()
        guard let name = pickles.first, pickles.count == 1 else {
            throw ImportError(
                archive.name,
                found: "\(pickles.count) entries named data.pkl",
                expected: "one: a checkpoint that torch.save wrote"
            )
        }
        let prefix = String(name.dropLast("data.pkl".count))
        self.prefix = prefix
        guard archive.entries["\(prefix)constants.pkl"] == nil else {
            throw ImportError(
                archive.name,
                found: "a TorchScript program",
                expected: "a checkpoint that torch.save wrote"
            )
        }
        if archive.entries["\(prefix)byteorder"] != nil {
            let order = String(decoding: try archive.read("\(prefix)byteorder", limit: 64), as: UTF8.self)
            guard order == "little" else {
                throw ImportError(
                    archive.name,
                    "\(prefix)byteorder".quoted,
                    found: order.quoted,
                    expected: "\"little\""
                )
            }
        }
        let bytes = try archive.read(name, limit: limits.bytes)
        do throws(PickleError) {
            pickle = try Pickle(bytes, limits: limits)
        } catch {
            throw ImportError(archive.name, "data.pkl", found: "\(error)", expected: "")
        }
    }

    // MARK: Tensors

    /// A tensor's storage, and where in it its elements lie.
    struct Tensor: Hashable {
        /// The archive's entry.
        let storage: String
        let dtype: DType
        /// Elements in the storage.
        let storageCount: Int
        /// Elements before the first.
        let offset: Int
        let shape: [Int]
        /// How many elements of the storage lie between neighbours, for each dimension.
        let strides: [Int]
        /// Number of elements.
        let count: Int

        /// Whether the elements lie row by row without gaps.
        var isContiguous: Bool {
            var step = 1
            for (size, stride) in zip(shape, strides).reversed() where size != 1 {
                guard stride == step else { return false }
                step *= size
            }
            return true
        }
    }

    /// The element types of storages, by the names of PyTorch's classes.
    private static let storages: [String: DType] = [
        "DoubleStorage": .f64, "FloatStorage": .f32, "HalfStorage": .f16, "BFloat16Storage": .bf16,
        "LongStorage": .i64, "IntStorage": .i32, "ShortStorage": .i16, "CharStorage": .i8,
        "ByteStorage": .u8, "BoolStorage": .bool,
    ]

    /// Whether a value is a tensor.
    func isTensor(_ value: PickleValue) -> Bool {
        ["_rebuild_tensor_v2", "_rebuild_parameter"].contains {
            pickle.isCall(value, of: "torch._utils", $0)
        }
    }

    /// What a pickle says of a tensor, checked against the archive.
    ///
    /// - Parameter field: what errors call it.
    /// - Throws: `ImportError` for a value that is no dense tensor, or one that its storage has no room for.
    func tensor(_ value: PickleValue, _ field: String) throws(ImportError) -> Tensor {
        func failure(_ found: String, _ expected: String) -> ImportError {
            ImportError(archive.name, field, found: found, expected: expected)
        }
        var value = value
        if pickle.isCall(value, of: "torch._utils", "_rebuild_parameter"),
            let data = pickle.node(value).flatMap({ pickle.sequence($0.arguments) })?.first
        {
            value = data
        }
        guard pickle.isCall(value, of: "torch._utils", "_rebuild_tensor_v2"),
            let arguments = pickle.node(value).flatMap({ pickle.sequence($0.arguments) }),
            arguments.count >= 4,
            // A tensor that is to be read with its sign or conjugate changed says so in a seventh argument.
            arguments.count <= 6 || arguments.count == 7 && pickle.entries(arguments[6])?.isEmpty == true
        else { throw failure(pickle.summary(value), "a dense tensor") }
        let storage = try self.storage(arguments[0], field)
        guard case .integer(let offset) = arguments[1], let shape = integers(arguments[2]),
            let strides = integers(arguments[3]), shape.count == strides.count, shape.count <= 16,
            offset >= 0, (shape + strides).allSatisfy({ $0 >= 0 })
        else { throw failure("a tensor without shape, strides or offset", "whole numbers from 0 up") }
        guard let (count, last) = Self.extent(shape: shape, strides: strides, offset: offset),
            count == 0 || last < storage.count, count <= storage.count
        else {
            throw failure(
                "shape \(shape) with strides \(strides) from \(offset) on, in a storage of \(storage.count)",
                "a tensor inside its storage"
            )
        }
        return Tensor(
            storage: storage.entry,
            dtype: storage.dtype,
            storageCount: storage.count,
            offset: offset,
            shape: shape,
            strides: strides,
            count: count
        )
    }

    /// How many elements a tensor has, and the index of the last; nil for what 64 bits cannot count.
    private static func extent(shape: [Int], strides: [Int], offset: Int) -> (count: Int, last: Int)? {
        var count = 1
        var last = offset
        for (size, stride) in zip(shape, strides) {
            let (product, overflows) = count.multipliedReportingOverflow(by: size)
            let (step, stepOverflows) = max(size - 1, 0).multipliedReportingOverflow(by: stride)
            let (sum, sumOverflows) = last.addingReportingOverflow(step)
            guard !overflows, !stepOverflows, !sumOverflows else { return nil }
            (count, last) = (product, sum)
        }
        return (count, last)
    }

    private func storage(
        _ value: PickleValue,
        _ field: String
    ) throws(ImportError) -> (entry: String, dtype: DType, count: Int) {
        guard let node = pickle.node(value), node.kind == .persistent,
            let identifier = pickle.sequence(node.arguments), identifier.count >= 5,
            identifier[0] == .string("storage"), let type = pickle.node(identifier[1]),
            type.kind == .global, case .string(let key) = identifier[2],
            case .integer(let count) = identifier[4]
        else {
            throw ImportError(
                archive.name,
                field,
                found: "\(pickle.summary(value)) in the place of a storage",
                expected: "a storage as torch.save names it"
            )
        }
        guard let dtype = Self.storages[type.name], ["torch", "torch.storage"].contains(type.module) else {
            throw ImportError(
                archive.name,
                field,
                found: "a storage of type \("\(type.module).\(type.name)".quoted)",
                expected: Self.storages.keys.sorted().joined(separator: ", ")
            )
        }
        let name = "\(prefix)data/\(key)"
        guard let entry = archive.entries[name] else {
            throw ImportError(
                archive.name,
                name.quoted,
                found: "no such entry",
                expected: "the storage of \(field)"
            )
        }
        guard count >= 0, count <= entry.byteCount / dtype.byteCount else {
            throw ImportError(
                archive.name,
                name.quoted,
                found: "\(entry.byteCount) bytes",
                expected: "\(count) numbers of \(dtype.rawValue), as data.pkl has it"
            )
        }
        return (name, dtype, count)
    }

    private func integers(_ value: PickleValue) -> [Int]? {
        guard let values = pickle.sequence(value) else { return nil }
        var integers: [Int] = []
        for value in values {
            guard case .integer(let integer) = value else { return nil }
            integers.append(integer)
        }
        return integers
    }

    // MARK: Numbers

    /// The bytes of a tensor's elements, row by row, each lowest byte first.
    ///
    /// - Throws: `ImportError` for a damaged archive.
    func bytes(of tensor: Tensor) throws(ImportError) -> [UInt8] {
        try archive.check(tensor.storage)
        guard tensor.count > 0 else { return [] }
        let size = tensor.dtype.byteCount
        let (_, last) = Self.extent(shape: tensor.shape, strides: tensor.strides, offset: tensor.offset)!
        let bytes = try archive.read(tensor.storage, tensor.offset * size..<(last + 1) * size)
        return tensor.isContiguous ? bytes : Self.gather(bytes, tensor)
    }

    /// Puts elements that lie in another order, or apart, row by row.
    private static func gather(_ bytes: [UInt8], _ tensor: Tensor) -> [UInt8] {
        let size = tensor.dtype.byteCount
        var result: [UInt8] = []
        result.reserveCapacity(tensor.count * size)
        var index = [Int](repeating: 0, count: tensor.shape.count)
        var element = 0
        for _ in 0..<tensor.count {
            result += bytes[element * size..<(element + 1) * size]
            for dimension in index.indices.reversed() {
                index[dimension] += 1
                element += tensor.strides[dimension]
                if index[dimension] < tensor.shape[dimension] { break }
                element -= tensor.strides[dimension] * tensor.shape[dimension]
                index[dimension] = 0
            }
        }
        return result
    }

    /// The numbers of a floating-point tensor.
    ///
    /// - Parameter field: what errors call it.
    /// - Throws: `ImportError` for another type, or a damaged archive.
    func doubles(_ tensor: Tensor, _ field: String) throws(ImportError) -> [Double] {
        let bytes = try bytes(of: tensor)
        switch tensor.dtype {
        case .f64: return Self.integers(bytes, UInt64.self).map { Double(bitPattern: $0) }
        case .f32: return Self.integers(bytes, UInt32.self).map { Double(Float(bitPattern: $0)) }
        case .f16: return Self.integers(bytes, UInt16.self).map { Double(Float16(bitPattern: $0)) }
        case .bf16:
            return Self.integers(bytes, UInt16.self).map { Double(Float(bitPattern: UInt32($0) << 16)) }
        default:
            throw ImportError(
                archive.name,
                field,
                found: "numbers of type \(tensor.dtype.rawValue)",
                expected: "floating-point numbers"
            )
        }
    }

    private static func integers<Number: FixedWidthInteger>(_ bytes: [UInt8], _ type: Number.Type) -> [Number]
    {
        let size = Number.bitWidth / 8
        return stride(from: 0, to: bytes.count, by: size).map { first in
            (0..<size).reduce(0) { $0 | Number(truncatingIfNeeded: bytes[first + $1]) << (8 * $1) }
        }
    }
}
