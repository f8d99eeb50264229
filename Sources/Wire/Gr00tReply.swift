/// What is answered to a client of a GR00T policy server.
public enum Gr00tReply: Sendable, Hashable {
    /// To `ping`.
    case pong
    /// To `reset`.
    case done
    /// To `get_modality_config`.
    case modalities([Modality])
    /// To anything that was not done.
    case error(ErrorMessage)

    /// A group of observations or actions that are sampled at the same steps: `ModalityConfig` in Isaac-GR00T.
    public struct Modality: Sendable, Hashable {
        /// `state` or `action`.
        public var name: String
        /// The control steps of an array's rows; 0 is the newest observation's.
        public var deltaIndices: [Int]
        /// The arrays, at least one.
        public var keys: [String]

        /// A group.
        public init(name: String, deltaIndices: [Int], keys: [String]) {
            self.name = name
            self.deltaIndices = deltaIndices
            self.keys = keys
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
        case .modalities(let modalities):
            encoder.map(modalities.count)
            for modality in modalities {
                encoder.string(modality.name)
                encoder.map(2)
                encoder.string("__ModalityConfig_class__")
                encoder.bool(true)
                encoder.string("as_json")
                encoder.map(2)
                encoder.string("delta_indices")
                encoder.array(modality.deltaIndices.count)
                for index in modality.deltaIndices { encoder.integer(Int64(index)) }
                encoder.string("modality_keys")
                encoder.array(modality.keys.count)
                for key in modality.keys { encoder.string(key) }
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

/// The reply to `get_action`: an array of two, the actions by key and what is known of them.
public struct Gr00tActions: Sendable, Hashable {
    /// Some dimensions of an action, which go out as one array.
    public struct Part: Sendable, Hashable {
        /// The array's key.
        public var key: String
        /// Which numbers of an action it holds, in order; each from 0 and below the action's size.
        public var dimensions: [Int]

        /// A part.
        public init(key: String, dimensions: [Int]) {
            self.key = key
            self.dimensions = dimensions
        }
    }

    /// The chunk.
    public var chunk: ChunkMessage
    /// The arrays to make of its actions.
    public var parts: [Part]
    /// How to pack them.
    public var form: Gr00tArray.Form

    /// A reply. The parts' dimensions are those of the chunk's actions.
    public init(chunk: ChunkMessage, parts: [Part], form: Gr00tArray.Form) {
        self.chunk = chunk
        self.parts = parts
        self.form = form
    }

    /// The message as sent; each array is `<f4` of shape [1, nActionSteps, dimensions]. `finish` completes the timing when
    /// the actions are packed.
    public mutating func encode(finish: (inout ChunkMessage.Timing) -> Void = { _ in }) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.array(2)
        encoder.map(parts.count)
        for part in parts {
            encoder.string(part.key)
            let elements = (0..<chunk.actionSteps).flatMap { step in
                part.dimensions.map { chunk.actions[step * chunk.actionDim + $0] }
            }
            let shape = [1, chunk.actionSteps, part.dimensions.count]
            Gr00tArray(elements: elements, shape: shape, form: form).encode(to: encoder)
        }
        finish(&chunk.timing)
        encodeInfo(to: encoder)
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
        encoder.string(chunk.sampling.quality)
        encoder.string("coarse_steps")
        encoder.integer(Int64(chunk.sampling.coarseSteps))
        encoder.string("total_ns")
        encoder.unsigned(chunk.timing.stages.total)
    }
}
