import ArgumentParser
import CameraServers
import ForeignText
import Policy

/// A value of `serve --camera`: `CAMERA=ENDPOINT` or `CAMERA=NAME@ENDPOINT`.
struct CameraSourceOption {
    let source: CameraSource

    init(_ text: String) throws {
        let expected =
            "expected CAMERA=tcp://HOST:PORT, as observation.images.front=tcp://127.0.0.1:5558, "
            + "or CAMERA=NAME@tcp://HOST:PORT with the server's name for the camera"
        guard let equals = text.firstIndex(of: "="), equals > text.startIndex else {
            throw ValidationError(expected)
        }
        var endpoint = text[text.index(after: equals)...]
        var name: String?
        if let scheme = endpoint.range(of: "://"),
            let at = endpoint[..<scheme.lowerBound].lastIndex(of: "@")
        {
            name = String(endpoint[..<at])
            endpoint = endpoint[endpoint.index(after: at)...]
        }
        guard name?.isEmpty != true else { throw ValidationError(expected) }
        source = CameraSource(
            camera: String(text[..<equals]),
            endpoint: try Endpoint.toCall(String(endpoint)),
            name: name
        )
    }

}
