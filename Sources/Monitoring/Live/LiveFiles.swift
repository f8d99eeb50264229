import HTTP

/// The files of the live page, which are part of the program.
enum LiveFiles {
    /// The answer with the file at a path; nil if there is none.
    static func answer(to path: String) -> HTTPAnswer? { answers[path] }

    private static let answers: [String: HTTPAnswer] = [
        "/": answer(PackageResources.index_html, "text/html"),
        "/live.css": answer(PackageResources.live_css, "text/css"),
        "/live.js": answer(PackageResources.live_js, "text/javascript"),
        "/charts.js": answer(PackageResources.charts_js, "text/javascript"),
        "/connection.js": answer(PackageResources.connection_js, "text/javascript"),
        "/elements.js": answer(PackageResources.elements_js, "text/javascript"),
        "/scene.js": answer(PackageResources.scene_js, "text/javascript"),
        "/icon.svg": answer(PackageResources.icon_svg, "image/svg+xml"),
    ]

    private static func answer(_ bytes: [UInt8], _ type: String) -> HTTPAnswer {
        HTTPAnswer(.ok, String(decoding: bytes, as: UTF8.self), contentType: "\(type); charset=utf-8")
    }
}
