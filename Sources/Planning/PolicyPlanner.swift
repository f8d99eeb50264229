import Clocks
import Compute
import Policy
import Robotics
import Sampling
import Stalls
import Tuning

/// A diffusion policy as the daemon's planner.
public struct PolicyPlanner: ChunkPlanner {
    /// The policy's features and sizes.
    public let policy: PolicyDescription
    /// How it samples.
    public var sampler: SamplerDescription {
        SamplerDescription(diffusion.settings, kernel: diffusion.kernel)
    }
    /// Inputs that the policy's configuration names and that its model does not read.
    public let ignoredFeatures: Set<String>
    /// Those of the network and of the cameras' encoders, as the kernel reads them.
    public var weightBytes: Int { diffusion.weightBytes }
    /// When chunks are planned together, from what passes take and how many a chunk needs; nil: never. That is so if no budget is
    /// kept, chunks are sampled in parallel, and the kernel rounds otherwise in a larger batch: a robot's chunk must not depend
    /// on who else asks. It is so for ParaDiGMS, whose passes are not counted beforehand.
    public private(set) var grouping: Grouping?
    /// What there is of the chunk being planned, if it has a deadline.
    public var interim: (any InterimChunk)? { description }
    /// Whether it samples as the settings say.
    public var isTuned: Bool { !tuning.needsCalibration || tuning.known != nil }
    private let diffusion: DiffusionPolicy
    private let tuning: PolicyTuning
    private let description: ChunkDescription
    private let startsWarm: Bool
    private let keepsDeadlines: Bool
    private var lastChunks: [RobotID: LastChunk] = [:]
    /// The numbers of frames that were told of as bad; the newest last.
    private var knownBadFrames: [UInt64] = []

    /// A robot's last chunk.
    private struct LastChunk {
        let episode: EpisodeID
        /// That of the history: a robot that was reset has another.
        let beginning: UInt64
        let sequence: UInt64
        let prediction: [Float]
    }

    /// Builds the policy, and runs the network once so that the first robot does not wait for memory to be touched.
    ///
    /// - Parameters:
    ///   - bundle: the policy.
    ///   - name: what the policy is called; nil: as the bundle is.
    ///   - settings: how chunks are sampled.
    ///   - threads: threads for the network.
    ///   - kernel: what computes it.
    ///   - locksWeights: keeps the weights in memory if the system allows it.
    ///   - keepsDeadlines: measures what it takes to keep a budget.
    ///   - startsWarm: starts a robot's chunk from its last one.
    ///   - maximumGroup: the most chunks of several robots that are planned together, at least 1.
    ///   - maximumRobots: whose frames' features are kept, at least 1.
    ///   - stallWatch: watches for a core that stops while a chunk with a deadline is planned.
    ///   - calibrations: where what the sampler measures is looked up and kept.
    ///   - tunesLater: does not wait for measurements of more than a second: chunks are sampled one step after the other until
    ///     ``tune(_:serve:)`` has made them.
    /// - Throws: `PolicyError` for weights or settings that cannot be used.
    public init(
        bundle: PolicyBundle,
        name: String? = nil,
        settings: SamplerSettings,
        threads: Int,
        kernel: Kernel = .exact,
        locksWeights: Bool = false,
        keepsDeadlines: Bool = false,
        startsWarm: Bool = false,
        maximumGroup: Int = 1,
        maximumRobots: Int = 1,
        stallWatch: StallWatch? = nil,
        calibrations: CalibrationCache? = nil,
        tunesLater: Bool = false
    ) throws(PolicyError) {
        let configuration = bundle.configuration
        let (diffusion, tuning, times) = try DiffusionPolicy.readyAtOnce(
            bundle: bundle,
            settings: settings,
            threads: threads,
            kernel: kernel,
            locksWeights: locksWeights,
            keepsDeadlines: keepsDeadlines,
            maximumGroup: maximumGroup,
            histories: maximumRobots,
            stallWatch: stallWatch,
            calibrations: calibrations
        )
        self.diffusion = diffusion
        self.tuning = tuning
        self.startsWarm = startsWarm
        self.keepsDeadlines = keepsDeadlines
        self.policy = PolicyDescription(
            name: name ?? bundle.name,
            features: bundle.observationFeatures.map { FeatureDescription(name: $0.name, count: $0.count) },
            cameras: bundle.cameras.map {
                CameraDescription(name: $0.name, height: $0.size.height, width: $0.size.width)
            },
            horizon: configuration.horizon,
            nObsSteps: configuration.nObsSteps,
            nActionSteps: configuration.nActionSteps,
            actionDim: configuration.actionDim
        )
        ignoredFeatures = bundle.ignoredFeatures
        description = ChunkDescription(
            policy: policy,
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            interim: diffusion.interim
        )
        if !isTuned, !tunesLater, let calibration = try tuning.measure() {
            try diffusion.adopt(calibration, of: tuning)
        }
        group(times: times)
        touchMemory(bundle.middleObservation)
    }

