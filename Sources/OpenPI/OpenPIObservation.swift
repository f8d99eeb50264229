import ForeignClients
import ForeignText
import Robotics
import Wire

/// A client's observation in the policy's terms.
package struct OpenPIObservation: Sendable {
    /// The numbers of each feature and the frame of each camera at each time step, oldest first: at most as many as the policy
    /// looks back on, at least one.
    package private(set) var rows: [Observation] = []
    /// Whether a new episode begins with it.
    package private(set) var beginsEpisode: Bool
    /// Which robot the client says it speaks for.
    package let robot: RobotID?
    /// The seed of the sampling noise, if the client gives one.
    package let noiseSeed: UInt64?
    /// The keys that mean nothing to the policy, sorted.
    package let ignoredKeys: [String]

    /// The extents of time of the array that was read first: the others must have the same.
    private var first: (key: String, steps: OpenPISteps)?
    /// The longest array whose numbers are unpacked, in bytes.
    private static let longestBytes = 1 << 19

    /// Reads the arrays that the mapping asks for: those of features of shape [D] or [T, D], those of cameras of shape
    /// [height, width, 3] or [T, height, width, 3], with the T of all the same, or none in any. A single number stands for [1].
    /// - Throws: `MessageError` that names the key, what was found and what is expected.
    package init(
        _ request: OpenPIRequest,
        mapping: OpenPIMapping,
        policy: PolicyDescription
    ) throws(MessageError) {
        robot = request.options.robot ?? mapping.robot
        noiseSeed = request.options.noiseSeed
        ignoredKeys = request.keys.filter { !mapping.knows($0) }
        beginsEpisode = request.options.beginsEpisode
        if let key = mapping.resetKey, let value = request.values[key] {
            beginsEpisode = try Self.flag(value, key: key) || beginsEpisode
        }
        for feature in policy.features {
            try read(feature, keys: mapping.names.observations[feature.name] ?? [], of: policy, in: request)
        }
        var videos: [(camera: String, video: OpenPIVideo)] = []
        for camera in policy.cameras {
            let key = mapping.names.cameras[camera.name] ?? camera.name
            let video = try OpenPIVideo(key, of: camera, in: request)
            try check(video.steps, key: key, of: policy)
            videos.append((camera.name, video))
        }
        // No pixel is copied before all arrays are known to fit.
        for (camera, video) in videos {
            for row in rows.indices {
                rows[row].frames[camera] = video[video.steps.count - rows.count + row]
            }
        }
        guard mapping.lookback.complete(&rows, steps: policy.nObsSteps) else {
            throw MessageError(
                .badArray,
                field: OpenPIRequest.field(first?.key ?? ""),
                "time steps: \(rows.count), expected at least \(policy.nObsSteps), one for each control step that the policy "
                    + "looks back on, as an array [\(policy.nObsSteps), ...]; for a client that sends one step at a time, set "
                    + "openpi.lookback in the robot file to repeated or calls"
            )
        }
    }

    /// A value that is true or false, a number that is 0 or not, or NumPy's forms of these, alone or as an array of one.
    private static func flag(_ value: MessagePackValue, key: String) throws(MessageError) -> Bool {
        let field = OpenPIRequest.field(key)
        var value = value
        if case .map(let map) = value, NumericArray.isArray(map), !NumPyScalar.isScalar(map) {
            let array = try NumericArray.Parts(map, field: field)
            if array.dtype == "|b1", array.data.count == 1 { return array.data[0] != 0 }
            let numbers = try NumericArray.decode(value, field: field).elements
            if numbers.count == 1 { return numbers[0] != 0 }
        }
        value = try NumPyScalar.unwrap(value, field: field)
        if case .array(let elements) = value, elements.count == 1 { value = elements[0] }
        if case .bool(let flag) = value { return flag }
        if let number = value.number { return number != 0 }
        if case .null = value { return false }
        throw MessageError(.wrongType, field: field, "found \(value.summary), expected true or false")
    }

    /// Puts a feature's numbers into the rows.
    private mutating func read(
        _ feature: FeatureDescription,
        keys: [String],
        of policy: PolicyDescription,
        in request: OpenPIRequest
    ) throws(MessageError) {
        var width = 0
        for key in keys {
            let (elements, shape) = try Self.numbers(key, in: request)
            let steps = try OpenPISteps(shape, step: ["numbers"], field: OpenPIRequest.field(key))
            try check(steps, key: key, of: policy)
            let size = shape[shape.count - 1]
            for row in rows.indices {
                let start = (steps.count - rows.count + row) * size
                rows[row].values[feature.name, default: []] += elements[start..<start + size]
            }
            width += size
        }
        guard width == feature.count else {
            let names = keys.map { printable($0, limit: 64) }.joined(separator: ", ")
            throw MessageError(
                .badArray,
                field: OpenPIRequest.field(keys.first ?? feature.name),
                "\(keys.count > 1 ? "\(names): " : "")\(width) numbers in the last dimension, expected "
                    + "\(feature.count) for \(feature.name)"
            )
        }
    }

    /// The numbers under a key, and their shape, which has one extent at least.
    private static func numbers(
        _ key: String,
        in request: OpenPIRequest
    ) throws(MessageError) -> (elements: [Float], shape: [Int]) {
        let field = OpenPIRequest.field(key)
        guard let value = request.values[key] else {
            throw MessageError(
                .missingFeature,
                field: field,
                "missing; \(request.content); openpi.observations in the robot file can name another key"
            )
        }
        var scalar = value
        if case .map(let map) = value {
            if NumPyScalar.isScalar(map) {
                scalar = try NumPyScalar.unwrap(value, field: field)
            } else if case .binary(let data)? = map["data"], data.count > longestBytes {
                throw MessageError(
                    .tooLarge,
                    field: "\(field).data",
                    "\(data.count) bytes; at most \(longestBytes) are unpacked"
                )
            }
        }
        if scalar.number != nil { return try NumericArray.decode(.array([scalar]), field: field) }
        return try NumericArray.decode(value, field: field)
    }

    /// Checks an array against the first one, which says how many rows there are.
    private mutating func check(
        _ steps: OpenPISteps,
        key: String,
        of policy: PolicyDescription
    ) throws(MessageError) {
        if let first {
            try first.steps.check(steps, key: first.key, field: OpenPIRequest.field(key))
        } else {
            first = (key, steps)
            rows = Array(repeating: Observation(values: [:]), count: min(steps.count, policy.nObsSteps))
        }
    }
}

