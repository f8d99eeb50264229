import StrictJSON

/// How the entries of an observation become LeRobot's features, and which column of the condition is which.
///
/// LeRobot's condition has, for each observation step, `observation.state`, the features of each camera, then
/// `observation.environment_state`. The code base of Diffusion Policy has its entries in the order of its configuration.
struct FeatureLayout {
    /// A camera.
    struct Camera {
        let key: String
        /// LeRobot's name.
        let feature: String
        let height: Int
        let width: Int
    }

    /// One number of an observation: the entry's key and the index in it.
    struct Number {
        let key: String
        let index: Int
        /// Its column in a step of the source's condition.
        let column: Int
    }

    /// The numbers of `observation.state`.
    let state: [Number]
    /// The numbers of `observation.environment_state`; none: there is no such feature.
    let environment: [Number]
    /// The cameras in the order of both conditions.
    let cameras: [Camera]
    /// Numbers that a frame becomes.
    let featuresOfFrame: Int

    /// - Parameters:
    ///   - wanted: which numbers of an observation, counted through all of its entries of numbers, are the robot's own state;
    ///     nil: all.
    ///   - featuresOfFrame: numbers that a frame becomes.
    ///   - file: what errors name.
    /// - Throws: `ImportError` for indices that do not fit, or an observation that LeRobot cannot name.
    init(
        _ observations: [SourcePolicy.Observation],
        state wanted: [Int]?,
        featuresOfFrame: Int,
        file: String
    ) throws(ImportError) {
        var numbers: [Number] = []
        var cameras: [(key: String, height: Int, width: Int)] = []
        var column = 0
        for observation in observations {
            switch observation.kind {
            case .numbers(let count):
                guard count <= 65_536 - numbers.count else {
                    throw ImportError(
                        file,
                        observation.key.quoted,
                        found: "\(count) numbers",
                        expected: "at most 65536 in an observation"
                    )
                }
                numbers += (0..<count).map {
                    Number(key: observation.key, index: $0, column: column + $0)
                }
                column += count
            case .camera(let height, let width):
                cameras.append((observation.key, height, width))
                column += featuresOfFrame
            }
        }
        (state, environment) = try Self.split(numbers, wanted, file: file)
        self.featuresOfFrame = featuresOfFrame
        // The name that PushT's camera has in LeRobot's data sets.
        let isPlain = cameras.count == 1 && cameras[0].key == "image"
        self.cameras = cameras.map {
            Camera(
                key: $0.key,
                feature: isPlain ? "observation.image" : "observation.images.\($0.key)",
                height: $0.height,
                width: $0.width
            )
        }
        try checkCameras(file: file)
    }

    private static func split(
        _ numbers: [Number],
        _ wanted: [Int]?,
        file: String
    ) throws(ImportError) -> (state: [Number], environment: [Number]) {
        guard !numbers.isEmpty else {
            throw ImportError(
                file,
                "cfg.policy.shape_meta.obs",
                found: "no low_dim entry",
                expected: "at least one: LeRobot's policy has to have an observation.state"
            )
        }
        guard let wanted else { return (numbers, []) }
        let indices = Set(wanted)
        guard !wanted.isEmpty, indices.count == wanted.count, indices.allSatisfy(numbers.indices.contains)
        else {
            throw ImportError(
                file,
                "observation.state",
                found: "the numbers \(wanted.prefix(16).map(String.init).joined(separator: ", "))",
                expected: "different ones from 0 to \(numbers.count - 1)"
            )
        }
        return (
            wanted.map { numbers[$0] },
            numbers.indices.filter { !indices.contains($0) }.map { numbers[$0] }
        )
    }

    private func checkCameras(file: String) throws(ImportError) {
        for camera in cameras {
            guard !camera.key.isEmpty, camera.key.utf8.count <= 128, !camera.key.contains(".") else {
                throw ImportError(
                    file,
                    "cfg.policy.shape_meta.obs",
                    found: "a camera named \(camera.key.quoted)",
                    expected: "a name of 1 to 128 bytes without a dot"
                )
            }
            guard camera.height == cameras[0].height, camera.width == cameras[0].width else {
                throw ImportError(
                    file,
                    "cfg.policy.shape_meta.obs.\(camera.key).shape",
                    found: "[3, \(camera.height), \(camera.width)]",
                    expected: "[3, \(cameras[0].height), \(cameras[0].width)], as of "
                        + "\(cameras[0].key.quoted): LeRobot's cameras are of one size"
                )
            }
        }
    }

    /// Numbers of one step of the condition.
    var stepCount: Int { state.count + cameras.count * featuresOfFrame + environment.count }

    /// For each column of a step of LeRobot's condition, the source's column.
    ///
    /// - Parameter observations: those that the layout was made of.
    func columns(of observations: [SourcePolicy.Observation]) -> [Int] {
        var ofCameras: [Int] = []
        var column = 0
        for observation in observations {
            switch observation.kind {
            case .numbers(let count): column += count
            case .camera:
                ofCameras += column..<column + featuresOfFrame
                column += featuresOfFrame
            }
        }
        return state.map(\.column) + ofCameras + environment.map(\.column)
    }
}

extension FeatureLayout {
    /// Where numbers come from, in words: `robot0_eef_pos[0...2], robot0_gripper_qpos[0...1]`.
    static func text(of numbers: [Number]) -> String {
        var runs: [(key: String, first: Int, last: Int)] = []
        for number in numbers {
            if let run = runs.last, run.key == number.key, run.last + 1 == number.index {
                runs[runs.count - 1].last = number.index
            } else {
                runs.append((number.key, number.index, number.index))
            }
        }
        return runs.map { run in
            run.first == run.last ? "\(run.key)[\(run.first)]" : "\(run.key)[\(run.first)...\(run.last)]"
        }.joined(separator: ", ")
    }
}
