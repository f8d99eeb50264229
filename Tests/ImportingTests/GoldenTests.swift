import Foundation
import Policy
import PolicyFixtures
import Robotics
import Safetensors
import Sampling
import Testing
import Tuning

@testable import Importing
@testable import Pickle

/// Checkpoints of the Diffusion Policy code base, and what it predicts with them (Tests/Oracles/diffusion_checkpoints.py).
@Suite("An imported policy computes what the Diffusion Policy code base computes")
struct GoldenTests {
    private struct Golden: Decodable {
        let options: [String]
        let observations: [String: [[Float]]]
        let cameras: [String]
        let prediction: [Float]
        /// Of the weights that are not averaged.
        let otherPrediction: [Float]?
        /// Numbers of tensors that are not drawn.
        let numbers: [String: [Float]]?

        init(_ name: String) throws {
            self = try JSONDecoder().decode(Golden.self, from: Data(contentsOf: resource("\(name).json")))
        }

        enum CodingKeys: String, CodingKey {
            case options, observations, cameras, prediction, numbers
            case otherPrediction = "other_prediction"
        }
    }

    /// The checkpoint of a case; of the large ones only the pickle is stored.
    private func checkpoint(_ name: String, _ golden: Golden, in workplace: Workplace) throws -> URL {
        guard let numbers = golden.numbers else { return resource("\(name).ckpt") }
        let pickle = Array(try Data(contentsOf: resource("\(name).pkl")))
        var zip = ZipBytes(["archive/data.pkl": pickle])
        // The shapes are in the pickle. An archive without numbers says which storages there are.
        let parsed = try Pickle(pickle)
        let states = try #require(parsed.member("state_dicts", of: parsed.root))
        let entries = try #require(parsed.member("ema_model", of: states).flatMap(parsed.entries))
        var written: Set<String> = []
        for entry in entries {
            guard case .string(let name) = entry.key else { continue }
            let (key, shape) = try Self.storage(entry.value, parsed)
            guard written.insert(key).inserted else { continue }
            let count = shape.reduce(1, *)
            let drawn = name.replacing(".backbone.nets.", with: ".nets.0.nets.").replacing(
                ".pool.",
                with: ".nets.1."
            )
            let isCounter = name.hasSuffix("num_batches_tracked")
            let values =
                numbers[name] ?? (count == 0 || isCounter ? [] : ImageFixture.weights(drawn, shape: shape))
            // All at once: these tests are not optimised.
            var bytes = values.withUnsafeBytes { [UInt8]($0) }
            if isCounter { bytes = ZipBytes.little(0, 8) }
            zip.entries.append(ZipBytes.Entry(name: "archive/data/\(key)", data: bytes))
        }
        return try workplace.write(zip.bytes, as: "\(name).ckpt")
    }

