import Policy
import PolicyFixtures
import Safetensors
import Sampling
import Testing
import Tuning

@Suite("Calibration of policies that see")
struct SeeingCalibrationTests {
    /// The features of made-up observations are such as the encoder gives: those of keypoints within the frame.
    @Test func `Made-up observations have features of keypoints`() throws {
        let fixture = try ImageFixture("environment-state")
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        let file = try SafetensorsFile(contentsOf: fixture.copy.url("model.safetensors"))
        let weight = try file.floats("diffusion.rgb_encoder.out.weight")
        let bias = try file.floats("diffusion.rgb_encoder.out.bias")
        let state = bundle.observationFeatures[0].count
        let environment = bundle.observationFeatures[1].count
        let count = bias.count
        // Some of them beyond the frame's edge.
        let numbers = (0..<state + count + environment).map { Float($0 % 13) / 4 - 1.5 }
        let condition = try bundle.restingConditions()(numbers)

        let points = numbers[state..<state + count].map { min(max($0, -1), 1) }
        let features = (0..<count).map { feature in
            max(0, points.indices.reduce(bias[feature]) { $0 + weight[feature * count + $1] * points[$1] })
        }
        let step = Array(numbers[..<state]) + features + Array(numbers[(state + count)...])
        let expected = (0..<bundle.configuration.nObsSteps).flatMap { _ in step }
        #expect(try deviation(condition, expected) < 1e-5)
        #expect(features.contains { $0 > 0 } && features.contains(0))
    }

    @Test func `A quasi-Newton chunk of a policy that sees is the sequential one`() throws {
        let fixture = try ImageFixture("environment-state")
        let bundle = try PolicyBundle(directory: fixture.copy.directory)
        var history = bundle.makeHistory()
        for observation in fixture.observations(of: bundle) { try history.append(observation) }
        let request = SamplingRequest(history: history, noise: .seed(1))
        var settings = bundle.configuration.defaultSettings
        settings.method = .sequential
        let sequential = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 2).sample(request)
        settings.method = .quasiNewton(window: nil, tolerance: 0.01)
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 2)
        let chunk = try policy.sample(request)
        #expect(policy.deviation(of: chunk.prediction, from: sequential.prediction) < 0.01)
    }
}
