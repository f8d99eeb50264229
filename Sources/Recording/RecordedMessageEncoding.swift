import Foundation
import Robotics
import StrictJSON
import Wire

/// A message as it goes into a recording.
package struct RecordedJSON {
    package let kind: RecordedKind
    /// Whom it concerns; nil for the daemon.
    package var robot: RobotID?
    package let data: [UInt8]
}

extension TappedMessage.Content {
    /// What a recording keeps of a message.
    ///
    /// - Parameter setup: what the daemon was started with.
    package func recorded(setup: RecordingSession.Setup) -> [RecordedJSON] {
        switch self {
        case .started(let policy, let sampler):
            let session = RecordingSession(
                daemonVersion: daemonVersion,
                policy: policy,
                sampler: sampler,
                setup: setup
            )
            return [RecordedJSON(kind: .session, data: session.json)]
        case .observation(let observation, let preceding, let isRepeat, let receivedNs):
            let data = observation.json(preceding: preceding, isRepeat: isRepeat, receivedNs: receivedNs)
            return [RecordedJSON(kind: .observation, robot: observation.robot, data: data)]
        case .chunk(let chunk, let sampled, let isPrediction, let isGrouped):
            return [
                RecordedJSON(
                    kind: .chunk,
                    robot: chunk.robot,
                    data: chunk.json(sampled: sampled, isPrediction: isPrediction, isGrouped: isGrouped)
                ),
                RecordedJSON(kind: .latency, robot: chunk.robot, data: chunk.latencyJSON),
            ]
        case .reset(let robot):
            let data = JSONBuilder.object { $0.member("robot", robot.text) }
            return [RecordedJSON(kind: .reset, robot: robot, data: data)]
        case .unsent(let robot, let episode):
            let data = JSONBuilder.object { object in
                object.member("robot", robot.text)
                object.member(episode)
            }
            return [RecordedJSON(kind: .unsent, robot: robot, data: data)]
        case .command(let command):
            return [RecordedJSON(kind: .command, robot: command.robot, data: command.json)]
        case .status(let status):
            return [RecordedJSON(kind: .status, data: status.json)]
        }
    }
}

extension RecordingSession {
    fileprivate var json: [UInt8] {
        JSONBuilder.object { session in
            session.member("format", Self.formatVersion)
            session.member("daemon_version", daemonVersion)
            session.member("policy") { object in
                object.member("name", policy.name)
                object.member("features", objects: policy.features) { object, feature in
                    object.member("name", feature.name)
                    object.member("count", feature.count)
                }
                object.member("horizon", policy.horizon)
                object.member("n_obs_steps", policy.nObsSteps)
                object.member("n_action_steps", policy.nActionSteps)
                object.member("action_dim", policy.actionDim)
            }
            session.member("fingerprint", setup.fingerprint)
            session.member("sampler") { object in
                object.member("solver", sampler.solver)
                object.member("steps", sampler.steps)
                object.member("method", sampler.method.rawValue)
                object.member("window", sampler.window)
                object.member("tolerance", sampler.tolerance)
                object.member("kernel", sampler.kernel)
                object.member("budget_ms", sampler.budgetMs)
            }
            session.member("seed", setup.seed)
            session.member("threads", setup.threads)
            session.member("warm_start", setup.startsWarm)
        }
    }
}

extension RobotObservation {
    fileprivate func json(
        preceding: [[String: [Float]]],
        isRepeat: Bool,
        receivedNs: UInt64
    ) -> [UInt8] {
        JSONBuilder.object { object in
            object.names(of: robot, episode, sequence: sequence, timeNs: timeNs)
            object.member("observation") { $0.members(of: values) }
            if !preceding.isEmpty {
                object.member("preceding", objects: preceding) { $0.members(of: $1) }
            }
            if let replan { object.member("replan", replan) }
            if let noiseSeed { object.member("noise_seed", noiseSeed) }
            object.member("repeat", isRepeat)
            object.member("received_ns", receivedNs)
            if let session { object.member("session", session) }
            if let committed {
                object.member("committed", committed.values)
                object.member("action_dim", committed.actionDim)
            }
        }
    }
}

