import CLinux
import Testing

@testable import Pictures

struct MemoryTests {
    /// Bytes that the process has from the heap and not given back. A sanitizer has a heap of its own: then it is always the same.
    private func bytesInUse() -> Int {
        let heap = mallinfo2()
        return heap.uordblks + heap.hblkhd
    }

    @Test("Hundreds of pictures, sound and broken, take no more memory than the first")
    func growth() throws {
        var decoder = try PictureDecoder()
        var encoder = try PictureEncoder()
        let source = [UInt8](repeating: 90, count: 120 * 160 * 3)
        let jpeg = try encoder.jpeg(source.span, height: 120, width: 160)
        let png = try encoder.png(source.span, height: 120, width: 160, level: 1)
        var pixels = source
        func round() throws {
            for (bytes, format) in [(jpeg, PictureFormat.jpeg), (png, .png)] {
                let header = try PictureHeader(reading: bytes.span, as: format)
                let broken = Array(bytes.dropLast(30) + bytes.suffix(12))
                var span = pixels.mutableSpan
                try decoder.decode(bytes.span, header, into: &span)
                do throws(PictureError) { try decoder.decode(broken.span, header, into: &span) } catch {}
            }
            _ = try encoder.jpeg(source.span, height: 120, width: 160)
            _ = try encoder.png(source.span, height: 120, width: 160, level: 1)
        }
        for _ in 0..<20 { try round() }
        var growths: [Int] = []
        for _ in 0..<9 {
            let before = bytesInUse()
            for _ in 0..<20 { try round() }
            growths.append(bytesInUse() - before)
        }
        // Other tests take and free memory at the same time, so one window says little, and while they start most windows grow. If
        // each round lost a picture, every window would grow by a megabyte. `make asan` and `make fuzz` find losses of any size.
        #expect(growths.sorted()[growths.count / 4] < 100_000, "\(growths) bytes")
    }
}
