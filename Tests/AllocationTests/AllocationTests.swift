import CAllocationCounter
import Clocks
import Dispatch
import Foundation
import Policy
import PolicyFixtures
import Robotics
import Sampling
import Testing
import Tuning

// Exit tests take values from Swift 6.3 on.
#if compiler(>=6.3)
    /// Each count is taken in a process of its own, where no other test runs, over all threads.
    ///
    /// One after the other, because teams of threads that spin share the processor's cores badly.
    @Suite("After load", .serialized)
    struct AllocationTests {
        @Test(arguments: [ShippedBundle.processors, .environmentUnmapped], KernelName.tested)
        func `A hundred chunks of any solver allocate nothing`(shipped: ShippedBundle, name: KernelName) async
        {
            await #expect(processExitsWith: .success) { [shipped, name] in
                try expectNoAllocations(shipped, kernel: name, solvers: Solver.allCases)
            }
        }

        @Test(arguments: KernelName.tested)
        func `A hundred chunks of the trained policy allocate nothing`(name: KernelName) async {
            await #expect(processExitsWith: .success) { [name] in
                try expectNoAllocations(.pushT, kernel: name, solvers: [.ddim])
            }
        }

        @Test(arguments: KernelName.tested)
        func `A hundred groups of chunks allocate nothing`(name: KernelName) async {
            await #expect(processExitsWith: .success) { [name] in
                try expectNoAllocationsOfGroups(kernel: name)
            }
        }

        @Test(arguments: KernelName.tested)
        func `A hundred batches under several conditions allocate nothing`(name: KernelName) async {
            await #expect(processExitsWith: .success) { [name] in
                try expectNoAllocationsOfBatches(kernel: name)
            }
        }

        @Test(arguments: KernelName.tested)
        func `A hundred chunks from new frames allocate nothing`(name: KernelName) async {
            await #expect(processExitsWith: .success) { [name] in
                for fixture in ["one-camera", "resize-and-crop-ratio"] {
                    try expectNoAllocationsOfFrames(fixture, kernel: name)
                }
            }
        }

        @Test func `An array would be counted`() async {
            await #expect(processExitsWith: .success) {
                var kept: [Float] = []
                #expect(allocations { kept = [Float](repeating: 1, count: 1_000) } >= 1)
                #expect(kept.count == 1_000)
                #expect(allocations {} == 0)
            }
        }

        @Test func `Another thread's array would be counted`() async {
            await #expect(processExitsWith: .success) {
                let begin = DispatchSemaphore(value: 0)
                let end = DispatchSemaphore(value: 0)
                Thread.detachNewThread {
                    end.signal()
                    begin.wait()
                    let array = [Float](repeating: 1, count: 1_000)
                    withExtendedLifetime(array) { _ = end.signal() }
                }
                end.wait()
                let count = allocations {
                    begin.signal()
                    end.wait()
                }
                #expect(count >= 1)
            }
        }
    }
#endif

private let methods: [SamplerSettings.Method] = [
    .sequential, .paradigms(window: 3, tolerance: 0.1), .quasiNewton(window: 3, tolerance: 0.01),
]

/// When a chunk must be there.
private enum DeadlineKind {
    case none
    /// Time enough for the whole chunk.
    case distant
    /// Time for a coarse step only.
    case past

    var instant: MonotonicTime? {
        switch self {
        case .none: nil
        case .distant: .now() + .seconds(3600)
        case .past: .now() - .seconds(1)
        }
    }
}

/// Samples a hundred chunks in every way, 25 for each deadline and number of frozen rows, with one thread and with two, and expects
/// no allocation.
///
/// OpenBLAS is tried with one thread: with more it allocates a list of jobs in every large product itself.
private func expectNoAllocations(_ shipped: ShippedBundle, kernel name: KernelName, solvers: [Solver]) throws
{
    let bundle = try PolicyBundle(directory: shipped.directory)
    let kernel = try #require(name.kernel)
    let threadCounts = kernel.backend == .openBLAS ? [1] : [1, 2]
    // Kept, so that no thread of one policy ends while those of another are counted.
    var policies: [DiffusionPolicy] = []
    for solver in solvers {
        for method in methods {
            for threads in threadCounts {
                let policy = try DiffusionPolicy(
                    bundle: bundle,
                    settings: SamplerSettings(solver: solver, numInferenceSteps: 4, method: method),
                    threads: threads,
                    kernel: kernel,
                    keepsDeadlines: true
                )
                policies.append(policy)
                for (deadline, frozenRows) in [(.none, 0), (.none, 2), (.distant, 2), (.past, 2)]
                    as [(DeadlineKind, Int)]
                {
                    let count = try allocations(
                        ofChunks: 25,
                        by: policy,
                        seeing: bundle.middleObservation,
                        deadline: deadline,
                        frozenRows: frozenRows
                    )
                    #expect(
                        count == 0,
                        "\(count) by \(solver), \(method), \(threads) threads, deadline \(deadline), \(frozenRows) rows frozen"
                    )
                }
            }
        }
    }
}

