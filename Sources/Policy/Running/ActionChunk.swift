import Sampling

/// The actions a policy answers an observation with, in the robot's units.
public struct ActionChunk: Sendable {
    /// The actions to execute, the first of them at the control step of the newest observation: [nActionSteps, actionDim].
    public let actions: [Float]
    /// Everything that was predicted, from the oldest observation's control step on: [horizon, actionDim].
    public let prediction: [Float]
    /// Numbers in one action.
    public let actionDim: Int
    /// How it was sampled.
    public let settings: SamplerSettings
    /// What sampling it took.
    public let report: SamplingReport
    /// The passes of the network that it comes from, in their order; empty if it was taken before it was finished.
    public let passes: [NetworkPass]
    /// Time spent decoding and encoding frames that were not encoded before; nil if the policy has no cameras.
    public let visionDuration: Duration?
    /// Time spent normalising the observations, drawing noise and preparing the network's condition.
    public let conditionDuration: Duration
    /// Time spent sampling: the denoising loop.
    public let samplingDuration: Duration

    /// Actions to execute.
    public var nActionSteps: Int { actions.count / actionDim }
}

/// Actions that a prediction is to contain, as they are, the others being sampled to fit them.
public struct FrozenActions: Sendable, Hashable {
    /// The actions, [rows, actionDim], in the robot's units; what the policy cannot express is clipped to what it can.
    public var actions: [Float]
    /// The row of the prediction that the first of them is, from 0; `nObsSteps` - 1 is that of the newest observation.
    public var firstRow: Int

    /// Actions from a row on.
    public init(_ actions: [Float], firstRow: Int) {
        self.actions = actions
        self.firstRow = firstRow
    }
}

/// What sampling one chunk took.
public struct ChunkSampling: Sendable {
    /// How it was sampled.
    public let report: SamplingReport
    /// Time spent decoding and encoding frames that were not encoded before; nil if the policy has no cameras.
    public let visionDuration: Duration?
    /// Time spent normalising the observations, drawing noise and preparing the network's condition.
    public let conditionDuration: Duration
    /// Time spent sampling: the denoising loop.
    public let samplingDuration: Duration
    /// Its index among the samples that were drawn together.
    let place: Int
}

/// Why a policy could not answer.
public enum ActionChunkError: Error, Sendable, Hashable, CustomStringConvertible {
    /// The history has no observation.
    case emptyHistory
    /// The noise has another number of elements than [numInferenceSteps + 1, horizon, actionDim].
    case noiseCount(found: Int, expected: Int)
    /// The frozen actions are not whole ones, or do not lie within the prediction's rows.
    case frozenCount(found: Int, firstRow: Int, rows: Int, actionDim: Int)
    /// The prediction that a guess is made from has another number of elements than [horizon, actionDim].
    case guessCount(found: Int, expected: Int)
    /// A camera's picture, the frame of that number, cannot be decoded.
    case badPicture(camera: String, frame: UInt64, reason: String)
    /// A number that must not reach a robot came out of the network, or was in the request.
    case notFinite(what: String, index: Int, value: Float)

    /// One line that names the value.
    public var description: String {
        switch self {
        case .emptyHistory: "the history has no observation; expected at least one"
        case .noiseCount(let found, let expected): "noise: \(found) numbers; expected \(expected)"
        case .frozenCount(let found, let firstRow, let rows, let actionDim):
            "frozen actions: \(found) numbers from row \(firstRow) on; expected actions of \(actionDim) within \(rows) rows"
        case .guessCount(let found, let expected):
            "prediction to guess from: \(found) numbers; expected \(expected)"
        case .badPicture(let camera, _, let reason): "\(camera): \(reason)"
        case .notFinite(let what, let index, let value):
            "\(what): \(value) at index \(index); expected finite numbers"
        }
    }
}
