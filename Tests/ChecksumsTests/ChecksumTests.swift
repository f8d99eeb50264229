import Testing

@testable import Checksums

@Suite struct ChecksumTests {
    @Test func checksumIsCRC32() {
        // The check value of CRC-32/ISO-HDLC, and a length that is no multiple of eight twice over.
        #expect(CRC32.sum(of: Array("123456789".utf8).span) == 0xcbf4_3926)
        #expect(CRC32.sum(of: Array("The quick brown fox jumps over the lazy dog".utf8).span) == 0x414f_a339)
    }

    /// The examples of FIPS 180-4 and NIST's test vectors: nothing, a block, two blocks, a million bytes.
    @Test(arguments: [
        ("", "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ("abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"),
        (
            "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq",
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1"
        ),
        (
            String(repeating: "a", count: 1_000_000),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0"
        ),
    ])
    func digestIsSHA256(text: String, digest: String) {
        var sum = SHA256()
        sum.add(Array(text.utf8).span)
        #expect(sum.hexadecimal == digest)
    }

    @Test func `a digest does not depend on how the bytes come`() {
        let bytes = (0..<1000).map { UInt8(truncatingIfNeeded: $0 &* 37) }
        var whole = SHA256()
        whole.add(bytes.span)
        for size in [1, 3, 55, 56, 63, 64, 65, 127, 129] {
            var pieces = SHA256()
            for start in stride(from: 0, to: bytes.count, by: size) {
                pieces.add(Array(bytes[start..<min(start + size, bytes.count)]).span)
            }
            #expect(pieces.hexadecimal == whole.hexadecimal)
        }
    }
}
