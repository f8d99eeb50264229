import Foundation
import HTTP

/// What is served besides the live page: `/metrics` and `/healthz`.
enum MonitoringPages {
    /// The answer to a request.
    static func answer(_ request: HTTPRequest, snapshot: () -> DaemonSnapshot) -> HTTPAnswer {
        guard request.method == "GET" || request.method == "HEAD" else {
            return HTTPRefusal.methodNotAllowed(request.method).answer
        }
        switch request.path {
        case "/metrics":
            return HTTPAnswer(
                .ok,
                DaemonMetrics.text(snapshot()),
                contentType: PrometheusText.contentType
            )
        case "/healthz":
            let snapshot = snapshot()
            return health(failures: snapshot.failures, warnings: snapshot.status?.warnings ?? [])
        default:
            return HTTPAnswer(.notFound, "expected /, /metrics or /healthz\n")
        }
    }

    private struct Failing: Encodable {
        let status = "failing"
        let reasons: [String]
    }

    private static func health(failures: [String], warnings: [String]) -> HTTPAnswer {
        guard !failures.isEmpty else {
            // Who restarts what is not healthy must not do so for a warning: it may say that a restart forgets a stop.
            return HTTPAnswer(
                .ok,
                (["ok"] + warnings.map { "warning: \($0)" }).joined(separator: "\n") + "\n"
            )
        }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let json = try? encoder.encode(Failing(reasons: failures))
        return HTTPAnswer(
            .serviceUnavailable,
            String(decoding: json ?? Data("{}".utf8), as: UTF8.self) + "\n",
            contentType: "application/json"
        )
    }
}
