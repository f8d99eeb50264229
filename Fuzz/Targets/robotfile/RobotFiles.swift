import Harness

@testable import Limits
@testable import RobotDescription

/// Robot files. What is accepted limits what it says it limits: a limiter made from it lets nothing out that is not finite or
/// outside its range.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    guard bytes.count <= RobotFile.longestFile, let text = String(validating: bytes, as: UTF8.self) else {
        return 0
    }
    let file: RobotFile
    do throws(RobotFileError) {
        file = try RobotFile(text)
    } catch {
        require(!error.message.isEmpty, "an error without text")
        require(error.description.utf8.count <= 4096, "an error of \(error.description.utf8.count) bytes")
        require(
            !error.description.unicodeScalars.contains { $0.properties.generalCategory == .control },
            "an error with control characters: \(error.description.debugDescription)"
        )
        return 0
    }
    let dimensions = file.limits.dimensions
    require(!dimensions.isEmpty && Set(dimensions.map(\.name)).count == dimensions.count, "\(dimensions)")
    require(file.controlHz > 0 && file.commandHz >= file.controlHz, "\(file.controlHz), \(file.commandHz)")
    require((file.commandHz / file.controlHz).isFinite, "\(file.commandHz) / \(file.controlHz)")

    let period = 1 / file.commandHz
    var limiter = CommandLimiter(file.limits, period: period)
    // From one end to the other, and to where no limit reaches.
    let targets: [Float] = [0, 1, -1, 1e30, -1e30, .nan, 0.5, .infinity, 100]
    for value in targets {
        let target = [Float](repeating: value, count: dimensions.count)
        for command in [limiter.next(towards: target, after: period), limiter.brake(after: period)] {
            guard let action = command?.action else { continue }
            for (dimension, value) in zip(dimensions, action) {
                require(value.isFinite, "\(dimension) is \(value)")
                require(dimension.range.contains(value), "\(dimension) is \(value)")
            }
        }
    }
    return 0
}
