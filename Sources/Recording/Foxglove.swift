import StrictJSON

/// What the schemas have in common that Foxglove publishes for its panels (https://docs.foxglove.dev/docs/sdk/schemas).
enum Foxglove {
    /// Writes the members of a time.
    ///
    /// - Parameter timeNs: the wall clock, in nanoseconds since 1970 (UTC).
    static func write(timeNs: UInt64, to time: inout JSONBuilder) {
        time.member("sec", timeNs / 1_000_000_000)
        time.member("nsec", timeNs % 1_000_000_000)
    }

    /// Writes the JSON Schema of a time.
    static func writeTimeSchema(to schema: inout JSONBuilder) {
        schema.member("type", "object")
        schema.member("title", "time")
        schema.member("properties") { members in
            members.member("sec") { seconds in
                seconds.member("type", "integer")
                seconds.member("minimum", 0)
            }
            members.member("nsec") { nanoseconds in
                nanoseconds.member("type", "integer")
                nanoseconds.member("minimum", 0)
                nanoseconds.member("maximum", 999_999_999)
            }
        }
    }
}
