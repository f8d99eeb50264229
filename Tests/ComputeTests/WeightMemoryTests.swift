import CKernels
import Testing

@testable import Compute

@Suite("Memory for weights")
struct WeightMemoryTests {
    @Test("is zero at first and holds every cell", arguments: [0, 1, 17, (2 << 20) / 4, (2 << 20) / 4 + 1])
    func holds(cellCount: Int) {
        let memory = WeightMemory(cellCount: cellCount, isLocked: true)
        for index in 0..<cellCount where memory.pointer[index] != 0 {
            Issue.record("cell \(index) is \(memory.pointer[index])")
        }
        if cellCount > 0 {
            memory.pointer[cellCount - 1] = 7
            #expect(memory.pointer[cellCount - 1] == 7)
        }
    }

    // Exit tests take values from Swift 6.3 on.
    #if compiler(>=6.3)
        /// Without it, a kernel that reads too many weights would go unnoticed.
        @Test(
            "lets AddressSanitizer see a kernel that reads beyond the last weight",
            .enabled(if: dn_has_address_sanitizer(), "this is no build with AddressSanitizer"),
            arguments: InstructionSet.supported.map(\.name)
        )
        func overrun(name: String) async {
            await #expect(processExitsWith: .failure) { [name] in
                guard case .packed(let instructionSet) = try Backend(named: name) else { return }
                Self.readWeights(announced: 8, read: 9, on: instructionSet)
            }
            await #expect(processExitsWith: .success) { [name] in
                guard case .packed(let instructionSet) = try Backend(named: name) else { return }
                Self.readWeights(announced: 8, read: 8, on: instructionSet)
            }
        }
    #endif

    /// Convolves one position with `read` rows of weights from memory for as many as `announced`.
    private static func readWeights(announced: Int, read: Int, on instructionSet: InstructionSet) {
        let lanes = Int(dn_lanes)
        let weights = WeightMemory(cellCount: announced * lanes)
        let input = CellBuffer(count: read * lanes)
        let numbers = FloatBuffer(count: 2 * lanes)
        withUnsafePointer(to: dn_tap(output_first: 0, count: 1, input_first: 0, starts: true)) { tap in
            var convolution = dn_convolution()
            convolution.weights = UnsafePointer(weights.pointer)
            convolution.input = UnsafePointer(input.pointer)
            convolution.output = numbers.pointer
            convolution.bias = UnsafePointer(numbers.pointer + lanes)
            convolution.taps = tap
            convolution.tap_count = 1
            convolution.rows = Int32(read)
            convolution.vectors = 1
            convolution.row_stride = Int64(lanes)
            convolution.output_stride = Int64(lanes)
            dn_convolve(instructionSet.table, dn_f32, &convolution)
        }
    }
}
