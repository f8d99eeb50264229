import CKernels
import Testing

@testable import Compute

@Suite("Convolutions in tiles")
struct ImageTilesTests {
    /// The outputs of a tile by taps and by products, of whole numbers and so exact.
    @Test func `The products of a tile are its outputs`() {
        let taps: [Float] = [1, -2, 3, 4, 2, -6, 0, 8, 2]
        let inputs = (0..<16).map { Float(($0 * 7) % 11 - 5) }
        let weights = ImageTiles.transform(taps)
        // B^T d B and A^T m A, as the paper has them.
        let b: [[Float]] = [[1, 0, -1, 0], [0, 1, 1, 0], [0, -1, 1, 0], [0, 1, 0, -1]]
        let a: [[Float]] = [[1, 1, 1, 0], [0, 1, -1, -1]]
        let transformed = product(product(b, rows(inputs)), transposed(b))
        let products = (0..<16).map { weights[$0] * transformed[$0 / 4][$0 % 4] }
        let found = product(product(a, rows(products)), transposed(a))
        for row in 0..<2 {
            for column in 0..<2 {
                let expected = (0..<9).reduce(Float(0)) { sum, tap in
                    sum + taps[tap] * inputs[(row + tap / 3) * 4 + column + tap % 3]
                }
                #expect(found[row][column] == expected)
            }
        }
    }

    @Test func `Tiles are for maps that they cover well, and weights that stay in the cache`() {
        func areFaster(_ channels: Int, _ height: Int, _ width: Int, taps: Int = 3, stride: Int = 1) -> Bool {
            let shape = ImageConvolutionShape(
                name: "a",
                inChannels: channels,
                outChannels: channels,
                taps: taps,
                stride: stride,
                hasBias: false
            )
            return ImageTiles.areFaster(shape, height: height, width: width)
        }
        #expect(areFaster(64, 21, 21) && areFaster(128, 11, 11) && areFaster(256, 6, 6))
        #expect(!areFaster(256, 3, 3), "a small map")
        #expect(!areFaster(512, 7, 9), "many weights")
        #expect(!areFaster(64, 21, 21, stride: 2) && !areFaster(64, 21, 21, taps: 1))
    }

    private func rows(_ values: [Float]) -> [[Float]] {
        stride(from: 0, to: values.count, by: 4).map { Array(values[$0..<$0 + 4]) }
    }

    private func transposed(_ matrix: [[Float]]) -> [[Float]] {
        matrix[0].indices.map { column in matrix.map { $0[column] } }
    }

    private func product(_ left: [[Float]], _ right: [[Float]]) -> [[Float]] {
        left.map { row in
            right[0].indices.map { column in row.indices.reduce(0) { $0 + row[$1] * right[$1][column] } }
        }
    }
}
