import Foundation
import StrictJSON

/// A `policy_preprocessor.json` or `policy_postprocessor.json`: the processor steps that LeRobot runs before and after the network.
struct ProcessorPipeline {
    static let preprocessorName = "policy_preprocessor.json"
    static let postprocessorName = "policy_postprocessor.json"

    /// One processor step of the pipeline.
    struct Step {
        /// Its name in LeRobot's registry.
        let name: String
        let reader: JSONReader
        let config: JSONReader?
    }

    let file: String
    let steps: [Step]

    init(contentsOf url: URL) throws(PolicyError) {
        let root = try JSONReader(contentsOf: url)
        file = root.file
        var steps: [Step] = []
        for reader in try root.required("steps", expected: "a list of processor steps").elements() {
            try reader.refuseOtherKeys(than: ["registry_name", "class", "config", "state_file"])
            let key = try reader.optional("registry_name") == nil ? "class" : "registry_name"
            let name = try reader.required(key, expected: "a step's name")
            steps.append(Step(name: try name.string(), reader: reader, config: try reader.optional("config")))
        }
        self.steps = steps
    }
}

extension ProcessorPipeline.Step {
    /// Whether it only moves data; throws if it would change numbers.
    func movesDataOnly() throws(PolicyError) -> Bool {
        switch name {
        case "to_batch_processor": return true
        case "device_processor":
            if let type = try config?.optional("float_dtype"), !type.isNull,
                ![.string("float32"), .string("float")].contains(type.node)
            {
                throw type.error(expected: "null or \"float32\": the network computes in 32 bits")
            }
            return true
        default: return false
        }
    }

    /// An error that says this processor step is not known.
    var unknown: PolicyError {
        PolicyError(
            reader.file,
            reader.path,
            found: "the step \(name.quoted), not supported yet",
            expected:
                "rename_observations_processor, to_batch_processor, device_processor, normalizer_processor "
                + "before the network; unnormalizer_processor, device_processor after it"
        )
    }

    /// The names that a `rename_observations_processor` gives to observations, by the names they come with.
    func renameMap() throws(PolicyError) -> [String: String] {
        var names: [String: String] = [:]
        for (name, reader) in try config?.optional("rename_map")?.members() ?? [] {
            names[name] = try reader.string()
        }
        return names
    }
}
