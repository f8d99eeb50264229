import Robotics
import Wire

/// A daemon's metrics: what `/metrics` answers. Names begin with `denoised_`, times are in seconds.
enum DaemonMetrics {
    /// The metrics of a snapshot. Without a heartbeat there are only those that say so.
    static func text(_ snapshot: DaemonSnapshot) -> String {
        var text = PrometheusText()
        func info(_ served: ServedPolicy?) -> PrometheusText.Sample {
            let labels: KeyValuePairs = [
                "version": snapshot.version, "policy": served?.policy.name ?? "",
                "solver": served?.sampler.solver ?? "", "method": served?.sampler.method.rawValue ?? "",
                "kernel": served?.sampler.kernel ?? "",
            ]
            return .init(labels: labels, value: .integer(1))
        }
        text.add(
            .gauge,
            "denoised_info",
            "What the daemon runs, a line for each policy; always 1.",
            snapshot.policies.isEmpty ? [info(nil)] : snapshot.policies.map(info)
        )
        add(snapshot.policies, to: &text)
        text.add(
            .gauge,
            "denoised_up",
            "1 where the socket thread and the planner work, as /healthz tells, else 0.",
            .integer(snapshot.failures.isEmpty ? 1 : 0)
        )
        guard let status = snapshot.status else { return text.text }
        text.add(
            .gauge,
            "denoised_heartbeat_age_seconds",
            "Since the heartbeat that these numbers are from; a daemon that works sends ten a second.",
            .seconds(snapshot.nowNs - min(status.monotonicNs, snapshot.nowNs))
        )
        text.add(
            .gauge,
            "denoised_warnings",
            "What is wrong and keeps no robot waiting; /healthz names it.",
            .integer(UInt64(status.warnings.count))
        )
        text.add(
            .gauge,
            "denoised_calibration_ratio",
            "How far the calibration has come, of several policies that of the least; below 1 chunks are sampled one step after the other.",
            .real(Double(status.calibrationPercent) / 100)
        )
        add(status.statistics, to: &text)
        add(status.cameraServers, to: &text)
        add(status.robots.sorted { $0.key < $1.key }, to: &text)
        return text.text
    }

    private static func add(_ policies: [ServedPolicy], to text: inout PrometheusText) {
        guard !policies.isEmpty else { return }
        func add(_ name: String, _ help: String, _ value: (ServedPolicy) -> PrometheusText.Value) {
            text.add(
                .gauge,
                "denoised_policy_\(name)",
                help,
                policies.map { .init(labels: ["policy": $0.policy.name], value: value($0)) }
            )
        }
        add("weight_bytes", "Bytes of a policy's weights in memory.") { .integer(UInt64($0.weightBytes)) }
        add("calibration_ratio", "How far the calibration of a policy has come.") {
            .real(Double($0.calibrationPercent) / 100)
        }
    }

    private static func add(_ statistics: DaemonStatistics, to text: inout PrometheusText) {
        text.add(
            .gauge,
            "denoised_uptime_seconds",
            "Since the daemon started.",
            .seconds(statistics.uptimeNs)
        )
        text.add(.gauge, "denoised_robots", "Robots whose history is kept.", .integer(statistics.robots))
        let counters: [(name: String, help: String, count: UInt64)] = [
            ("observations", "Observations that entered a history.", statistics.observations),
            ("duplicate_observations", "Observations received again.", statistics.duplicateObservations),
            (
                "stale_observations", "Observations older than the newest of their episode.",
                statistics.staleObservations
            ),
            (
                "superseded_observations", "Observations overtaken by a newer one before their turn.",
                statistics.supersededObservations
            ),
            (
                "dropped_observations", "Fresh observations that came to nothing.",
                statistics.droppedObservations
            ),
            ("chunks", "Action chunks published.", statistics.chunks),
            ("predictions", "Action chunks sent in reply to predict.", statistics.predictions),
            ("late_chunks", "Chunks ready later than the budget allows.", statistics.lateChunks),
            ("unrecorded_messages", "Messages lost to the recording.", statistics.unrecordedMessages),
            ("lost_log_lines", "Lines lost to the log.", statistics.lostLogLines),
            ("coarse_chunks", "Chunks finished in coarse steps to be in time.", statistics.coarseChunks),
            (
                "warm_chunks", "Chunks that started from the robot's last one, re-noised.",
                statistics.warmChunks
            ),
            ("commands", "Commands published.", statistics.commands),
            (
                "limit_violations", "Commands and chunks changed or held back to keep a robot's limits.",
                statistics.limitViolations
            ),
            (
                "planner_errors", "Accepted observations on which the policy failed.",
                statistics.plannerErrors
            ),
        ]
        for counter in counters {
            text.add(.counter, "denoised_\(counter.name)_total", counter.help, .integer(counter.count))
        }
        text.add(
            .counter,
            "denoised_requests_total",
            "Requests understood, by type.",
            statistics.requests.sorted { $0.key < $1.key }.map { type, count in
                .init(labels: ["type": type], value: .integer(count))
            }
        )
        // Reasons that have not occurred are told too: a rate needs the 0 that it starts from.
        let none = Dictionary(
            uniqueKeysWithValues: MessageError.Code.allCases.map { ($0.rawValue, UInt64(0)) }
        )
        let rejections = statistics.rejectedMessages.merging(none) { count, _ in count }
        text.add(
            .counter,
            "denoised_rejected_messages_total",
            "Messages rejected, by reason.",
            rejections.sorted { $0.key < $1.key }.map { reason, count in
                .init(labels: ["reason": reason], value: .integer(count))
            }
        )
        text.add(
            .summary,
            "denoised_latency_seconds",
            "Time in each stage of a chunk, since the daemon started; quantile 1 is the longest.",
            statistics.latencyNs.sorted { $0.key < $1.key }.flatMap(latency)
        )
    }

