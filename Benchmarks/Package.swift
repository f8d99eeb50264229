// swift-tools-version: 6.2
import PackageDescription

let package = Package(
    name: "DenoisedBenchmarks",
    dependencies: [
        .package(name: "denoised", path: ".."),
        // Its default traits count allocations and reference counts by replacing the allocator and the runtime's entry
        // points, which would be part of what is timed.
        .package(url: "https://github.com/ordo-one/benchmark", from: "1.38.1", traits: []),
    ],
    targets: [
        .executableTarget(
            name: "Micro",
            dependencies: [
                .product(name: "Benchmark", package: "benchmark"),
                .product(name: "BenchmarkNetworks", package: "denoised"),
                .product(name: "CKernels", package: "denoised"),
                .product(name: "Compute", package: "denoised"),
                .product(name: "Networks", package: "denoised"),
                .product(name: "Robotics", package: "denoised"),
                .product(name: "Safetensors", package: "denoised"),
                .product(name: "Sampling", package: "denoised"),
                .product(name: "Wire", package: "denoised"),
            ],
            path: "Micro",
            swiftSettings: [.swiftLanguageMode(.v6), .treatAllWarnings(as: .error)],
            plugins: [.plugin(name: "BenchmarkPlugin", package: "benchmark")]
        )
    ]
)
