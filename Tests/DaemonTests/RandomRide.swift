import Clocks
import Robotics
import TestRandom

@testable import Daemon
@testable import Piloting

/// A ride to which anything may happen in any order, drawn from a seed: good observations and chunks, hostile numbers, stops,
/// faults, new episodes and other sessions.
///
/// Most of what happens is good, and a robot that is stopped, or has had no command for a while, is released in a new episode.
/// So the ride goes on to its end, and hostile events meet robots that move.
struct RandomRide {
    private(set) var ride: Ride
    let commandHz: Int

    private var random: SplitMix64
    private let clock: String
    /// The robot's own clock began so much later than the daemon's.
    private let behindNs: UInt64
    private var sequence: UInt64 = 0
    /// The session of the last observation that was admitted.
    private var session: UInt64 = 1
    private var episode: UInt64 = 1
    /// Events since the last command.
    private var silence = 0
    /// Where the robot is: where its last command put it.
    private var place: Float = 0

    /// Numbers that a sequence or a time stamp may be by mistake, or by an attack.
    private static let hostileNumbers: [UInt64] = [
        0, 1, 1 << 31, 1 << 40, (1 << 40) + 1, 1 << 62, 1 << 63, .max,
    ]
    /// Where feedback may say that the robot is: moved by somebody, out of its range, nowhere.
    private static let hostilePlaces: [Float] = [0, 49, 60, -1e30, .greatestFiniteMagnitude, .nan]
    /// By what a hostile chunk's actions are multiplied.
    private static let hostileScales: [Float] = [2.5, 1e30, .greatestFiniteMagnitude / 40]
    /// The positions and the speed that the robot file allows, and for how many seconds the robot brakes from that speed.
    static let position: ClosedRange<Float> = -30...50
    static let longestBraking = 90.0 / 500
    /// After so many events without a command the robot is released. Two commands at 10 Hz are about 13 events apart.
    private static let longestSilence = 40

    init(seed: UInt64) throws {
        random = SplitMix64(seed: seed)
        clock = random.one(of: ["own", "monotonic", "wall"])
        commandHz = random.one(of: [10, 50, 100, 1000])
        ride = try Ride(
            "clock: \(clock)",
            "actions: [{name: x, position: [-30, 50], velocity: 90, acceleration: 500}]",
            "on_violation: \(Bool.random(using: &random) ? "stop" : "clamp")",
            "feedback: {feature: observation.state}",
            "watchdogs: {observation_ms: 300, stop_after_ms: 700}",
            commandHz: commandHz
        )
        // A time stamp by the wall clock is checked against the real one, 10 s either way. A ride takes 11 s.
        ride.nowNs = MonotonicTime.now().unsignedNs - 6_000_000_000
        behindNs = ride.nowNs / 2
    }

    /// Lets one event happen.
    mutating func happen() throws {
        silence += 1
        if silence > Self.longestSilence { return release() }
        switch random.below(48) {
        case 0..<20: ride.nowNs += .random(in: 0...18_000_000, using: &random)
        case 20..<32: try observe()
        case 32..<44: try plan()
        case 44:
            switch random.below(6) {
            case 0...1: _ = ride.pilot.stop("s", now: at(ride.nowNs))
            case 2: _ = ride.pilot.hold("h", now: at(ride.nowNs))
            default: break
            }
        case 45:
            if random.below(4) == 0 { ride.pilot.policyFailed("p", now: at(ride.nowNs)) }
        case 46:
            if random.below(3) == 0 { beginEpisode() }
            if random.below(6) == 0 { ride.pilot.endEpisode("e", now: at(ride.nowNs)) }
        default:
            ride.session = random.below(9) == 0 ? 2 : 1
            if random.below(4) == 0 { _ = ride.pilot.resume(now: at(ride.nowNs)) }
        }
    }

    /// The command that is due, now or in a while. The robot follows it at once.
    mutating func tick(afterNs: UInt64 = 0) -> RobotCommand? {
        guard let command = ride.pilot.tick(now: at(ride.nowNs + afterNs)) else { return nil }
        (place, silence) = (command.action[0], 0)
        return command
    }

    /// Ends the ride by a stop. Returns when the robot is at rest and 2 s have passed.
    mutating func end() throws {
        _ = ride.pilot.stop("end", now: at(ride.nowNs))
        ride.doesObserve = false
        try ride.go(forMs: 2000)
    }

    private mutating func isHostile() -> Bool { random.below(60) == 0 }

    /// What the robot's clock says.
    private var timeNs: UInt64 {
        switch clock {
        case "own": ride.nowNs - behindNs
        case "wall": Clock.wallNs() &+ ride.nowNs &- MonotonicTime.now().unsignedNs
        default: ride.nowNs
        }
    }

    private mutating func observe() throws {
        let number = isHostile() ? random.one(of: Self.hostileNumbers) : sequence
        let stamp = isHostile() ? random.one(of: Self.hostileNumbers) : timeNs
        ride.state = isHostile() ? random.one(of: Self.hostilePlaces) : place
        let observation = try ride.observation(number, timeNs: stamp)
        guard (try? ride.pilot.admit(observation, received: at(ride.nowNs))) != nil, number >= sequence
        else { return }
        session = ride.session ?? session
        let isNew = number > sequence || random.below(8) != 0
        _ = ride.pilot.observe(observation, isNew: isNew, received: at(ride.nowNs))
        sequence = max(sequence, number) + (number < 1 << 41 ? 1 : 0)
    }

    private mutating func plan() throws {
        let scale = isHostile() ? random.one(of: Self.hostileScales) : 1
        ride.value = { Float($0 % 40) * scale }
        var chunk = try ride.chunk(min(sequence - min(sequence, .random(in: 0...3, using: &random)), 1 << 40))
        if isHostile() { chunk.actions[0] = .nan }
        try? ride.pilot.receive(&chunk, isCarriedOut: true, now: at(ride.nowNs))
    }

    private mutating func beginEpisode() {
        episode += 1
        (ride.episode, sequence) = (.number(episode), 0)
    }

    /// Puts right whatever keeps the robot from being told anything.
    private mutating func release() {
        _ = ride.pilot.resume(now: at(ride.nowNs))
        beginEpisode()
        ride.session = session
        silence = 0
    }
}