    /// Runs the network, and samples a chunk if one does not take long: the first finds memory untouched. What comes of it does not
    /// matter, not even whether it is finite.
    private func touchMemory(_ observation: Observation) {
        var history = makeHistory()
        try? history.append(observation)
        let request = SamplingRequest(history: history, noise: .seed(0))
        let begun = MonotonicTime.now()
        _ = try? diffusion.firstModelOutput(for: request)
        let pass = MonotonicTime.now() - begun
        if pass * diffusion.settings.numInferenceSteps < .seconds(1) { _ = try? diffusion.sample(request) }
    }

    /// Decides when chunks are planned together.
    ///
    /// - Parameter times: what passes take, if no calibration says it.
    private mutating func group(times: ForwardTimes?) {
        grouping = nil
        let method = diffusion.settings.method
        // Sampling in parallel makes more of a rounding error than step by step, up to its tolerance. With a budget a chunk depends
        // on the moment anyway.
        let mayGroup = method == .sequential || keepsDeadlines || diffusion.groupsChangeNoBit
        guard diffusion.maximumGroup > 1, mayGroup else { return }
        let chunks: [[Int]]
        switch method {
        case .sequential: chunks = [Array(repeating: 1, count: diffusion.settings.numInferenceSteps)]
        case .quasiNewton(let window, _):
            chunks = tuning.known?.window(nearest: window ?? 1)?.chunks ?? []
        case .paradigms: chunks = []
        }
        guard !chunks.isEmpty, let times = tuning.known?.forwardTimes ?? times else { return }
        grouping = Grouping(
            chunks: chunks,
            times: times,
            largestBatch: diffusion.maximumBatch,
            most: diffusion.maximumGroup
        )
    }

    /// Calibrates the sampler, and samples by the method that was asked for from then on.
    ///
    /// - Throws: `PolicyError` for settings out of range.
    public mutating func tune(
        _ turns: IdleTurns,
        serve: (inout PolicyPlanner) -> IdleTurns.Service
    ) throws(PolicyError) {
        let tuning = tuning
        let calibration = try tuning.measure(serving: { serve(&self) }, turns: turns)
        guard let calibration else { return }
        try diffusion.adopt(calibration, of: tuning)
        group(times: calibration.forwardTimes)
    }

    /// An empty history of what the policy observes.
    public func makeHistory() -> ObservationHistory { diffusion.makeHistory() }

    /// Samples a chunk, from the robot's last one if it starts warm: the chunk then depends on that one, within the
    /// sampler's tolerance.
    ///
    /// - Throws: `ActionChunkError` if the result is not finite.
    public mutating func plan(_ request: PlanningRequest) throws -> PlannedChunk {
        var sampling = samplingRequest(for: request)
        var badFrames: [BadFrame] = []
        while true {
            do throws(ActionChunkError) {
                let chunk = try diffusion.sample(sampling)
                if startsWarm { remember(chunk, of: request) }
                var planned = description.planned(chunk, frozen: request.frozen)
                planned.badFrames = badFrames
                return planned
            } catch {
                // Without the steps that cannot be seen there is a chunk, unless the newest is among them: then the error
                // tells of the frame.
                let untold = note(error)
                guard case .badPicture(_, let frame, _) = error,
                    sampling.history.forgetSteps(through: frame)
                else { throw error }
                if let untold { badFrames.append(untold) }
            }
        }
    }

    /// Encodes a camera's newest frame.
    public mutating func prepare(_ history: ObservationHistory, camera: Int) -> BadFrame? {
        do throws(ActionChunkError) {
            try diffusion.encodeNewestFrame(of: history, camera: camera)
            return nil
        } catch {
            return note(error)
        }
    }

    /// A frame that cannot be decoded, unless it was told of before.
    private mutating func note(_ error: ActionChunkError) -> BadFrame? {
        guard case .badPicture(let camera, let frame, let reason) = error, !knownBadFrames.contains(frame)
        else { return nil }
        if knownBadFrames.count >= 256 { knownBadFrames.removeFirst() }
        knownBadFrames.append(frame)
        return BadFrame(camera: camera, reason: reason)
    }

    /// Samples the chunks of several robots together, by the method of a chunk alone; each from the robot's last one if it starts
    /// warm.
    public mutating func plan(together requests: [PlanningRequest]) -> [Result<PlannedChunk, any Error>] {
        let chunks = diffusion.sample(together: requests.map(samplingRequest))
        return zip(requests, chunks).map { request, chunk in
            Result {
                // One with a bad frame is planned again, without it.
                if case .failure(.badPicture) = chunk { return try plan(request) }
                let chunk = try chunk.get()
                if startsWarm { remember(chunk, of: request) }
                var planned = description.planned(chunk, frozen: request.frozen)
                planned.isGrouped = true
                return planned
            }
        }
    }

    /// The largest difference in normalised units, in which the actions span 2.
    public func deviation(of actions: [Float], from reference: [Float]) -> Float {
        diffusion.deviation(of: actions, from: reference)
    }
}

