// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    // Swift 6.2 asks what a function that takes several spans writes into, which later ones infer.
    .enableExperimentalFeature("Lifetimes"),
]

/// The modules that compute chunks, commands and frames are optimised in debug builds too: unoptimised Swift allocates when
/// it iterates and indexes, and the tests count allocations. So are the kernels, lest the tests spend most of their time in
/// them.
let computing = settings + [.unsafeFlags(["-O"], .when(configuration: .debug))]

func module(
    _ name: String,
    _ dependencies: [Target.Dependency] = [],
    resources: [Resource] = [],
    settings: [SwiftSetting] = settings
) -> Target {
    .target(name: name, dependencies: dependencies, resources: resources, swiftSettings: settings)
}

func tests(_ name: String, _ dependencies: [Target.Dependency], resources: [Resource] = []) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: dependencies,
        resources: resources,
        swiftSettings: settings
    )
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")
func nio(_ modules: String...) -> [Target.Dependency] {
    modules.map { .product(name: "NIO\($0)", package: "swift-nio") }
}
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "denoised",
    products: [
        .executable(name: "denoised", targets: ["denoised"]),
        // For the microbenchmarks and the fuzzers, which are packages of their own: an external package sees products
        // alone.
        .library(name: "BenchmarkNetworks", targets: ["BenchmarkNetworks"]),
        .library(name: "CKernels", targets: ["CKernels"]),
        .library(name: "Compute", targets: ["Compute"]),
        .library(name: "Configuration", targets: ["Configuration"]),
        .library(name: "Networks", targets: ["Networks"]),
        .library(name: "ForeignClients", targets: ["ForeignClients"]),
        .library(name: "Gr00t", targets: ["Gr00t"]),
        .library(name: "OpenPI", targets: ["OpenPI"]),
        .library(name: "Checksums", targets: ["Checksums"]),
        .library(name: "Importing", targets: ["Importing"]),
        .library(name: "Pickle", targets: ["Pickle"]),
        .library(name: "Pictures", targets: ["Pictures"]),
        .library(name: "Policy", targets: ["Policy"]),
        .library(name: "Safetensors", targets: ["Safetensors"]),
        .library(name: "Limits", targets: ["Limits"]),
        .library(name: "Reporting", targets: ["Reporting"]),
        .library(name: "RobotDescription", targets: ["RobotDescription"]),
        .library(name: "StrictJSON", targets: ["StrictJSON"]),
        .library(name: "Sampling", targets: ["Sampling"]),
        .library(name: "Robotics", targets: ["Robotics"]),
        .library(name: "Wire", targets: ["Wire"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CChipmunk", providers: [.apt(["libchipmunk-dev"])]),
        .systemLibrary(name: "CMessagePack", providers: [.apt(["libmsgpack-dev"])]),
        .systemLibrary(name: "CTurboJPEG", providers: [.apt(["libturbojpeg0-dev"])]),
        .systemLibrary(name: "CSPNG", providers: [.apt(["libspng-dev"])]),
        .systemLibrary(name: "CCairo", providers: [.apt(["libcairo2-dev"])]),
        .systemLibrary(name: "CWebP", providers: [.apt(["libwebp-dev"])]),
        .systemLibrary(name: "CGIF", providers: [.apt(["libgif-dev"])]),

        // Small and independent.
        module("Clocks", settings: computing),
        module("NumPyRandom", settings: computing),
        module("Statistics", ["NumPyRandom"], settings: computing),
        module("Files"),
        module("ForeignText"),
        module("Fields", ["ForeignText"]),
        module("StrictJSON", ["Fields"]),
        module("StrictYAML", ["Fields", "Files", "ForeignText", yams]),
        module("Configuration", ["Fields", "ForeignText", "StrictYAML"]),
        module("Drawing"),
        module("Pictures", ["CSPNG", "CTurboJPEG"]),
        module("Checksums", settings: computing),
        module("Pickle", ["StrictJSON"]),
        module("MCAP", ["Checksums", "Files"]),
        module("Safetensors", ["Files", "StrictJSON"]),
        module("Logs", ["CLinux", "Files", logging]),
        module("Stalls", ["Clocks", "CLinux"], settings: computing),

        // The network and its samplers.
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        module("Compute", ["Clocks", "CKernels", "CLinux", "COpenBLAS", "Stalls"], settings: computing),
        module("Networks", ["Clocks", "Compute", "Stalls"], settings: computing),
        module("BenchmarkNetworks", ["Compute", "Networks", "NumPyRandom"], settings: computing),
        module("Sampling", ["Clocks", "NumPyRandom"], settings: computing),
        module(
            "Policy",
            [
                "Clocks", "Compute", "Fields", "Files", "Networks", "Pictures", "Robotics", "Safetensors",
                "Sampling",
                "Stalls", "StrictJSON",
            ],
            settings: computing
        ),
        module(
            "Importing",
            ["Checksums", "Compute", "Files", "Pickle", "Policy", "Safetensors", "StrictJSON"],
            // It moves checkpoints of gigabytes.
            settings: computing
        ),
        module(
            "Tuning",
            ["Compute", "COpenBLAS", "Files", "Networks", "Policy", "Sampling", "Stalls"],
            settings: computing
        ),

        // Robots, and how they move.
        module("Robotics"),
        module("Limits", ["Clocks", "Robotics"], settings: computing),
        module("RobotDescription", ["Fields", "Limits", "StrictYAML"], settings: computing),
        module("Motion", ["Robotics"], settings: computing),
        module(
            "Piloting",
            ["Clocks", "Fields", "Limits", "Motion", "RobotDescription", "Robotics", "StrictJSON"]
        ),

        // What is said, and how it gets there.
        module("Wire", ["CMessagePack", "ForeignText", "Robotics"]),
        module("Transport", ["Clocks", "CLinux", "CZeroMQ", "Files", "ForeignText", "Robotics", "Wire"]),
        module("ForeignClients", ["Robotics"]),
        module("Gr00t", ["ForeignClients", "ForeignText", "Robotics", "Wire"]),
        module("OpenPI", ["ForeignClients", "ForeignText", "Robotics", "Wire"]),
        module("HTTP", ["CLinux", "Wire"] + nio("Core", "HTTP1", "Posix")),
        // It works byte by byte.
        module("WebSockets", ["HTTP"] + nio("Core", "HTTP1", "WebSocket"), settings: computing),

        module(
            "CameraServers",
            [
                "CLinux", "Clocks", "ForeignText", "Pictures", "Robotics", "StrictJSON", "Transport", "Wire",
                logging,
            ],
            // It exchanges colours pixel by pixel.
            settings: computing
        ),

        // The daemon.
        module(
            "Planning",
            [
                "Clocks", "CLinux", "Compute", "ForeignText", "Policy", "Robotics", "Sampling", "Stalls",
                "Tuning",
            ]
        ),
        module(
            "Recording",
            [
                "CLinux", "Clocks", "ForeignText", "MCAP", "Pictures", "Planning", "Policy", "Robotics",
                "StrictJSON", "Wire", logging,
            ]
        ),
        module(
            "Daemon",
            [
                "CLinux", "CameraServers", "Clocks", "ForeignClients", "ForeignText", "Gr00t", "HTTP",
                "Motion", "OpenPI",
                "Piloting", "Planning", "Recording", "RobotDescription", "Robotics", "Stalls", "Transport",
                "WebSockets", "Wire", logging, histogram,
            ] + nio("HTTP1")
        ),
        module(
            "Monitoring",
            ["ForeignText", "HTTP", "Pictures", "Robotics", "Wire"] + nio("Core", "HTTP1"),
            resources: [.embedInCode("Resources")]
        ),
        module(
            "PushT",
            ["CChipmunk", "Drawing", "NumPyRandom"],
            resources: [.embedInCode("Resources")],
            settings: computing
        ),
        module(
            "Rendering",
            ["CCairo", "CGIF", "CWebP", "Drawing", "Pictures", "PushT", "Robotics"],
            // It works pixel by pixel.
            settings: computing
        ),
        module("Explaining", ["Drawing", "Policy", "PushT"]),
        module(
            "Benchmarking",
            [
                "Clocks", "Compute", "Daemon", "Networks", "NumPyRandom", "Planning", "Policy", "PushT",
                "Robotics", "Sampling", "Statistics", "Transport", "Tuning",
            ]
        ),
        module(
            "Reporting",
            [
                "Drawing", "Fields", "Files", "ForeignText", "MCAP", "Recording", "Robotics", "Statistics",
                "StrictJSON",
            ]
        ),
        .executableTarget(
            name: "denoised",
            dependencies: [
                "Benchmarking", "BenchmarkNetworks", "CLinux", "CameraServers", "Clocks", "Compute",
                "Configuration", "Daemon",
                "Drawing", "Explaining", "Files", "ForeignClients", "ForeignText", "Gr00t", "HTTP",
                "Importing", "Logs", "MCAP", "Monitoring", "Motion", "Networks", "OpenPI",
                "Pictures", "Piloting", "Planning", "Policy", "PushT", "Recording", "Rendering",
                "Reporting",
                "RobotDescription", "Robotics", "Safetensors", "Sampling", "Stalls", "Statistics",
                "StrictJSON", "Transport", "Tuning", "Wire", argumentParser, logging,
            ],
            swiftSettings: settings
        ),

        .target(name: "TestRandom", path: "Tests/TestRandom", swiftSettings: settings),
        .target(name: "TestSupport", path: "Tests/TestSupport", swiftSettings: settings),
        tests("Clocks", ["Clocks"]),
        tests("NumPyRandom", ["NumPyRandom"], resources: [.copy("Resources")]),
        tests("Statistics", ["Statistics"], resources: [.copy("Resources")]),
        tests("Drawing", ["Drawing"]),
        tests("Explaining", ["Explaining", "Policy", "PushT", "Sampling"]),
        tests("Reporting", ["MCAP", "Recording", "Reporting", "Robotics", "Statistics"]),
        tests("Fields", ["Fields", "StrictJSON"]),
        tests("Files", ["Files"]),
        tests("Logs", ["Logs", logging]),
        tests("Stalls", ["Clocks", "Stalls"]),
        tests("Safetensors", ["Safetensors", "TestRandom"], resources: [.copy("Fixtures")]),
        tests("Compute", ["CKernels", "Clocks", "Compute", "NumPyRandom", "Stalls"]),
        tests(
            "Networks",
            ["BenchmarkNetworks", "CKernels", "Clocks", "Compute", "Networks", "NumPyRandom"],
            resources: [.copy("Resources")]
        ),
        tests("Sampling", ["Clocks", "Sampling"], resources: [.copy("Resources")]),
        .target(
            name: "PolicyFixtures",
            dependencies: ["NumPyRandom", "Policy", "Robotics", "Safetensors"],
            path: "Tests/PolicyFixtures",
            // Draws the weights of image encoders.
            swiftSettings: computing
        ),
        tests(
            "Policy",
            [
                "Clocks", "Compute", "Networks", "Policy", "PolicyFixtures", "Robotics", "Safetensors",
                "Sampling",
                "Tuning",
            ],
            resources: [.copy("Fixtures")]
        ),
        tests(
            "Tuning",
            ["Clocks", "Compute", "Policy", "PolicyFixtures", "Safetensors", "Sampling", "Tuning"]
        ),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        tests(
            "Allocation",
            [
                "CAllocationCounter", "Clocks", "Compute", "Policy", "PolicyFixtures", "Robotics", "Sampling",
                "Tuning",
            ]
        ),
        tests("Wire", ["Robotics", "TestRandom", "Wire"], resources: [.copy("Resources")]),
        tests("Transport", ["Robotics", "TestSupport", "Transport", "Wire"], resources: [.copy("Fixtures")]),
        tests(
            "CameraServers",
            ["CameraServers", "Clocks", "Pictures", "Robotics", "TestSupport", "Transport", logging]
        ),
        tests(
            "OpenPI",
            ["ForeignClients", "OpenPI", "Robotics", "TestRandom", "Wire"],
            resources: [.copy("Resources")]
        ),
        tests("WebSockets", ["HTTP", "TestSupport", "WebSockets"] + nio("Core", "HTTP1")),
        tests(
            "Gr00t",
            ["ForeignClients", "Gr00t", "Robotics", "TestRandom", "Wire"],
            resources: [.copy("Resources")]
        ),
        tests("MCAP", ["MCAP", "StrictJSON"], resources: [.copy("Resources")]),
        tests("Checksums", ["Checksums"]),
        tests("Pickle", ["Pickle"]),
        tests(
            "Importing",
            [
                "Checksums", "Importing", "Pickle", "Policy", "PolicyFixtures", "Robotics", "Safetensors",
                "Sampling", "Tuning",
            ],
            resources: [.copy("Resources")]
        ),
        tests("StrictJSON", ["StrictJSON"]),
        tests("StrictYAML", ["StrictYAML"]),
        tests("Configuration", ["Configuration", "TestRandom"]),
        tests("Pictures", ["CLinux", "Pictures"], resources: [.copy("Resources")]),
        tests("Limits", ["Clocks", "Limits", "Robotics", "TestRandom"], resources: [.copy("Resources")]),
        tests("RobotDescription", ["Limits", "RobotDescription", "TestRandom"]),
        tests(
            "Daemon",
            [
                "CameraServers", "Clocks", "Compute", "Daemon", "ForeignClients", "Gr00t", "HTTP", "Limits",
                "MCAP", "Motion",
                "OpenPI", "Piloting", "Planning", "Pictures", "Policy", "PolicyFixtures", "Recording",
                "RobotDescription", "Robotics",
                "Sampling", "Stalls", "StrictJSON", "TestRandom", "TestSupport", "Transport", "Tuning",
                "WebSockets", "Wire",
            ]
        ),
        tests(
            "Monitoring",
            [
                "ForeignText", "HTTP", "Monitoring", "Pictures", "Robotics", "TestRandom", "TestSupport",
                "Wire",
            ]
                + nio("Core", "Embedded", "HTTP1", "Posix")
        ),
        tests("Motion", ["Motion", "Robotics"]),
        tests("Rendering", ["Drawing", "Pictures", "PushT", "Rendering", "Robotics"]),
        tests("PushT", ["CAllocationCounter", "NumPyRandom", "PushT"], resources: [.copy("Resources")]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: [
                "Benchmarking", "Compute", "Configuration", "Daemon", "denoised", "MCAP", "Pictures",
                "Planning", "Policy",
                "PolicyFixtures", "PushT", "Recording", "Robotics", "Safetensors", "Sampling", "StrictJSON",
                "Transport", "Tuning", "Wire",
            ],
            path: "Tests/EndToEnd",
            swiftSettings: settings
        ),
    ]
)

// Only `make docs` needs the plugin that makes the documentation: other builds neither fetch nor build it.
if Context.environment["DENOISED_DOCS"] != nil {
    package.dependencies.append(
        .package(url: "https://github.com/swiftlang/swift-docc-plugin", from: "1.5.0")
    )
}

// The test modules of a build, separated by commas, if it is to have some only: on an emulated processor all would take hours.
if let modules = Context.environment["DENOISED_TESTS"], !modules.isEmpty {
    let wanted = modules.split(separator: ",").map { "\($0)Tests" }
    package.targets.removeAll { $0.type == .test && !wanted.contains($0.name) }
}
