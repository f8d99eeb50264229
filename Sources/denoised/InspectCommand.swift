import ArgumentParser
import Compute
import ForeignText
import Foundation
import MCAP
import Networks
import Policy
import Tuning

struct InspectCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "inspect",
        abstract: "Show what a policy is: features, horizon, sizes, schedule, normalisation.",
        discussion: "Reads and checks the whole folder, as every command that runs a policy does."
    )

    @Argument(help: PolicyOptions.help)
    var policy: String

    @Flag(help: "Print one JSON object.")
    var json = false

    private struct Report: Encodable {
        struct Feature: Encodable {
            let name: String
            let type: String
            let shape: [Int]
            let normalization: String
        }
        struct Network: Encodable {
            let downDims: [Int]
            let kernelSize: Int
            let nGroups: Int
            let diffusionStepEmbedDim: Int
            let useFilmScaleModulation: Bool
            let conditionDim: Int
            let parameters: Int
            let weightDtypes: [String]
            let gflopPerSample: Double
            let kernels: [String]
            /// What minimal filtering takes in f32 for some batches, with all the memory that it takes by default.
            let filtering: [Filtered]
        }
        struct Filtered: Encodable {
            /// As of `--filtering-batch`.
            let batch: Int
            /// MiB of weights beyond those of the network.
            let mib: Double
        }
        struct Vision: Encodable {
            let backbone: String
            let norm: String
            /// Rows and positions of a camera's frame, of what it is resized to and of what is cut out; the last is encoded.
            let frame: [Int]
            let resize: [Int]?
            let crop: [Int]?
            let keypoints: Int
            let encoders: Int
            /// Numbers in all encoders.
            let parameters: Int
            let gflopPerFrame: Double
        }
        struct Schedule: Encodable {
            let noiseSchedulerType: String
            let numTrainTimesteps: Int
            let numInferenceSteps: Int
            let betaSchedule: String
            let betaStart: Double
            let betaEnd: Double
            let predictionType: String
            let clipSampleRange: Float?
        }
        struct CalibratedWindow: Encodable {
            let kernel: String
            let threads: Int
            let window: Int
            let iterations: Double
            let evaluations: Double
            let ms: Double
        }
        let name: String
        /// The folder that was taken.
        let folder: String
        let inputFeatures: [Feature]
        let outputFeatures: [Feature]
        let horizon: Int
        let nObsSteps: Int
        let nActionSteps: Int
        let network: Network
        /// What encodes frames; null: the policy has no cameras.
        let vision: Vision?
        let schedule: Schedule
        /// What `config.json` says that has no effect, or was taken differently.
        let notes: [String]
        /// What a window of `auto` is on this machine, for each kernel that has been calibrated with the policy's own solver.
        let autoWindows: [CalibratedWindow]
    }

    func run() throws {
        let folder = try PolicyOptions.find(policy)
        // Of what was simply found elsewhere the result tells.
        if folder.passedOver != nil { PolicyOptions.explain(folder) }
        let bundle = try PolicyOptions.load(folder, given: policy)
        let report = Self.report(bundle, kernels: try Kernel.forEachPrecision())
        if json {
            try Console.json(report)
        } else {
            Self.show(report, found: folder.origin == .given ? nil : folder.explanation)
        }
    }

    /// - Parameter kernels: those that commands take on this machine.
    private static func report(_ bundle: PolicyBundle, kernels: [Kernel]) -> Report {
        let configuration = bundle.configuration
        let architecture = configuration.architecture
        func normalization(_ feature: String) -> String {
            (bundle.normalizationModes[feature] ?? .identity).rawValue
        }
        return Report(
            name: bundle.name,
            folder: bundle.directory.path(percentEncoded: false),
            inputFeatures: bundle.observationFeatures.map {
                Report.Feature(
                    name: $0.name,
                    type: $0.type.rawValue,
                    shape: [$0.count],
                    normalization: normalization($0.checkpointName)
                )
            }
                + bundle.cameras.map {
                    Report.Feature(
                        name: $0.name,
                        type: FeatureType.visual.rawValue,
                        shape: [$0.size.height, $0.size.width, 3],
                        normalization: normalization($0.checkpointName)
                    )
                },
            outputFeatures: [
                Report.Feature(
                    name: "action",
                    type: FeatureType.action.rawValue,
                    shape: [configuration.actionDim],
                    normalization: normalization("action")
                )
            ],
            horizon: configuration.horizon,
            nObsSteps: configuration.nObsSteps,
            nActionSteps: configuration.nActionSteps,
            network: Report.Network(
                downDims: architecture.downDims,
                kernelSize: architecture.kernelSize,
                nGroups: architecture.nGroups,
                diffusionStepEmbedDim: architecture.diffusionStepEmbedDim,
                useFilmScaleModulation: architecture.useFiLMScaleModulation,
                conditionDim: architecture.conditionDim,
                parameters: architecture.parameterCount,
                weightDtypes: bundle.weightDTypes.map(\.rawValue).sorted(),
                gflopPerSample: Double(architecture.operationsPerSample) / 1e9,
                kernels: kernels.map(\.description),
                filtering: filtering(architecture, kernels: kernels)
            ),
            vision: configuration.vision.map(vision),
            schedule: Report.Schedule(
                noiseSchedulerType: configuration.solver.rawValue.uppercased(),
                numTrainTimesteps: configuration.numTrainTimesteps,
                numInferenceSteps: configuration.numInferenceSteps,
                betaSchedule: configuration.noiseSchedule.betaSchedule.rawValue,
                betaStart: configuration.noiseSchedule.betaStart,
                betaEnd: configuration.noiseSchedule.betaEnd,
                predictionType: configuration.predictionType.rawValue,
                clipSampleRange: configuration.clipSampleRange
            ),
            notes: configuration.notes,
            autoWindows: kernels.compactMap { calibratedWindow(bundle, kernel: $0) }
        )
    }

    private static func filtering(
        _ architecture: UNet1DArchitecture,
        kernels: [Kernel]
    ) -> [Report.Filtered] {
        guard let kernel = kernels.first(where: { $0.precision == .f32 }) else { return [] }
        return [1, 4, 8, 20].map { batch in
            let bytes = architecture.filteringBytes(kernel.filtered(Filtering(batch: batch)))
            return Report.Filtered(batch: batch, mib: Double(bytes) / Double(1 << 20))
        }
    }

    private static func text(of filtering: [Report.Filtered]) -> String {
        let texts = filtering.map { filtered in
            let memory = filtered.mib > 0 ? "\(fixed(filtered.mib, 1)) MiB" : "none"
            return "\(memory) for batches of \(filtered.batch)"
        }
        return texts.joined(separator: ", ") + " (--filtering-batch)"
    }

    private static func vision(_ vision: VisionConfiguration) -> Report.Vision {
        func sides(_ size: FrameSize) -> [Int] { [size.height, size.width] }
        let encoders = vision.hasSeparateEncoders ? vision.cameras.count : 1
        return Report.Vision(
            backbone: vision.encoder.backbone.rawValue,
            norm: vision.encoder.norm.rawValue,
            frame: sides(vision.frame),
            resize: vision.resize.map(sides),
            crop: vision.crop.map(sides),
            keypoints: vision.encoder.keypoints,
            encoders: encoders,
            parameters: encoders * vision.encoder.parameterCount,
            gflopPerFrame: Double(vision.encoder.operationsPerFrame) / 1e9
        )
    }

    /// What the cache has for a kernel, with the policy's own solver, the default tolerance and a thread for each core.
    private static func calibratedWindow(_ bundle: PolicyBundle, kernel: Kernel) -> Report.CalibratedWindow? {
        var settings = bundle.configuration.defaultSettings
        settings.method = ParallelMethod.quasiNewton.settings(window: .auto, tolerance: nil, on: kernel)
        let threads = ProcessInfo.processInfo.activeProcessorCount
        guard
            let key = CalibrationCache.Key(
                bundle: bundle,
                settings: settings,
                kernel: kernel,
                threads: threads
            ),
            let calibration = CalibrationCache.standard().calibration(for: key),
            let window = calibration.windows.first(where: { $0.window == calibration.fastestWindow })
        else { return nil }
        return Report.CalibratedWindow(
            kernel: kernel.description,
            threads: threads,
            window: window.window,
            iterations: window.iterations,
            evaluations: window.evaluations,
            ms: window.milliseconds
        )
    }

    /// - Parameter found: what was taken, if it is not simply the folder that was given.
    private static func show(_ report: Report, found: String?) {
        Console.result(report.name)
        if let found { Console.result("  from \(printable(found, limit: 1024))") }
        Console.result("")
        var features = Table("feature", "type", "shape", "normalisation")
        for feature in report.inputFeatures + report.outputFeatures {
            features.add(feature.name, feature.type, "\(feature.shape)", feature.normalization)
        }
        features.print()
        Console.result("")
        let network = report.network
        let schedule = report.schedule
        let clip = schedule.clipSampleRange.map { "clipped to +-\($0)" } ?? "not clipped"
        let lines =
            [
                (
                    "time",
                    "horizon \(report.horizon), \(report.nObsSteps) observation steps in, "
                        + "\(report.nActionSteps) action steps out"
                ),
                (
                    "network",
                    "UNet \(network.downDims.map(String.init).joined(separator: "-")), "
                        + "kernel \(network.kernelSize), \(network.nGroups) groups, "
                        + "timestep embedding \(network.diffusionStepEmbedDim), "
                        + "FiLM \(network.useFilmScaleModulation ? "scale and bias" : "bias only"), "
                        + "condition of \(network.conditionDim) numbers"
                ),
                (
                    "size",
                    "\(fixed(Double(network.parameters) / 1e6, 2)) M parameters stored as "
                        + "\(network.weightDtypes.joined(separator: ", ")), "
                        + "\(fixed(network.gflopPerSample, 3)) GFLOP a forward pass"
                ),
            ]
            + (report.vision.map { [("vision", text(of: $0))] } ?? [])
            + [
                (
                    "schedule",
                    "\(schedule.noiseSchedulerType), \(schedule.numInferenceSteps) of "
                        + "\(schedule.numTrainTimesteps) timesteps, \(schedule.betaSchedule), predicts "
                        + "\(schedule.predictionType), \(clip)"
                ),
                ("runs on", network.kernels.joined(separator: "; ")),
                ("filtering", text(of: network.filtering)),
                ("window", windows(report.autoWindows)),
            ]
            + report.notes.map { ("note", $0) }
        for (name, text) in lines {
            Console.result("  " + name.padding(toLength: 10, withPad: " ", startingAt: 0) + text)
        }
    }

    private static func text(of vision: Report.Vision) -> String {
        func size(_ sides: [Int]) -> String { "\(sides[0]) x \(sides[1])" }
        var steps = "frames of \(size(vision.frame))"
        if let resize = vision.resize { steps += ", resized to \(size(resize))" }
        if let crop = vision.crop { steps += ", the middle \(size(crop)) of them" }
        return "\(vision.backbone), \(vision.norm) norm, \(steps); \(vision.keypoints) keypoints, "
            + "\(vision.encoders) \(vision.encoders == 1 ? "encoder" : "encoders") of "
            + "\(fixed(Double(vision.parameters / vision.encoders) / 1e6, 2)) M parameters, "
            + "\(fixed(vision.gflopPerFrame, 2)) GFLOP a frame"
    }

    private static func windows(_ windows: [Report.CalibratedWindow]) -> String {
        guard !windows.isEmpty else {
            return "not calibrated here yet; `denoised calibrate` does it, or serve and sim when they run"
        }
        return windows.map { window in
            let cost = "\(fixed(window.iterations, 1)) passes, \(fixed(window.ms, 1)) ms"
            return "\(window.window) on \(window.kernel) with \(window.threads) threads (\(cost))"
        }.joined(separator: "; ")
    }
}
