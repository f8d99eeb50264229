import Foundation
import Pictures
import PushT
import Robotics

@testable import Rendering

/// The pixels of a picture.
struct Pixels {
    let width: Int
    let height: Int
    let colors: [UInt32]

    init(_ canvas: Canvas) throws {
        (width, height) = (canvas.width, canvas.height)
        colors = try canvas.withPixels { pixels in (0..<pixels.count).map { pixels[$0] } }
    }

    /// What libspng makes of a PNG.
    init(png: [UInt8]) throws {
        let header = try PictureHeader(reading: png.span, as: .png)
        var bytes = [UInt8](repeating: 0, count: header.pixelByteCount)
        var decoder = try PictureDecoder()
        var span = bytes.mutableSpan
        try decoder.decode(png.span, header, into: &span)
        (width, height) = (header.width, header.height)
        colors = stride(from: 0, to: bytes.count, by: 3).map { start in
            UInt32(bytes[start]) << 16 | UInt32(bytes[start + 1]) << 8 | UInt32(bytes[start + 2])
        }
    }

    subscript(x: Int, y: Int) -> UInt32 { colors[y * width + x] }

    /// The pixels of one colour in a rectangle.
    func count(_ color: UInt32, x: Range<Int>, y: Range<Int>) -> Int {
        y.reduce(0) { sum, row in sum + x.count { self[$0, row] == color } }
    }

    /// The darkest pixel of a rectangle, as the sum of its channels.
    func darkest(x: Range<Int>, y: Range<Int>) -> UInt32 {
        var lowest = UInt32.max
        for row in y {
            for column in x {
                let color = self[column, row]
                lowest = min(lowest, (color >> 16) + (color >> 8 & 0xff) + (color & 0xff))
            }
        }
        return lowest
    }
}

/// An episode of some control steps in which the agent goes right along the top and the block stays.
func quietEpisode(steps: Int, seed: UInt64? = 7) throws -> EpisodeRecording {
    let simulation = PushTSimulation()
    try simulation.reset(to: [100, 60, 150, 200, 0])
    var recording = EpisodeRecording(of: simulation, seed: seed)
    for step in 0..<steps {
        recording.append(try simulation.step(SIMD2(100 + 4 * Double(min(step, 70)), 60)))
    }
    return recording
}

/// A chunk of places, with some milliseconds of latency.
func chunk(
    _ places: [SIMD2<Float>],
    beyond: [SIMD2<Float>] = [],
    firstStep: UInt64,
    milliseconds: Double,
    actionDim: Int = 2
) -> RobotChunk {
    RobotChunk(
        robot: RobotID("pusht") ?? { preconditionFailure("a valid id") }(),
        episode: .number(7),
        sequence: firstStep,
        timeNs: 0,
        firstStep: firstStep,
        actions: places.flatMap { [$0.x, $0.y] },
        actionSteps: places.count * 2 / actionDim,
        actionDim: actionDim,
        beyond: beyond.flatMap { [$0.x, $0.y] },
        noiseSeed: 0,
        sampling: RobotChunk.Sampling(
            solver: "ddim",
            steps: 2,
            method: .sequential,
            iterations: 2,
            evaluations: 2
        ),
        timing: RobotChunk.Timing(
            stages: RobotChunk.Stages(total: UInt64(milliseconds * 1e6)),
            receivedNs: 0
        )
    )
}

/// What a film's file says of itself, read here byte by byte.
struct FilmHead: Equatable {
    var width = 0
    var height = 0
    /// Of each picture, in milliseconds.
    var durations: [Int] = []
    /// How often it is repeated; 0: for ever. Nil: the file does not say.
    var repeats: Int?
    /// The area of each picture.
    var areas: [Int] = []

    struct Broken: Error {}

    /// Reads the blocks of a GIF 89a.
    init(gif bytes: [UInt8]) throws {
        func number(_ at: Int) -> Int { Int(bytes[at]) | Int(bytes[at + 1]) << 8 }
        guard String(decoding: bytes.prefix(6), as: UTF8.self) == "GIF89a", bytes[10] & 0x80 != 0 else {
            throw Broken()
        }
        (width, height) = (number(6), number(8))
        var at = 13 + 3 << (Int(bytes[10] & 7) + 1)
        func skipBlocks() {
            while bytes[at] != 0 { at += Int(bytes[at]) + 1 }
            at += 1
        }
        while bytes[at] != 0x3b {
            switch (bytes[at], bytes[at + 1]) {
            case (0x21, 0xf9): durations.append(10 * number(at + 4))
            case (0x21, 0xff) where bytes[at + 2] == 11: repeats = number(at + 16)
            case (0x2c, _):
                guard bytes[at + 9] & 0x80 == 0 else { throw Broken() }
                areas.append(number(at + 5) * number(at + 7))
                at += 11
                skipBlocks()
                continue
            default: throw Broken()
            }
            at += 2
            skipBlocks()
        }
        guard at == bytes.count - 1 else { throw Broken() }
    }

    /// Reads the chunks of an extended WebP.
    init(webp bytes: [UInt8]) throws {
        func number(_ at: Int, _ count: Int) -> Int {
            bytes[at..<at + count].reversed().reduce(0) { $0 << 8 | Int($1) }
        }
        func name(_ at: Int) -> String { String(decoding: bytes[at..<at + 4], as: UTF8.self) }
        guard name(0) == "RIFF", number(4, 4) == bytes.count - 8, name(8) == "WEBP" else { throw Broken() }
        var at = 12
        while at < bytes.count {
            let body = at + 8
            switch name(at) {
            case "VP8X": (width, height) = (number(body + 4, 3) + 1, number(body + 7, 3) + 1)
            case "ANIM": repeats = number(body + 4, 2)
            case "ANMF":
                areas.append((number(body + 6, 3) + 1) * (number(body + 9, 3) + 1))
                durations.append(number(body + 12, 3))
            default: break
            }
            let size = number(at + 4, 4)
            at = body + size + size % 2
        }
        guard at == bytes.count else { throw Broken() }
    }
}
