import StrictJSON

/// Runs a pickle's instructions on a stack, as Python's `pickle` does, with names in the place of classes and functions.
struct PickleReader {
    private(set) var nodes: [PickleNode] = []

    private let bytes: [UInt8]
    private let limits: PickleLimits
    private var position = 0
    /// Where the instruction that is being run begins.
    private var instruction = 0
    private var stack: [PickleValue] = []
    /// How high the stack was at each mark.
    private var marks: [Int] = []
    private var memo: [Int: PickleValue] = [:]
    /// Members of all nodes so far.
    private var memberCount = 0

    init(_ bytes: [UInt8], limits: PickleLimits) {
        self.bytes = bytes
        self.limits = limits
    }

    /// Reads up to the end, and returns what is on the stack then.
    mutating func read() throws(PickleError) -> PickleValue {
        while true {
            instruction = position
            let code = try number(UInt8.self)
            guard let operation = Operation(rawValue: code) else {
                throw failure(
                    "the instruction 0x\(String(code, radix: 16))",
                    expected: "a binary instruction of pickle protocols 2 to 5"
                )
            }
            if operation == .stop { break }
            if try !pushScalar(operation), try !pushText(operation), try !remember(operation) {
                try build(operation)
            }
        }
        let root = try pop()
        guard stack.isEmpty, marks.isEmpty else {
            throw failure("\(stack.count + 1) values at the end", expected: "one value")
        }
        guard position == bytes.count else {
            throw failure("\(bytes.count - position) bytes after the end", expected: "nothing")
        }
        return root
    }

    // MARK: Instructions

    /// The instructions that are read, by the names of Python's `pickletools`.
    private enum Operation: UInt8 {
        case mark = 0x28, stop = 0x2e, pop = 0x30, popMark = 0x31, dup = 0x32
        case binFloat = 0x47, binInt = 0x4a, binInt1 = 0x4b, binInt2 = 0x4d, none = 0x4e
        case binPersid = 0x51, reduce = 0x52, binString = 0x54, shortBinString = 0x55, binUnicode = 0x58
        case emptyList = 0x5d, append = 0x61, build = 0x62, global = 0x63, appends = 0x65
        case binGet = 0x68, longBinGet = 0x6a, list = 0x6c, binPut = 0x71, longBinPut = 0x72
        case setItem = 0x73, tuple = 0x74, setItems = 0x75, emptyDict = 0x7d, dict = 0x64
        case emptyTuple = 0x29, proto = 0x80, newObj = 0x81
        case tuple1 = 0x85, tuple2 = 0x86, tuple3 = 0x87, newTrue = 0x88, newFalse = 0x89
        case long1 = 0x8a, long4 = 0x8b, binBytes = 0x42, shortBinBytes = 0x43
        case shortBinUnicode = 0x8c, binUnicode8 = 0x8d, binBytes8 = 0x8e, emptySet = 0x8f
        case addItems = 0x90, frozenSet = 0x91, newObjEx = 0x92, stackGlobal = 0x93, memoize = 0x94
        case frame = 0x95, byteArray8 = 0x96
    }

    /// Numbers and truth values.
    ///
    /// - Returns: whether the instruction is one of these.
    private mutating func pushScalar(_ operation: Operation) throws(PickleError) -> Bool {
        switch operation {
        case .proto:
            let version = try number(UInt8.self)
            guard (2...5).contains(version) else {
                throw failure("protocol \(version)", expected: "a protocol from 2 to 5")
            }
        case .frame:
            let count = try length(UInt64.self)
            guard count <= bytes.count - position else { throw ended(count) }
        case .none: try push(.none)
        case .newTrue: try push(.bool(true))
        case .newFalse: try push(.bool(false))
        case .binInt: try push(.integer(Int(try number(Int32.self))))
        case .binInt1: try push(.integer(Int(try number(UInt8.self))))
        case .binInt2: try push(.integer(Int(try number(UInt16.self))))
        case .long1: try push(Self.integer(try take(Int(try number(UInt8.self)))))
        case .long4: try push(Self.integer(try take(try length(UInt32.self))))
        case .binFloat: try push(.float(Double(bitPattern: try number(UInt64.self).byteSwapped)))
        default: return false
        }
        return true
    }

    /// Text and bytes.
    ///
    /// - Returns: whether the instruction is one of these.
    private mutating func pushText(_ operation: Operation) throws(PickleError) -> Bool {
        switch operation {
        case .shortBinUnicode: try push(.string(try text(try length(UInt8.self))))
        case .binUnicode: try push(.string(try text(try length(UInt32.self))))
        case .binUnicode8: try push(.string(try text(try length(UInt64.self))))
        case .shortBinBytes, .shortBinString: try push(.bytes(Array(try take(try length(UInt8.self)))))
        case .binBytes, .binString: try push(.bytes(Array(try take(try length(UInt32.self)))))
        case .binBytes8, .byteArray8: try push(.bytes(Array(try take(try length(UInt64.self)))))
        default: return false
        }
        return true
    }

