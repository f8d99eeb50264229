import Checksums
import Files
import Foundation
import StrictJSON

/// A zip archive whose entries are stored as they are, as PyTorch writes it; also one of more than 4 GB (zip64).
///
/// Entries are found by the directory at the end and read with `pread`, so that what is not asked for is not read.
final class ZipArchive {
    /// What the directory says of an entry.
    struct Entry {
        let name: String
        let byteCount: Int
        let checksum: UInt32
        /// Where its own header begins.
        fileprivate let header: Int
    }

    /// Name of the file, without its folder.
    let name: String
    /// Size of the file.
    let byteCount: Int
    /// The entries by their names.
    let entries: [String: Entry]

    private let file: RegularFile
    /// Where the directory begins: entries lie before.
    private let directory: Int
    /// The entries whose checksum was found to be right.
    private var checked: Set<String> = []

    private static let maximumDirectoryBytes = 1 << 26
    private static let maximumEntries = 200_000
    private static let pieceBytes = 1 << 20

    /// Opens an archive and reads its directory.
    ///
    /// - Throws: `ImportError` for a file that is no such archive.
    init(contentsOf url: URL) throws(ImportError) {
        let name = url.lastPathComponent
        let file: RegularFile
        do throws(FileRefusal) {
            file = try RegularFile(url.path(percentEncoded: false))
        } catch {
            switch error {
            case .system:
                throw ImportError(name, found: "cannot be opened (\(error))", expected: "a readable file")
            case .notRegular(let kind): throw ImportError(name, found: kind, expected: "a regular file")
            }
        }
        let source = ByteSource(name: name, byteCount: file.byteCount, descriptor: file.descriptor)
        try Self.checkIsZip(source)
        let end = try ZipEnd(source)
        guard end.directory.count <= Self.maximumDirectoryBytes, end.entryCount <= Self.maximumEntries else {
            throw ImportError(
                name,
                found: "a zip directory of \(end.entryCount) entries in \(end.directory.count) bytes",
                expected: "at most \(Self.maximumEntries) in \(Self.maximumDirectoryBytes)"
            )
        }
        entries = try Self.entries(try source.read(end.directory), count: end.entryCount, file: name)
        self.name = name
        byteCount = file.byteCount
        directory = end.directory.lowerBound
        self.file = file
    }

    /// Says what a file is that is no zip archive, if it is one of those that one meets.
    private static func checkIsZip(_ source: ByteSource) throws(ImportError) {
        let start = try source.read(0..<min(64, source.byteCount))
        guard !start.starts(with: Array("PK".utf8)) else { return }
        let expected = "a checkpoint that torch.save wrote as a zip archive"
        // The first value of a file of the old format is a magic number of 10 bytes, 0x1950a86a20f9469cfc6c.
        let old: [UInt8] = [0x8a, 0x0a, 0x6c, 0xfc, 0x9c, 0x46, 0xf9, 0x20, 0x6a, 0xa8, 0x50, 0x19]
        let found =
            start.isEmpty
            ? "an empty file"
            : start.dropFirst(2).starts(with: old)
                ? "the format of PyTorch before 1.6; load it with PyTorch and save it again"
                : start.starts(with: Array("version https://git-lfs".utf8))
                    ? "a Git LFS pointer; run git lfs pull" : "no zip archive"
        throw ImportError(source.name, found: found, expected: expected)
    }

    // MARK: The directory

    private static func entries(
        _ bytes: [UInt8],
        count: Int,
        file: String
    ) throws(ImportError) -> [String: Entry] {
        var fields = LittleEndianFields(bytes, file: file, "the zip directory")
        var entries: [String: Entry] = [:]
        for _ in 0..<count {
            let entry = try self.entry(&fields, file: file)
            guard entries.updateValue(entry, forKey: entry.name) == nil else {
                throw ImportError(file, entry.name.quoted, found: "an entry twice", expected: "once")
            }
        }
        guard fields.left == 0 else {
            throw ImportError(
                file,
                "the zip directory",
                found: "\(fields.left) bytes after \(count) entries",
                expected: "nothing"
            )
        }
        return entries
    }

