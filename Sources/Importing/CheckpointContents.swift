import Pickle
import StrictJSON

/// What a checkpoint of a Diffusion Policy workspace holds: `cfg`, `state_dicts` and `pickles`.
struct CheckpointContents {
    let file: TorchFile
    let configuration: ConfigurationKey
    /// The modules' tensors by the workspace's names: `model`, `ema_model`, `optimizer`.
    private let stateDicts: [(name: String, value: PickleValue)]
    private let pickles: PickleValue?

    /// - Throws: `ImportError` for a file that holds something else.
    init(_ file: TorchFile) throws(ImportError) {
        self.file = file
        let (pickle, root) = (file.pickle, file.pickle.root)
        guard let configuration = pickle.member("cfg", of: root),
            let states = pickle.member("state_dicts", of: root).flatMap(pickle.entries)
        else {
            let keys = (pickle.entries(root) ?? []).prefix(8).map { pickle.summary($0.key) }
            throw ImportError(
                file.archive.name,
                found: pickle.entries(root) == nil
                    ? pickle.summary(root) : "a dictionary of \(keys.joined(separator: ", "))",
                expected: "a dictionary of cfg and state_dicts, as a workspace of diffusion_policy saves it"
            )
        }
        var reader = ConfigurationReader(pickle, file: file.archive.name)
        self.configuration = ConfigurationKey(root: try reader.read(configuration), file: file.archive.name)
        stateDicts = states.compactMap { entry in
            if case .string(let name) = entry.key { (name, entry.value) } else { nil }
        }
        pickles = pickle.member("pickles", of: root)
    }

    /// The workspace's names of what it saved, in order.
    var names: [String] { stateDicts.map(\.name) }

    /// The tensors of a policy.
    func tensors(of weights: ImportOptions.Weights) throws(ImportError) -> StateDictionary {
        let name = "state_dicts.\(weights.rawValue)"
        guard let value = stateDicts.last(where: { $0.name == weights.rawValue })?.value else {
            throw ImportError(
                file.archive.name,
                name,
                found: "missing",
                expected: "one of \(names.prefix(8).map(\.quoted).joined(separator: ", "))"
            )
        }
        return try StateDictionary(value, in: file, name: name)
    }

    /// A whole number that the workspace counts, such as `epoch`; it is a pickle of its own. Nil if it is not there, or is none.
    func counter(_ name: String) -> Int? {
        guard let value = pickles.flatMap({ file.pickle.member(name, of: $0) }),
            let bytes = file.pickle.bytes(value), bytes.count <= 4096, let inner = try? Pickle(bytes),
            case .integer(let number) = inner.root
        else { return nil }
        return number
    }
}
