import ForeignText

/// What is wrong in a configuration file, in one place.
package struct ConfigurationProblem: Error, Sendable, Hashable, CustomStringConvertible {
    /// The file, as it was given.
    package let file: String
    /// From 1; nil: the whole file.
    package let line: Int?
    /// The key, from the top; nil if no key is at fault.
    package let key: String?
    /// What was found and what was expected.
    package let message: String

    package init(file: String, line: Int?, key: String?, _ message: String) {
        (self.file, self.line, self.key, self.message) = (file, line, key, message)
    }

    /// `denoised.yaml:3: sampler.steps: found "many", expected a whole number`.
    package var description: String {
        let place = ConfigurationFile.place(file, line)
        return printable("\(place): \(key.map { "\($0): " } ?? "")\(message)", limit: 4096)
    }
}

/// What is wrong in a configuration file: one problem or more.
package struct ConfigurationProblems: Error, Sendable, Hashable, CustomStringConvertible {
    /// In the order of the file, at most ``mostProblems``.
    package let problems: [ConfigurationProblem]
    /// How many more there are.
    package let untold: Int

    /// The most problems of one file that are told.
    package static let mostProblems = 20

    package init(_ problems: [ConfigurationProblem]) {
        self.problems = Array(problems.prefix(Self.mostProblems))
        untold = max(0, problems.count - Self.mostProblems)
    }

    /// A line for each problem.
    package var lines: [String] {
        problems.map(\.description) + (untold > 0 ? ["and \(untold) more problems in this file"] : [])
    }

    package var description: String { lines.joined(separator: "\n") }
}
