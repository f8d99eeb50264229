import Files
import Foundation

/// Writes a safetensors file tensor by tensor, so that only one of them is in memory.
public final class SafetensorsStream {
    /// What a tensor will be.
    public struct Layout: Sendable, Hashable {
        /// Its name.
        public let name: String
        /// Type of its elements.
        public let dtype: DType
        /// Its dimensions, outermost first.
        public let shape: [Int]

        /// A tensor of that name, type and shape.
        public init(name: String, dtype: DType, shape: [Int]) {
            self.name = name
            self.dtype = dtype
            self.shape = shape
        }
    }

    /// The tensors in the order in which their bytes follow.
    public let layouts: [Layout]

    private let file: String
    private let descriptor: CInt
    /// How many tensors were written.
    private var written = 0

    /// Creates a file, which must not be there yet, and writes its header.
    ///
    /// - Throws: `SafetensorsError` for tensors that a file cannot have, or a file that cannot be written.
    public init(_ tensors: [Layout], to url: URL) throws(SafetensorsError) {
        file = url.lastPathComponent
        layouts = SafetensorsWriter.inOrder(tensors)
        let header = try SafetensorsWriter.header(layouts, metadata: ["format": "pt"], file: file)
        descriptor = open(url.path(percentEncoded: false), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
        let code = errno
        guard descriptor >= 0 else { throw Self.failure(code, file) }
        try write(header)
    }

    /// Writes the elements of the next of ``layouts``, row by row, each lowest byte first.
    ///
    /// - Throws: `SafetensorsError` for another number of bytes than the layout has, or a file that cannot be written.
    public func append(_ bytes: [UInt8]) throws(SafetensorsError) {
        let layout = layouts[written]
        guard product(layout.shape).map({ $0 * layout.dtype.byteCount }) == bytes.count else {
            throw SafetensorsError(
                .mismatch,
                file: file,
                tensor: layout.name,
                found: "\(bytes.count) bytes",
                expected: "\(layout.dtype.rawValue) \(layout.shape)"
            )
        }
        try write(bytes)
        written += 1
    }

    private func write(_ bytes: [UInt8]) throws(SafetensorsError) {
        let (_, code) = writeAll(bytes, to: descriptor)
        guard code == 0 else { throw Self.failure(code, file) }
    }

    private static func failure(_ code: CInt, _ file: String) -> SafetensorsError {
        SafetensorsError(
            .inputOutput,
            file: file,
            found: "cannot be written (\(String(cString: strerror(code))))",
            expected: "a file name in a folder that can be written to"
        )
    }

    deinit { if descriptor >= 0 { close(descriptor) } }
}
