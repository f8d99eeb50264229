/// The picture that a robot's camera would give: gym-pusht's `pixels`, equal to it byte for byte.
///
/// gym-pusht draws the table, 512 by 512 pixels, with pygame and resamples it with OpenCV; so does this. The
/// contacts of the last physics step show in it as short red lines. It owns its buffers; drawing into a
/// caller's memory allocates nothing after the first frame. Used by one thread at a time, the one that uses the
/// simulation.
public final class FrameRenderer {
    /// Pixels of the longest side that a frame, or the world drawn for it, may have.
    public static let longestSide = 4096

    /// Whose table is drawn.
    public let simulation: PushTSimulation

    private let table: TableDrawing
    private let resampling: BilinearResampling

    /// A renderer of a simulation's table, whatever episode it plays.
    /// - Parameters:
    ///   - simulation: what is drawn.
    ///   - width: pixels in a row, gym-pusht's `observation_width`.
    ///   - height: rows, gym-pusht's `observation_height`.
    /// - Throws: ``PushTError`` for a side that is not in 1...``longestSide``, or a larger world.
    public init(of simulation: PushTSimulation, width: Int = 96, height: Int = 96) throws(PushTError) {
        for (side, pixels) in [("width", width), ("height", height)]
        where !(1...Self.longestSide).contains(pixels) {
            throw .frame(component: side, value: "\(pixels)", expected: "pixels in 1...\(Self.longestSide)")
        }
        let world = simulation.scenario.world.size
        guard max(world.x, world.y) <= Double(Self.longestSide) else {
            throw .frame(
                component: "world",
                value: "\(world.x) x \(world.y)",
                expected: "at most \(Self.longestSide) pixels a side"
            )
        }
        self.simulation = simulation
        table = TableDrawing(simulation.scenario)
        resampling = BilinearResampling(
            sourceWidth: table.canvas.width,
            sourceHeight: table.canvas.height,
            width: width,
            height: height
        )
    }

    /// Pixels in a row.
    public var width: Int { resampling.width }

    /// Rows.
    public var height: Int { resampling.height }

    /// Bytes of a frame: `height` x `width` x 3.
    public var byteCount: Int { height * width * 3 }

    /// Overwrites a frame with the table as it is: [height, width, 3], rows from the top, red, green, blue.
    ///
    /// - Parameter frame: `byteCount` bytes.
    public func draw(into frame: inout MutableSpan<UInt8>) {
        precondition(frame.count == byteCount, "the frame has \(frame.count) bytes, expected \(byteCount)")
        table.draw(simulation.world)
        resampling.resample(table.canvas, into: &frame)
    }

    /// The table as it is, in new memory: [height, width, 3], rows from the top, red, green, blue.
    public func frame() -> [UInt8] {
        var frame = [UInt8](repeating: 0, count: byteCount)
        var span = frame.mutableSpan
        draw(into: &span)
        return frame
    }
}
