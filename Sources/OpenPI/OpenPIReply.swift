import ForeignClients
import Robotics
import Wire

/// What a client gets at once when it has connected: what to send and what it will be sent.
public struct OpenPIMetadata: Sendable, Hashable {
    /// The policy.
    public var policy: PolicyDescription
    /// The names of what the client sends and gets.
    public var names: ClientNames
    /// The version of the daemon.
    public var daemonVersion: String

    /// Metadata; the names go with the policy.
    public init(policy: PolicyDescription, names: ClientNames, daemonVersion: String) {
        self.policy = policy
        self.names = names
        self.daemonVersion = daemonVersion
    }

    /// The message as sent: a map.
    public func encoded() -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.map(8)
        encoder.string("server")
        encoder.string("denoised")
        encoder.string("daemon_version")
        encoder.string(daemonVersion)
        encoder.string("policy")
        encoder.string(policy.name)
        encoder.string("n_obs_steps")
        encoder.integer(Int64(policy.nObsSteps))
        encoder.string("n_action_steps")
        encoder.integer(Int64(policy.nActionSteps))
        encoder.string("observations")
        encoder.map(policy.features.count)
        for feature in policy.features {
            encoder.string(feature.name)
            encoder.map(2)
            encoder.string("keys")
            let keys = names.observations[feature.name] ?? []
            encoder.array(keys.count)
            for key in keys { encoder.string(key) }
            encoder.string("count")
            encoder.integer(Int64(feature.count))
        }
        encoder.string("cameras")
        encoder.map(policy.cameras.count)
        for camera in policy.cameras {
            encoder.string(camera.name)
            encoder.map(2)
            encoder.string("key")
            encoder.string(names.cameras[camera.name] ?? camera.name)
            encoder.string("shape")
            encoder.array(3)
            for extent in [camera.height, camera.width, 3] { encoder.integer(Int64(extent)) }
        }
        encoder.string("actions")
        encoder.map(names.actions.count)
        for array in names.actions {
            encoder.string(array.key)
            encoder.array(2)
            encoder.integer(Int64(policy.nActionSteps))
            encoder.integer(Int64(array.dimensions.count))
        }
        return encoder.bytes
    }
}

/// The answer to an observation: the actions by key, and what is known of them.
public struct OpenPIActions: Sendable, Hashable {
    /// Under which key an answer has what openpi does not have.
    static let detailsKey = "chunk"

    /// The chunk.
    public var chunk: RobotChunk
    /// The arrays to make of its actions.
    public var arrays: [ClientNames.ActionArray]
    /// From the receipt of the connection's request before to the end of its answer, in nanoseconds; nil for the first one.
    public var previousTotalNs: UInt64?

    /// An answer. The arrays' dimensions are those of the chunk's actions.
    public init(chunk: RobotChunk, arrays: [ClientNames.ActionArray], previousTotalNs: UInt64?) {
        self.chunk = chunk
        self.arrays = arrays
        self.previousTotalNs = previousTotalNs
    }

    /// The message as sent; each array is `<f4` of shape [nActionSteps, dimensions]. No other value is an array: openpi's
    /// `ActionChunkBroker` takes the first extent of each for that of time. `finish` completes the timing when the actions are
    /// packed.
    public mutating func encode(finish: (inout RobotChunk.Timing) -> Void = { _ in }) -> [UInt8] {
        let encoder = MessagePackEncoder()
        encoder.map(arrays.count + 3)
        for array in arrays {
            encoder.string(array.key)
            let elements = (0..<chunk.actionSteps).flatMap { step in
                array.dimensions.map { chunk.actions[step * chunk.actionDim + $0] }
            }
            NumericArray.encode(elements, shape: [chunk.actionSteps, array.dimensions.count], to: encoder)
        }
        finish(&chunk.timing)
        encodeTiming(to: encoder)
        encodeDetails(to: encoder)
        return encoder.bytes
    }

    private func encodeTiming(to encoder: borrowing MessagePackEncoder) {
        func times(
            _ name: StaticString,
            _ all: [(name: StaticString, ns: UInt64?)],
            _ encoder: borrowing MessagePackEncoder
        ) {
            let known = all.filter { $0.ns != nil }
            encoder.string(name)
            encoder.map(known.count)
            for time in known {
                encoder.string(time.name)
                encoder.float(Double(time.ns ?? 0) / 1e6)
            }
        }
        let stages = chunk.timing.stages
        let sampling = (stages.vision ?? 0) + stages.condition + stages.sample
        times(
            "server_timing",
            [
                ("infer_ms", stages.total - min(stages.decode, stages.total)),
                ("prev_total_ms", previousTotalNs),
                ("decode_ms", stages.decode), ("queue_ms", stages.queue), ("vision_ms", stages.vision),
                ("condition_ms", stages.condition), ("sample_ms", stages.sample),
                ("encode_ms", stages.encode), ("total_ms", stages.total),
            ],
            encoder
        )
        times("policy_timing", [("infer_ms", sampling)], encoder)
    }

    private func encodeDetails(to encoder: borrowing MessagePackEncoder) {
        encoder.string(Self.detailsKey)
        encoder.map(6)
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
    }
}
