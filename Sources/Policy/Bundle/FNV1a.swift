/// The 64-bit FNV-1a hash, over 32-bit words for numbers: to tell files apart, not for security.
package struct FNV1a {
    package private(set) var value: UInt64 = 0xcbf2_9ce4_8422_2325

    package init() {}

    package mutating func add(_ word: UInt32) { value = (value ^ UInt64(word)) &* 0x100_0000_01b3 }

    package mutating func add(_ word: UInt64) {
        add(UInt32(truncatingIfNeeded: word))
        add(UInt32(truncatingIfNeeded: word >> 32))
    }

    package mutating func add(_ text: String) {
        for byte in text.utf8 { add(UInt32(byte)) }
        add(UInt32.max)
    }
}
