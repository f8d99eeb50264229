import ArgumentParser
import Policy

/// A policy as `--policy` names it: PLACE, or NAME=PLACE.
struct PolicyChoice: ExpressibleByArgument, Equatable {
    /// What robots call it; nil: as the policy is called.
    let name: String?
    /// Its folder, or its name in Hugging Face's cache.
    let given: String

    /// Text whose part before the first `=` is no name, or that has none, is a place as a whole: `./a=b` is a folder.
    init?(argument: String) {
        guard !argument.isEmpty else { return nil }
        guard let equals = argument.firstIndex(of: "="), Self.isName(argument[..<equals]) else {
            (name, given) = (nil, argument)
            return
        }
        name = String(argument[..<equals])
        given = String(argument[argument.index(after: equals)...])
        if given.isEmpty { return nil }
    }

    /// Letters, digits, `.`, `_` and `-`; 1 to 64.
    private static func isName(_ text: Substring) -> Bool {
        (1...64).contains(text.utf8.count)
            && text.utf8.allSatisfy { byte in
                switch UnicodeScalar(byte) {
                case "a"..."z", "A"..."Z", "0"..."9", ".", "_", "-": true
                default: false
                }
            }
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
