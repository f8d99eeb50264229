import Harness

@testable import Configuration

/// A key of every kind.
private let table = ConfigurationTable(
    [
        ConfigurationKey("policy", "--policy", .one(.path), standard: "none"),
        ConfigurationKey("policies", "--policy", .named(.identifier, .path), standard: "none"),
        ConfigurationKey("robots", "--robot", .list(.path), standard: "none"),
        ConfigurationKey("cameras", "--camera", .named(.text, .text), standard: "none"),
        ConfigurationKey("sampler.solver", "--solver", .one(.choice(["ddim", "ddpm"])), standard: "ddpm"),
        ConfigurationKey("sampler.window", "--window", .one(.whole(or: "auto")), standard: "none"),
        ConfigurationKey("sampler.tolerance", "--tolerance", .one(.number), standard: "0.005"),
        ConfigurationKey("http.token", "--http-token", .flag, standard: "false"),
    ]
)

/// Configuration files. What is accepted is options that the command line could have had: of a known key each, and values without
/// control characters. Errors about them are one line each.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    guard let text = String(validating: bytes, as: UTF8.self) else { return 0 }
    let file: ConfigurationFile
    do throws(ConfigurationProblems) {
        file = try ConfigurationFile(text: text, path: "etc/denoised.yaml", table: table)
    } catch {
        require(!error.problems.isEmpty, "an error without a problem")
        for problem in error.problems { requireOneLine(problem) }
        return 0
    }
    let lines =
        1 + text.unicodeScalars.count(where: { "\n\r\u{85}\u{2028}\u{2029}".unicodeScalars.contains($0) })
    for setting in file.settings {
        require((1...lines).contains(setting.line), "\(setting.key.path) in line \(setting.line) of \(lines)")
        for argument in setting.arguments {
            require(argument.hasPrefix(setting.key.option), "\(argument) for \(setting.key.option)")
            let isClean = argument.unicodeScalars.allSatisfy { $0.properties.generalCategory != .control }
            require(isClean, "control characters in \(argument.debugDescription)")
        }
    }
    require(Set(file.settings.map(\.key)).count == file.settings.count, "a key twice")
    let given = GivenOptions(file.settings.flatMap(\.arguments)) { option in
        table.keys(for: option).contains { $0.shape != .flag }
    }
    require(given.others.isEmpty, "arguments that are no options: \(given.others)")
    let configured = ConfiguredArguments(file, given: given, table: table)
    require(configured.settings.allSatisfy { $0.arguments.isEmpty }, "the command line does not win")
    return 0
}
