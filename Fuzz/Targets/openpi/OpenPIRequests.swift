import ForeignClients
import Harness
import Robotics

@testable import OpenPI
@testable import Wire

/// Messages to the openpi endpoint.
///
/// What an accepted observation says in the policy's terms has as many numbers as the policy observes, all finite, and frames whose
/// pixels are in the message.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    do throws(MessageError) {
        let request = try OpenPIRequest(bytes)
        if let robot = request.options.robot {
            require(RobotID(robot.text) == robot, "a robot id that is none")
        }
        for lookback in Lookback.allCases {
            for cameras in [[], cameras] { observation(request, lookback, cameras: cameras, in: bytes) }
        }
    } catch {
        requireOneLine(error)
    }
    return 0
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

private let names = ClientNames(
    observations: [
        "observation.state": ["observation/state", "gripper"], "observation.environment_state": ["world"],
    ],
    cameras: ["observation.images.front": "front", "observation.images.wrist": "images/wrist"],
    actions: [.init(key: "actions", dimensions: [0, 1])]
)

private func observation(
    _ request: OpenPIRequest,
    _ lookback: Lookback,
    cameras: [CameraDescription],
    in bytes: [UInt8]
) {
    let policy = policy(cameras: cameras)
    let mapping = OpenPIMapping(names: names, lookback: lookback, resetKey: "first")
    do throws(MessageError) {
        let rows = try OpenPIObservation(request, mapping: mapping, policy: policy).rows
        require((1...policy.nObsSteps).contains(rows.count), "\(rows.count) time steps")
        for row in rows {
            for feature in policy.features {
                let numbers = row.values[feature.name] ?? []
                require(numbers.count == feature.count, "\(row) lacks numbers of \(feature.name)")
                require(numbers.allSatisfy(\.isFinite), "a number that is not finite")
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
