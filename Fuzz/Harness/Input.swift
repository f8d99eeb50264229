import Foundation

/// One input of a fuzzer, as bytes.
///
/// - Parameters:
///   - start: as libFuzzer passes it; may be nil where `count` is 0.
///   - count: the number of bytes.
public func input(_ start: UnsafePointer<UInt8>?, _ count: Int) -> [UInt8] {
    [UInt8](UnsafeBufferPointer(start: start, count: count))
}

/// Ends the fuzzer with `problem` where a rule that must hold for every input does not, so that it keeps the input.
public func require(_ holds: Bool, _ problem: @autoclosure () -> String) {
    if !holds { fail(problem()) }
}

/// Ends the fuzzer, so that it keeps the input. (A failed precondition of an optimised program says nothing.)
public func fail(_ problem: String) -> Never {
    FileHandle.standardError.write(Data("\nfuzz: \(problem)\n".utf8))
    abort()
}

/// The parts of an input between zero bytes, at most `limit` of them: the last keeps its zero bytes.
public func parts(_ input: [UInt8], limit: Int) -> [[UInt8]] {
    input.split(separator: 0, maxSplits: limit - 1, omittingEmptySubsequences: false).map(Array.init)
}

/// An error's text goes into logs, where it must stay on its line and must not fill the disk.
public func requireOneLine(_ error: some Error) {
    let text = "\(error)"
    require(text.utf8.count <= 16_384, "an error of \(text.utf8.count) bytes")
    require(!text.isEmpty, "an error without text")
    for scalar in text.unicodeScalars {
        require(
            scalar.properties.generalCategory != .control,
            "a control character in the error \(text.debugDescription)"
        )
    }
}
