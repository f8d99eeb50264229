/// Whether a text that a client sent is a secret. Takes a time that depends on the length of what was sent alone, so that it tells
/// nothing of the secret.
package func equalsInConstantTime(_ found: String, _ secret: String) -> Bool {
    let secret = Array(secret.utf8)
    var difference = found.utf8.count ^ secret.count
    guard !secret.isEmpty else { return difference == 0 }
    for (index, byte) in found.utf8.enumerated() {
        difference |= Int(byte ^ secret[index % secret.count])
    }
    return difference == 0
}
