import Foundation
import Glibc
import Testing
import Transport

@testable import Transport

/// What happens to whatever lies at the path of an `ipc` endpoint.
@Suite struct IPCPathTests {
    let context: ZeroMQContext
    let folder: TemporaryFolder
    var path: String { "\(folder.path)/socket" }
    var endpoint: String { "ipc://\(path)" }

    init() throws {
        context = try ZeroMQContext()
        folder = try TemporaryFolder()
    }

    @discardableResult
    private func bound(_ endpoint: String) throws -> ZeroMQSocket {
        let socket = try ZeroMQSocket(.router, context: context)
        _ = try socket.bind(endpoint)
        return socket
    }

    /// Whether a message from a socket that connects arrives.
    private func answers(_ router: ZeroMQSocket, at endpoint: String) throws -> Bool {
        let dealer = try ZeroMQSocket(.dealer, context: context)
        _ = try dealer.connect(endpoint)
        try dealer.send([[7]])
        guard try ZeroMQSocket.wait(for: [router], timeout: .seconds(10))[0] else { return false }
        return try router.receive(maximumFrames: 2)?.last == [7]
    }

    @Test func aSocketThatAnswersIsLeftToItsOwner() throws {
        let first = try bound(endpoint)
        let error = #expect(throws: ZeroMQError.self) { try bound(endpoint) }
        #expect(
            error?.description
                == "bind \(endpoint): Address already in use: another socket of this process listens there"
        )
        #expect(error?.code == EADDRINUSE)
        // Another name of the same place.
        #expect(throws: ZeroMQError.self) { try bound("ipc://\(folder.path)/./socket") }
        #expect(try answers(first, at: endpoint))
    }

    @Test func anotherProcessIsNamed() throws {
        let python = Process()
        python.executableURL = URL(filePath: "/usr/bin/env")
        python.arguments = [
            "python3", "-c",
            """
            import socket, sys
            listener = socket.socket(socket.AF_UNIX)
            listener.bind(sys.argv[1])
            listener.listen()
            print("listening", flush=True)
            sys.stdin.read()
            """,
            path,
        ]
        let (input, output) = (Pipe(), Pipe())
        python.standardInput = input
        python.standardOutput = output
        try python.run()
        defer {
            try? input.fileHandleForWriting.close()
            python.waitUntilExit()
        }
        // Between its bind and its listen it is not there yet.
        try #require(output.fileHandleForReading.read(upToCount: 1)?.count == 1)
        let error = #expect(throws: ZeroMQError.self) { try bound(endpoint) }
        #expect(error?.description.contains("another process (") == true, "\(String(describing: error))")
        #expect(error?.description.hasSuffix(" listens there") == true)
    }

    @Test(arguments: ["a regular file", "a folder", "a symbolic link", "a named pipe"])
    func whatIsNoSocketIsLeft(kind: String) throws {
        switch kind {
        case "a regular file": try folder.write("precious", to: "socket")
        case "a folder":
            try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: false)
        case "a symbolic link": #expect(symlink("elsewhere", path) == 0)
        default: #expect(mkfifo(path, 0o600) == 0)
        }
        var before = stat()
        #expect(lstat(path, &before) == 0)
        let error = #expect(throws: ZeroMQError.self) { try bound(endpoint) }
        #expect(
            error?.description
                == "bind \(endpoint): File exists: \(path) is \(kind), expected nothing or the socket of a program that "
                + "has ended"
        )
        var after = stat()
        #expect(lstat(path, &after) == 0)
        #expect(before.st_ino == after.st_ino)
    }

    @Test func whatAProgramLeftThatHasEndedIsReplaced() throws {
        // As after a kill: the name stays, and nobody listens.
        let left = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        let code = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Glibc.bind(left, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        #expect(code == 0)
        close(left)
        #expect(try folder.names == ["socket"])
        let router = try bound(endpoint)
        #expect(try answers(router, at: endpoint))
    }

    @Test func otherNamesGoOnWorking() throws {
        let name = "ipc://@denoised-tests-\(UInt64.random(in: 0 ... .max))"
        let router = try bound(name)
        #expect(try answers(router, at: name))
        let error = #expect(throws: ZeroMQError.self) { try bound(name) }
        #expect(error?.code == EADDRINUSE)
        let any = try ZeroMQSocket(.router, context: context)
        let found = try any.bind("ipc://*")
        #expect(try answers(any, at: found))
    }

    @Test func aPathThatIsTooLongIsNamed() throws {
        let longest = IPCPath.mostBytes
        #expect(longest == 107)
        let path = folder.path + "/" + String(repeating: "x", count: longest - folder.path.utf8.count)
        let socket = try ZeroMQSocket(.router, context: context)
        let detail = "the path has 108 bytes, expected at most 107"
        let bind = #expect(throws: ZeroMQError.self) { try socket.bind("ipc://\(path)") }
        #expect(bind?.description == "bind ipc://\(path): File name too long: \(detail)")
        let connect = #expect(throws: ZeroMQError.self) { try socket.connect("ipc://\(path)") }
        #expect(connect?.description == "connect ipc://\(path): File name too long: \(detail)")
        _ = try bound("ipc://\(path.dropLast())")
    }
}
