import CZeroMQ

/// A CURVE public key: 32 bytes, written as 40 characters of Z85 (ZeroMQ RFC 32).
public struct CurvePublicKey: Sendable, Hashable, CustomStringConvertible {
    /// The key, 32 bytes.
    let bytes: [UInt8]

    /// The key, or nil if the text is not the Z85 form of 32 bytes.
    public init?(z85 text: String) {
        guard let bytes = Z85.decode(text) else { return nil }
        self.bytes = bytes
    }

    /// The key, or nil if there are not 32 bytes.
    init?(bytes: [UInt8]) {
        guard bytes.count == Z85.keyBytes else { return nil }
        self.bytes = bytes
    }

    /// The key in Z85, 40 characters.
    public var z85: String { Z85.encode(bytes) }

    /// The key in Z85.
    public var description: String { z85 }
}

/// A CURVE key pair. Neither its description nor its mirror shows the secret key.
public struct CurveKeyPair: Sendable, CustomStringConvertible, CustomReflectable {
    /// What others know the owner by.
    public let publicKey: CurvePublicKey
    /// The secret key, 32 bytes.
    let secretKey: [UInt8]

    /// A new pair, from the system's random numbers.
    /// - Throws: ``ZeroMQError`` if libzmq was built without CURVE.
    public init() throws(ZeroMQError) {
        var publicText = [CChar](repeating: 0, count: Z85.keyCharacters + 1)
        var secretText = publicText
        guard zmq_curve_keypair(&publicText, &secretText) == 0 else { throw ZeroMQError("make a CURVE key") }
        guard let secret = Z85.decode(Z85.text(secretText)), let pair = CurveKeyPair(secretKey: secret) else {
            throw ZeroMQError("make a CURVE key", code: EINVAL)
        }
        self = pair
    }

    /// The pair of a secret key in Z85, or nil if the text is not the Z85 form of 32 bytes.
    init?(secretZ85 text: String) {
        guard let secret = Z85.decode(text) else { return nil }
        self.init(secretKey: secret)
    }

    private init?(secretKey: [UInt8]) {
        var text = [CChar](repeating: 0, count: Z85.keyCharacters + 1)
        guard zmq_curve_public(&text, Z85.encode(secretKey)) == 0,
            let publicKey = CurvePublicKey(z85: Z85.text(text))
        else { return nil }
        self.publicKey = publicKey
        self.secretKey = secretKey
    }

    /// The secret key in Z85, for a certificate file and nothing else.
    var secretZ85: String { Z85.encode(secretKey) }

    /// The public key.
    public var description: String { "the key pair of \(publicKey)" }

    /// The public key alone.
    public var customMirror: Mirror { Mirror(self, children: ["publicKey": publicKey]) }
}

/// What a client needs to talk to a CURVE server: its own keys, and the server's public key, without which it would not
/// know whom it talks to.
public struct CurveClientKeys: Sendable {
    /// The client's own keys.
    public var keys: CurveKeyPair
    /// The public key of the server.
    public var server: CurvePublicKey

    /// The keys of a client and of its server.
    public init(keys: CurveKeyPair, server: CurvePublicKey) {
        self.keys = keys
        self.server = server
    }

    /// Reads the client's secret and the server's public certificate file.
    /// - Throws: ``CurveCertificateError`` if one of them is not what it should be.
    public init(secretFile: String, serverFile: String) throws(CurveCertificateError) {
        self.init(
            keys: try CurveCertificate.readSecret(secretFile),
            server: try CurveCertificate.readPublic(serverFile)
        )
    }
}

/// Z85 of 32-byte keys, by libzmq.
private enum Z85 {
    static let keyBytes = 32
    static let keyCharacters = 40

    static func encode(_ bytes: [UInt8]) -> String {
        var text = [CChar](repeating: 0, count: keyCharacters + 1)
        guard bytes.count == keyBytes, zmq_z85_encode(&text, bytes, keyBytes) != nil else { return "" }
        return self.text(text)
    }

    static func decode(_ text: String) -> [UInt8]? {
        // libzmq stops at a zero byte, so the length has to be that of what it reads.
        guard text.utf8.count == keyCharacters, !text.utf8.contains(0) else { return nil }
        var bytes = [UInt8](repeating: 0, count: keyBytes)
        guard zmq_z85_decode(&bytes, text) != nil else { return nil }
        return bytes
    }

    static func text(_ characters: [CChar]) -> String {
        String(decoding: characters.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }
}