    private static func storage(_ value: PickleValue, _ pickle: Pickle) throws -> (key: String, shape: [Int])
    {
        let arguments = try #require(pickle.node(value).flatMap { pickle.sequence($0.arguments) })
        let identifier = try #require(pickle.node(arguments[0]).flatMap { pickle.sequence($0.arguments) })
        guard case .string(let key) = identifier[2] else { throw CancellationError() }
        let shape = try #require(pickle.sequence(arguments[2])).compactMap { size in
            if case .integer(let number) = size { number } else { nil }
        }
        return (key, shape)
    }

    /// What a folder predicts for the case's observations and noise.
    private func prediction(_ name: String, _ golden: Golden, of folder: URL) throws -> [Float] {
        let bundle = try PolicyBundle(directory: folder)
        let settings = bundle.configuration.defaultSettings
        let policy = try DiffusionPolicy(bundle: bundle, settings: settings, threads: 2)
        var history = policy.makeHistory()
        #expect(bundle.cameras.count == golden.cameras.count)
        for step in 0..<bundle.configuration.nObsSteps {
            var frames: [String: CameraFrame] = [:]
            for (camera, key) in zip(bundle.cameras, golden.cameras) {
                frames[camera.name] = ImageFixture.frame(camera: key, step: step, size: camera.size)
            }
            try history.append(
                Observation(values: golden.observations.mapValues { $0[step] }, frames: frames)
            )
        }
        let configuration = bundle.configuration
        let count = (configuration.numInferenceSteps + 1) * configuration.horizon * configuration.actionDim
        var generator = ImageFixture.generator("\(name) noise")
        let noise = (0..<count).map { _ in
            Float(2 * (generator.nextDouble() + generator.nextDouble() + generator.nextDouble()) - 3)
        }
        return try policy.sample(SamplingRequest(history: history, noise: .given(noise))).prediction
    }

    private func options(_ golden: Golden) -> ImportOptions {
        var options = ImportOptions()
        if let index = golden.options.firstIndex(of: "--state") {
            options.state = golden.options[index + 1].split(separator: ",").flatMap { part -> [Int] in
                let ends = part.split(separator: "-").compactMap { Int($0) }
                return Array(ends[0]...ends[ends.count - 1])
            }
        }
        return options
    }

    private func difference(_ one: [Float], _ other: [Float]) throws -> Float {
        let count = other.count
        try #require(one.count == count)
        return zip(one, other).map { abs($0 - $1) }.max() ?? .infinity
    }

    @Test(arguments: ["lowdim", "hybrid", "batch-norm"])
    func `the prediction is the code base's`(name: String) throws {
        let workplace = try Workplace()
        let golden = try Golden(name)
        let file = try checkpoint(name, golden, in: workplace)
        let folder = workplace.url("policy")
        _ = try DiffusionPolicyImport(contentsOf: file, options: options(golden)).write(to: folder)
        let largest = try difference(prediction(name, golden, of: folder), golden.prediction)
        // As for policies of LeRobot that see: a ResNet's sums of thousands of products are rounded in another order.
        #expect(largest < (golden.cameras.isEmpty ? 1e-5 : 1e-4))
    }

    @Test func `the weights of the last step can be asked for`() throws {
        let workplace = try Workplace()
        let golden = try Golden("lowdim")
        var options = options(golden)
        options.weights = .trained
        let folder = workplace.url("policy")
        let report = try DiffusionPolicyImport(contentsOf: resource("lowdim.ckpt"), options: options)
            .write(to: folder)
        #expect(report.weights == .trained && report.leftOut == ["ema_model", "optimizer"])
        let other = try #require(golden.otherPrediction)
        #expect(try difference(prediction("lowdim", golden, of: folder), other) < 1e-5)
        #expect(try difference(other, golden.prediction) > 0.1)
    }

    /// All numbers of the observation in one feature give the same prediction: the columns are those of the checkpoint.
    @Test func `a prediction does not depend on how the observation is cut`() throws {
        let workplace = try Workplace()
        let golden = try Golden("lowdim")
        let report = try DiffusionPolicyImport(contentsOf: resource("lowdim.ckpt"))
            .write(to: workplace.url("policy"))
        #expect(report.notes.count == 1 && report.notes[0].hasPrefix("LeRobot itself loads only"))
        let bundle = try PolicyBundle(directory: workplace.url("policy"))
        #expect(bundle.observationFeatures.map(\.name) == ["observation.state"])
        #expect(bundle.observationFeatures.map(\.count) == [5])
        let state = try #require(golden.observations["observation.state"])
        let others = try #require(golden.observations["observation.environment_state"])
        // --state 3-4,0
        let whole = zip(state, others).map { [$0[2], $1[0], $1[1], $0[0], $0[1]] }
        var changed =
            try JSONSerialization.jsonObject(with: Data(contentsOf: resource("lowdim.json")))
            as? [String: Any]
        changed?["observations"] = ["observation.state": whole]
        let data = try JSONSerialization.data(withJSONObject: changed ?? [:])
        let again = try JSONDecoder().decode(Golden.self, from: data)
        #expect(
            try difference(prediction("lowdim", again, of: workplace.url("policy")), golden.prediction) < 1e-5
        )
    }

    // MARK: The folder

    @Test func `the report and the card say what was imported`() throws {
        let workplace = try Workplace()
        let golden = try Golden("hybrid")
        let file = try checkpoint("hybrid", golden, in: workplace)
        let report = try DiffusionPolicyImport(contentsOf: file, options: options(golden))
            .write(to: workplace.url("policy"))
        #expect(report.policyClass == "DiffusionUnetHybridImagePolicy")
        #expect(report.epoch == 250 && report.globalStep == 12_345)
        #expect(report.weights == .averaged && report.leftOut.isEmpty)
        #expect(
            report.features.map(\.name) == [
                "observation.state", "observation.images.wrist", "observation.images.front",
                "observation.environment_state", "action",
            ]
        )
        #expect(
            report.features.map(\.source) == [
                "robot0_eef_pos[0...2], robot0_gripper_qpos[0...1]", "wrist", "front", "object[0...3]",
                "action",
            ]
        )
        #expect(report.features[1].shape == [40, 52, 3])
        let card = try String(contentsOf: workplace.url("policy/README.md"), encoding: .utf8)
        #expect(card.contains("| SHA-256 | `\(report.sha256)` |"))
        #expect(card.contains("| epoch | 250 |"))
        #expect(card.contains("| `observation.images.wrist` | [40, 52, 3] | wrist |"))
        #expect(workplace.contents == ["hybrid.ckpt", "policy"])
    }

    @Test func `something that is there already is kept`() throws {
        let workplace = try Workplace()
        let source = try DiffusionPolicyImport(contentsOf: resource("lowdim.ckpt"))
        try workplace.write([1, 2, 3], as: "policy")
        let error = #expect(throws: ImportError.self) { try source.write(to: workplace.url("policy")) }
        #expect(error?.description == "policy: there already; expected a folder that is not there yet")
        #expect(try Data(contentsOf: workplace.url("policy")) == Data([1, 2, 3]))
        #expect(workplace.contents == ["policy"])
    }

    @Test func `a folder that cannot be made is the output's fault`() throws {
        let workplace = try Workplace()
        let source = try DiffusionPolicyImport(contentsOf: resource("lowdim.ckpt"))
        let error = #expect(throws: ImportError.self) { try source.write(to: workplace.url("none/policy")) }
        #expect(error?.isOfOutput == true)
        #expect(error?.description.contains("No such file or directory") == true)
    }

    /// Damage that only shows when the weights are read.
    @Test func `an import that fails leaves nothing`() throws {
        let workplace = try Workplace()
        var bytes = Array(try Data(contentsOf: resource("lowdim.ckpt")))
        let source = try TorchFile(contentsOf: resource("lowdim.ckpt"))
        let state = try CheckpointContents(source).tensors(of: .averaged)
        let name = "model.mid_modules.0.blocks.0.block.0.weight"
        let tensor = try source.bytes(of: state.tensor(name))
        let place = try #require(Data(bytes).range(of: Data(tensor), options: .backwards))
        bytes[place.lowerBound + 5] ^= 1
        let damaged = try DiffusionPolicyImport(contentsOf: workplace.write(bytes, as: "x.ckpt"))
        let error = #expect(throws: ImportError.self) { try damaged.write(to: workplace.url("policy")) }
        #expect(error?.description.contains("expected an undamaged file") == true)
        #expect(workplace.contents == ["x.ckpt"])
    }

    /// Early, among the weights, and late, while the file is summed up.
    @Test(arguments: [0.0, 0.35, 0.9])
    func `an import that is ended leaves nothing`(share: Double) throws {
        let workplace = try Workplace()
        let source = try DiffusionPolicyImport(contentsOf: resource("lowdim.ckpt"))
        var isAsked = false
        let error = #expect(throws: ImportError.self) {
            try source.write(to: workplace.url("policy")) { done in
                isAsked = isAsked || done >= share
                return done < share
            }
        }
        #expect(isAsked && error?.description == "policy: not written, the import was ended")
        #expect(error?.isOfOutput == true && workplace.contents == [])
    }

    // MARK: Other checkpoints

    /// The stored checkpoint with its pickle changed: what Python would have saved in another case.
    private func changed(_ name: String, _ change: (inout [UInt8]) throws -> Void) throws -> String {
        let workplace = try Workplace()
        let golden = try Golden(name)
        let archive = try ZipArchive(contentsOf: checkpoint(name, golden, in: workplace))
        var zip = ZipBytes([:])
        for entry in archive.entries.values.sorted(by: { $0.name < $1.name }) {
            var data = try archive.read(entry.name, limit: 1 << 30)
            if entry.name.hasSuffix("data.pkl") { try change(&data) }
            zip.entries.append(ZipBytes.Entry(name: entry.name, data: data))
        }
        let url = try workplace.write(zip.bytes, as: "x.ckpt")
        let error = #expect(throws: ImportError.self) {
            _ = try DiffusionPolicyImport(contentsOf: url).write(to: workplace.url("policy"))
        }
        #expect(!workplace.contents.contains { $0.contains("policy") })
        return error?.description ?? ""
    }

    private func replace(_ text: String, _ other: String) -> (inout [UInt8]) throws -> Void {
        { bytes in
            try #require(text.utf8.count == other.utf8.count)
            var data = Data(bytes)
            var found = 0
            while let range = data.range(of: Data(text.utf8)) {
                data.replaceSubrange(range, with: Data(other.utf8))
                found += 1
            }
            try #require(found > 0)
            bytes = Array(data)
        }
    }

    @Test func `a checkpoint of something else is named`() throws {
        #expect(
            try changed("lowdim", replace("state_dicts", "state_dictz")).contains(
                "expected a dictionary of cfg and state_dicts"
            )
        )
        #expect(
            try changed("lowdim", replace("UnetLowdimPolicy", "UnetLowdimPolicz")).contains(
                "cfg.policy._target_"
            )
        )
        #expect(
            try changed("lowdim", replace("model.final_conv.1.bias", "model.final_conv.1.bios"))
                == "x.ckpt: tensor \"model.final_conv.1.bias\": missing; expected a tensor, as the configuration has it"
        )
        #expect(
            try changed("lowdim", replace("_dummy_variable", "_other_variable"))
                == "x.ckpt: tensor \"_other_variable\": a tensor that the policy of the configuration does not have; "
                + "expected only those of its networks and its normaliser"
        )
        #expect(
            try changed("lowdim", replace("params_dict.action.scale", "params_dict.action.scola"))
                .contains("expected the normaliser of \"action\"")
        )
        #expect(
            try changed("hybrid", replace("wrist.pool.pos_x", "wrist.pool.pos_y")).contains("there twice")
        )
    }
}
