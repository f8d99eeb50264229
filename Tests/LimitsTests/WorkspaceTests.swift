import Foundation
import Testing

@testable import Limits

@Suite struct WorkspaceTests {
    struct Case: Decodable {
        struct Link: Decodable { let d, a, alpha, offset: Double }
        let links: [Link]
        let angles: [Float]
        let place: [Double]
    }

    @Test func toolIsWhereTheMatricesSay() throws {
        let url = try #require(Bundle.module.url(forResource: "Resources/workspace", withExtension: "json"))
        let cases = try JSONDecoder().decode([Case].self, from: Data(contentsOf: url))
        try #require(cases.count == 30)
        for arm in cases {
            let links = arm.links.map {
                Workspace.Link(d: $0.d, a: $0.a, alpha: $0.alpha, offset: $0.offset)
            }
            let box = arm.place.map { $0 - 1e-6...$0 + 1e-6 }
            let workspace = Workspace(tool: .joints(links), box: box)
            // What follows the joints, as a gripper, does not move the tool.
            let found = workspace.place(of: arm.angles + [0.7])
            for (coordinate, expected) in zip(found, arm.place) {
                #expect(abs(coordinate - expected) < 1e-12 * Double(arm.links.count))
            }
            #expect(workspace.contains(arm.angles))
            var elsewhere = workspace
            elsewhere.box[2] = arm.place[2] + 1e-6...arm.place[2] + 1
            #expect(!elsewhere.contains(arm.angles))
        }
    }

    @Test func boxIncludesItsSides() {
        let workspace = Workspace(tool: .coordinates([2, 0]), box: [0...1, -1...0])
        #expect(workspace.contains([0, 99, 0]))
        #expect(workspace.contains([-1, 99, 1]))
        #expect(!workspace.contains([0.001, 0, 0.5]))
        #expect(!workspace.contains([-0.5, 0, -0.001]))
    }

    @Test(arguments: [Float.nan, .infinity, -.infinity])
    func whatIsNoPlaceIsOutside(value: Float) {
        let everywhere = -Double.greatestFiniteMagnitude...Double.greatestFiniteMagnitude
        #expect(!Workspace(tool: .coordinates([0]), box: [everywhere]).contains([value]))
        let arm = Workspace(
            tool: .joints([.init(d: 1, a: 1, alpha: 0.5)]),
            box: [everywhere, everywhere, everywhere]
        )
        #expect(arm.contains([1]))
        #expect(!arm.contains([value]))
    }
}
