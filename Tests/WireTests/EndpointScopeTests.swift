import Testing

@testable import Wire

@Suite struct EndpointScopeTests {
    @Test(
        arguments: [
            ("tcp://127.0.0.1:5555", true), ("tcp://127.9.8.7:*", true), ("tcp://localhost:1", true),
            ("tcp://[::1]:5555", true), ("inproc://a", true), ("ipc:///run/d.sock", true),
            ("tcp://*:5555", false), ("tcp://0.0.0.0:5555", false), ("tcp://10.0.0.1:5555", false),
            ("tcp://[::]:5555", false), ("tcp://[fe80::1]:5555", false), ("tcp://[::ffff:10.0.0.1]:1", false),
            ("tcp://128.0.0.1:1", false), ("tcp://eth0:5555", false), ("tcp://robot.lan:5555", false),
            ("tcp://127.0.0.1.robot.lan:5555", false), ("tcp://localhost.lan:1", false),
            ("tcp://127.0.0.1:0;10.0.0.1:5555", false), ("tcp://", false), ("tcp://:1", false), ("", false),
            ("tcp://[::ffff:127.0.0.1]:1", true), ("tcp://[::ffff:127.9.8.7]:*", true),
            ("tcp://[::ffff:7f00:1]:1", true), ("tcp://[0:0:0:0:0:0:0:1]:1", true),
            ("tcp://[::ffff:0.0.0.0]:1", false), ("tcp://[::127.0.0.1]:1", false), ("tcp://[::2]:1", false),
            ("tcp://[64:ff9b::127.0.0.1]:1", false), ("tcp://[::1%eth0]:1", false), ("tcp://::1:1", false),
            ("udp://127.0.0.1:1", false), ("ws://127.0.0.1:1", false), ("epgm://lo;224.0.0.1:1", false),
        ]
    )
    func scopeOfAnEndpoint(endpoint: String, isLocal: Bool) {
        #expect(EndpointScope.isLocal(endpoint) == isLocal)
    }

    @Test(
        arguments: [
            ("tcp://0.0.0.0:5555", "tcp://10.0.0.1:5557", "tcp://10.0.0.1:5555"),
            ("tcp://[::]:5555", "tcp://[fe80::1]:5557", "tcp://[fe80::1]:5555"),
            ("tcp://[::ffff:0.0.0.0]:5555", "tcp://10.0.0.1:5557", "tcp://10.0.0.1:5555"),
            ("tcp://[::1]:5555", "tcp://[fe80::1]:5557", "tcp://[::1]:5555"),
            ("tcp://0.0.0.0:5555", "ipc:///run/d", "tcp://0.0.0.0:5555"),
            ("tcp://10.0.0.2:5555", "tcp://10.0.0.1:5557", "tcp://10.0.0.2:5555"),
            ("inproc://a", "tcp://10.0.0.1:5557", "inproc://a"),
        ]
    )
    func wildcardIsTheHostThatWasReached(endpoint: String, reached: String, expected: String) {
        #expect(EndpointScope.endpoint(endpoint, ofHostAt: reached) == expected)
    }

    @Test(
        arguments: [
            ("tcp://[::1]:5555", true), ("tcp://[::]:*", true), ("tcp://[fe80::1%eth0]:1", true),
            ("tcp://127.0.0.1:5555", false), ("tcp://*:*", false), ("tcp://localhost:1", false),
            ("tcp://lo:1", false), ("inproc://[::1]:1", false), ("ipc:///tmp/[::1]:1", false),
        ]
    )
    func addressInBracketsNeedsIPv6(endpoint: String, needsIt: Bool) {
        #expect(EndpointScope.needsIPv6(endpoint) == needsIt)
    }

    @Test(
        arguments: [
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5555", true),
            ("tcp://localhost:5555", "tcp://127.0.0.1:5555", true),
            ("tcp://127.0.0.1:5555", "tcp://0.0.0.0:5555", true),
            ("tcp://127.0.0.1:5555", "tcp://*:5555", true),
            ("tcp://127.0.0.1:5555", "tcp://127.0.0.1:5556", false),
            ("tcp://10.0.0.2:5555", "tcp://127.0.0.1:5555", false),
            ("ipc:///tmp/a", "ipc:///tmp/a", true), ("ipc:///tmp/a", "ipc:///tmp/b", false),
            ("tcp://127.0.0.1:5555", "ipc:///tmp/a", false),
        ]
    )
    func aCallReachesWhatListensAtItsPort(called: String, bound: String, isReached: Bool) {
        #expect(EndpointScope.reaches(called, bound) == isReached)
    }
}
