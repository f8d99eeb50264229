/// A message as it came from a socket, frame by frame.
public struct ReceivedMessage: Sendable {
    /// The contents of each frame. A frame longer than the reader takes is left empty.
    public private(set) var frames: [[UInt8]] = []
    /// The bytes that each frame has, also of those that were left empty.
    public private(set) var frameBytes: [Int] = []

    /// A message without frames.
    init() {}

    /// A message of whole frames.
    package init(_ frames: [[UInt8]]) {
        self.frames = frames
        frameBytes = frames.map(\.count)
    }

    /// Whether the contents of a frame were too long to be taken.
    public func isLeftOut(_ index: Int) -> Bool { frames[index].count != frameBytes[index] }

    /// Adds a frame; beyond `limit` bytes its contents are left out.
    mutating func append(_ contents: UnsafeRawBufferPointer, limit: Int) {
        frames.append(contents.count > limit ? [] : [UInt8](contents))
        frameBytes.append(contents.count)
    }
}
