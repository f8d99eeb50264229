import ForeignText
import Robotics

/// The extents of an array of consecutive control steps: those of a batch, which may be left out, and of time come first.
struct Gr00tSteps {
    /// The extents as they were sent.
    let shape: [Int]
    /// The number of time steps, at least 1.
    let count: Int
    /// Whether the first extent is that of a batch.
    let isBatched: Bool

    /// Reads extents.
    /// - Parameters:
    ///   - mayLackBatch: whether the client may leave out the extent of the batch.
    ///   - step: the extents of one time step, as errors tell them.
    ///   - fits: whether the extents of one time step can be used.
    /// - Throws: `MessageError` `bad_array` that tells the shape and what is expected.
    init(
        _ shape: [Int],
        mayLackBatch: Bool,
        step: [String],
        hint: String = "",
        field: String,
        fits: (ArraySlice<Int>) -> Bool = { _ in true }
    ) throws(MessageError) {
        self.shape = shape
        isBatched = shape.count == step.count + 2
        guard isBatched || mayLackBatch && shape.count == step.count + 1,
            shape[shape.count - step.count - 1] > 0, fits(shape.suffix(step.count))
        else {
            let batchless = (["time steps"] + step).joined(separator: ", ")
            throw MessageError(
                .badArray,
                field: field,
                "shape \(shape), expected \(mayLackBatch ? "[\(batchless)] or " : "")[1, \(batchless)]\(hint)"
            )
        }
        count = shape[shape.count - step.count - 1]
        guard !isBatched || shape[0] == 1 else {
            throw MessageError(
                .badArray,
                field: field,
                "a batch of \(shape[0]), expected 1: a request is for one robot"
            )
        }
    }

    /// Checks that another array has as many time steps, and a batch dimension if this one has one.
    ///
    /// - Parameter key: the key of this array, for errors.
    /// - Throws: `MessageError` `bad_array` at the field of the other one.
    func check(_ other: Gr00tSteps, key: String, field: String) throws(MessageError) {
        let key = printable(key, limit: 64)
        guard other.isBatched == isBatched else {
            throw MessageError(
                .badArray,
                field: field,
                "shape \(other.shape), but \(shape) in \(key): expected a batch dimension in all arrays or in none"
            )
        }
        guard other.count == count else {
            throw MessageError(
                .badArray,
                field: field,
                "time steps: \(other.count), but \(count) in \(key): expected the same in all arrays"
            )
        }
    }
}

/// The numbers of one array at consecutive control steps.
struct Gr00tNumbers {
    /// The extents.
    let steps: Gr00tSteps
    /// How many numbers a time step has.
    let size: Int
    /// How they were packed.
    let form: Gr00tArray.Form
    private let elements: [Float]

    /// Reads the array under a key.
    /// - Throws: `MessageError` that names the array, what was found and what is expected.
    init(_ key: String, in observation: Gr00tObservation) throws(MessageError) {
        let field = observation.field(key)
        guard let array = try observation.array(key) else {
            throw MessageError(.missingFeature, field: field, "missing; \(observation.content)")
        }
        (elements, form) = (array.elements, array.form)
        steps = try Gr00tSteps(
            array.shape,
            mayLackBatch: observation.version == .n15,
            step: ["numbers"],
            field: field
        )
        size = array.shape[array.shape.count - 1]
    }

    /// The numbers of a time step, from 0 to ``Gr00tSteps/count`` - 1.
    subscript(step: Int) -> ArraySlice<Float> { elements[step * size..<(step + 1) * size] }
}

/// The frames of one camera at consecutive control steps.
struct Gr00tVideo {
    /// The extents.
    let steps: Gr00tSteps
    private let camera: CameraDescription
    private let pixels: ArraySlice<UInt8>

    /// Reads the array under a key: `|u1` of shape [1, T, height, width, 3], in the camera's size.
    ///
    /// No pixel is copied.
    /// - Throws: `MessageError` that names the array, what was found and what is expected.
    init(_ key: String, of camera: CameraDescription, in observation: Gr00tObservation) throws(MessageError) {
        let field = observation.field(key, in: "video")
        guard let array = try observation.video(key) else {
            throw MessageError(
                .missingFeature,
                field: field,
                "missing, expected the frames of camera \(camera.name); \(observation.content); gr00t.cameras in the robot "
                    + "file can name another key"
            )
        }
        let size = [camera.height, camera.width, 3]
        guard array.dtype == "|u1" else {
            throw MessageError(
                .badArray,
                field: "\(array.field).\(array.typeName)",
                "found \"\(printable(array.dtype, limit: 32))\", expected |u1 for the frames of a camera"
            )
        }
        steps = try Gr00tSteps(
            array.shape,
            mayLackBatch: observation.version == .n15,
            step: size.map(String.init),
            hint: ": frames are not resized",
            field: field
        ) { $0.elementsEqual(size) }
        guard array.data.count % camera.byteCount == 0, array.data.count / camera.byteCount == steps.count
        else {
            throw MessageError(
                .badArray,
                field: "\(array.field).data",
                "\(array.data.count) bytes; shape \(array.shape) of |u1 needs 1 byte for each element"
            )
        }
        (self.camera, pixels) = (camera, array.data)
    }

    /// The frame of a time step, from 0 to ``Gr00tSteps/count`` - 1.
    subscript(step: Int) -> CameraFrame {
        let start = pixels.startIndex + step * camera.byteCount
        return CameraFrame(
            height: camera.height,
            width: camera.width,
            pixels: Array(pixels[start..<start + camera.byteCount])
        )
    }
}

extension Gr00tObservation {
    /// The first of its keys, for errors.
    fileprivate var content: String {
        let there = keys.prefix(16).map { printable($0, limit: 64) }.joined(separator: ", ")
        return "the observation has \(there.isEmpty ? "nothing" : there)"
    }
}
