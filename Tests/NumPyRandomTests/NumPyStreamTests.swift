import Foundation
import NumPyRandom
import Testing

/// Draws recorded from NumPy; words are decimal text and doubles hexadecimal text.
struct Recording: Decodable {
    struct Stream: Decodable, CustomTestStringConvertible {
        let entropy: [String]
        let state32: [String]
        let state64: [String]
        let raw: [String]
        let doubles: [String]
        let mixed: [String]

        var testDescription: String { "entropy \(entropy)" }
        var sequence: SeedSequence { SeedSequence(entropy: entropy.compactMap { UInt64($0) }) }
    }

    let ranges: [[String]]
    let streams: [Stream]

    static let numpy: Recording = {
        do {
            guard let url = Bundle.module.url(forResource: "Resources/numpy_random", withExtension: "json")
            else {
                throw CocoaError(.fileNoSuchFile)
            }
            return try JSONDecoder().decode(Recording.self, from: Data(contentsOf: url))
        } catch {
            Issue.record("the NumPy recording cannot be read: \(error)")
            return Recording(ranges: [], streams: [])
        }
    }()
}

@Suite struct NumPyStreamTests {
    @Test func recordingIsWhole() {
        #expect(Recording.numpy.streams.count == 10)
        #expect(Recording.numpy.ranges.count == 9)
    }

    @Test(arguments: Recording.numpy.streams)
    func seedSequenceState(stream: Recording.Stream) {
        let sequence = stream.sequence
        #expect(sequence.generateState(words32: stream.state32.count).map(String.init) == stream.state32)
        #expect(sequence.generateState(words64: stream.state64.count).map(String.init) == stream.state64)
    }

    @Test(arguments: Recording.numpy.streams)
    func rawWords(stream: Recording.Stream) {
        var generator = PCG64(stream.sequence)
        #expect(stream.raw.map { _ in String(generator.next()) } == stream.raw)
    }

    @Test(arguments: Recording.numpy.streams)
    func doubles(stream: Recording.Stream) {
        var generator = PCG64(stream.sequence)
        #expect(stream.doubles.map { _ in generator.nextDouble() } == stream.doubles.map { Double($0) })
    }

    /// Integers take 32 or 64 bits by the width of their range, and a spare half waits across the doubles.
    @Test(arguments: Recording.numpy.streams)
    func integersAndUniformsInterleaved(stream: Recording.Stream) throws {
        var generator = PCG64(stream.sequence)
        for (index, expected) in stream.mixed.enumerated() {
            if index.isMultiple(of: 2) {
                let bounds = Recording.numpy.ranges[index / 2 % Recording.numpy.ranges.count]
                let low = try #require(Int(bounds[0]))
                let high = try #require(Int(bounds[1]))
                #expect(String(generator.integer(in: low..<high)) == expected, "draw \(index)")
            } else {
                #expect(generator.uniform(low: -.pi, high: .pi) == Double(expected), "draw \(index)")
            }
        }
    }

    @Test(arguments: [0, 100_000, 0xffff_ffff, 0x1_0000_0000, UInt64.max])
    func seedIsEntropyOfOneNumber(seed: UInt64) {
        var seeded = PCG64(seed: seed)
        var sequenced = PCG64(SeedSequence(entropy: [seed]))
        #expect((0..<8).allSatisfy { _ in seeded.next() == sequenced.next() })
    }
}
