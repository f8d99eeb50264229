/// Metrics in Prometheus' text format, version 0.0.4
/// (https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format).
struct PrometheusText {
    /// What a family of numbers is.
    enum Kind: String {
        /// Only rises, from 0 at the daemon's start.
        case counter
        /// Goes up and down.
        case gauge
        /// Quantiles, and the sum and the count of what was observed.
        case summary
    }

    /// One number: what Prometheus calls a sample.
    struct Sample {
        /// What follows the family's name: `_sum` or `_count` in a summary, else nothing.
        var suffix = ""
        var labels: KeyValuePairs<String, String> = [:]
        var value: Value
    }

    /// Its value.
    enum Value {
        case integer(UInt64)
        case real(Double)

        /// Nanoseconds as seconds.
        static func seconds(_ nanoseconds: UInt64) -> Value { .real(Double(nanoseconds) / 1e9) }

        fileprivate var text: String {
            switch self {
            case .integer(let value): "\(value)"
            case .real(let value) where value.isNaN: "NaN"
            case .real(let value) where value.isInfinite: value > 0 ? "+Inf" : "-Inf"
            case .real(let value): "\(value)"
            }
        }
    }

    /// The `Content-Type` of the format.
    static let contentType = "text/plain; version=0.0.4; charset=utf-8"

    /// The text so far.
    private(set) var text = ""

    /// Adds a family with all its numbers.
    mutating func add(_ kind: Kind, _ name: String, _ help: String, _ samples: [Sample]) {
        text += "# HELP \(name) \(Self.escaped(help, quote: false))\n"
        text += "# TYPE \(name) \(kind.rawValue)\n"
        for sample in samples {
            let labels = sample.labels.map { "\($0.key)=\"\(Self.escaped($0.value, quote: true))\"" }
            let list = labels.isEmpty ? "" : "{\(labels.joined(separator: ","))}"
            text += "\(name)\(sample.suffix)\(list) \(sample.value.text)\n"
        }
    }

    /// Adds a family of one number without labels.
    mutating func add(_ kind: Kind, _ name: String, _ help: String, _ value: Value) {
        add(kind, name, help, [Sample(value: value)])
    }

    /// Backslashes and line feeds escaped, and in a label's value the quotation mark.
    private static func escaped(_ text: String, quote: Bool) -> String {
        var escaped = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\\": escaped += "\\\\"
            case "\n": escaped += "\\n"
            case "\"" where quote: escaped += "\\\""
            default: escaped.unicodeScalars.append(scalar)
            }
        }
        return escaped
    }
}
