import Compute
import Foundation
import Glibc

/// The address space that the process may have (`ulimit -v`), which libraries take for granted.
///
/// When there is none left, OpenBLAS asks for its buffer for ever, libzmq aborts, a thread is never started. So a command
/// that runs a policy looks beforehand, and ends with an error that says what is missing.
enum AddressSpace {
    private static let mebibyte = 1 << 20
    /// What OpenBLAS maps for a thread that calls it.
    private static let openBLASBuffer = 128 << 20
    /// What the C library reserves for each thread that allocates, as far as there is room, and for how many.
    private static let arena = 64 << 20
    private static let arenasPerCore = 8
    /// What surrounds a network, by the threads that are started besides those that compute.
    enum Surroundings: Int {
        /// Nothing; OpenBLAS may start a thread.
        case nothing = 1
        /// A daemon in this process: planner, sockets, two of libzmq's, log.
        case embeddedDaemon = 5
        /// `serve`: planner, sockets, two of libzmq's, recorder, state, HTTP, keys or a warning.
        case daemon = 8
    }

    /// Packed weights of each layer begin at a multiple of this.
    private static let hugePage = 2 << 20

    /// Checks that there is room for networks, the threads that compute them and what surrounds them.
    ///
    /// - Parameters:
    ///   - networks: the parameters of each policy, or copy of a policy, that is there at a time.
    ///   - threads: that compute each; nil: one for each core.
    ///   - further: bytes that they take besides.
    /// - Throws: ``Failure`` if there is not.
    static func check(
        for networks: [[NetworkParameter]],
        threads: Int?,
        further: Int = 0,
        in surroundings: Surroundings = .nothing
    ) throws {
        let threads = threads ?? ProcessInfo.processInfo.activeProcessorCount
        let count = networks.count * (threads - 1) + surroundings.rawValue
        let surrounding = openBLASBuffer + bytes(forThreads: count) + further
        let need = networks.reduce(surrounding) { $0 + bytes(for: $1) }
        try check(need, for: "the policy")
    }

    /// Checks that a daemon can start the threads by which it says what is wrong.
    ///
    /// - Throws: ``Failure`` if it cannot.
    static func checkForDaemon() throws {
        try check(openBLASBuffer + Surroundings.daemon.rawValue * stack, for: "a daemon")
    }

    /// Checks that there is room for what any policy needs, before one is read.
    ///
    /// - Throws: ``Failure`` if there is not.
    static func checkForAnyPolicy() throws {
        try check(openBLASBuffer, for: "any policy")
    }

    private static func check(_ need: Int, for what: String) throws {
        guard !canReserve(need) else { return }
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit)
        let allowed =
            limit.rlim_cur == rlim_t.max
            ? "and the system does not give it"
            : "the limit is \(Int(clamping: limit.rlim_cur) / mebibyte) MiB (ulimit -v)"
        throw Failure.run(
            "\(what) needs about \((present + need) / mebibyte) MiB of address space, \(allowed)"
        )
    }

    /// What a policy's networks map, in bytes: measured, and rounded up.
    private static func bytes(for parameters: [NetworkParameter]) -> Int {
        let counts = parameters.map { ($0.shape.count, $0.count * MemoryLayout<Float>.stride) }
        // Convolutions, in time or in the plane.
        let packed = counts.filter { $0.0 >= 3 }.map { _, bytes in
            (bytes + hugePage - 1) / hugePage * hugePage + hugePage
        }
        // The values as they are read, and those that are not packed.
        let values = 2 * counts.map(\.1).reduce(0, +)
        return packed.reduce(0, +) + values
    }

    /// What so many threads map, in bytes: measured, and rounded up.
    private static func bytes(forThreads threads: Int) -> Int {
        let arenas = min(threads, arenasPerCore * ProcessInfo.processInfo.activeProcessorCount)
        // While an arena is made it is twice as large.
        return threads * stack + (arenas + 1) * arena
    }

    /// A thread's stack.
    private static var stack: Int {
        var limit = rlimit()
        let isKnown = getrlimit(__rlimit_resource_t(RLIMIT_STACK.rawValue), &limit) == 0
        return isKnown && limit.rlim_cur < 1 << 30 ? Int(limit.rlim_cur) : 8 << 20
    }

    private static func canReserve(_ bytes: Int) -> Bool {
        let reserved = mmap(nil, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
        guard reserved != MAP_FAILED else { return false }
        munmap(reserved, bytes)
        return true
    }

    /// What the process has mapped.
    private static var present: Int {
        let text = (try? String(contentsOfFile: "/proc/self/statm", encoding: .utf8)) ?? ""
        return text.split(separator: " ").first.flatMap { Int($0) }.map { $0 * Int(getpagesize()) } ?? 0
    }
}
