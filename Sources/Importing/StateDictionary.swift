import Pickle
import Safetensors
import StrictJSON

/// The tensors of a PyTorch module, by their names.
struct StateDictionary {
    let file: TorchFile
    private let values: [String: PickleValue]
    /// The names, sorted.
    let names: [String]

    /// - Throws: `ImportError` for a value that is no dictionary from names to tensors.
    init(_ value: PickleValue, in file: TorchFile, name: String) throws(ImportError) {
        guard let entries = file.pickle.entries(value) else {
            throw ImportError(
                file.archive.name,
                name,
                found: file.pickle.summary(value),
                expected: "a dictionary from names to tensors"
            )
        }
        var values: [String: PickleValue] = [:]
        for entry in entries {
            guard case .string(let key) = entry.key, values.updateValue(entry.value, forKey: key) == nil
            else {
                throw ImportError(
                    file.archive.name,
                    name,
                    found: "the key \(file.pickle.summary(entry.key)), which is no text or there twice",
                    expected: "different names"
                )
            }
        }
        self.file = file
        self.values = values
        names = values.keys.sorted()
    }

    func contains(_ name: String) -> Bool { values[name] != nil }

    /// - Throws: `ImportError` if there is no such tensor.
    func tensor(_ name: String) throws(ImportError) -> TorchFile.Tensor {
        guard let value = values[name] else {
            throw ImportError(
                file.archive.name,
                "tensor \(name.quoted)",
                found: "missing",
                expected: "a tensor, as the configuration has it"
            )
        }
        return try file.tensor(value, "tensor \(name.quoted)")
    }

    /// The numbers of a floating-point tensor, all of them finite.
    func numbers(_ name: String, limit: Int = 1 << 20) throws(ImportError) -> [Double] {
        let tensor = try tensor(name)
        let field = "tensor \(name.quoted)"
        guard tensor.count <= limit else {
            throw ImportError(
                file.archive.name,
                field,
                found: "\(tensor.count) numbers",
                expected: "at most \(limit)"
            )
        }
        let numbers = try file.doubles(tensor, field)
        if let index = numbers.firstIndex(where: { !$0.isFinite }) {
            throw ImportError(
                file.archive.name,
                field,
                found: "\(numbers[index]) at index \(index)",
                expected: "finite numbers"
            )
        }
        return numbers
    }

    /// An error about a tensor.
    func error(_ name: String, found: String, expected: String) -> ImportError {
        ImportError(file.archive.name, "tensor \(name.quoted)", found: found, expected: expected)
    }
}
