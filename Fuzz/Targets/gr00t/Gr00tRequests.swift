import Harness
import Robotics

@testable import Gr00t
@testable import Wire

/// Requests to the GR00T endpoint, with and without a token.
///
/// The arrays of an accepted observation are finite and fill their shape, and an array that is packed again reads the same.
/// What the observation says in the policy's terms has as many numbers as the policy observes, and frames whose pixels are in the
/// request.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    do throws(MessageError) {
        switch try Gr00tRequest.decode(bytes) {
        case .getAction(let observation, let options):
            check(options)
            for key in observation.keys { array(key, of: observation) }
            for lookback in Gr00tMapping.Lookback.allCases {
                rows(of: observation, lookback, cameras: [], in: bytes)
                rows(of: observation, lookback, cameras: cameras, in: bytes)
            }
        case .reset(let options): check(options)
        case .ping, .getModalityConfig, .kill: break
        }
    } catch {
        requireOneLine(error)
    }
    withToken(bytes)
    npy(bytes)
    return 0
}

/// Nothing but the token lets a request in.
private func withToken(_ bytes: [UInt8]) {
    do throws(MessageError) {
        _ = try Gr00tRequest.decode(bytes, token: "secret")
        let value = try MessagePackDecoder.decode(bytes, limits: Gr00tRequest.limits)
        guard case .map(let map) = value else { fail("a request that is no map") }
        require(map["api_token"] == .string("secret"), "a request without the token is accepted")
    } catch {
        requireOneLine(error)
    }
}

private func check(_ options: Gr00tRequest.Options) {
    guard let robot = options.robot else { return }
    require(RobotID(robot.text) == robot, "a robot id that is none")
}

private func array(_ key: String, of observation: Gr00tObservation) {
    do throws(MessageError) {
        guard let array = try observation.array(key) else { fail("no value under the key \(key)") }
        check(array.elements, array.shape)
        let encoder = MessagePackEncoder()
        array.encode(to: encoder)
        requireSame(array, encoder.bytes)
    } catch {
        requireOneLine(error)
    }
}

private func requireSame(_ array: Gr00tArray, _ packed: [UInt8]) {
    do throws(MessageError) {
        let value = try MessagePackDecoder.decode(packed, limits: Gr00tRequest.limits)
        let again = try Gr00tArray(value, field: "again")
        require(
            again.shape == array.shape && again.form == array.form,
            "\(array.shape) reads as \(again.shape)"
        )
        require(again.elements == array.elements, "an array does not read as what was packed")
    } catch {
        // The largest that is read may have been of one byte for each number; packed, each has four.
        require(error.code == .tooLarge, "a packed array is refused: \(error)")
    }
}

private func check(_ elements: [Float], _ shape: [Int]) {
    require(elements.allSatisfy(\.isFinite), "an element that is not finite")
    require(
        shape.contains(0) ? elements.isEmpty : shape.reduce(1, *) == elements.count,
        "\(elements.count) elements of shape \(shape)"
    )
}

private let cameras = ["front", "wrist"].map {
    CameraDescription(name: "observation.images.\($0)", height: 1, width: 2)
}

private func policy(cameras: [CameraDescription]) -> PolicyDescription {
    PolicyDescription(
        name: "fuzz",
        features: [
            .init(name: "observation.state", count: 3),
            .init(name: "observation.environment_state", count: 2),
        ],
        cameras: cameras,
        horizon: 8,
        nObsSteps: 2,
        nActionSteps: 4,
        actionDim: 2
    )
}

private func rows(
    of observation: Gr00tObservation,
    _ lookback: Gr00tMapping.Lookback,
    cameras: [CameraDescription],
    in bytes: [UInt8]
) {
    let policy = policy(cameras: cameras)
    var mapping = Gr00tMapping(standardFor: policy)
    mapping.observations["observation.state"] = ["arm", "gripper"]
    mapping.observations["observation.environment_state"] = ["x"]
    mapping.lookback = lookback
    do throws(MessageError) {
        let rows = try Gr00tObservationRows(observation, mapping: mapping, policy: policy).rows
        require((1...policy.nObsSteps).contains(rows.count), "\(rows.count) time steps")
        for row in rows {
            for feature in policy.features {
                require(
                    row.values[feature.name]?.count == feature.count,
                    "\(row) lacks numbers of \(feature.name)"
                )
            }
            require(row.frames.count == cameras.count, "\(row.frames.count) frames")
            for camera in cameras { check(row.frames[camera.name], of: camera, in: bytes) }
        }
    } catch {
        requireOneLine(error)
    }
}

private func check(_ frame: CameraFrame?, of camera: CameraDescription, in bytes: [UInt8]) {
    guard case .pixels(let pixels, camera.height, camera.width)? = frame?.content else {
        fail("no frame of \(camera.name)")
    }
    require(bytes.firstRange(of: pixels) != nil, "pixels that nobody sent")
}

/// The bytes as those of a `.npy` file.
private func npy(_ bytes: [UInt8]) {
    do throws(MessageError) {
        let (elements, shape) = try NPYArray.decode(bytes, field: "x")
        check(elements, shape)
    } catch {
        requireOneLine(error)
    }
}
