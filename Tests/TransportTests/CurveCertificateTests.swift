import Foundation
import Testing
import Transport

@testable import Transport

@Suite struct CurveCertificateTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    static let publicKey = "8D(&mPfkI9aY@AEi(zL/O(:Y=p3duVPGyo9sp@ea"
    static let secretKey = "<vT-48J[M53xR5L3m4%BeER$sU{hHnJ+rOq7T9^3"

    private static func fixture(_ name: String) throws -> URL {
        try #require(Bundle.module.url(forResource: "Fixtures/\(name)", withExtension: nil))
    }

    @Test func pyzmqsCertificatesAreRead() throws {
        let keys = try JSONDecoder()
            .decode([String: String].self, from: Data(contentsOf: Self.fixture("pyzmq.json")))
        func hex(_ bytes: [UInt8]) -> String { bytes.map { String(format: "%02x", $0) }.joined() }
        let publicKey = try CurveCertificate.readPublic(
            Self.fixture("pyzmq.key").path(percentEncoded: false)
        )
        #expect(hex(publicKey.bytes) == keys["public"])
        let text = try String(contentsOf: Self.fixture("pyzmq.key_secret"), encoding: .utf8)
        let pair = try CurveCertificate.readSecret(folder.write(text, to: "copy"))
        #expect(hex(pair.secretKey) == keys["secret"])
        #expect(pair.publicKey == publicKey)
    }

    @Test func whatIsWrittenIsReadAndTheSecretIsItsOwners() throws {
        let pair = try CurveKeyPair()
        let files = try CurveCertificate.write(pair, to: "\(folder.path)/arm1")
        #expect(try folder.names == ["arm1.key", "arm1.key_secret"])
        #expect(mode(of: files.secretFile) == 0o600)
        #expect(try CurveCertificate.readPublic(files.publicFile) == pair.publicKey)
        let read = try CurveCertificate.readSecret(files.secretFile)
        #expect(read.secretKey == pair.secretKey)
        #expect(read.publicKey == pair.publicKey)
        #expect(try CurveKeyPair().publicKey != pair.publicKey)
    }

    @Test(arguments: ["arm1.key", "arm1.key_secret"])
    func noFileIsOverwritten(existing: String) throws {
        try folder.write("mine", to: existing)
        let error = #expect(throws: CurveCertificateError.self) {
            try CurveCertificate.write(CurveKeyPair(), to: "\(folder.path)/arm1")
        }
        #expect(error == CurveCertificateError("\(folder.path)/\(existing)", .exists))
        #expect(try folder.names == [existing])
        #expect(try String(contentsOfFile: "\(folder.path)/\(existing)", encoding: .utf8) == "mine")
    }

    @Test func filesAreReplacedWhereAsked() throws {
        let stem = "\(folder.path)/arm1"
        _ = try CurveCertificate.write(CurveKeyPair(), to: stem)
        // What a run that was killed leaves behind.
        try folder.write("half", to: "arm1.key_secret.new", mode: 0o644)
        let pair = try CurveKeyPair()
        let files = try CurveCertificate.write(pair, to: stem, replacing: true)
        #expect(try folder.names == ["arm1.key", "arm1.key_secret"])
        #expect(mode(of: files.secretFile) == 0o600)
        #expect(try CurveCertificate.readPublic(files.publicFile) == pair.publicKey)
        #expect(try CurveCertificate.readSecret(files.secretFile).publicKey == pair.publicKey)
    }

    @Test func folderThatIsNotThereIsNamed() {
        let stem = "\(folder.path)/none/arm1"
        let error = #expect(throws: CurveCertificateError.self) {
            try CurveCertificate.write(CurveKeyPair(), to: stem)
        }
        #expect(error?.description == "\(stem).key_secret: cannot be written (No such file or directory)")
    }

    @Test(arguments: [0o644, 0o640, 0o604, 0o660, 0o602, 0o610] as [mode_t])
    func secretThatOthersCanUseIsRefused(mode: mode_t) throws {
        let pair = try CurveKeyPair()
        let file = try CurveCertificate.write(pair, to: "\(folder.path)/server").secretFile
        chmod(file, mode)
        let error = #expect(throws: CurveCertificateError.self) { try CurveCertificate.readSecret(file) }
        #expect(error?.reason == .secretIsOpen(mode: mode))
        let text = try #require(error?.description)
        #expect(text.contains("mode 0\(String(mode, radix: 8)), expected 0600"))
        chmod(file, 0o400)
        #expect(try CurveCertificate.readSecret(file).publicKey == pair.publicKey)
    }

    @Test(
        arguments: [
            "curve\n    public-key = \"KEY\"\n",
            "curve\r\n    public-key = \"KEY\"\r\n",
            "# c\n\nmetadata\n    public-key = \"x\"\n    n = 1\ncurve\n    public-key='KEY' # mine\n",
            "curve\n\tpublic-key = KEY",
            "curve = 1\n    # public-key = \"x\"\n    other\n    public-key  =  \"KEY\"  \nlast\n    public-key = \"x\"\n",
        ]
    )
    func layoutIsFree(text: String) throws {
        let file = try folder.write(text.replacing("KEY", with: Self.publicKey), to: "a.key")
        #expect(try CurveCertificate.readPublic(file).z85 == Self.publicKey)
    }

    typealias Reason = CurveCertificateError.Reason

    @Test(
        arguments: [
            ("", .missing("public-key")),
            ("\u{0}\u{0}", .missing("public-key")),
            ("metadata\n    public-key = \"KEY\"\n", .missing("public-key")),
            ("curve\npublic-key = \"KEY\"\n", .missing("public-key")),
            ("curve\n    public-key\n", .missing("public-key")),
            (
                "curve\n    public-key = \"KEY\"\n    public-key = \"KEY\"\n",
                .repeated("public-key")
            ),
            ("curve\n    public-key = \"\"\n", .badKey("public-key", characters: 0)),
            ("curve\n    public-key = \"KEY0\"\n", .badKey("public-key", characters: 41)),
            ("curve\n    public-key = \"KEY\n", .badKey("public-key", characters: 41)),
            ("curve\n    public-key = \"KEY\" x\n", .badKey("public-key", characters: 44)),
            // 40 characters: one that Z85 has not, a group that is 2^32 or more, a zero byte.
            (
                "curve\n    public-key = '\(String(repeating: "~", count: 40))'\n",
                .badKey("public-key", characters: 40)
            ),
            (
                "curve\n    public-key = '\(String(repeating: "#", count: 40))'\n",
                .badKey("public-key", characters: 40)
            ),
            (
                "curve\n    public-key = '\(String(repeating: "0", count: 35))\u{0}0000'\n",
                .badKey("public-key", characters: 40)
            ),
            ("curve\n    public-key = \"KEY\"\n    secret-key = \"SECRET\"\n", .holdsSecret),
            (String(repeating: "#", count: 65_537), .tooLarge(65_537)),
        ] as [(String, Reason)]
    )
    func badPublicCertificateIsRefused(text: String, reason: Reason) throws {
        let text = text.replacing("KEY", with: Self.publicKey).replacing("SECRET", with: Self.secretKey)
        let file = try folder.write(text, to: "a.key")
        let error = #expect(throws: CurveCertificateError.self) { try CurveCertificate.readPublic(file) }
        #expect(error?.reason == reason)
        #expect(error?.description.hasPrefix(file + ": ") == true)
    }

    @Test(
        arguments: [
            ("curve\n    public-key = \"KEY\"\n", .missing("secret-key")),
            ("curve\n    secret-key = \"SECRET\"\n", .missing("public-key")),
            (
                "curve\n    public-key = \"KEY\"\n    secret-key = \"SECRET9\"\n",
                .badKey("secret-key", characters: 41)
            ),
            ("curve\n    public-key = \"SECRET\"\n    secret-key = \"KEY\"\n", .keysDoNotMatch),
        ] as [(String, Reason)]
    )
    func badSecretCertificateIsRefusedAndNotShown(text: String, reason: Reason) throws {
        let text = text.replacing("KEY", with: Self.publicKey).replacing("SECRET", with: Self.secretKey)
        let file = try folder.write(text, to: "a.key_secret")
        let error = #expect(throws: CurveCertificateError.self) { try CurveCertificate.readSecret(file) }
        #expect(error?.reason == reason)
        #expect(error?.description.contains(Self.secretKey) == false)
    }

    @Test func whatIsNoFileIsRefused() throws {
        let pipe = "\(folder.path)/pipe"
        mkfifo(pipe, 0o600)
        for (path, reason) in [
            (pipe, .notAFile("a named pipe")), (folder.path, .notAFile("a folder")),
            ("/dev/zero", .notAFile("a device")),
            ("\(folder.path)/none", .unreadable("No such file or directory")),
        ] as [(String, Reason)] {
            let error = #expect(throws: CurveCertificateError.self) { try CurveCertificate.readSecret(path) }
            #expect(error?.reason == reason, "\(path)")
        }
    }

    @Test func publicCertificateThatEverybodyMayWriteIsRefused() throws {
        let file = try folder.write(
            "curve\n    public-key = \"\(Self.publicKey)\"\n",
            to: "a.key",
            mode: 0o666
        )
        let error = #expect(throws: CurveCertificateError.self) { try CurveCertificate.readPublic(file) }
        #expect(error?.reason == .writableByAll(mode: 0o666))
    }

    @Test func secretKeyIsNotShown() throws {
        let pair = try CurveKeyPair()
        var dumped = ""
        dump(pair, to: &dumped)
        let numbers = pair.secretKey.map(String.init).joined(separator: ", ")
        for text in [
            "\(pair)", String(reflecting: pair), dumped,
            "\(CurveClientKeys(keys: pair, server: pair.publicKey))",
        ] {
            #expect(!text.contains(pair.secretZ85) && !text.contains(numbers))
            #expect(text.contains(pair.publicKey.z85))
        }
    }
}

