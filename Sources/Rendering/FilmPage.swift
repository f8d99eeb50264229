/// What each picture of a film shows.
protocol FilmPage {
    /// Pixels in a row.
    var width: Int { get }
    /// Rows.
    var height: Int { get }
    /// The control step of the last picture.
    var lastStep: Int { get }
    /// Control steps a second.
    var rate: Double { get }
    /// Whether it has pictures of a camera, which have more colours and fewer even areas than drawings.
    var hasPhotographs: Bool { get }

    /// Whether it shows several episodes.
    var isGrid: Bool { get }

    /// Draws one control step over whatever is there.
    ///
    /// - Parameter note: on the film's speed, beside what is said of time; empty in a picture alone.
    func draw(on canvas: Canvas, step: Int, note: String) throws
}