/// Predicts a hundred batches whose entries have timesteps and conditions of their own, and expects no allocation.
private func expectNoAllocationsOfBatches(kernel name: KernelName) throws {
    let bundle = try PolicyBundle(directory: ShippedBundle.processors.directory)
    let kernel = try #require(name.kernel)
    let network = try bundle.network(
        timesteps: [0, 1],
        maximumBatch: 3,
        maximumConditions: 2,
        threads: kernel.backend == .openBLAS ? 1 : 2,
        kernel: kernel
    )
    let condition = [Float](repeating: 0.1, count: network.conditionDim)
    let samples = [Float](repeating: 0.1, count: 3 * network.sampleSize)
    let (timesteps, conditions) = ([0, 1, 1], [1, 0, 1])
    var outputs = samples
    func predict(into outputs: inout [Float]) {
        for index in 0..<2 { network.setCondition(condition.span, at: index) }
        var span = outputs.mutableSpan
        let isDone = network.predict(
            samples: samples.span,
            timesteps: timesteps.span,
            conditions: conditions.span,
            until: .now() + .seconds(3600),
            into: &span
        )
        precondition(isDone, "nothing takes an hour")
        network.predict(samples: samples.span, timesteps: timesteps.span, into: &span)
        network.rest()
    }
    predict(into: &outputs)
    let count = allocations {
        for _ in 1...100 { predict(into: &outputs) }
    }
    #expect(count == 0, "\(count) in 100 batches")
}

/// Samples a hundred groups in every way and expects no allocation. Their sizes differ, and some requests of each have frozen
/// actions or a guess.
private func expectNoAllocationsOfGroups(kernel name: KernelName) throws {
    let bundle = try PolicyBundle(directory: ShippedBundle.processors.directory)
    let kernel = try #require(name.kernel)
    // Kept, so that no thread of one policy ends while those of another are counted.
    var policies: [DiffusionPolicy] = []
    for method in methods {
        let policy = try DiffusionPolicy(
            bundle: bundle,
            settings: SamplerSettings(solver: .ddpm, numInferenceSteps: 4, method: method),
            threads: kernel.backend == .openBLAS ? 1 : 2,
            kernel: kernel,
            keepsDeadlines: true,
            maximumGroup: 6
        )
        policies.append(policy)
        for deadline in [.none, .distant, .past] as [DeadlineKind] {
            let count = try allocations(ofGroups: 100, by: policy, seeing: bundle.middleObservation, deadline)
            #expect(count == 0, "\(count) by \(method), deadline \(deadline)")
        }
    }
}

/// Samples fifty chunks of a policy with cameras, each from frames that were never encoded before, and expects no allocation.
private func expectNoAllocationsOfFrames(_ fixture: String, kernel name: KernelName) throws {
    // The copy, and so its weights, is there as long as the fixture.
    let image = try ImageFixture(fixture)
    let bundle = try PolicyBundle(directory: image.copy.directory)
    defer { withExtendedLifetime(image) {} }
    let kernel = try #require(name.kernel)
    let policy = try DiffusionPolicy(
        bundle: bundle,
        settings: SamplerSettings(solver: .ddim, numInferenceSteps: 4, method: .sequential),
        threads: kernel.backend == .openBLAS ? 1 : 2,
        kernel: kernel
    )
    var prediction = [Float](repeating: 0, count: policy.predictionCount)
    // Made beforehand, with what they allocate.
    let requests = try (0...50).map { number in
        var observation = bundle.middleObservation
        for camera in bundle.cameras {
            observation.frames[camera.name] = CameraFrame(
                height: camera.size.height,
                width: camera.size.width,
                pixels: (0..<camera.size.count).map { UInt8(truncatingIfNeeded: $0 * (2 * number + 3) >> 4) }
            )
        }
        var history = policy.makeHistory()
        try history.append(observation)
        return SamplingRequest(history: history, noise: .seed(0))
    }
    func sample(_ number: Int, into prediction: inout [Float]) throws {
        var span = prediction.mutableSpan
        _ = try policy.sample(requests[number], into: &span)
    }
    try sample(0, into: &prediction)
    // Not a copy that shares the memory: the next write would take more.
    let first = prediction.map(\.self)
    let count = try allocations { for number in 1...50 { try sample(number, into: &prediction) } }
    #expect(count == 0, "\(count) by \(fixture)")
    #expect(first != prediction, "other frames, another chunk")
}

