import Networks
import Pictures
import Robotics

/// Turns the frames of histories into the numbers that the network is conditioned on.
///
/// A frame is encoded once: its features are kept until those of newer frames need the room. So a history costs what its new
/// frames cost. What a frame becomes depends on it alone, so a chunk does not depend on what was kept.
///
/// One thread at a time may use it. All memory is taken when it is created. Encoding pixels allocates nothing, except within
/// OpenBLAS if that runs on several threads; libjpeg and libspng allocate while they decode a picture.
final class FrameEncoder {
    /// Numbers that a frame becomes.
    let featureCount: Int
    private let encoders: [ResNetEncoder]
    private let encoderOfCamera: [Int]
    private let preparations: [FramePreparation]
    private let cameras: [CameraFeature]
    private var memory: Memory

    /// - Parameters:
    ///   - encoders: one, or one for each camera.
    ///   - encoderOfCamera: the index of each camera's encoder.
    ///   - preparations: one for each camera.
    ///   - cameras: their names and sizes.
    ///   - capacity: frames whose features are kept, at least 1.
    init(
        encoders: [ResNetEncoder],
        encoderOfCamera: [Int],
        preparations: [FramePreparation],
        cameras: [CameraFeature],
        capacity: Int
    ) {
        self.encoders = encoders
        self.encoderOfCamera = encoderOfCamera
        self.preparations = preparations
        self.cameras = cameras
        featureCount = encoders[0].featureCount
        memory = Memory(
            pixels: cameras.map(\.size.count).max() ?? 0,
            scratch: preparations.map(\.scratchCount).max() ?? 0,
            frame: preparations[0].output.count,
            features: featureCount,
            capacity: capacity
        )
    }

    /// Writes the features of a step's frames, one camera after the other.
    ///
    /// - Parameter range: as many numbers of the condition as all cameras' features are.
    /// - Throws: `ActionChunkError.badPicture` for the first picture that cannot be decoded.
    func encode(
        _ history: ObservationHistory,
        step: Int,
        into condition: inout [Float],
        at range: Range<Int>
    ) throws(ActionChunkError) {
        precondition(range.count == preparations.count * featureCount, "features have another place")
        for camera in preparations.indices {
            let slot = try encode(history, camera: camera, step: step)
            let first = range.lowerBound + camera * featureCount
            for index in 0..<featureCount {
                condition[first + index] = memory.kept[slot * featureCount + index]
            }
        }
    }

    /// Encodes a frame unless its features are kept.
    ///
    /// - Returns: the slot of its features.
    /// - Throws: `ActionChunkError.badPicture`.
    @discardableResult
    func encode(_ history: ObservationHistory, camera: Int, step: Int) throws(ActionChunkError) -> Int {
        let frame = history.frame(camera: camera, step: step)
        do throws(PictureError) {
            return try memory.features(
                of: frame,
                camera: camera,
                by: encoders[encoderOfCamera[camera]],
                preparation: preparations[camera]
            )
        } catch {
            throw .badPicture(
                camera: cameras[camera].name,
                frame: frame.number,
                reason: error.description
            )
        }
    }

    /// Bytes of the encoders' weights.
    var weightBytes: Int { encoders.reduce(0) { $0 + $1.weightBytes } }

    /// Stops the encoders' worker threads from spinning.
    func rest() { for encoder in encoders { encoder.rest() } }

    /// The features that are kept, and the room for encoding a frame.
    ///
    /// A struct of its own: a class could not hold spans of its own arrays while it makes a call.
    private struct Memory: ~Copyable {
        /// A frame whose features are kept. The same frame may come from two cameras.
        struct Key: Equatable {
            let frame: UInt64
            let camera: Int
        }

        /// [capacity, features]
        var kept: [Float]
        private var keys: [Key?]
        /// When each slot was used last.
        private var uses: [UInt64]
        private var useCount: UInt64 = 0
        /// Made for the first picture.
        private var decoder: PictureDecoder?
        /// Of a picture; the first are in use.
        private var pixels: [UInt8]
        private var scratch: [Float]
        private var prepared: [Float]
        /// The features of one frame.
        private var encoded: [Float]

        init(pixels: Int, scratch: Int, frame: Int, features: Int, capacity: Int) {
            self.pixels = [UInt8](repeating: 0, count: pixels)
            self.scratch = [Float](repeating: 0, count: scratch)
            self.prepared = [Float](repeating: 0, count: frame)
            self.encoded = [Float](repeating: 0, count: features)
            self.kept = [Float](repeating: 0, count: capacity * features)
            self.keys = [Key?](repeating: nil, count: capacity)
            self.uses = [UInt64](repeating: 0, count: capacity)
        }

        /// The slot of a frame's features, which are computed unless they are kept.
        ///
        /// - Throws: if it is a picture that cannot be decoded. Nothing is kept for it then.
        mutating func features(
            of frame: CameraFrame,
            camera: Int,
            by encoder: ResNetEncoder,
            preparation: FramePreparation
        ) throws(PictureError) -> Int {
            let key = Key(frame: frame.number, camera: camera)
            let slot = keys.firstIndex(of: key) ?? oldest
            useCount += 1
            uses[slot] = useCount
            guard keys[slot] != key else { return slot }
            keys[slot] = nil
            switch frame.content {
            case .pixels(let pixels, _, _):
                Self.prepare(pixels, preparation, scratch: &scratch, into: &prepared)
            case .picture(let bytes, let format):
                if decoder == nil { decoder = try PictureDecoder() }
                try Self.decode(
                    bytes,
                    PictureFormat(format),
                    by: &decoder,
                    into: &pixels,
                    count: preparation.input.count
                )
                Self.prepare(pixels, preparation, scratch: &scratch, into: &prepared)
            }
            keys[slot] = key
            Self.encode(prepared, by: encoder, into: &encoded)
            for index in encoded.indices { kept[slot * encoded.count + index] = encoded[index] }
            return slot
        }

        /// Decodes a picture into the first `count` bytes of `pixels`.
        private static func decode(
            _ bytes: [UInt8],
            _ format: PictureFormat,
            by decoder: inout PictureDecoder?,
            into pixels: inout [UInt8],
            count: Int
        ) throws(PictureError) {
            let header = try PictureHeader(reading: bytes.span, as: format)
            var span = pixels.mutableSpan
            var picture = span._mutatingExtracting(first: count)
            try decoder?.decode(bytes.span, header, into: &picture)
        }

        /// The slot that was used longest ago.
        private var oldest: Int {
            uses.indices.reduce(0) { uses[$1] < uses[$0] ? $1 : $0 }
        }

        /// Writes into arrays that the caller lends one by one, so that each may have a span.
        private static func prepare(
            _ pixels: [UInt8],
            _ preparation: FramePreparation,
            scratch: inout [Float],
            into prepared: inout [Float]
        ) {
            var scratch = scratch.mutableSpan
            var prepared = prepared.mutableSpan
            preparation.prepare(
                pixels.span.extracting(first: preparation.input.count),
                scratch: &scratch,
                into: &prepared
            )
        }

        private static func encode(
            _ prepared: [Float],
            by encoder: ResNetEncoder,
            into encoded: inout [Float]
        ) {
            var encoded = encoded.mutableSpan
            encoder.encode(prepared.span, into: &encoded)
        }
    }
}