@Suite struct CurveAllowListTests {
    let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private func add(_ name: String, _ key: CurvePublicKey) throws {
        try folder.write("curve\n    public-key = \"\(key)\"\n", to: name, mode: 0o644)
    }

    private func reason() -> CurveCertificateError.Reason? {
        #expect(throws: CurveCertificateError.self) { try CurveAllowList(folder: folder.path) }?.reason
    }

    @Test func everyCertificateOfTheFolderCounts() throws {
        #expect(try CurveAllowList(folder: folder.path).names == [:])
        let keys = try (0..<3).map { _ in try CurveKeyPair().publicKey }
        try add("arm1.key", keys[0])
        try add("arm 2.key", keys[1])
        try add(".hidden.key", keys[2])
        try add("arm3.key.off", keys[2])
        try add("README", keys[2])
        for path in [folder.path, folder.path + "/"] {
            #expect(try CurveAllowList(folder: path).names == [keys[0]: "arm1", keys[1]: "arm 2"])
        }
    }

    @Test func oneBadFileSpoilsTheList() throws {
        let pair = try CurveKeyPair()
        try add("a.key", pair.publicKey)
        try add("b.key", pair.publicKey)
        #expect(reason() == .sameKey(as: "a.key"))
        try folder.write("curve\n", to: "b.key")
        #expect(reason() == .missing("public-key"))
        unlink("\(folder.path)/b.key")
        #expect(try CurveAllowList(folder: folder.path).names.count == 1)

        let other = try CurveCertificate.write(CurveKeyPair(), to: "\(folder.path)/c").secretFile
        #expect(rename(other, "\(folder.path)/c.key") == 0)
        #expect(reason() == .holdsSecret)
        unlink("\(folder.path)/c.key")
        mkdir("\(folder.path)/d.key", 0o700)
        #expect(reason() == .notAFile("a folder"))
    }

    @Test func folderMustBeOneThatNotEverybodyWrites() throws {
        chmod(folder.path, 0o777)
        #expect(reason() == .writableByAll(mode: 0o777))
        for (path, why) in [
            ("\(folder.path)/none", "No such file or directory"),
            (try folder.write("", to: "file"), "Not a directory"),
        ] {
            let error = #expect(throws: CurveCertificateError.self) { try CurveAllowList(folder: path) }
            #expect(error == CurveCertificateError(path, .unreadable(why)))
        }
    }

    @Test func sizeIsBounded() throws {
        for index in 0...CurveAllowList.maximumClients { try folder.write("", to: "\(index).key") }
        #expect(reason() == .tooManyFiles(CurveAllowList.maximumClients + 1))
    }
}
