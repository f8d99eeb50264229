import Foundation
import Robotics
import Testing

@testable import Monitoring

@Suite struct DaemonMetricsTests {
    @Test func everyStatisticIsThere() throws {
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot()))
        #expect(try metrics.value("denoised_up") == 1)
        #expect(try metrics.value("denoised_heartbeat_age_seconds") == 0.25)
        #expect(try metrics.value("denoised_uptime_seconds") == 751)
        #expect(try metrics.value("denoised_robots") == 2)
        let counters: [(String, Double)] = [
            ("observations", 3), ("duplicate_observations", 4), ("stale_observations", 5),
            ("superseded_observations", 6), ("dropped_observations", 7), ("chunks", 12), ("predictions", 13),
            ("late_chunks", 14), ("coarse_chunks", 15), ("warm_chunks", 21), ("commands", 16),
            ("limit_violations", 17),
            ("planner_errors", 18), ("lost_log_lines", 19),
        ]
        for (name, count) in counters {
            #expect(try metrics.value("denoised_\(name)_total") == count)
            #expect(metrics.families["denoised_\(name)_total"]?.type == "counter")
        }
        #expect(try metrics.value("denoised_requests_total", ["type": "ping"]) == 9)
        #expect(try metrics.value("denoised_rejected_messages_total", ["reason": "not_finite"]) == 11)
        #expect(try metrics.value("denoised_rejected_messages_total", ["reason": "too_large"]) == 0)
        let latency = "denoised_latency_seconds"
        for (quantile, seconds) in [("0.5", 0.0165), ("0.9", 0.021), ("0.99", 0.03), ("1", 0.03125)] {
            #expect(try metrics.value(latency, ["stage": "sample", "quantile": quantile]) == seconds)
        }
        #expect(try metrics.value("\(latency)_sum", ["stage": "sample"]) == 0.5)
        #expect(try metrics.value("\(latency)_count", ["stage": "sample"]) == 25)
        #expect(metrics.families[latency]?.type == "summary")
    }

    /// A statistic that is added to the daemon is to be added here too: each number of ``statistics()`` occurs once.
    @Test func noStatisticIsLeftOut() throws {
        let encoded = try JSONEncoder().encode(statistics())
        let fields = try #require(try JSONSerialization.jsonObject(with: encoded) as? [String: Any])
        let special = ["uptime_ns": "uptime_seconds", "robots": "robots", "latency_ns": "latency_seconds"]
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot()))
        for field in fields.keys {
            let name = "denoised_" + (special[field] ?? "\(field)_total")
            #expect(metrics.families[name] != nil, "no \(name) for \(field)")
        }
    }

    @Test func cameraServersAreToldWithTheAgeOfTheirFrames() throws {
        var seen = status()
        let endpoint = "tcp://127.0.0.1:5558"
        seen.cameraServers = [
            CameraServerStatus(
                camera: "observation.images.front",
                endpoint: endpoint,
                name: "front",
                frames: 31,
                refused: 2,
                repeated: 3,
                ageNs: 250_000_000
            ),
            CameraServerStatus(camera: "observation.images.wrist", endpoint: endpoint, name: "hand"),
        ]
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot(seen)))
        let front = ["camera": "observation.images.front", "endpoint": endpoint]
        let wrist = ["camera": "observation.images.wrist", "endpoint": endpoint]
        for (name, value) in [("frames", 31.0), ("refused", 2), ("repeated", 3)] {
            #expect(try metrics.value("denoised_camera_server_\(name)_total", front) == value)
            #expect(try metrics.value("denoised_camera_server_\(name)_total", wrist) == 0)
        }
        #expect(try metrics.value("denoised_camera_server_frame_age_seconds", front) == 0.25)
        #expect(throws: (any Error).self) {
            try metrics.value("denoised_camera_server_frame_age_seconds", wrist)
        }
        let none = try PrometheusParser(DaemonMetrics.text(snapshot()))
        #expect(none.families["denoised_camera_server_frames_total"] == nil)
    }

    @Test func robotsAreToldWithTheirState() throws {
        let robots = ["arm1": robot(), "arm2": robot(.stopped, chunks: 0)]
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot(status(robots: robots))))
        for state in ["idle", "running", "holding", "stopped", "faulted"] {
            let labels = { ["robot": $0, "state": state] }
            #expect(try metrics.value("denoised_robot_state", labels("arm1")) == (state == "running" ? 1 : 0))
            #expect(try metrics.value("denoised_robot_state", labels("arm2")) == (state == "stopped" ? 1 : 0))
        }
        let numbers: [(String, Double)] = [
            ("state_seconds", 12.3), ("silence_seconds", 0.045), ("sequence", 1204), ("chunks_total", 19),
            ("commands_total", 20), ("limit_violations_total", 21),
        ]
        for (name, value) in numbers {
            #expect(try metrics.value("denoised_robot_\(name)", ["robot": "arm1"]) == value)
        }
        #expect(try metrics.value("denoised_robot_chunks_total", ["robot": "arm2"]) == 0)
    }

    @Test func aDaemonThatFailsIsDown() throws {
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot(failures: ["it hangs"])))
        #expect(try metrics.value("denoised_up") == 0)
    }

    @Test func withoutAHeartbeatTheRestIsLeftOut() throws {
        let metrics = try PrometheusParser(DaemonMetrics.text(snapshot(nil, failures: ["not yet"])))
        #expect(
            Set(metrics.families.keys) == [
                "denoised_info", "denoised_up", "denoised_policy_weight_bytes",
                "denoised_policy_calibration_ratio",
            ]
        )
    }

    @Test func labelsAndHelpAreEscaped() throws {
        let value = "a \"quoted\" back\\slash\nand a line, {braces}=é"
        var text = PrometheusText()
        text.add(.gauge, "name", "help \\ with\nlines", [.init(labels: ["label": value], value: .integer(1))])
        let family = try #require(try PrometheusParser(text.text).families["name"])
        #expect(family.help == "help \\ with\nlines")
        #expect(family.samples.first?.labels == ["label": value])
        #expect(text.text.split(separator: "\n").count == 3)
    }

    @Test(arguments: [
        (0.0, "0.0"), (1e-9, "1e-09"), (.infinity, "+Inf"), (-.infinity, "-Inf"), (.nan, "NaN"),
        (1.5e300, "1.5e+300"),
    ])
    func realsAreAsGoReadsThem(value: Double, expected: String) throws {
        var text = PrometheusText()
        text.add(.gauge, "name", "help", .real(value))
        #expect(text.text.hasSuffix("\nname \(expected)\n"))
        let read = try PrometheusParser(text.text).value("name")
        #expect(read == value || (read.isNaN && value.isNaN))
    }

    /// The parser refuses what the format does.
    @Test(arguments: [
        "name 1\n", "# HELP name h\nname 1\n", "# HELP name h\n# TYPE name gauge\nname 1",
        "# HELP name h\n# TYPE name gauge\nname{a=\"b} 1\n", "# HELP name h\n# TYPE name gauge\nname x\n",
        "# HELP name h\n# TYPE name gauge\nname 1\nname 2\n", "# HELP name h\n# TYPE name counter\nname 1\n",
        "# HELP name h\n# TYPE name gauge\nother 1\n",
    ])
    func parserIsStrict(text: String) {
        #expect(throws: PrometheusParser.Malformed.self) { try PrometheusParser(text) }
    }
}
