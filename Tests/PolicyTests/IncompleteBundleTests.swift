import Foundation
import PolicyFixtures
import Testing

@testable import Policy

/// Checkpoints that were not copied whole.
@Suite struct IncompleteBundleTests {
    @Test(arguments: ["config.json", "model.safetensors", "policy_preprocessor.json"])
    func aGitLFSPointerIsNamed(file: String) throws {
        let copy = try BundleCopy(of: "processors")
        try Data("version https://git-lfs.github.com/spec/v1\noid sha256:00\nsize 4\n".utf8).write(
            to: copy.url(file)
        )
        let error = try copy.error()
        #expect(error.file == file && error.found == "a Git LFS pointer; run git lfs pull", "\(error)")
    }

    @Test func allMissingProcessorFilesAreNamed() throws {
        let copy = try BundleCopy(of: "processors")
        let statistics = "policy_postprocessor_step_0_unnormalizer_processor.safetensors"
        try copy.remove("policy_preprocessor.json")
        try copy.remove(statistics)
        let error = try copy.error()
        #expect(error.file == "policy_preprocessor.json" && error.found.contains(statistics), "\(error)")
        try copy.remove("policy_postprocessor.json")
        let none = try copy.error()
        #expect(none.file == "policy_preprocessor.json", "\(none)")
        #expect(none.found.contains("policy_postprocessor.json"), "\(none)")
    }

    @Test func aByteOrderMarkIsReadOver() throws {
        let copy = try BundleCopy(of: "processors")
        let text = try Data(contentsOf: copy.url("config.json"))
        try (Data([0xef, 0xbb, 0xbf]) + text).write(to: copy.url("config.json"))
        _ = try PolicyBundle(directory: copy.directory)
    }
}