    /// The memo, and what moves values without making any.
    ///
    /// - Returns: whether the instruction is one of these.
    private mutating func remember(_ operation: Operation) throws(PickleError) -> Bool {
        switch operation {
        case .mark:
            try check(marks.count)
            marks.append(stack.count)
        case .pop:
            // A mark is a value for this instruction.
            if let mark = marks.last, mark == stack.count { marks.removeLast() } else { _ = try pop() }
        case .popMark: _ = try popMarked()
        case .dup:
            let value = try pop()
            try push(value)
            try push(value)
        case .binGet: try push(try remembered(Int(try number(UInt8.self))))
        case .longBinGet: try push(try remembered(Int(try number(UInt32.self))))
        case .binPut: try put(Int(try number(UInt8.self)))
        case .longBinPut: try put(Int(try number(UInt32.self)))
        case .memoize: try put(memo.count)
        default: return false
        }
        return true
    }

    /// What makes and fills values with parts.
    private mutating func build(_ operation: Operation) throws(PickleError) {
        switch operation {
        case .emptyTuple: try add(PickleNode(.tuple))
        case .tuple1, .tuple2, .tuple3:
            try add(PickleNode(.tuple, elements: try pop(count: Int(operation.rawValue) - 0x84)))
        case .tuple: try add(PickleNode(.tuple, elements: try popMarked()))
        case .emptyList: try add(PickleNode(.list))
        case .list: try add(PickleNode(.list, elements: try popMarked()))
        case .emptySet: try add(PickleNode(.set))
        case .frozenSet: try add(PickleNode(.set, elements: try popMarked()))
        case .emptyDict: try add(PickleNode(.dictionary))
        case .dict:
            let members = try popMarked()
            try add(PickleNode(.dictionary))
            try setItems(members)
        case .append: try addItems([try pop()], to: .list)
        case .appends: try addItems(try popMarked(), to: .list)
        case .addItems: try addItems(try popMarked(), to: .set)
        case .setItem: try setItems(try pop(count: 2))
        case .setItems: try setItems(try popMarked())
        case .build: try setState()
        default: try name(operation)
        }
    }

    /// What Python would import, call or fetch.
    private mutating func name(_ operation: Operation) throws(PickleError) {
        switch operation {
        case .global:
            let module = try line()
            try add(PickleNode(.global, module: module, name: try line()))
        case .stackGlobal:
            guard case .string(let name) = try pop(), case .string(let module) = try pop(),
                name.utf8.count <= limits.nameBytes, module.utf8.count <= limits.nameBytes
            else {
                throw failure("a name that is no short text", expected: "the names of a module and a class")
            }
            try add(PickleNode(.global, module: module, name: name))
        case .binPersid: try add(PickleNode(.persistent, arguments: try pop()))
        case .newObjEx:
            // Class, positional and named arguments; what is named by nothing that is read here.
            let named = try pop()
            let arguments = try pop()
            try call(with: arguments)
            try setState(named)
        case .reduce, .newObj: try call(with: try pop())
        default: throw failure("the instruction \(operation)", expected: "an instruction that makes a value")
        }
    }

    private mutating func call(with arguments: PickleValue) throws(PickleError) {
        let callee = try pop()
        try add(PickleNode(.call, callee: callee, arguments: arguments))
    }

    // MARK: Filling

    private mutating func addItems(
        _ items: [PickleValue],
        to kind: PickleNode.Kind
    ) throws(PickleError) {
        let index = try indexOfTop([kind, .call])
        try count(items.count)
        nodes[index].elements += items
    }

    private mutating func setItems(_ items: [PickleValue]) throws(PickleError) {
        guard items.count.isMultiple(of: 2) else {
            throw failure("a key without a value", expected: "keys and values in turn")
        }
        let index = try indexOfTop([.dictionary, .call])
        try count(items.count)
        for first in stride(from: 0, to: items.count, by: 2) {
            nodes[index].entries.append(PickleNode.Entry(key: items[first], value: items[first + 1]))
        }
    }

    private mutating func setState() throws(PickleError) { try setState(try pop()) }

    private mutating func setState(_ state: PickleValue) throws(PickleError) {
        let index = try indexOfTop([.call])
        guard nodes[index].state == nil else {
            throw failure("a second state of one object", expected: "one")
        }
        nodes[index].state = state
    }

