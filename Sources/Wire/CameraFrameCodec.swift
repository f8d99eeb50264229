import ForeignText
import Robotics

extension CameraFrame {
    /// Reads a frame: an array [height, width, 3] of `|u1`, or a map of `format` and `data`.
    ///
    /// Nothing is allocated for pixels before their bytes are known to be there. A picture is not looked into.
    ///
    /// - Returns: nil for a value of another kind, which may be an array of numbers.
    /// - Throws: `MessageError` that names the field, what was found and what is expected.
    init?(_ value: MessagePackValue, field: String) throws(MessageError) {
        guard case .map(let map) = value else { return nil }
        if map["format"] != nil {
            self = try Self.picture(FieldReader(map, path: field))
        } else if let frame = try Self.pixels(map, field: field) {
            self = frame
        } else {
            return nil
        }
    }

    private static func picture(_ fields: FieldReader) throws(MessageError) -> CameraFrame {
        let format: Format = try fields.choice("format")
        let data = try fields.binary("data")
        guard !data.isEmpty else {
            throw MessageError(.badImage, field: fields.path(of: "data"), "found 0 bytes, expected a picture")
        }
        return CameraFrame(.picture(data, format: format))
    }

    /// Nil for an array of another number of extents.
    private static func pixels(_ map: MessagePackMap, field: String) throws(MessageError) -> CameraFrame? {
        guard NumericArray.isArray(map), case .array(let extents)? = map["shape"], extents.count == 3 else {
            return nil
        }
        let array = try NumericArray.Parts(map, field: field)
        guard array.dtype == "|u1" else {
            throw MessageError(
                .badArray,
                field: "\(field).\(array.typeName)",
                "found \"\(printable(array.dtype, limit: 32))\" with shape \(array.shape), expected |u1 for a camera's frame"
            )
        }
        let (area, overflow) = array.shape[0].multipliedReportingOverflow(by: array.shape[1])
        guard array.shape[2] == 3, area > 0, !overflow else {
            throw MessageError(
                .badArray,
                field: "\(field).shape",
                "found \(array.shape), expected [height, width, 3]: red, green and blue of each pixel"
            )
        }
        guard array.data.count % 3 == 0, array.data.count / 3 == area else {
            throw MessageError(
                .badArray,
                field: "\(field).data",
                "\(array.data.count) bytes; shape \(array.shape) of |u1 needs 1 byte for each element"
            )
        }
        return CameraFrame(height: array.shape[0], width: array.shape[1], pixels: array.data)
    }
}

extension MessagePackEncoder {
    /// Packs a frame as it came.
    func pack(_ frame: CameraFrame, arrayKeys: ArrayKeys) {
        switch frame.content {
        case .pixels(let pixels, let height, let width):
            NumericArray.encode(pixels, shape: [height, width, 3], keys: arrayKeys, to: self)
        case .picture(let data, let format):
            map(2)
            string("format")
            string(format.rawValue)
            string("data")
            data.withUnsafeBytes { binary($0) }
        }
    }
}