/// Makes what a daemon sends of what a policy samples.
private struct ChunkDescription: InterimChunk {
    let policy: PolicyDescription
    let solver: String
    let steps: Int
    let interim: InterimPrediction

    func claim(frozen: [Float]) -> PlannedChunk? {
        interim.claim().map { planned($0, frozen: frozen) }
    }

    func planned(_ chunk: ActionChunk, frozen: [Float]) -> PlannedChunk {
        let (quality, coarseSteps) = chunk.report.quality.message
        let executed = (policy.nObsSteps - 1) * policy.actionDim + chunk.actions.count
        var planned = PlannedChunk(
            actions: chunk.actions,
            beyond: Array(chunk.prediction[executed...]),
            frozen: frozen,
            sampling: RobotChunk.Sampling(
                solver: solver,
                steps: steps,
                method: SamplingMethod(chunk.report.method),
                window: chunk.report.window,
                tolerance: Double(chunk.report.tolerance),
                iterations: chunk.report.parallelIterations,
                evaluations: chunk.report.modelEvaluations,
                residual: Double(chunk.report.residual),
                quality: quality,
                coarseSteps: coarseSteps,
                passes: chunk.passes.map(SamplingPass.init)
            ),
            conditionNs: chunk.conditionDuration.nanoseconds,
            sampleNs: chunk.samplingDuration.nanoseconds
        )
        planned.visionNs = chunk.visionDuration?.nanoseconds
        return planned
    }
}

extension PolicyPlanner {
    /// What the policy is asked for.
    private func samplingRequest(for request: PlanningRequest) -> SamplingRequest {
        SamplingRequest(
            history: request.history,
            noise: .seed(request.noiseSeed),
            deadline: request.deadline,
            frozen: request.frozen.isEmpty
                ? nil : FrozenActions(request.frozen, firstRow: policy.nObsSteps - 1),
            guess: startsWarm ? guess(for: request) : nil
        )
    }

    private func guess(for request: PlanningRequest) -> SamplingRequest.Guess? {
        guard let last = lastChunks[request.robot], last.episode == request.episode,
            last.beginning == request.history.beginning, request.sequence > last.sequence,
            let elapsed = Int(exactly: request.sequence - last.sequence)
        else { return nil }
        return SamplingRequest.Guess(from: last.prediction, elapsedSteps: elapsed)
    }

    private mutating func remember(_ chunk: ActionChunk, of request: PlanningRequest) {
        // As many as a daemon keeps histories; a robot that is forgotten starts cold once.
        if lastChunks.count >= 256, lastChunks[request.robot] == nil { lastChunks.removeAll() }
        lastChunks[request.robot] = LastChunk(
            episode: request.episode,
            beginning: request.history.beginning,
            sequence: request.sequence,
            prediction: chunk.prediction
        )
    }
}

extension PolicyTuning {
    /// Measures between what `serve` does, which does not outlive the call.
    fileprivate func measure(
        serving serve: () -> IdleTurns.Service,
        turns: IdleTurns
    ) throws(PolicyError) -> Calibration? {
        // Rethrown by hand: `withoutActuallyEscaping` loses the error's type.
        let result = withoutActuallyEscaping(serve) { serve in
            Result { () throws(PolicyError) in
                try measure(turns: ServingTurns(turns: turns, serve: serve))
            }
        }
        return try result.get()
    }
}

extension SamplingQuality {
    /// As a message names it, with the coarse steps it took.
    fileprivate var message: (quality: ChunkQuality, coarseSteps: Int) {
        switch self {
        case .exact: (.exact, 0)
        case .converged: (.converged, 0)
        case .warm: (.warm, 0)
        case .coarse(let steps): (.coarse, steps)
        }
    }
}

extension SamplingPass {
    fileprivate init(_ pass: NetworkPass) {
        self.init(
            firstStep: pass.steps.lowerBound,
            endStep: pass.steps.upperBound,
            evaluations: pass.evaluations,
            durationNs: pass.duration.nanoseconds
        )
    }
}

extension SamplingMethod {
    fileprivate init(_ method: SamplerSettings.Method) {
        self =
            switch method {
            case .sequential: .sequential
            case .paradigms: .paradigms
            case .quasiNewton: .quasiNewton
            }
    }
}

extension SamplerDescription {
    /// Settings as messages name them.
    package init(_ settings: SamplerSettings, kernel: Kernel) {
        self.init(
            solver: settings.solver.rawValue,
            steps: settings.numInferenceSteps,
            method: SamplingMethod(settings.method),
            window: min(settings.method.window ?? 1, settings.numInferenceSteps),
            tolerance: Double(settings.method.tolerance),
            kernel: kernel.description
        )
    }
}

extension Duration {
    /// Whole nanoseconds; 0 for a negative duration.
    fileprivate var nanoseconds: UInt64 { UInt64(max(self / .nanoseconds(1), 0)) }
}
