import Robotics

/// What a scraper makes of Prometheus' text format, version 0.0.4: a parser that takes nothing which the format does not
/// allow, and asks for HELP and TYPE of each family.
struct PrometheusParser {
    struct Sample: Hashable {
        let name: String
        let labels: [String: String]
        let value: Double
    }

    struct Family {
        let name: String
        let help: String
        var type = ""
        var samples: [Sample] = []
    }

    struct Malformed: Error, CustomStringConvertible {
        let description: String
    }

    private(set) var families: [String: Family] = [:]
    private var current: String?

    init(_ text: String) throws {
        guard text.hasSuffix("\n") else { throw Malformed(description: "the last line has no line feed") }
        var seen: Set<[String]> = []
        for line in text.dropLast().split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        {
            do {
                if line.hasPrefix("# ") { try header(line) } else { try sample(line, &seen) }
            } catch let error as Malformed {
                throw Malformed(description: "\(error) in: \(line)")
            }
        }
        for family in families.values where family.type.isEmpty {
            throw Malformed(description: "\(family.name) has no TYPE")
        }
    }

    func value(_ name: String, _ labels: [String: String] = [:]) throws -> Double {
        let matching = families.values.flatMap(\.samples).filter { $0.name == name && $0.labels == labels }
        guard matching.count == 1 else {
            throw Malformed(description: "\(matching.count) samples \(name)\(labels), expected 1")
        }
        return matching[0].value
    }

    private mutating func header(_ line: String) throws {
        let words = line.split(separator: " ", maxSplits: 3, omittingEmptySubsequences: false).map(
            String.init
        )
        guard words.count == 4, Self.isName(words[2]) else { throw Malformed(description: "no header") }
        switch words[1] {
        case "HELP":
            guard families[words[2]] == nil else { throw Malformed(description: "a second HELP") }
            families[words[2]] = Family(name: words[2], help: try Self.unescaped(words[3], quote: false))
            current = words[2]
        case "TYPE":
            guard current == words[2], families[words[2]]?.type == "" else {
                throw Malformed(description: "TYPE does not follow HELP")
            }
            guard ["counter", "gauge", "summary"].contains(words[3]) else {
                throw Malformed(description: "unknown type")
            }
            families[words[2]]?.type = words[3]
        default:
            throw Malformed(description: "neither HELP nor TYPE")
        }
    }

    private mutating func sample(_ line: String, _ seen: inout Set<[String]>) throws {
        var rest = Substring(line)
        let name = String(rest.prefix { $0.isLetter || $0.isNumber || $0 == "_" || $0 == ":" })
        guard Self.isName(name) else { throw Malformed(description: "no name") }
        rest = rest.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest = rest.dropFirst()
            while rest.first != "}" {
                let label = String(rest.prefix { $0 != "=" })
                guard Self.isName(label), !label.contains(":") else {
                    throw Malformed(description: "no label")
                }
                rest = rest.dropFirst(label.count)
                guard rest.hasPrefix("=\"") else { throw Malformed(description: "no =\"") }
                rest = rest.dropFirst(2)
                var raw = ""
                while let character = rest.first, character != "\"" {
                    raw.append(rest.removeFirst())
                    if character == "\\", let next = rest.first {
                        raw.append(next)
                        rest = rest.dropFirst()
                    }
                }
                guard rest.first == "\"" else { throw Malformed(description: "a value does not end") }
                rest = rest.dropFirst()
                guard labels.updateValue(try Self.unescaped(raw, quote: true), forKey: label) == nil else {
                    throw Malformed(description: "\(label) twice")
                }
                if rest.first == "," {
                    rest = rest.dropFirst()
                } else if rest.first != "}" {
                    throw Malformed(description: "neither , nor }")
                }
            }
            rest = rest.dropFirst()
        }
        guard rest.first == " " else { throw Malformed(description: "no space before the value") }
        let number = String(rest.dropFirst())
        let special: [String: Double] = ["+Inf": .infinity, "-Inf": -.infinity, "NaN": .nan]
        guard let value = special[number] ?? Double(number),
            number.first.map({ !$0.isLetter }) ?? false || number == "NaN"
        else { throw Malformed(description: "no number") }
        guard let current, var family = families[current] else { throw Malformed(description: "no family") }
        let suffixes = family.type == "summary" ? ["", "_sum", "_count"] : [""]
        guard suffixes.contains(where: { current + $0 == name }) else {
            throw Malformed(description: "not of the family \(current)")
        }
        if family.type == "counter", !name.hasSuffix("_total") || value < 0 {
            throw Malformed(description: "a counter is named _total and not negative")
        }
        if family.type == "summary", name == current, labels["quantile"].flatMap(Double.init) == nil {
            throw Malformed(description: "no quantile")
        }
        let key = [name] + labels.sorted { $0.key < $1.key }.flatMap { [$0.key, $0.value] }
        guard seen.insert(key).inserted else { throw Malformed(description: "the same sample twice") }
        family.samples.append(Sample(name: name, labels: labels, value: value))
        families[current] = family
    }

    private static func isName(_ text: String) -> Bool {
        guard let first = text.first, first.isASCII, first.isLetter || first == "_" || first == ":" else {
            return false
        }
        return text.allSatisfy { $0.isASCII && ($0.isLetter || $0.isNumber || $0 == "_" || $0 == ":") }
    }

    private static func unescaped(_ text: String, quote: Bool) throws -> String {
        var result = ""
        var rest = Substring(text)
        while let character = rest.popFirst() {
            guard character == "\\" else {
                result.append(character)
                continue
            }
            switch rest.popFirst() {
            case "\\": result.append("\\")
            case "n": result.append("\n")
            case "\"" where quote: result.append("\"")
            default: throw Malformed(description: "an unknown escape")
            }
        }
        return result
    }
}
