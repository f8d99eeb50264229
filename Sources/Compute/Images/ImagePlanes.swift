import CKernels

/// How an activation of an image network lies in memory, in cells of one format: a plane for each block of 16 channels, with
/// a border of zeros, one row or position wide.
struct PlaneLayout {
    let blocks: Int
    let height: Int
    let width: Int
    /// Cells of a block at one position.
    let blockCells: Int

    init(_ activation: ImageActivation, format: dn_format, isa: InstructionSet) {
        let lanes = Int(dn_lanes)
        self.blocks = paddedChannels(activation.channels) / lanes
        self.height = activation.height
        self.width = activation.width
        self.blockCells = lanes / isa.imageCellChannels(format)
    }

    /// Cells from a row to the next.
    var rowStride: Int { (width + 2) * blockCells }
    /// Cells from a block's plane to the next.
    var blockStride: Int { (height + 2) * rowStride }
    /// Cells from a frame to the next.
    var frameStride: Int { blocks * blockStride }

    /// Where a row of a block's plane begins, behind its border.
    func start(frame: Int, block: Int, row: Int) -> Int {
        frame * frameStride + block * blockStride + (row + 1) * rowStride + blockCells
    }
}

/// An activation's planes in one format.
struct ImagePlanes<Cell> {
    let cells: UnsafeMutablePointer<Cell>
    let layout: PlaneLayout

    /// The first position of a row, behind its border.
    func row(frame: Int, block: Int, row: Int) -> UnsafeMutablePointer<Cell> {
        cells + layout.start(frame: frame, block: block, row: row)
    }
}

extension ImagePlanes where Cell: AdditiveArithmetic {
    /// Makes the row above the first and the one below the last zero, if `rows` are beside them.
    ///
    /// - Parameter zero: the cell that stands for it.
    func clearBorder(frame: Int, block: Int, besides rows: Range<Int>, zero: Cell = .zero) {
        if rows.lowerBound == 0 {
            (row(frame: frame, block: block, row: -1) - layout.blockCells)
                .update(repeating: zero, count: layout.rowStride)
        }
        if rows.upperBound == layout.height {
            (row(frame: frame, block: block, row: layout.height) - layout.blockCells)
                .update(repeating: zero, count: layout.rowStride)
        }
    }
}

extension InstructionSet {
    /// A cell of integers that stand for zero.
    var zeroIntegers: UInt32 { table.pointee.bytes_have_sign ? 0x8080_8080 : 0 }

    /// Channels of a cell of an image's plane.
    func imageCellChannels(_ format: dn_format) -> Int {
        switch format {
        case dn_f32: 1
        case dn_bf16: 2
        default: Int(table.pointee.image_channels)
        }
    }
}
