/// Encodes pictures of one size as a film that repeats, one picture after the other.
protocol FilmWriter {
    /// Adds a picture.
    ///
    /// - Parameter end: when it makes room for the next one, in milliseconds from the film's start; later than the one before.
    /// - Throws: `RenderingError` if it cannot be encoded.
    func add(_ canvas: Canvas, until end: Int) throws

    /// Ends the film. To be called once, after at least one picture.
    ///
    /// - Returns: the whole file.
    /// - Throws: `RenderingError` if it cannot be encoded.
    func finish() throws -> [UInt8]
}
