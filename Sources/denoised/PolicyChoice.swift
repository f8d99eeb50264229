import ArgumentParser
import Configuration
import Foundation
import Policy
import StrictJSON

/// A policy as `--policy` names it: PLACE, or NAME=PLACE.
struct PolicyChoice: ExpressibleByArgument, Equatable {
    /// What robots call it; nil: as the policy is called.
    let name: String?
    /// Its folder, or its name in Hugging Face's cache.
    let given: String

    /// Text whose part before the first `=` is no name, or that has none, is a place as a whole: `./a=b` is a folder.
    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        guard let equals = argument.firstIndex(of: "="),
            ConfigurationKey.Names.identifier.allow(argument[..<equals])
        else {
            (name, given) = (nil, argument)
            return
        }
        name = String(argument[..<equals])
        given = String(argument[argument.index(after: equals)...])
        if given.isEmpty { return nil }
    }

    /// Throws an error if a command that runs one policy was given a name for it.
    ///
    /// - Throws: `Failure`.
    static func checkHasNoName(_ given: String) throws {
        guard PolicyChoice(argument: given)?.name != nil, !FileManager.default.fileExists(atPath: given)
        else { return }
        throw Failure.input(
            "--policy \(given.inOneLine): found NAME=policy, expected one policy without a name; serve runs several"
        )
    }

    /// Throws an error if a policy was given with what is no name, or there is none in front of its `=`.
    ///
    /// - Throws: `Failure`.
    func checkName() throws {
        guard name == nil, let equals = given.firstIndex(of: "="),
            !FileManager.default.fileExists(atPath: given)
        else { return }
        throw Failure.input(
            "--policy \(given.inOneLine): found the name \"\(String(given[..<equals]).inOneLine)\", expected "
                + ConfigurationKey.Names.identifier.expected
        )
    }
}

/// A policy that was read, by the name that robots know it by.
struct NamedPolicy {
    let name: String
    let bundle: PolicyBundle

    /// - Throws: `Failure` if two have one name.
    static func checkNames(_ policies: [NamedPolicy]) throws {
        for (index, policy) in policies.enumerated()
        where policies[..<index].contains(where: { $0.name == policy.name }) {
            throw Failure.input(
                "--policy: two policies are called \"\(policy.name)\", expected a name for each, as --policy NAME=FOLDER"
            )
        }
    }
}
