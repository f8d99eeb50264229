/// Text that came from outside, made fit for one line of a log: control characters become `?`, and it is cut after
/// `limit` characters.
package func printable(_ text: String, limit: Int) -> String {
    // Names of fields, which this is asked for in every message, are nearly always so.
    if text.utf8.count <= limit, text.utf8.allSatisfy({ (0x20...0x7e).contains($0) }) { return text }
    var result = String.UnicodeScalarView()
    for scalar in text.unicodeScalars {
        if result.count >= limit {
            result.append(contentsOf: "...".unicodeScalars)
            break
        }
        let isControl =
            scalar.properties.generalCategory == .control || scalar.properties.generalCategory == .format
        let breaksLine = scalar == "\u{2028}" || scalar == "\u{2029}"
        result.append(isControl || breaksLine ? "?" : scalar)
    }
    return String(result)
}