    /// The index of the node on top of the stack, which must be of one of these kinds.
    private func indexOfTop(_ kinds: [PickleNode.Kind]) throws(PickleError) -> Int {
        guard case .node(let index) = try top(), kinds.contains(nodes[index].kind) else {
            let expected = kinds.map(\.rawValue).joined(separator: " or ")
            throw failure("another value to fill", expected: "a \(expected)")
        }
        return index
    }

    private mutating func add(_ node: PickleNode) throws(PickleError) {
        guard nodes.count < limits.nodes else {
            throw failure("more values with parts", expected: "at most \(limits.nodes)")
        }
        try count(node.elements.count)
        nodes.append(node)
        try push(.node(nodes.count - 1))
    }

    private mutating func count(_ members: Int) throws(PickleError) {
        memberCount += members
        guard memberCount <= limits.values else {
            throw failure("more members", expected: "at most \(limits.values)")
        }
    }

    // MARK: The stack

    private mutating func push(_ value: PickleValue) throws(PickleError) {
        try check(stack.count)
        stack.append(value)
    }

    private mutating func put(_ key: Int) throws(PickleError) {
        try check(memo.count)
        memo[key] = try top()
    }

    /// Throws an error unless one more value may be kept beside so many.
    private func check(_ count: Int) throws(PickleError) {
        guard count < limits.values else {
            throw failure("more values at once", expected: "at most \(limits.values)")
        }
    }

    private func top() throws(PickleError) -> PickleValue {
        guard let value = stack.last, stack.count > marks.last ?? 0 else { throw empty }
        return value
    }

    private mutating func pop() throws(PickleError) -> PickleValue {
        let value = try top()
        stack.removeLast()
        return value
    }

    private mutating func pop(count: Int) throws(PickleError) -> [PickleValue] {
        guard stack.count - count >= marks.last ?? 0 else { throw empty }
        let values = Array(stack.suffix(count))
        stack.removeLast(count)
        return values
    }

    private mutating func popMarked() throws(PickleError) -> [PickleValue] {
        guard let mark = marks.popLast(), mark <= stack.count else {
            throw failure("no mark on the stack", expected: "a mark before this instruction")
        }
        return try pop(count: stack.count - mark)
    }

    private func remembered(_ key: Int) throws(PickleError) -> PickleValue {
        guard let value = memo[key] else {
            throw failure("entry \(key) of the memo, which is empty", expected: "an entry that was put there")
        }
        return value
    }

    // MARK: Bytes

    private mutating func take(_ count: Int) throws(PickleError) -> ArraySlice<UInt8> {
        guard count <= bytes.count - position else { throw ended(count) }
        defer { position += count }
        return bytes[position..<position + count]
    }

    private mutating func number<Number: FixedWidthInteger>(_ type: Number.Type) throws(PickleError) -> Number
    {
        let size = Number.bitWidth / 8
        guard size <= bytes.count - position else { throw ended(size) }
        var number: Number = 0
        for index in 0..<size { number |= Number(truncatingIfNeeded: bytes[position + index]) << (8 * index) }
        position += size
        return number
    }

    private mutating func length(_ type: (some FixedWidthInteger & UnsignedInteger).Type) throws(PickleError)
        -> Int
    {
        let length = try number(type)
        guard let count = Int(exactly: length) else { throw ended(Int.max) }
        return count
    }

    private mutating func text(_ count: Int) throws(PickleError) -> String {
        guard let text = String(validating: try take(count), as: UTF8.self) else {
            throw failure("text that is not UTF-8", expected: "UTF-8")
        }
        return text
    }

    /// A name up to the end of its line.
    private mutating func line() throws(PickleError) -> String {
        let rest = bytes[position..<min(bytes.count, position + limits.nameBytes + 1)]
        guard let end = rest.firstIndex(of: UInt8(ascii: "\n")) else {
            throw failure("a name without an end", expected: "a line of at most \(limits.nameBytes) bytes")
        }
        let name = try text(end - position)
        position += 1
        return name
    }

    /// A whole number in two's complement, its lowest byte first; no byte is 0.
    private static func integer(_ bytes: ArraySlice<UInt8>) -> PickleValue {
        guard let last = bytes.last else { return .integer(0) }
        guard bytes.count <= 8 else { return .hugeInteger }
        var number: Int = last >= 0x80 ? -1 : 0
        for byte in bytes.reversed() { number = number << 8 | Int(byte) }
        return .integer(number)
    }

    // MARK: Errors

    private func failure(_ found: String, expected: String) -> PickleError {
        PickleError(offset: instruction, found: found, expected: expected)
    }

    private var empty: PickleError {
        failure("an empty stack", expected: "a value for the instruction to work on")
    }

    private func ended(_ count: Int) -> PickleError {
        failure(
            "the end after \(bytes.count - position) bytes",
            expected: "\(count) more of the instruction"
        )
    }
}
