import Foundation
import MCAP
import Planning
import PushT
import Motion

/// How a simulated robot lives in real time.
struct RealTimeSettings {
    /// What makes the world's time pass.
    enum WorldClock {
        /// A control step begins every tenth of a second.
        case wall
        /// A control step is a tenth of a second of a time that stands still while the planner works; a chunk arrives as
        /// much of that time later as planning it took.
        case virtual
    }

    let clock: WorldClock
    var mode: ChunkSchedule.Mode
    /// How much later than it is made an observation is published.
    let delay: Duration
    /// How chunks are joined.
    var strategy = ChunkStrategy.standard
    /// Control steps over which one chunk fades into the next; nil: the strategy's.
    var crossFade: Int?

    /// For a title: how the robot asks, and the added delay.
    var title: String {
        let added = delay > .zero ? ", observations \(Int(delay / .milliseconds(1))) ms late" : ""
        return ", in real time, \(mode == .synchronous ? mode.rawValue : strategy.rawValue)\(added)"
    }
}

/// What happened in an episode in real time, beside its recording and its chunks.
struct RealTimeFigures {
    /// Control steps in which the robot held its last target, because it had no action.
    var heldSteps = 0
    /// Control steps with an action that the policy predicted beyond those to carry out.
    var beyondSteps = 0
    /// Control steps that began more than a tenth of a period late.
    var lateSteps = 0
    /// How far the target moved, in the world's units, in the steps with which a chunk took over.
    var handOverMoves: [Double] = []
    /// How far it moved in the other steps that had an action.
    var otherMoves: [Double] = []
}

extension SimulatedRobot {
    /// Runs the episode of a seed in real time to its success or its last step.
    ///
    /// - Parameter show: is called after each control step.
    func runEpisode(
        seed: UInt64,
        inRealTime options: RealTimeSettings,
        show: (Moment) -> Void
    ) throws -> EpisodeResult {
        switch options.clock {
        case .wall: try runEpisode(seed: seed, on: WallClockLine(client), options, show: show)
        case .virtual:
            try runEpisode(
                seed: seed,
                on: VirtualClockLine(client, repeatInterval: repeatInterval),
                options,
                show: show
            )
        }
    }

    private func schedule(_ options: RealTimeSettings, period: Duration) -> ChunkSchedule.Settings {
        ChunkSchedule.Settings(
            mode: options.mode,
            period: period,
            actionSteps: policy.nActionSteps,
            predictedSteps: policy.horizon - policy.nObsSteps + 1,
            strategy: options.strategy,
            crossFade: options.crossFade
        )
    }

    private func runEpisode(
        seed: UInt64,
        on line: some ChunkLine,
        _ options: RealTimeSettings,
        show: (Moment) -> Void
    ) throws -> EpisodeResult {
        var observation = reset(seed: seed)
        var recording = EpisodeRecording(of: simulation, seed: seed)
        var result = EpisodeResult(seed: seed, recording: recording)
        var figures = RealTimeFigures()
        var target = observation.agentPosition
        let period = Duration.seconds(1 / simulation.scenario.control.rate)
        var episode = RealTimeEpisode(
            on: line,
            settings: schedule(options, period: period),
            delay: options.delay,
            latency: LatencyEstimate(roundTrip.longest + options.delay)
        )
        try Failure.asRun {
            try episode.run(
                observe: { step, request in
                    try message(
                        observation,
                        seed: seed,
                        step: step,
                        replan: request != nil,
                        committed: request?.committed
                    )
                },
                act: { tick in
                    for arrival in tick.arrived { roundTrip.add(arrival.latency - options.delay) }
                    let traces = tick.arrived.map { arrival in
                        ChunkTrace(
                            chunk: arrival.chunk,
                            coverage: recording.frames[Int(arrival.chunk.sequence)].coverage,
                            milliseconds: arrival.latency / .milliseconds(1),
                            step: Int(tick.step),
                            isCarriedOut: arrival.reception == .joined
                        )
                    }
                    result.chunks += traces
                    for arrival in tick.arrived where arrival.reception == .joined {
                        result.commands.handOver(to: arrival.chunk, at: tick.step)
                    }

                    let next = try tick.action.map {
                        simulation.scenario.world.clamp(try Self.target($0.values))
                    }
                    figures.add(
                        tick,
                        period: period,
                        move: next.map { hypot($0.x - target.x, $0.y - target.y) }
                    )
                    target = next ?? target
                    result.commands.append(target)
                    let outcome = try simulation.step(target)
                    recording.append(outcome)
                    observation = outcome.observation
                    show(Moment(seed: seed, recording: recording, newChunks: traces))
                    return outcome.isEpisodeOver
                }
            )
        }
        result.recording = recording
        result.frames = keptFrames
        result.realTime = figures
        return result
    }

    private static func target(_ action: [Float]) throws -> SIMD2<Double> {
        guard action.count == 2 else {
            throw Failure.run("the daemon sent actions of \(action.count) numbers, expected 2")
        }
        return SIMD2(Double(action[0]), Double(action[1]))
    }
}

extension RealTimeFigures {
    fileprivate mutating func add<Line>(
        _ tick: RealTimeEpisode<Line>.Tick,
        period: Duration,
        move: Double?
    ) {
        if tick.lateness > period / 10 { lateSteps += 1 }
        guard let action = tick.action, let move else {
            heldSteps += 1
            return
        }
        if action.isBeyond { beyondSteps += 1 }
        if tick.arrived.contains(where: { $0.reception == .joined }) {
            handOverMoves.append(move)
        } else {
            otherMoves.append(move)
        }
    }
}
