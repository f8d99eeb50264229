import ForeignClients
import Robotics
import Wire

/// What is answered to a client of a GR00T policy server.
public enum Gr00tReply: Sendable, Hashable {
    /// To `ping`.
    case pong
    /// To `reset`.
    case done
    /// To `get_modality_config`, in the form that clients of a version read. They all ask in the same words.
    case modalities([Modality], Gr00tVersion = .n16)
    /// To anything that was not done.
    case error(ErrorMessage)

    /// Arrays of observations or actions that have the same control steps: `ModalityConfig` in Isaac-GR00T.
    public struct Modality: Sendable, Hashable {
        /// `video`, `state` or `action`.
        public var name: String
        /// The control steps of an array's rows; 0 is the newest observation's.
        public var deltaIndices: [Int]
        /// The arrays, at least one.
        public var keys: [String]

        /// A modality.
        public init(name: String, deltaIndices: [Int], keys: [String]) {
            self.name = name
            self.deltaIndices = deltaIndices
            self.keys = keys
        }

        /// Clients of N1.5 parse `as_json` as a text, those of N1.6 take it as a map. The second mark is the one that
        /// later versions than N1.6 look for.
        fileprivate func encode(to encoder: borrowing MessagePackEncoder, for version: Gr00tVersion) {
            encoder.map(version == .n15 ? 2 : 3)
            encoder.string("__ModalityConfig_class__")
            encoder.bool(true)
            if version != .n15 {
                encoder.string("__ModalityConfig__")
                encoder.bool(true)
            }
            encoder.string("as_json")
            guard version != .n15 else {
                encoder.string(json)
                return
            }
            encoder.map(2)
            encoder.string("delta_indices")
            encoder.array(deltaIndices.count)
            for index in deltaIndices { encoder.integer(Int64(index)) }
            encoder.string("modality_keys")
            encoder.array(keys.count)
            for key in keys { encoder.string(key) }
        }

        private var json: String {
            let indices = deltaIndices.map(String.init).joined(separator: ",")
            let keys = keys.map(Self.jsonString).joined(separator: ",")
            return #"{"delta_indices":[\#(indices)],"modality_keys":[\#(keys)]}"#
        }

        /// RFC 8259, section 7.
        private static func jsonString(_ text: String) -> String {
            var result = "\""
            for scalar in text.unicodeScalars {
                switch scalar {
                case "\"", "\\":
                    result.unicodeScalars.append("\\")
                    result.unicodeScalars.append(scalar)
                case "\u{0}"..<" ":
                    let digits = String(scalar.value, radix: 16)
                    result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
                default: result.unicodeScalars.append(scalar)
                }
            }
            return result + "\""
        }
    }

    /// The message as sent. An error is its code, field and message in one text, but for a wrong token, where the text is
    /// that of GR00T's server.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        switch self {
        case .pong:
            encoder.map(2)
            encoder.string("status")
            encoder.string("ok")
            encoder.string("message")
            encoder.string("Server is running")
        case .done:
            encoder.map(0)
        case .modalities(let modalities, let version):
            encoder.map(modalities.count)
            for modality in modalities {
                encoder.string(modality.name)
                modality.encode(to: encoder, for: version)
            }
        case .error(let error):
            encoder.map(1)
            encoder.string("error")
            encoder.string(
                error.code == MessageError.Code.unauthorized.rawValue ? error.message : error.description
            )
        }
        return encoder.bytes
    }
}

/// The reply to `get_action`: since N1.6 an array of two, the actions by key and what is known of them; in N1.5 the actions
/// by key.
public struct Gr00tActions: Sendable, Hashable {
    /// Some dimensions of an action, which go out as one array.
    public typealias ArrayLayout = ClientNames.ActionArray

    /// How a client gets its actions: as it sent its observation.
    public struct Form: Sendable, Hashable {
        /// The version of the client.
        public var version: Gr00tVersion
        /// How arrays are packed.
        public var array: Gr00tArray.Form
        /// Whether arrays begin with an extent of 1 for the one robot of a batch. Always so since N1.6.
        public var isBatched: Bool

        /// A form; that of N1.6 unless told otherwise.
        public init(version: Gr00tVersion = .n16, array: Gr00tArray.Form = .npy, isBatched: Bool = true) {
            self.version = version
            self.array = array
            self.isBatched = isBatched
        }

        /// The form as a number, for who keeps it and does not look at it.
        package var code: UInt8 {
            (version == .n15 ? 1 : 0) | (array == .messagePackNumPy ? 2 : 0) | (isBatched ? 4 : 0)
        }

        /// The form with this ``code``.
        package init(code: UInt8) {
            self.init(
                version: code & 1 != 0 ? .n15 : .n16,
                array: code & 2 != 0 ? .messagePackNumPy : .npy,
                isBatched: code & 4 != 0
            )
        }
    }

    /// The chunk.
    public var chunk: RobotChunk
    /// The arrays to make of its actions.
    public var arrays: [ArrayLayout]
    /// How to pack them.
    public var form: Form

    /// A reply. The arrays' dimensions are those of the chunk's actions.
    public init(chunk: RobotChunk, arrays: [ArrayLayout], form: Form) {
        self.chunk = chunk
        self.arrays = arrays
        self.form = form
    }

    /// The message as sent; each array is `<f4` of shape [1, nActionSteps, dimensions], or [nActionSteps, dimensions]
    /// without a batch. `finish` completes the timing when the actions are packed.
    public mutating func encode(finish: (inout RobotChunk.Timing) -> Void = { _ in }) -> [UInt8] {
        let encoder = MessagePackEncoder()
        if form.version != .n15 { encoder.array(2) }
        encoder.map(arrays.count)
        for array in arrays {
            encoder.string(form.version == .n15 ? form.version.name(of: array.key, in: "action") : array.key)
            let elements = (0..<chunk.actionSteps).flatMap { step in
                array.dimensions.map { chunk.actions[step * chunk.actionDim + $0] }
            }
            let shape = (form.isBatched ? [1] : []) + [chunk.actionSteps, array.dimensions.count]
            Gr00tArray(elements: elements, shape: shape, form: form.array).encode(to: encoder)
        }
        finish(&chunk.timing)
        if form.version != .n15 { encodeInfo(to: encoder) }
        return encoder.bytes
    }

    private func encodeInfo(to encoder: borrowing MessagePackEncoder) {
        encoder.map(7)
        encoder.string("robot")
        encoder.string(chunk.robot.text)
        encoder.string("episode")
        encoder.episode(chunk.episode)
        encoder.string("sequence")
        encoder.unsigned(chunk.sequence)
        encoder.string("noise_seed")
        encoder.unsigned(chunk.noiseSeed)
        encoder.string("quality")
        encoder.string(chunk.sampling.quality.rawValue)
        encoder.string("coarse_steps")
        encoder.integer(Int64(chunk.sampling.coarseSteps))
        encoder.string("total_ns")
        encoder.unsigned(chunk.timing.stages.total)
    }
}