extension RobotChunk {
    fileprivate func json(sampled: RobotChunk, isPrediction: Bool, isGrouped: Bool) -> [UInt8] {
        JSONBuilder.object { object in
            object.names(of: robot, episode, sequence: sequence, timeNs: timeNs)
            object.member("first_step", firstStep)
            object.member("action_dim", actionDim)
            object.member("action", actions)
            object.member("beyond", beyond)
            if !frozen.isEmpty { object.member("frozen", frozen) }
            object.member("noise_seed", noiseSeed)
            object.member("solver", sampling.solver)
            object.member("steps", sampling.steps)
            object.member("method", sampling.method.rawValue)
            object.member("window", sampling.window)
            object.member("tolerance", sampling.tolerance)
            object.member("iterations", sampling.iterations)
            object.member("evaluations", sampling.evaluations)
            // JSON has no text for a number that is not finite.
            if sampling.residual.isFinite { object.member("residual", sampling.residual) }
            object.member("quality", sampling.quality.rawValue)
            object.member("coarse_steps", sampling.coarseSteps)
            object.member("prediction", isPrediction)
            object.member("grouped", isGrouped)
            object.member("received_ns", timing.receivedNs)
            object.member("published_ns", timing.publishedNs)
            if sampled.actions != actions || sampled.beyond != beyond {
                object.member("sampled_action", sampled.actions)
                object.member("sampled_beyond", sampled.beyond)
            }
        }
    }

    fileprivate var latencyJSON: [UInt8] {
        JSONBuilder.object { object in
            object.member("sequence", sequence)
            let stages = timing.stages
            for (name, ns) in [
                ("decode", stages.decode), ("queue", stages.queue), ("condition", stages.condition),
                ("sample", stages.sample), ("encode", stages.encode), ("total", stages.total),
            ] {
                object.member("\(name)_ms", Double(ns) / 1e6)
            }
        }
    }
}

extension RobotCommand {
    fileprivate var json: [UInt8] {
        JSONBuilder.object { object in
            object.names(of: robot, episode, sequence: sequence, timeNs: timeNs)
            object.member("tick", tick)
            object.member("step", step)
            object.member("action", action)
            object.member("state", state.rawValue)
            object.member("limited", isLimited)
            object.member("published_ns", publishedNs)
        }
    }
}

extension StatusMessage {
    fileprivate var json: [UInt8] {
        JSONBuilder.object { object in
            object.member("monotonic_ns", monotonicNs)
            object.member("wall_ns", wallNs)
            // A list, because viewers read no members that the schema does not name.
            object.member("robots", objects: robots.sorted { $0.key < $1.key }) { object, entry in
                let robot = entry.value
                object.member("robot", entry.key)
                object.member("state", robot.state.rawValue)
                object.member("reason", robot.reason)
                object.member(robot.episode)
                object.member("for_ns", robot.forNs)
                object.member("sequence", robot.sequence)
                object.member("silent_ns", robot.silentNs)
                object.member("chunks", robot.chunks)
                object.member("commands", robot.commands)
                object.member("limit_violations", robot.limitViolations)
            }
            object.member("stop", stop)
            object.member("warnings", warnings)
            // Counters only, so there is nothing that could not be encoded.
            let encoder = JSONEncoder()
            encoder.outputFormatting = .sortedKeys
            if let statistics = try? encoder.encode(statistics) {
                object.member("statistics", json: Array(statistics))
            }
        }
    }
}

extension JSONBuilder {
    /// A list of numbers for each feature.
    fileprivate mutating func members(of values: [String: [Float]]) {
        for (name, numbers) in values.sorted(by: { $0.key < $1.key }) { member(name, numbers) }
    }

    /// An episode's id as text, and which it is of the integer 5 and the text "5", which are two episodes.
    fileprivate mutating func member(_ episode: EpisodeID) {
        member("episode", episode.description)
        switch episode {
        case .number: member("episode_type", "integer")
        case .name: member("episode_type", "string")
        }
    }

    /// What says which observation a message is about.
    fileprivate mutating func names(
        of robot: RobotID,
        _ episode: EpisodeID,
        sequence: UInt64,
        timeNs: UInt64
    ) {
        member("robot", robot.text)
        member(episode)
        member("sequence", sequence)
        member("time_ns", timeNs)
    }
}
