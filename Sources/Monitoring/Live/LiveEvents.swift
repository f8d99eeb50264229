import Robotics
import Wire

/// The events of the live page as JSON. Times are in microseconds; numbers beyond 2^53, which JavaScript does not have, are text.
enum LiveEvents {
    /// What the daemon runs, and what the page may do: told first.
    static func hello(_ snapshot: DaemonSnapshot, takesOrders: Bool) -> String {
        JSONText.object { json in
            json.member("version", snapshot.version)
            json.member("takesOrders", takesOrders)
            json.name("policies")
            json.array { json in
                for served in snapshot.policies {
                    json.object { json in
                        add(served.policy, to: &json)
                        json.name("sampler")
                        json.object { add(served.sampler, to: &$0) }
                        json.member("weightBytes", served.weightBytes)
                    }
                }
            }
        }
    }

    private static func add(_ policy: PolicyDescription, to json: inout JSONText) {
        json.member("name", policy.name)
        json.name("features")
        json.array { json in
            for feature in policy.features {
                json.object { json in
                    json.member("name", feature.name)
                    json.member("count", feature.count)
                }
            }
        }
        json.name("cameras")
        json.array { json in
            for camera in policy.cameras {
                json.object { json in
                    json.member("name", camera.name)
                    json.member("height", camera.height)
                    json.member("width", camera.width)
                }
            }
        }
        json.member("horizon", policy.horizon)
        json.member("observationSteps", policy.nObsSteps)
        json.member("actionSteps", policy.nActionSteps)
        json.member("actionDim", policy.actionDim)
    }

    private static func add(_ sampler: SamplerDescription, to json: inout JSONText) {
        json.member("solver", sampler.solver)
        json.member("steps", sampler.steps)
        json.member("method", sampler.method.rawValue)
        json.member("window", sampler.window)
        json.member("kernel", sampler.kernel)
        json.member("budgetMs", sampler.budgetMs)
    }

    /// How the daemon and its robots are.
    static func status(_ snapshot: DaemonSnapshot) -> String {
        JSONText.object { json in
            json.member("failures", snapshot.failures)
            guard let status = snapshot.status else { return }
            json.microseconds("age", snapshot.nowNs - min(status.monotonicNs, snapshot.nowNs))
            json.member("stop", "\(status.stop)")
            json.member("warnings", status.warnings)
            json.member("calibrationPercent", status.calibrationPercent)
            json.name("statistics")
            json.object { add(status.statistics, to: &$0) }
            json.name("robots")
            json.array { json in
                for (id, robot) in status.robots.sorted(by: { $0.key < $1.key }) {
                    json.object { add(id, robot, to: &$0) }
                }
            }
        }
    }

    private static func add(_ statistics: DaemonStatistics, to json: inout JSONText) {
        json.microseconds("uptime", statistics.uptimeNs)
        json.name("counters")
        json.object { json in
            json.member("observations", statistics.observations)
            json.member("chunks", statistics.chunks)
            json.member("predictions", statistics.predictions)
            json.member("commands", statistics.commands)
            json.member("late_chunks", statistics.lateChunks)
            json.member("coarse_chunks", statistics.coarseChunks)
            json.member("warm_chunks", statistics.warmChunks)
            json.member("limit_violations", statistics.limitViolations)
            json.member("dropped_observations", statistics.droppedObservations)
            json.member("superseded_observations", statistics.supersededObservations)
            json.member("stale_observations", statistics.staleObservations)
            json.member("duplicate_observations", statistics.duplicateObservations)
            json.member("planner_errors", statistics.plannerErrors)
            json.member("unrecorded_messages", statistics.unrecordedMessages)
            json.member("lost_log_lines", statistics.lostLogLines)
        }
        json.member("rejected", statistics.rejectedMessages)
        json.member("requests", statistics.requests)
        json.name("latency")
        json.object { json in
            for stage in DaemonStatistics.stages {
                guard let latency = statistics.latencyNs[stage] else { continue }
                json.name(stage)
                json.object { json in
                    json.member("count", latency.count)
                    json.microseconds("p50", latency.p50)
                    json.microseconds("p99", latency.p99)
                    json.microseconds("max", latency.max)
                }
            }
        }
    }

    private static func add(_ id: String, _ robot: RobotStatus, to json: inout JSONText) {
        json.member("id", id)
        json.member("state", robot.state.rawValue)
        json.member("reason", robot.reason)
        json.microseconds("for", robot.forNs)
        json.microseconds("silent", robot.silentNs)
        json.member("episode", "\(robot.episode)")
        json.member("sequence", robot.sequence)
        json.member("chunks", robot.chunks)
        json.member("commands", robot.commands)
        json.member("limitViolations", robot.limitViolations)
        if let policy = robot.policy { json.member("policy", policy) }
    }

