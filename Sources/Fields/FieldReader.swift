import ForeignText

/// Reads a value and what is in it. Each error names the field by its path, what was found and what was expected.
///
/// It is for files, which are read once. Messages have a reader of their own (`Wire/FieldReader`), because through generic
/// functions an observation would take almost twice as long to read.
package struct FieldReader<Source: FieldSource> {
    package typealias Node = Source.Node
    package typealias Failure = Source.Failure

    package let source: Source
    package let node: Node
    /// From the top, fit for one line of a log; empty for the top.
    package let path: String

    package init(_ node: Node, of source: Source, path: String = "") {
        self.source = source
        self.node = node
        self.path = path
    }

    /// The path of a member, fit for one line of a log.
    package func path(of name: String) -> String {
        let name = printable(name, limit: 128)
        return path.isEmpty ? name : "\(path).\(name)"
    }

    // MARK: Errors

    /// An error about this value.
    package func error(_ reason: FieldProblem.Reason = .wrongType, expected: String) -> Failure {
        error(reason, found: node.summary, expected: expected)
    }

    /// An error about this value, which is told in other words.
    package func error(
        _ reason: FieldProblem.Reason,
        found: String,
        expected: String
    ) -> Failure {
        source.failure(
            FieldProblem(reason, field: path.isEmpty ? nil : path, found: found, expected: expected)
        )
    }

    /// An error about a member that is missing.
    package func missing(_ name: String, expected: String = "a value") -> Failure {
        source.failure(
            FieldProblem(.missing, field: path(of: name), found: "missing", expected: expected)
        )
    }

    // MARK: Members

    /// Checks that the value has members, and returns them.
    package func object() throws(Failure) -> Node.Members {
        guard let members = node.members else { throw error(expected: Source.words.members) }
        return members
    }

    /// The members, in order.
    package func members() throws(Failure) -> [(name: String, reader: FieldReader)] {
        let members = try object()
        var readers: [(name: String, reader: FieldReader)] = []
        for name in members.names {
            guard let node = members[name] else {
                let problem = FieldProblem(
                    .wrongType,
                    field: path(of: name),
                    found: "a name that is no text",
                    expected: "text"
                )
                throw source.failure(problem)
            }
            readers.append((name, FieldReader(node, of: source, path: path(of: name))))
        }
        return readers
    }

    /// A member that may be left out; nil if it is.
    package func optional(_ name: String) throws(Failure) -> FieldReader? {
        guard let found = try object()[name] else { return nil }
        let reader = FieldReader(found, of: source, path: path(of: name))
        guard found.isNull else { return reader }
        switch Source.null {
        case .value: return reader
        case .refused: throw reader.withoutValue()
        }
    }

    /// A member that must be there.
    ///
    /// - Parameter expected: what it should be, for the error if it is missing.
    package func required(_ name: String, expected: String = "a value") throws(Failure) -> FieldReader {
        guard let found = try object()[name] else { throw missing(name, expected: expected) }
        let reader = FieldReader(found, of: source, path: path(of: name))
        if found.isNull, Source.null == .refused { throw reader.withoutValue() }
        return reader
    }

    private func withoutValue() -> Failure {
        error(.wrongType, found: "no value", expected: "one, or the field left out")
    }

    /// Refuses members of other names: a misspelt name must not become a default.
    package func checkNames(_ known: [String]) throws(Failure) {
        guard let members = node.members else {
            throw error(expected: "\(Source.words.members) of \(known.joined(separator: ", "))")
        }
        var seen: Set<String> = []
        for name in members.names {
            guard known.contains(name) else {
                throw source.failure(
                    FieldProblem(
                        .unknown,
                        field: path(of: name),
                        found: "an unknown field",
                        expected: "one of \(known.joined(separator: ", "))"
                    )
                )
            }
            guard seen.insert(name).inserted else {
                throw source.failure(
                    FieldProblem(.repeated, field: path(of: name), found: "it twice", expected: "it once")
                )
            }
        }
    }

    // MARK: Lists

    /// The elements of a list.
    ///
    /// - Parameter count: how many it may have; nil: any number.
    package func elements(_ count: ClosedRange<Int>? = nil) throws(Failure) -> [FieldReader] {
        guard let elements = node.elements, count?.contains(elements.count) ?? true else {
            guard let count else { throw error(expected: Source.words.list) }
            let expected = count.lowerBound == count.upperBound ? "\(count.lowerBound)" : "\(count)"
            throw error(.outOfRange, expected: "\(Source.words.list) of \(expected)")
        }
        var readers: [FieldReader] = []
        readers.reserveCapacity(elements.count)
        for (index, element) in elements.enumerated() {
            readers.append(FieldReader(element, of: source, path: "\(path)[\(index)]"))
        }
        return readers
    }

    /// The texts of a list.
    package func strings() throws(Failure) -> [String] {
        var texts: [String] = []
        for element in try elements() { texts.append(try element.string()) }
        return texts
    }

    // MARK: Single values

    package func string() throws(Failure) -> String {
        guard let text = node.text else { throw error(expected: Source.words.text) }
        return text
    }

    package func bool() throws(Failure) -> Bool {
        guard let flag = node.flag else { throw error(expected: "true or false") }
        return flag
    }

    /// An integer from 0 to 2^64 - 1.
    package func unsigned() throws(Failure) -> UInt64 {
        guard let integer = node.wholeNumber else { throw notUnsigned() }
        return integer
    }

    private func notUnsigned() -> Failure {
        guard let number = node.double else { return error(expected: "an integer from 0 up") }
        let reason: FieldProblem.Reason = number == number.rounded() ? .outOfRange : .wrongType
        return error(reason, expected: "an integer from 0 to \(UInt64.max)")
    }

    /// An integer from 0 to 2^63 - 1.
    package func count() throws(Failure) -> Int {
        let value = try unsigned()
        guard let count = Int(exactly: value) else {
            throw error(.outOfRange, expected: "at most \(Int.max)")
        }
        return count
    }

    /// An integer in a range from 0 up.
    package func integer(in range: ClosedRange<Int>) throws(Failure) -> Int {
        guard let whole = node.wholeNumber, let integer = Int(exactly: whole), range.contains(integer) else {
            throw error(
                node.double == nil ? .wrongType : .outOfRange,
                expected: "an integer from \(range.lowerBound) to \(range.upperBound)"
            )
        }
        return integer
    }

    package func number() throws(Failure) -> Double {
        guard let number = node.double else { throw error(expected: "a number") }
        return number
    }

    /// A number for which `isValid` holds.
    ///
    /// - Parameter expected: which numbers those are, in words.
    package func number(expected: String, _ isValid: (Double) -> Bool) throws(Failure) -> Double {
        guard let number = node.double else { throw error(expected: expected) }
        guard isValid(number) else { throw error(.outOfRange, expected: expected) }
        return number
    }

    /// One of a closed list of texts.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ type: Choice.Type = Choice.self
    ) throws(Failure) -> Choice {
        guard let text = node.text, let choice = Choice(rawValue: text) else {
            let choices = Choice.allCases.map(\.rawValue).joined(separator: ", ")
            throw error(node.text == nil ? .wrongType : .outOfRange, expected: "one of \(choices)")
        }
        return choice
    }
}

// MARK: - Members by name

extension FieldReader {
    /// The names of the members, in order; none if the value has no members.
    package var names: [String] { node.members?.names ?? [] }

    package func string(_ name: String) throws(Failure) -> String { try required(name).string() }

    package func bool(_ name: String) throws(Failure) -> Bool { try required(name).bool() }

    /// An integer from 0 to 2^64 - 1.
    package func unsigned(_ name: String) throws(Failure) -> UInt64 { try required(name).unsigned() }

    /// An integer from 0 to 2^63 - 1.
    package func count(_ name: String) throws(Failure) -> Int { try required(name).count() }

    package func number(_ name: String) throws(Failure) -> Double { try required(name).number() }

    /// One of a closed list of texts.
    package func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ name: String
    ) throws(Failure) -> Choice {
        try required(name).choice()
    }

    /// The texts of a list.
    package func strings(_ name: String) throws(Failure) -> [String] { try required(name).strings() }
}
