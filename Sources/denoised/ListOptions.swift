import ArgumentParser

/// Reads the values of an option that are separated by commas.
///
/// - Throws: `ValidationError` that names the option, the part and what was expected.
func commaSeparated<Value>(
    _ text: String,
    option: String,
    expected: String,
    value: (String) -> Value?
) throws -> [Value] {
    try text.split(separator: ",", omittingEmptySubsequences: false).map { part in
        guard let value = value(String(part)) else {
            throw ValidationError("\(option) holds \"\(part)\", expected \(expected)")
        }
        return value
    }
}

extension PrecisionChoice {
    /// The value of `--precision` where it takes several.
    static func list(_ text: String) throws -> [PrecisionChoice] {
        try commaSeparated(
            text,
            option: "--precision",
            expected: "f32, bf16, int8 or auto",
            value: PrecisionChoice.init(rawValue:)
        )
    }
}
