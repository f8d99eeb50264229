import NumPyRandom

/// What a poor camera, or a poor link to it, makes of the simulator's frames.
///
/// A function of frame, step and seed: the same three always give the same. Steps are those of
/// ``PushTSimulation/stepCount``, so step 0 is the frame of the reset. Parts that are nil change nothing.
public struct CameraDisturbance: Sendable, Hashable, Codable {
    /// Too bright, too dark, too flat.
    public let brightness: Brightness?
    /// Noise of the sensor.
    public let noise: Noise?
    /// Frames that never arrive.
    public let dropped: DroppedFrames?
    /// A picture that stands still.
    public let frozen: Freeze?

    /// Every byte v becomes `gain` v + `offset`, before the noise.
    public struct Brightness: Sendable, Hashable, Codable {
        /// 1 changes nothing.
        public let gain: Double
        /// Grey levels; 0 changes nothing.
        public let offset: Double
    }

    /// Noise of its own on every byte.
    ///
    /// It is the sum of eight uniform bytes, scaled: close to a normal distribution, but never beyond 4.9
    /// standard deviations.
    public struct Noise: Sendable, Hashable, Codable {
        /// Grey levels.
        public let standardDeviation: Double
    }

    /// Frames that never arrive: those of the listed steps, and others by chance.
    public struct DroppedFrames: Sendable, Hashable, Codable {
        /// Of every frame for itself, in [0, 1].
        public let probability: Double?
        /// Steps whose frames are lost.
        public let steps: [Int]?
    }

    /// A picture that stands still: that of `fromStep` arrives for `steps` steps, noise and all.
    public struct Freeze: Sendable, Hashable, Codable {
        /// The first step of those that show it.
        public let fromStep: Int
        /// How many steps show it.
        public let steps: Int
    }

    /// The step whose picture the camera gives at a step: an earlier one while it is frozen.
    public func shownStep(at step: Int) -> Int {
        isFrozen(at: step) ? frozen?.fromStep ?? step : step
    }

    /// Whether the camera gives the picture of `frozen.fromStep` at a step.
    public func isFrozen(at step: Int) -> Bool {
        guard let frozen else { return false }
        return step >= frozen.fromStep && step - frozen.fromStep < frozen.steps
    }

    /// Whether the frame of a step is lost.
    ///
    /// It is if the step is listed, or if `numpy.random.default_rng([1, step, seed]).random()` is less than the
    /// probability.
    public func drops(step: Int, seed: UInt64) -> Bool {
        guard let dropped else { return false }
        if dropped.steps?.contains(step) == true { return true }
        guard let probability = dropped.probability else { return false }
        var generator = Self.generator(.drop, step: step, seed: seed)
        return generator.nextDouble() < probability
    }

    /// What arrives of a frame: nil if it is lost.
    /// - Parameters:
    ///   - frame: what the camera sees at ``shownStep(at:)``, whatever its size.
    ///   - step: the step at which it is asked for.
    ///   - seed: the episode's.
    public func apply(to frame: [UInt8], step: Int, seed: UInt64) -> [UInt8]? {
        guard !drops(step: step, seed: seed) else { return nil }
        var result = frame
        var span = result.mutableSpan
        expose(&span, step: shownStep(at: step), seed: seed)
        return result
    }

    /// Applies brightness and noise.
    ///
    /// Byte i becomes gain v + offset + standardDeviation n_i, rounded half to even and held in 0...255. n_i is
    /// the sum of the eight bytes of the i-th draw of `numpy.random.default_rng([0, step, seed])`, less its
    /// mean, over its standard deviation, the root of 43690.
    /// - Parameters:
    ///   - frame: what the camera sees at `step`.
    ///   - step: the step that is shown.
    ///   - seed: the episode's.
    public func expose(_ frame: inout MutableSpan<UInt8>, step: Int, seed: UInt64) {
        guard brightness != nil || noise != nil else { return }
        let gain = brightness?.gain ?? 1
        let offset = brightness?.offset ?? 0
        let scale = (noise?.standardDeviation ?? 0) / Self.byteSumVariance.squareRoot()
        var generator = Self.generator(.noise, step: step, seed: seed)
        for index in frame.indices {
            var value = gain * Double(frame[index]) + offset
            if scale > 0 { value += scale * Double(Self.byteSum(generator.next()) - Self.byteSumMean) }
            frame[index] = UInt8(min(max(value.rounded(.toNearestOrEven), 0), 255))
        }
    }

    private enum Stream: UInt64 {
        case noise = 0
        case drop = 1
    }

    private static func generator(_ stream: Stream, step: Int, seed: UInt64) -> PCG64 {
        PCG64(SeedSequence(entropy: [stream.rawValue, UInt64(max(step, 0)), seed]))
    }

    /// Eight uniform bytes have the mean 8 x 255 / 2 and the variance 8 (256^2 - 1) / 12.
    private static let byteSumMean = 1020
    private static let byteSumVariance = 43_690.0

    private static func byteSum(_ word: UInt64) -> Int {
        // Neighbours are added within the word until one sum is left.
        let pairs = (word & 0x00ff_00ff_00ff_00ff) + ((word >> 8) & 0x00ff_00ff_00ff_00ff)
        let fours = (pairs & 0x0000_ffff_0000_ffff) + ((pairs >> 16) & 0x0000_ffff_0000_ffff)
        return Int((fours & 0xffff_ffff) + (fours >> 32))
    }
}