/// What groups take from the heap after a first one, which is not counted.
private func allocations(
    ofGroups groups: Int,
    by policy: DiffusionPolicy,
    seeing observation: Observation,
    _ deadline: DeadlineKind
) throws -> Int {
    var history = policy.makeHistory()
    try history.append(observation)
    var predictions = [Float](repeating: 0, count: 6 * policy.predictionCount)
    let last = Array(predictions[..<policy.predictionCount])
    let frozen = FrozenActions(Array(last[..<policy.configuration.actionDim]), firstRow: 1)
    // Made beforehand, with what they allocate.
    let requests = (0..<6).map { index in
        SamplingRequest(
            history: history,
            noise: .seed(UInt64(index)),
            deadline: deadline.instant,
            frozen: index.isMultiple(of: 3) ? frozen : nil,
            guess: index.isMultiple(of: 2) ? SamplingRequest.Guess(from: last, elapsedSteps: 1) : nil
        )
    }
    let groupsOfRequests = [requests, Array(requests[..<3]), Array(requests[3...])]
    var outcomes = groupsOfRequests.map { requests in
        [Result<ChunkSampling, ActionChunkError>](repeating: .failure(.emptyHistory), count: requests.count)
    }
    func sample(group: Int) {
        let requests = groupsOfRequests[group % 3]
        var span = predictions.mutableSpan
        var rows = span._mutatingExtracting(first: requests.count * policy.predictionCount)
        policy.sample(together: requests, into: &rows, outcomes: &outcomes[group % 3])
    }
    sample(group: 0)
    let count = allocations { for group in 1...groups { sample(group: group) } }
    for outcome in outcomes.joined() {
        let isCoarse = if case .coarse = try outcome.get().report.quality { true } else { false }
        #expect(isCoarse == (deadline == .past))
    }
    return count
}

/// What a call takes from the heap, in all threads.
private func allocations<Failure: Error>(in body: () throws(Failure) -> Void) throws(Failure) -> Int {
    dn_start_counting_allocations()
    defer { dn_stop_counting_allocations() }
    try body()
    return dn_stop_counting_allocations()
}

/// What chunks take from the heap after a first one, which is not counted.
private func allocations(
    ofChunks chunks: Int,
    by policy: DiffusionPolicy,
    seeing observation: Observation,
    deadline: DeadlineKind,
    frozenRows: Int
) throws -> Int {
    var history = policy.makeHistory()
    try history.append(observation)
    var prediction = [Float](repeating: 0, count: policy.predictionCount)
    let frozen = FrozenActions(
        [Float](repeating: 0.1, count: frozenRows * policy.configuration.actionDim),
        firstRow: 1
    )
    let guess = SamplingRequest.Guess(from: prediction, elapsedSteps: 1)
    var isCoarse = false
    func sample(seed: UInt64) throws(ActionChunkError) {
        var span = prediction.mutableSpan
        let request = SamplingRequest(
            history: history,
            noise: .seed(seed),
            deadline: deadline.instant,
            frozen: frozen,
            // Every other chunk starts from the first guess by its observation.
            guess: seed.isMultiple(of: 2) ? nil : guess
        )
        let sampling = try policy.sample(request, into: &span)
        isCoarse = if case .coarse = sampling.report.quality { true } else { false }
    }
    try sample(seed: 0)
    let count = try allocations { () throws(ActionChunkError) in
        for chunk in 1...chunks { try sample(seed: UInt64(chunk)) }
    }
    #expect(isCoarse == (deadline == .past))
    return count
}