    private static func entry(_ fields: inout LittleEndianFields, file: String) throws(ImportError) -> Entry {
        try fields.require(0x0201_4b50, "an entry")
        _ = try fields.bytes(4)
        let flags = try fields.number(UInt16.self)
        let method = try fields.number(UInt16.self)
        _ = try fields.bytes(4)
        let checksum = try fields.number(UInt32.self)
        var stored = UInt64(try fields.number(UInt32.self))
        var size = UInt64(try fields.number(UInt32.self))
        let nameCount = Int(try fields.number(UInt16.self))
        let extraCount = Int(try fields.number(UInt16.self))
        let commentCount = Int(try fields.number(UInt16.self))
        _ = try fields.bytes(8)
        var header = UInt64(try fields.number(UInt32.self))
        guard let name = String(validating: try fields.bytes(nameCount), as: UTF8.self) else {
            throw ImportError(
                file,
                "the zip directory",
                found: "a name that is not UTF-8",
                expected: "names in UTF-8"
            )
        }
        let extra = try fields.bytes(extraCount)
        _ = try fields.bytes(commentCount)
        try widen(&size, &stored, &header, by: extra, file: file)
        guard flags & 0x2041 == 0, method == 0 else {
            throw ImportError(
                file,
                name.quoted,
                found: method == 8
                    ? "a compressed entry (deflate)"
                    : method == 0 ? "an encrypted entry" : "an entry compressed by method \(method)",
                expected: "entries that are stored as they are, as torch.save writes them"
            )
        }
        guard size == stored, let byteCount = Int(exactly: size), let start = Int(exactly: header) else {
            throw ImportError(
                file,
                name.quoted,
                found: "an entry of \(size) bytes in \(stored) at \(header)",
                expected: "a size that fits the file"
            )
        }
        return Entry(name: name, byteCount: byteCount, checksum: checksum, header: start)
    }

    /// Takes sizes and offset of more than 32 bits from the extra field that has them, in this order.
    private static func widen(
        _ size: inout UInt64,
        _ stored: inout UInt64,
        _ header: inout UInt64,
        by extra: [UInt8],
        file: String
    ) throws(ImportError) {
        let all = UInt64(UInt32.max)
        guard size == all || stored == all || header == all else { return }
        var fields = LittleEndianFields(extra, file: file, "an entry's extra field")
        while fields.left >= 4 {
            let kind = try fields.number(UInt16.self)
            let count = Int(try fields.number(UInt16.self))
            var wide = LittleEndianFields(try fields.bytes(count), file: file, "an entry's zip64 field")
            guard kind == 1 else { continue }
            if size == all { size = try wide.number(UInt64.self) }
            if stored == all { stored = try wide.number(UInt64.self) }
            if header == all { header = try wide.number(UInt64.self) }
            return
        }
    }

    // MARK: Entries

    /// Reads a whole entry and checks its checksum.
    ///
    /// - Throws: `ImportError` for an entry that is not there, is larger than `limit`, or is damaged.
    func read(_ name: String, limit: Int) throws(ImportError) -> [UInt8] {
        let entry = try self.entry(name)
        guard entry.byteCount <= limit else {
            throw ImportError(
                self.name,
                name.quoted,
                found: "\(entry.byteCount) bytes",
                expected: "at most \(limit)"
            )
        }
        try check(entry)
        return try read(name, 0..<entry.byteCount)
    }

    /// Reads bytes of an entry whose checksum was checked.
    func read(_ name: String, _ range: Range<Int>) throws(ImportError) -> [UInt8] {
        let data = try dataRange(of: try entry(name))
        precondition(range.lowerBound >= 0 && range.upperBound <= data.count, "range outside the entry")
        return try source.read(data.lowerBound + range.lowerBound..<data.lowerBound + range.upperBound)
    }

    /// Compares an entry's bytes with its checksum, unless that was done before.
    func check(_ name: String) throws(ImportError) { try check(try entry(name)) }

    private func check(_ entry: Entry) throws(ImportError) {
        guard !checked.contains(entry.name) else { return }
        let data = try dataRange(of: entry)
        var sum = CRC32()
        for start in stride(from: data.lowerBound, to: data.upperBound, by: Self.pieceBytes) {
            let piece = try source.read(start..<min(start + Self.pieceBytes, data.upperBound))
            sum.add(piece.span)
        }
        guard sum.value == entry.checksum else {
            throw ImportError(
                name,
                entry.name.quoted,
                found:
                    "bytes whose checksum is \(hexadecimal(sum.value)), not \(hexadecimal(entry.checksum))",
                expected: "an undamaged file"
            )
        }
        checked.insert(entry.name)
    }

    /// The SHA-256 of the whole file.
    ///
    /// - Parameter progress: told how many bytes are done.
    func digest(progress: (Int) throws(ImportError) -> Void = { _ in }) throws(ImportError) -> String {
        var sum = SHA256()
        for start in stride(from: 0, to: byteCount, by: Self.pieceBytes) {
            let end = min(start + Self.pieceBytes, byteCount)
            let piece = try source.read(start..<end)
            sum.add(piece.span)
            try progress(end)
        }
        return sum.hexadecimal
    }

    private func entry(_ name: String) throws(ImportError) -> Entry {
        guard let entry = entries[name] else {
            throw ImportError(
                self.name,
                name.quoted,
                found: "no such entry",
                expected: "one of the archive's \(entries.count) entries"
            )
        }
        return entry
    }

