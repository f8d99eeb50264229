import ArgumentParser
import Foundation
import Planning
import Policy
import Robotics
import Safetensors
import Sampling
import Tuning

struct PredictCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "predict",
        abstract: "Compute one action chunk from observations in a file.",
        discussion: """
            The input holds each observation feature under its name, [n_obs_steps, D] in the robot's units, oldest \
            first, and may hold `noise` [num_inference_steps + 1, horizon, action_dim]: noise[0] is the initial sample, \
            noise[k] is added in step k. Without it the noise is drawn from --seed. What a camera sees is under its \
            feature's name as U8 [n_obs_steps, height, width, 3], red, green and blue.

            The output holds `action` [n_action_steps, action_dim] and `action_pred` [horizon, action_dim] in the \
            robot's units, `first_model_output` [horizon, action_dim], the network's raw output in the first step, and \
            `condition` [n_obs_steps, numbers of a step], what the network is conditioned on.
            """
    )

    @Option(help: PolicyOptions.help)
    var policy: String

    @Option(help: ArgumentHelp("Observations, as safetensors.", valueName: "file"))
    var input: String

    @Option(help: ArgumentHelp("Where to write the chunk, as safetensors.", valueName: "file"))
    var output: String

    @OptionGroup
    var sampler: SamplerOptions

    @Flag(help: "Print one JSON object.")
    var json = false

    func validate() throws {
        try sampler.checkWindowIsGiven()
        if sampler.budgetMs != nil || sampler.warmStart != nil {
            throw ValidationError("--budget-ms and --warm-start are for serve and sim")
        }
    }

    private struct Report: Encodable {
        let output: String
        let solver: String
        let steps: Int
        let window: Int
        let tolerance: Float
        let iterations: Int
        let evaluations: Int
        let kernel: String
        let residual: Float
        let conditionMs: Double
        let sampleMs: Double
    }

    func run() throws {
        let bundle = try PolicyOptions.loadToRun(policy, threads: sampler.threads)
        let diffusion = try Failure.asInput {
            let kernel = try sampler.kernel()
            return try DiffusionPolicy(
                bundle: bundle,
                settings: sampler.settings(for: bundle.configuration, on: kernel),
                threads: sampler.threadCount,
                kernel: kernel,
                calibrations: .shown()
            )
        }
        let request = try Failure.asInput(path: input) {
            let file = try SafetensorsFile(contentsOf: URL(filePath: input))
            return SamplingRequest(
                history: try readHistory(file, for: diffusion),
                noise: try readNoise(file, for: diffusion)
            )
        }
        let chunk = try Failure.asInput(path: input) { try diffusion.sample(request) }
        let (firstModelOutput, condition) = try Failure.asInput(path: input) {
            (try diffusion.firstModelOutput(for: request), try diffusion.condition(for: request.history))
        }

        let configuration = bundle.configuration
        let trajectory = [configuration.horizon, configuration.actionDim]
        try Failure.asRun(path: output) {
            try SafetensorsWriter.write(
                [
                    "action": .f32(
                        chunk.actions,
                        shape: [configuration.nActionSteps, configuration.actionDim]
                    ),
                    "action_pred": .f32(chunk.prediction, shape: trajectory),
                    "first_model_output": .f32(firstModelOutput, shape: trajectory),
                    "condition": .f32(
                        condition,
                        shape: [configuration.nObsSteps, condition.count / configuration.nObsSteps]
                    ),
                ],
                to: URL(filePath: output)
            )
        }
        try show(
            Report(
                output: output,
                solver: chunk.settings.solver.rawValue,
                steps: chunk.settings.numInferenceSteps,
                window: chunk.report.window,
                tolerance: chunk.report.tolerance,
                iterations: chunk.report.parallelIterations,
                evaluations: chunk.report.modelEvaluations,
                kernel: diffusion.kernel.description,
                residual: chunk.report.residual,
                conditionMs: chunk.conditionDuration / .milliseconds(1),
                sampleMs: chunk.samplingDuration / .milliseconds(1)
            )
        )
    }

    private func show(_ report: Report) throws {
        if json {
            try Console.json(report)
        } else {
            Console.result(
                "\(report.solver), \(report.steps) steps: \(report.iterations) iterations, "
                    + "\(report.evaluations) model evaluations, \(fixed(report.sampleMs, 1)) ms; "
                    + "written to \(report.output)"
            )
        }
    }

    /// The observations [nObsSteps, D] of each feature and the frames of each camera, as the history they make.
    private func readHistory(_ file: SafetensorsFile, for policy: DiffusionPolicy) throws
        -> ObservationHistory
    {
        let nObsSteps = policy.configuration.nObsSteps
        let known = Set(policy.observationFeatures.map(\.name) + policy.cameras.map(\.name) + ["noise"])
        if let unknown = file.names.first(where: { !known.contains($0) }) {
            throw Failure.input(
                "\(input): tensor \(unknown) is unknown; expected \(known.sorted().joined(separator: ", "))"
            )
        }
        var steps = [Observation](repeating: Observation(values: [:]), count: nObsSteps)
        for feature in policy.observationFeatures {
            let shape = try file.shape(of: feature.name)
            guard shape == [nObsSteps, feature.count] else {
                throw Failure.input(
                    "\(input): tensor \(feature.name) has shape \(shape), expected [\(nObsSteps), \(feature.count)]"
                )
            }
            let values = try file.floats(feature.name)
            for step in 0..<nObsSteps {
                steps[step].values[feature.name] = Array(
                    values[step * feature.count..<(step + 1) * feature.count]
                )
            }
        }
        for camera in policy.cameras {
            for (step, frame) in try readFrames(file, camera, count: nObsSteps).enumerated() {
                steps[step].frames[camera.name] = frame
            }
        }
        var history = policy.makeHistory()
        for observation in steps { try history.append(observation) }
        return history
    }

    /// What a camera saw at each observation step, oldest first.
    private func readFrames(_ file: SafetensorsFile, _ camera: CameraFeature, count: Int) throws
        -> [CameraFrame]
    {
        let shape = try file.shape(of: camera.name)
        let (height, width) = (camera.size.height, camera.size.width)
        guard shape == [count, height, width, 3] else {
            throw Failure.input(
                "\(input): tensor \(camera.name) has shape \(shape), expected \([count, height, width, 3]): frames are not resized"
            )
        }
        let bytes = try file.bytes(camera.name)
        return (0..<count).map { step in
            let first = step * camera.size.count
            return CameraFrame(
                height: height,
                width: width,
                pixels: Array(bytes[first..<first + camera.size.count])
            )
        }
    }

    /// The file's noise, or noise drawn from the seed.
    private func readNoise(_ file: SafetensorsFile, for policy: DiffusionPolicy) throws
        -> SamplingRequest.Noise
    {
        guard file.contains("noise") else { return .seed(sampler.firstSeed) }
        let configuration = policy.configuration
        let expected = [
            policy.settings.numInferenceSteps + 1, configuration.horizon, configuration.actionDim,
        ]
        let shape = try file.shape(of: "noise")
        guard shape == expected else {
            throw Failure.input("\(input): tensor noise has shape \(shape), expected \(expected)")
        }
        return .given(try file.floats("noise"))
    }
}
