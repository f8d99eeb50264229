/// How the keys of an array's map are packed. A reader takes both.
public enum ArrayKeys: String, Sendable, Hashable, CaseIterable {
    /// As MessagePack's `bin`, as openpi packs them and expects them.
    case binary = "bin"
    /// As MessagePack's `str`, for decoders that take no other keys, such as those for JavaScript.
    case string = "str"
}