    /// Where an entry's bytes lie, behind its own header.
    private func dataRange(of entry: Entry) throws(ImportError) -> Range<Int> {
        let outside = ImportError(
            name,
            entry.name.quoted,
            found: "\(entry.byteCount) bytes at \(entry.header)",
            expected: "an entry before the directory at \(directory)"
        )
        guard entry.header <= directory - ZipArchive.headerBytes else { throw outside }
        var fields = LittleEndianFields(
            try source.read(entry.header..<entry.header + Self.headerBytes),
            file: name,
            entry.name.quoted
        )
        try fields.require(0x0403_4b50, "an entry's header")
        _ = try fields.bytes(22)
        let nameCount = Int(try fields.number(UInt16.self))
        let extraCount = Int(try fields.number(UInt16.self))
        let start = entry.header + Self.headerBytes + nameCount + extraCount
        guard start <= directory, entry.byteCount <= directory - start else { throw outside }
        let nameStart = entry.header + Self.headerBytes
        let headerName = try source.read(nameStart..<nameStart + nameCount)
        guard headerName == Array(entry.name.utf8) else {
            throw ImportError(
                name,
                entry.name.quoted,
                found: "another name in its own header",
                expected: "the name that the directory has"
            )
        }
        return start..<start + entry.byteCount
    }

    private static let headerBytes = 30

    private var source: ByteSource {
        ByteSource(name: name, byteCount: byteCount, descriptor: file.descriptor)
    }

    private func hexadecimal(_ number: UInt32) -> String { String(number, radix: 16) }
}

/// The end of a zip archive, which says where its directory lies.
private struct ZipEnd {
    let directory: Range<Int>
    let entryCount: Int

    private static let recordBytes = 22
    private static let locatorBytes = 20
    private static let wideRecordBytes = 56

    init(_ source: ByteSource) throws(ImportError) {
        let record = try Self.find(source)
        var fields = LittleEndianFields(
            try source.read(record..<record + Self.recordBytes),
            file: source.name,
            "the zip archive's end"
        )
        _ = try fields.bytes(4)
        let disks = try (fields.number(UInt16.self), fields.number(UInt16.self))
        var counts = try (UInt64(fields.number(UInt16.self)), UInt64(fields.number(UInt16.self)))
        var size = UInt64(try fields.number(UInt32.self))
        var start = UInt64(try fields.number(UInt32.self))
        var isOneFile = disks.0 == disks.1 && (disks.0 == 0 || disks.0 == .max)
        var end = record
        if let wide = try Self.wideRecord(source, before: record) {
            var fields = LittleEndianFields(
                try source.read(wide..<wide + Self.wideRecordBytes),
                file: source.name,
                "the zip64 archive's end"
            )
            try fields.require(0x0606_4b50, "a zip64 end")
            _ = try fields.bytes(12)
            let wideDisks = try (fields.number(UInt32.self), fields.number(UInt32.self))
            isOneFile = wideDisks == (0, 0)
            counts = try (fields.number(UInt64.self), fields.number(UInt64.self))
            size = try fields.number(UInt64.self)
            start = try fields.number(UInt64.self)
            end = wide
        }
        guard isOneFile, counts.0 == counts.1 else {
            throw ImportError(
                source.name,
                found: "a part of a zip archive in several files",
                expected: "an archive in one file"
            )
        }
        guard let first = Int(exactly: start), let count = Int(exactly: size), first <= end,
            count <= end - first, let entryCount = Int(exactly: counts.0)
        else {
            throw ImportError(
                source.name,
                found: "a zip directory of \(size) bytes at \(start)",
                expected: "one before the archive's end at \(end)"
            )
        }
        directory = first..<first + count
        self.entryCount = entryCount
    }

    /// Where the last record begins. A comment of up to 65,535 bytes may follow it.
    private static func find(_ source: ByteSource) throws(ImportError) -> Int {
        let tail = min(source.byteCount, recordBytes + Int(UInt16.max))
        let bytes = try source.read(source.byteCount - tail..<source.byteCount)
        var index = bytes.count - recordBytes
        while index >= 0 {
            if bytes[index...].starts(with: [0x50, 0x4b, 0x05, 0x06]) {
                let comment = Int(bytes[index + 20]) | Int(bytes[index + 21]) << 8
                if index + recordBytes + comment == bytes.count {
                    return source.byteCount - tail + index
                }
            }
            index -= 1
        }
        throw ImportError(
            source.name,
            found: "a zip archive without an end: the file is cut off",
            expected: "a whole file"
        )
    }

    /// Where the record of a zip64 archive begins; nil: the archive is none.
    private static func wideRecord(_ source: ByteSource, before record: Int) throws(ImportError) -> Int? {
        guard record >= locatorBytes else { return nil }
        var fields = LittleEndianFields(
            try source.read(record - locatorBytes..<record),
            file: source.name,
            "the zip64 archive's end"
        )
        guard try fields.number(UInt32.self) == 0x0706_4b50 else { return nil }
        _ = try fields.bytes(4)
        let offset = try fields.number(UInt64.self)
        guard let wide = Int(exactly: offset), wide <= record - locatorBytes - wideRecordBytes else {
            throw ImportError(
                source.name,
                found: "a zip64 end at \(offset)",
                expected: "one before byte \(record - locatorBytes)"
            )
        }
        return wide
    }
}
