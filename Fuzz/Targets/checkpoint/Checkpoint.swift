import Harness

@testable import Safetensors
@testable import StrictJSON

/// Sharded checkpoints. The input is an index and, after a zero byte, the file `a.safetensors`; beside it lies a good
/// `b.safetensors` with the tensor `bias`. Of an accepted checkpoint every tensor is found in its file.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let parts = parts(input(start, count), limit: 2)
    do throws(SafetensorsError) {
        let good = try SafetensorsWriter.encode(["bias": .f32([1, 2], shape: [2])])
        ScratchFolder.write(good, as: "b.safetensors")
        ScratchFolder.write(parts[0], as: SafetensorsCheckpoint.indexName)
        ScratchFolder.write(parts.count > 1 ? parts[1] : [], as: "a.safetensors")
        let checkpoint = try SafetensorsCheckpoint(directory: ScratchFolder.folder)
        var found = 0
        for file in checkpoint.files {
            require(["a.safetensors", "b.safetensors"].contains(file.name), "a file \(file.name.quoted)")
            found += file.names.count
        }
        require(found == checkpoint.names.count, "\(found) tensors in files, \(checkpoint.names.count) named")
        for name in checkpoint.names {
            require(try checkpoint.file(of: name).contains(name), "\(name.quoted) is not in its file")
            require(try checkpoint.description(of: name).elementCount >= 0, "a negative count")
        }
    } catch {
        requireOneLine(error)
    }
    return 0
}
