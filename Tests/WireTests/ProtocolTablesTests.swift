import Robotics
import Testing

@testable import Wire

/// The tables of docs/PROTOCOL.md against those that packing and reading follow.
@Suite struct ProtocolTablesTests {
    /// A table of the page.
    struct Page: CustomTestStringConvertible {
        /// The heading that the table is under.
        var heading: String
        /// The first cell of the table's head.
        var head = "field"
        /// The message's `type`, if the table has that row.
        var type: String?
        /// What the page says of the request's number, if the table has that row.
        var request: String?
        var fields: [FieldDescription]

        var testDescription: String { "\(heading): \(head)" }

        /// The table in Markdown, a line each.
        var lines: [String] {
            var lines = ["| \(head) | type | |", "|---|---|---|"]
            if let type { lines.append("| `v`, `type` | | 1, `\"\(type)\"` |") }
            if let request { lines.append("| `request` | u64, optional | \(request) |") }
            for field in fields {
                let type = field.kind.description + (field.isOptional ? ", optional" : "")
                lines.append("| `\(field.name)` | \(type) | \(field.meaning) |")
            }
            return lines
        }
    }

    static let pages: [Page] = [
        Page(heading: "## observation", type: "observation", fields: RobotObservation.table.descriptions),
        Page(
            heading: "## chunk",
            type: "chunk",
            request: "in a reply to `predict` that had one",
            fields: RobotChunk.table.descriptions
        ),
        Page(
            heading: "## chunk",
            head: "field of `stages_ns`",
            fields: RobotChunk.Stages.table.descriptions
        ),
        Page(heading: "## chunk", head: "field of `passes`", fields: SamplingPassColumns.table.descriptions),
        Page(heading: "## command", type: "command", fields: RobotCommand.table.descriptions),
        Page(heading: "## status", type: "status", fields: StatusMessage.table.descriptions),
        Page(heading: "## status", head: "field of a robot", fields: RobotStatus.table.descriptions),
        Page(heading: "### ping, pong", head: "field of `ping`", fields: PingFields.table.descriptions),
        Page(heading: "### ping, pong", head: "field of `pong`", fields: PongFields.table.descriptions),
        Page(heading: "### reset", head: "field of the request", fields: ResetFields.table.descriptions),
        Page(heading: "### reset", head: "field of the reply", fields: ResetReplyFields.table.descriptions),
        Page(heading: "### stop, resume", head: "field of `stop`", fields: StopFields.table.descriptions),
        Page(heading: "### stop, resume", head: "field of `resume`", fields: ResumeFields.table.descriptions),
        Page(
            heading: "### stop, resume",
            head: "field of the reply to `stop`",
            fields: StopReply.table.descriptions
        ),
        Page(
            heading: "### stop, resume",
            head: "field of the reply to `resume`",
            fields: ResumeReplyFields.table.descriptions
        ),
        Page(heading: "### info", type: "info", fields: InfoMessage.table.descriptions),
        Page(heading: "### info", head: "field of a policy", fields: ServedPolicy.table.descriptions),
        Page(heading: "### info", head: "field of `policy`", fields: PolicyDescription.table.descriptions),
        Page(heading: "### info", head: "field of a feature", fields: FeatureDescription.table.descriptions),
        Page(heading: "### info", head: "field of a camera", fields: CameraDescription.table.descriptions),
        Page(
            heading: "### info",
            head: "field of a camera server",
            fields: CameraServerStatus.table.descriptions
        ),
        Page(
            heading: "### info",
            head: "field of `limits`",
            fields: InfoMessage.Limits.table.descriptions
        ),
        Page(heading: "### info", head: "field of `sampler`", fields: SamplerDescription.table.descriptions),
        Page(
            heading: "### info",
            head: "field of `endpoints`",
            fields: InfoMessage.Endpoints.table.descriptions
        ),
        Page(
            heading: "### info",
            head: "field of `statistics`",
            fields: DaemonStatistics.table.descriptions
        ),
        Page(
            heading: "### info",
            head: "field of a latency",
            fields: DaemonStatistics.Latency.table.descriptions
        ),
        Page(
            heading: "### error",
            type: "error",
            request: "if the request had one that could be read",
            fields: ErrorMessage.table.descriptions
        ),
    ]

    @Test(arguments: pages)
    func `a table is as on the page`(page: Page) throws {
        let found = try ProtocolPage.table(under: page.heading, head: page.head)
        #expect(
            found == page.lines,
            "docs/PROTOCOL.md, \(page.heading), is to have:\n\(page.lines.joined(separator: "\n"))"
        )
    }

    /// Every table of fields on the page is one of these, but for that of the arrays and those that are no message's.
    @Test func `no other fields are described`() throws {
        let heads = try ProtocolPage.lines().filter { $0.hasSuffix(" | type | |") }
        let others = ["| field | type | |", "| key | type | |", "| key | type | |"]
        #expect(heads.sorted() == (Self.pages.map { $0.lines[0] } + others).sorted())
    }

    @Test(arguments: pages)
    func `fields have names of their own and a meaning, which names each choice`(page: Page) {
        #expect(Set(page.fields.map(\.name)).count == page.fields.count)
        for field in page.fields {
            #expect(!field.meaning.isEmpty && !field.meaning.contains { $0 == "|" || $0 == "\n" })
            guard case .choice(let texts) = field.kind else { continue }
            for text in texts {
                #expect(field.meaning.contains("`\(text)`"), "\(field.name) does not name \(text)")
            }
        }
    }

    /// What is not described as optional may not be left out.
    @Test func `each field of an observation may be left out or not, as described`() {
        for field in RobotObservation.table.descriptions where !field.isOptional {
            let error = RejectionTests.decode(RejectionTests.observation(field.name, nil))
            #expect(error == MessageError(.missingField, field: field.name, "the field is missing"))
        }
        for field in RobotObservation.table.descriptions where field.isOptional {
            #expect(RejectionTests.decode(RejectionTests.observation(field.name, nil)) == nil)
            #expect(RejectionTests.decode(RejectionTests.observation(field.name, .null)) == nil)
        }
    }
}
