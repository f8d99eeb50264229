// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)]

/// A reader to fuzz: a program from `Targets/<name>/`, whose seeds are in `Tests/Corpus/<name>/`.
func fuzz(_ name: String, _ modules: String...) -> Target {
    .executableTarget(
        name: name,
        dependencies: ["Harness"] + modules.map { .product(name: $0, package: "denoised") },
        path: "Targets/\(name)",
        // libFuzzer brings `main`.
        swiftSettings: settings + [.unsafeFlags(["-parse-as-library"])]
    )
}

let package = Package(
    name: "DenoisedFuzz",
    dependencies: [.package(name: "denoised", path: "..")],
    targets: [
        .target(name: "Harness", path: "Harness", swiftSettings: settings),
        fuzz("json", "StrictJSON"),
        fuzz("safetensors", "Safetensors", "StrictJSON"),
        fuzz("checkpoint", "Safetensors", "StrictJSON"),
        fuzz("policy", "Policy", "Safetensors", "StrictJSON"),
        fuzz("messages", "Robotics", "Wire"),
        fuzz("gr00t", "Gr00t", "Robotics", "Wire"),
        fuzz("openpi", "ForeignClients", "OpenPI", "Robotics", "Wire"),
        fuzz("robotfile", "Limits", "RobotDescription"),
        fuzz("configuration", "Configuration"),
        fuzz("pictures", "Pictures"),
        fuzz("reports", "Reporting"),
        fuzz("pickle", "Importing", "Pickle"),
        fuzz("torchfile", "Importing", "Pickle"),
    ]
)