    private static func add(_ servers: [CameraServerStatus], to text: inout PrometheusText) {
        guard !servers.isEmpty else { return }
        func add(
            _ kind: PrometheusText.Kind,
            _ name: String,
            _ help: String,
            _ value: (CameraServerStatus) -> PrometheusText.Value?
        ) {
            let samples = servers.compactMap { server in
                value(server).map {
                    PrometheusText.Sample(
                        labels: ["camera": server.camera, "endpoint": server.endpoint],
                        value: $0
                    )
                }
            }
            text.add(kind, "denoised_camera_server_\(name)", help, samples)
        }
        add(.counter, "frames_total", "Frames of a camera server that could be used.") { .integer($0.frames) }
        add(.counter, "refused_total", "Messages and pictures of a camera server that could not be used.") {
            .integer($0.refused)
        }
        add(.counter, "repeated_total", "Pictures that a camera server sent again.") { .integer($0.repeated) }
        add(.gauge, "frame_age_seconds", "Since the newest frame of a camera server came.") {
            $0.ageNs.map { .seconds($0) }
        }
    }

    private static func latency(
        stage: String,
        _ latency: DaemonStatistics.Latency
    ) -> [PrometheusText.Sample] {
        let quantiles = [
            ("0.5", latency.p50), ("0.9", latency.p90), ("0.99", latency.p99), ("1", latency.max),
        ]
        return quantiles.map { quantile, time in
            .init(labels: ["stage": stage, "quantile": quantile], value: .seconds(time))
        } + [
            .init(suffix: "_sum", labels: ["stage": stage], value: .seconds(latency.sum)),
            .init(suffix: "_count", labels: ["stage": stage], value: .integer(latency.count)),
        ]
    }

    private typealias Robots = [(key: String, value: RobotStatus)]

    private static func add(_ robots: Robots, to text: inout PrometheusText) {
        text.add(
            .gauge,
            "denoised_robot_state",
            "1 for the state that the robot is in, 0 for the others.",
            robots.flatMap { id, robot in
                RobotState.allCases.map { state in
                    .init(
                        labels: ["robot": id, "state": state.rawValue],
                        value: .integer(state == robot.state ? 1 : 0)
                    )
                }
            }
        )
        func add(
            _ kind: PrometheusText.Kind,
            _ name: String,
            _ help: String,
            _ value: (RobotStatus) -> PrometheusText.Value
        ) {
            text.add(
                kind,
                "denoised_robot_\(name)",
                help,
                robots.map { .init(labels: ["robot": $0.key], value: value($0.value)) }
            )
        }
        add(.gauge, "state_seconds", "Since the robot has been in its state.") { .seconds($0.forNs) }
        add(.gauge, "silence_seconds", "Since the robot's newest observation.") { .seconds($0.silentNs) }
        add(.gauge, "sequence", "The sequence number of the robot's newest observation.") {
            .integer($0.sequence)
        }
        add(.counter, "chunks_total", "Action chunks for the robot.") { .integer($0.chunks) }
        add(.counter, "commands_total", "Commands for the robot.") { .integer($0.commands) }
        add(
            .counter,
            "limit_violations_total",
            "Commands and chunks that the robot's limits changed or held back."
        ) {
            .integer($0.limitViolations)
        }
    }
}
