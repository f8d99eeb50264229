import Harness

@testable import Importing
@testable import Pickle

/// Files of `torch.save`: zip archives with a pickle and storages. Of an accepted file every tensor lies in its storage, and has as
/// many bytes as its shape says.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    let bytes = input(start, count)
    do throws(ImportError) {
        let url = ScratchFolder.write(bytes, as: "input.ckpt")
        let archive = try ZipArchive(contentsOf: url)
        for entry in archive.entries.values {
            do throws(ImportError) {
                let data = try archive.read(entry.name, limit: 1 << 20)
                require(data.count == entry.byteCount && data.count <= bytes.count, "\(data.count) bytes")
            } catch {
                requireOneLine(error)
            }
        }
        try check(TorchFile(contentsOf: url))
    } catch {
        requireOneLine(error)
    }
    return 0
}

private func check(_ file: TorchFile) {
    for index in file.pickle.nodes.indices where file.isTensor(.node(index)) {
        do throws(ImportError) {
            let tensor = try file.tensor(.node(index), "x")
            require(tensor.count <= tensor.storageCount, "\(tensor.count) of \(tensor.storageCount)")
            let bytes = try file.bytes(of: tensor)
            require(bytes.count == tensor.count * tensor.dtype.byteCount, "\(bytes.count) bytes")
        } catch {
            requireOneLine(error)
        }
    }
    do throws(ImportError) {
        let contents = try CheckpointContents(file)
        _ = contents.counter("epoch")
        _ = try contents.tensors(of: .averaged)
    } catch {
        requireOneLine(error)
    }
}
