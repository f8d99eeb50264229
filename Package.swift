// swift-tools-version: 6.2
import PackageDescription

let settings: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
]

/// The modules that compute chunks and commands are optimised in debug builds too: unoptimised Swift allocates where it iterates and
/// indexes, and the tests count allocations. So are the kernels, lest the tests spend most of their time in them.
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
let flyingSocks = Target.Dependency.product(name: "FlyingSocks", package: "FlyingFox")
let histogram = Target.Dependency.product(name: "Histogram", package: "hdrhistogram-swift")

let package = Package(
    name: "denoised",
    products: [
        .executable(name: "denoised", targets: ["denoised"]),
        // For the microbenchmarks and the fuzzers, which are packages of their own: an external package sees products
        // alone.
        .library(name: "CKernels", targets: ["CKernels"]),
        .library(name: "Denoiser", targets: ["Denoiser"]),
        .library(name: "Policy", targets: ["Policy"]),
        .library(name: "Safetensors", targets: ["Safetensors"]),
        .library(name: "Safety", targets: ["Safety"]),
        .library(name: "Sampling", targets: ["Sampling"]),
        .library(name: "Wire", targets: ["Wire"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/HdrHistogram/hdrhistogram-swift", from: "0.2.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.2"),
        .package(url: "https://github.com/swhitty/FlyingFox", from: "0.27.1"),
    ],
    targets: [
        .systemLibrary(name: "COpenBLAS", pkgConfig: "openblas", providers: [.apt(["libopenblas-dev"])]),
        .systemLibrary(name: "CZeroMQ", providers: [.apt(["libzmq3-dev"])]),
        .systemLibrary(name: "CLinux"),
        .systemLibrary(name: "CChipmunk", providers: [.apt(["libchipmunk-dev"])]),
        .systemLibrary(name: "CMessagePack", providers: [.apt(["libmsgpack-dev"])]),

        module("NumPyRandom", settings: computing),
        module("Files"),
        module("Logs", ["CLinux", "Files", logging]),
        module("Safetensors", ["Files"]),
        .target(name: "CKernels", cSettings: [.unsafeFlags(["-O2"], .when(configuration: .debug))]),
        module("Denoiser", ["CKernels", "CLinux", "COpenBLAS", "NumPyRandom"], settings: computing),
        module("Sampling", ["NumPyRandom"], settings: computing),
        module("Policy", ["COpenBLAS", "Denoiser", "Files", "Sampling", "Safetensors"], settings: computing),
        module("Wire", ["CLinux", "CMessagePack", "CZeroMQ", "Files"]),
        module("Safety", ["Files", yams], settings: computing),
        module("Recording", ["Files"]),
        module(
            "Controller",
            [
                "CLinux", "Policy", "RealTime", "Recording", "Safetensors", "Safety", "Wire", logging,
                histogram,
            ]
        ),
        module("RealTime", ["Wire"], settings: computing),
        module("Monitoring", ["Safety", "Wire", flyingSocks]),
        module("PushT", ["CChipmunk", "NumPyRandom"], resources: [.embedInCode("Resources")]),
        .executableTarget(
            name: "denoised",
            dependencies: [
                "Controller", "Denoiser", "Files", "Logs", "Monitoring", "NumPyRandom", "Policy", "PushT",
                "RealTime",
                "Recording",
                "Safetensors", "Safety", "Sampling", "Wire", argumentParser, logging,
            ],
            swiftSettings: settings
        ),

        .target(name: "TestRandom", path: "Tests/TestRandom", swiftSettings: settings),
        tests("NumPyRandom", ["NumPyRandom"], resources: [.copy("Resources")]),
        tests("Files", ["Files"]),
        tests("Logs", ["Logs", logging]),
        tests("Safetensors", ["Safetensors", "TestRandom"], resources: [.copy("Fixtures")]),
        tests("Denoiser", ["Denoiser", "NumPyRandom"], resources: [.copy("Resources")]),
        tests("Sampling", ["Sampling"], resources: [.copy("Resources")]),
        tests("Policy", ["Denoiser", "Policy", "Safetensors", "Sampling"], resources: [.copy("Fixtures")]),
        .target(name: "CAllocationCounter", path: "Tests/CAllocationCounter"),
        tests("Allocation", ["CAllocationCounter", "Denoiser", "Policy", "Sampling"]),
        tests("Wire", ["Wire"], resources: [.copy("Fixtures"), .copy("Resources")]),
        tests("Recording", ["Recording"], resources: [.copy("Resources")]),
        tests("Safety", ["Safety", "TestRandom"], resources: [.copy("Resources")]),
        tests("Controller", ["Controller", "Policy", "Recording", "Safety", "TestRandom", "Wire"]),
        tests("Monitoring", ["Monitoring", "Wire"]),
        tests("RealTime", ["RealTime", "Wire"]),
        tests("PushT", ["PushT"], resources: [.copy("Resources")]),
        .testTarget(
            name: "EndToEndTests",
            dependencies: ["Controller", "denoised", "Recording", "Safetensors", "Sampling", "Wire"],
            path: "Tests/EndToEnd",
            swiftSettings: settings
        ),
    ]
)
