import MCAP
import Recording
import Robotics
import Statistics

extension Run {
    /// Reads a recording, whole or cut off.
    ///
    /// The file is read twice: only when all times are known, it is known which chunk is the median, and the passes of every chunk
    /// of a long recording would not fit into memory.
    init(recording reader: MCAPReader, file: String) throws(RunFileError) {
        self.init(file: file, origin: .recording)
        var figures = RecordedFigures()
        try Self.read(reader, file: file) { figures.add($0) }
        guard let session = figures.session else {
            throw RunFileError(
                file,
                "does not begin with the settings of a daemon, as `denoised serve --record` writes them"
            )
        }
        policy = session.policy.name
        version = session.daemonVersion
        let described = session.sampler
        sampler = Sampler(
            solver: described.solver,
            steps: described.steps,
            method: described.method.rawValue,
            window: described.window,
            tolerance: described.tolerance,
            kernel: described.kernel,
            budgetMs: described.budgetMs
        )
        chunks = figures.totals.count
        qualities = figures.qualities
        if described.budgetMs > 0 {
            lateChunks = figures.totals.count { Double($0) / 1e6 > described.budgetMs }
        }
        if figures.chunks > 0 {
            iterationsMean = Double(figures.iterations) / Double(figures.chunks)
            evaluationsMean = Double(figures.evaluations) / Double(figures.chunks)
        }
        for (stage, times) in figures.milliseconds where !times.isEmpty {
            let percentiles = Percentiles(times)
            latency[stage] = Latency(
                p50: percentiles[50],
                p90: percentiles[90],
                p99: percentiles[99],
                max: percentiles[100]
            )
            histograms[stage] = LatencyHistogram(milliseconds: times)
        }
        try readExamples(of: figures)
        note(figures, end: reader.end)
    }

    private mutating func readExamples(of figures: RecordedFigures) throws(RunFileError) {
        guard let places = ExampleChunk.places(of: figures.totals) else { return }
        let again: MCAPReader
        do throws(RecordingError) { again = try MCAPReader(file) } catch {
            throw RunFileError(file, error.place)
        }
        var found: [Int: ExampleChunk] = [:]
        var matching = RecordedFigures()
        try Self.read(again, file: file) { message in
            let place = matching.totals.count
            let chunk = matching.add(message)
            if let chunk, place == places.median || place == places.slowest {
                found[place] = ExampleChunk(chunk, episode: "\(chunk.robot), episode \(chunk.episode)")
            }
        }
        (median, slowest) = (found[places.median], found[places.slowest])
    }

    private mutating func note(_ figures: RecordedFigures, end: MCAPReader.End?) {
        notes.append("A recording does not tell scores.")
        if case .cutOff(let byte)? = end {
            notes.append("The file is cut off at byte \(byte); everything before was read.")
        }
        if figures.lost > 0 { notes.append("\(figures.lost) messages were lost while recording.") }
        if figures.totals.isEmpty { notes.append("It has no chunk.") }
        if figures.robots.count > 1 {
            notes.append("Its times are those of \(figures.robots.count) robots together.")
        }
        if let median, median.passes.isEmpty {
            notes.append("It does not tell the passes of its chunks.")
        }
    }

    private static func read(
        _ reader: MCAPReader,
        file: String,
        _ take: (RecordedTiming) -> Void
    ) throws(RunFileError) {
        do {
            while let message = try reader.next() {
                if let timing = try RecordedTiming(message) { take(timing) }
            }
        } catch let error as RecordingError {
            throw RunFileError(file, error.place)
        } catch {
            throw RunFileError(file, "\(error)")
        }
    }
}

/// What is counted while a recording is read.
private struct RecordedFigures {
    private(set) var session: RecordingSession?
    private(set) var lost: UInt64 = 0
    private(set) var chunks = 0
    private(set) var iterations = 0
    private(set) var evaluations = 0
    private(set) var qualities: [String: Int] = [:]
    private(set) var robots: Set<String> = []
    /// The times of each stage.
    private(set) var milliseconds: [Run.Stage: [Double]] = [:]
    /// The times in the daemon, in nanoseconds, in the order of the file.
    private(set) var totals: [UInt64] = []
    /// Each robot's newest chunk, whose times come after it.
    private var newest: [String: RobotChunk] = [:]

    /// - Returns: the chunk, whole, if its times are what was read.
    @discardableResult
    mutating func add(_ timing: RecordedTiming) -> RobotChunk? {
        switch timing {
        case .session(let session): if self.session == nil { self.session = session }
        case .gap(let lost): self.lost &+= lost
        case .chunk(let chunk):
            chunks += 1
            iterations &+= chunk.sampling.iterations
            evaluations &+= chunk.sampling.evaluations
            qualities[chunk.sampling.quality.rawValue, default: 0] += 1
            newest[chunk.robot.text] = chunk
        case .latency(let robot, let sequence, let stages):
            robots.insert(robot)
            totals.append(stages.total)
            for (name, time) in ExampleChunk.times(stages) {
                guard let stage = Run.Stage(rawValue: name) else { continue }
                milliseconds[stage, default: []].append(Double(time) / 1e6)
            }
            guard var chunk = newest[robot], chunk.sequence == sequence else { return nil }
            chunk.timing.stages = stages
            return chunk
        }
        return nil
    }
}