    /// The robot that is watched closely, and what its robot file says.
    static func robot(_ robot: RobotID?, _ facts: LivePage.Robot?) -> String {
        JSONText.object { json in
            json.member("id", robot?.text ?? "")
            json.member("hasFile", facts != nil)
            if let feedback = facts?.feedback { json.member("feedback", feedback) }
            json.name("dimensions")
            json.array { json in
                for dimension in facts?.dimensions ?? [] {
                    json.object { json in
                        json.member("name", dimension.name)
                        if let range = dimension.range {
                            json.member("range", [range.lowerBound, range.upperBound])
                        }
                        if let element = dimension.element { json.member("element", element) }
                    }
                }
            }
        }
    }

    /// An observation without its frames.
    ///
    /// - Parameter receivedNs: the monotonic clock at its receipt, in nanoseconds.
    static func observation(_ observation: RobotObservation, receivedNs: UInt64) -> String {
        JSONText.object { json in
            json.member("episode", "\(observation.episode)")
            json.member("sequence", observation.sequence)
            json.microseconds("received", receivedNs)
            json.name("values")
            json.object { json in
                for (name, values) in observation.values.sorted(by: { $0.key < $1.key }) {
                    json.member(name, values)
                }
            }
        }
    }

    /// A chunk, and how long it and those before it took that have not been told of.
    static func chunk(_ newest: LiveBoard.Chunk, latencies: some Sequence<LiveBoard.Latency>) -> String {
        let chunk = newest.chunk
        return JSONText.object { json in
            json.member("episode", "\(chunk.episode)")
            json.member("sequence", chunk.sequence)
            json.member("firstStep", chunk.firstStep)
            json.member("actionDim", chunk.actionDim)
            json.member("actions", chunk.actions)
            json.member("beyond", chunk.beyond)
            json.member("frozenSteps", chunk.frozenSteps)
            json.member("isPrediction", newest.isPrediction)
            json.member("isGrouped", newest.isGrouped)
            json.name("stages")
            json.object { add(chunk.timing.stages, to: &$0) }
            json.name("sampling")
            json.object { add(chunk.sampling, to: &$0) }
            json.name("latencies")
            json.array { json in
                for latency in latencies {
                    json.object { json in
                        json.member("sequence", latency.sequence)
                        json.microseconds("total", latency.totalNs)
                        json.microseconds("sample", latency.sampleNs)
                        json.member("isCoarse", latency.isCoarse)
                    }
                }
            }
        }
    }

    private static func add(_ stages: RobotChunk.Stages, to json: inout JSONText) {
        json.microseconds("decode", stages.decode)
        json.microseconds("queue", stages.queue)
        if let vision = stages.vision { json.microseconds("vision", vision) }
        json.microseconds("condition", stages.condition)
        json.microseconds("sample", stages.sample)
        json.microseconds("encode", stages.encode)
        json.microseconds("total", stages.total)
    }

    private static func add(_ sampling: RobotChunk.Sampling, to json: inout JSONText) {
        json.member("solver", sampling.solver)
        json.member("steps", sampling.steps)
        json.member("method", sampling.method.rawValue)
        json.member("window", sampling.window)
        json.member("iterations", sampling.iterations)
        json.member("evaluations", sampling.evaluations)
        json.member("quality", sampling.quality.rawValue)
        json.member("coarseSteps", sampling.coarseSteps)
        json.member("residual", sampling.residual)
        json.name("passes")
        // First step, end step, evaluations, microseconds.
        json.array { json in
            for pass in sampling.passes {
                json.array { json in
                    json.value(pass.firstStep)
                    json.value(pass.endStep)
                    json.value(pass.evaluations)
                    json.value(pass.durationNs / 1000)
                }
            }
        }
    }

    /// A command.
    static func command(_ command: RobotCommand) -> String {
        JSONText.object { json in
            json.member("episode", "\(command.episode)")
            json.member("step", command.step)
            json.member("state", command.state.rawValue)
            json.member("isLimited", command.isLimited)
            json.member("action", command.action)
        }
    }

    /// A frame that an observation brought.
    static func frame(_ camera: String, _ sequence: UInt64, _ picture: Thumbnails.Picture) -> String {
        JSONText.object { json in
            json.member("camera", camera)
            json.member("sequence", sequence)
            json.member("url", picture.url)
            json.member("problem", picture.problem)
        }
    }

    /// What has become of an order.
    static func outcome(_ outcome: OrderOutcome) -> String {
        JSONText.object { json in
            json.member("robots", outcome.robots)
            if let state = outcome.state {
                json.member("state", state.rawValue)
                json.member("reason", outcome.reason)
            }
            json.member("stop", "\(outcome.stop)")
            json.member("kept", outcome.isKept)
            if let problem = outcome.problem { json.member("problem", problem) }
        }
    }

    /// Why an order was not carried out.
    static func refusal(_ error: MessageError) -> String {
        JSONText.object { json in
            json.member("error", error.code.rawValue)
            json.member("message", "\(error)")
        }
    }
}
