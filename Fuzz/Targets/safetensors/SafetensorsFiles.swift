import Harness

@testable import Safetensors

/// Safetensors files. Of an accepted file the tensors cover the data exactly, and every tensor can be read in the ways of
/// its dtype, written again and read the same.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    do throws(SafetensorsError) {
        let file = try SafetensorsFile(contentsOf: ScratchFolder.write(bytes, as: "input.safetensors"))
        try check(file, byteCount: bytes.count)
    } catch {
        requireOneLine(error)
    }
    return 0
}

private func check(_ file: SafetensorsFile, byteCount: Int) throws(SafetensorsError) {
    let ranges = file.tensors.values.map(\.bytes).filter { !$0.isEmpty }.sorted {
        $0.lowerBound < $1.lowerBound
    }
    for (range, next) in zip(ranges, ranges.dropFirst()) {
        require(range.upperBound == next.lowerBound, "\(range) and \(next) do not meet")
    }
    if let last = ranges.last { require(last.upperBound == byteCount, "the data ends at \(last.upperBound)") }

    var floats: [String: SafetensorsWriter.Tensor] = [:]
    for name in file.names {
        let tensor = try file.description(of: name)
        require(
            tensor.elementCount * tensor.dtype.byteCount == tensor.bytes.count,
            "\(tensor.elementCount) elements in \(tensor.bytes.count) bytes"
        )
        switch tensor.dtype {
        case .f64, .f32, .f16, .bf16:
            let values = try file.floats(name)
            require(values.count == tensor.elementCount, "\(values.count) floats")
            require(try file.doubles(name).count == tensor.elementCount, "another count of doubles")
            floats[name] = .f32(values, shape: tensor.shape)
        case .i64, .i32, .i16, .i8, .u32, .u16, .u8, .bool:
            require(try file.integers(name).count == tensor.elementCount, "another count of integers")
        default:
            var isRefused = false
            do throws(SafetensorsError) { _ = try file.floats(name) } catch { isRefused = true }
            require(isRefused, "\(tensor.dtype) read as floats")
        }
    }

    let written = try SafetensorsWriter.encode(floats, metadata: file.metadata)
    let again: SafetensorsFile
    do throws(SafetensorsError) {
        again = try SafetensorsFile(contentsOf: ScratchFolder.write(written, as: "again.safetensors"))
    } catch {
        fail("a written file is refused: \(error)")
    }
    require(again.metadata == file.metadata, "other metadata")
    require(again.names == floats.keys.sorted(), "other tensors")
    for (name, tensor) in floats {
        guard case .f32(let values, let shape) = tensor else { continue }
        require(try again.shape(of: name) == shape, "\(name) has another shape")
        require(
            try again.floats(name).elementsEqual(values) {
                $0.bitPattern == $1.bitPattern || $0.isNaN && $1.isNaN
            },
            "\(name) has other numbers"
        )
    }
}