/// The extents of an array of one control step, or of several that follow each other, of which the first extent is the number.
struct OpenPISteps {
    /// The extents as they were sent.
    let shape: [Int]
    /// The number of time steps, at least 1.
    let count: Int
    /// Whether the first extent is that of time.
    let hasTime: Bool

    /// Reads extents.
    /// - Parameters:
    ///   - step: the extents of one time step, as errors tell them.
    ///   - hint: what errors say besides.
    ///   - fits: whether the extents of one time step can be used.
    /// - Throws: `MessageError` `bad_array` that tells the shape and what is expected.
    init(
        _ shape: [Int],
        step: [String],
        hint: String = "",
        field: String,
        fits: (ArraySlice<Int>) -> Bool = { _ in true }
    ) throws(MessageError) {
        self.shape = shape
        hasTime = shape.count == step.count + 1
        guard hasTime || shape.count == step.count, !hasTime || shape[0] > 0, fits(shape.suffix(step.count))
        else {
            let one = step.joined(separator: ", ")
            throw MessageError(
                .badArray,
                field: field,
                "shape \(shape), expected [\(one)] or [time steps, \(one)]\(hint)"
            )
        }
        count = hasTime ? shape[0] : 1
    }

    /// Checks that another array has as many time steps, and an extent of time if this one has one.
    ///
    /// - Parameter key: the key of this array, for errors.
    /// - Throws: `MessageError` `bad_array` at the field of the other one.
    func check(_ other: OpenPISteps, key: String, field: String) throws(MessageError) {
        guard other.hasTime == hasTime, other.count == count else {
            throw MessageError(
                .badArray,
                field: field,
                "shape \(other.shape), but \(shape) in \(printable(key, limit: 64)): expected the same number of time steps in "
                    + "all arrays, or none in any"
            )
        }
    }
}

/// The frames of one camera at consecutive control steps.
struct OpenPIVideo {
    /// The extents.
    let steps: OpenPISteps
    private let camera: CameraDescription
    private let pixels: [UInt8]

    /// Reads the array under a key: `|u1` of shape [height, width, 3] or [T, height, width, 3], in the camera's size.
    ///
    /// No pixel is copied.
    /// - Throws: `MessageError` that names the array, what was found and what is expected.
    init(_ key: String, of camera: CameraDescription, in request: OpenPIRequest) throws(MessageError) {
        let field = OpenPIRequest.field(key)
        guard let value = request.values[key] else {
            throw MessageError(
                .missingFeature,
                field: field,
                "missing, expected the frame of camera \(camera.name); \(request.content); openpi.cameras in the robot file "
                    + "can name another key"
            )
        }
        guard case .map(let map) = value, NumericArray.isArray(map) else {
            throw MessageError(
                .wrongType,
                field: field,
                "found \(value.summary), expected an array of |u1 of the frame of camera \(camera.name)"
            )
        }
        let array = try NumericArray.Parts(map, field: field)
        guard array.dtype == "|u1" else {
            throw MessageError(
                .badArray,
                field: "\(field).\(array.typeName)",
                "found \"\(printable(array.dtype, limit: 32))\", expected |u1 for the frame of a camera; "
                    + "openpi_client.image_tools.convert_to_uint8 makes it so"
            )
        }
        let size = [camera.height, camera.width, 3]
        let isTurned = array.shape.suffix(3).elementsEqual([3, camera.height, camera.width])
        steps = try OpenPISteps(
            array.shape,
            step: size.map(String.init),
            hint: isTurned ? ": colours come last" : ": frames are not resized",
            field: field
        ) { $0.elementsEqual(size) }
        guard array.data.count % camera.byteCount == 0, array.data.count / camera.byteCount == steps.count
        else {
            throw MessageError(
                .badArray,
                field: "\(field).data",
                "\(array.data.count) bytes; shape \(array.shape) of |u1 needs 1 byte for each element"
            )
        }
        (self.camera, pixels) = (camera, array.data)
    }

    /// The frame of a time step, from 0 to ``OpenPISteps/count`` - 1.
    subscript(step: Int) -> CameraFrame {
        let start = step * camera.byteCount
        let one = steps.count == 1 ? pixels : Array(pixels[start..<start + camera.byteCount])
        return CameraFrame(height: camera.height, width: camera.width, pixels: one)
    }
}
