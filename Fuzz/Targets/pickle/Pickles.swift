import Harness

@testable import Importing
@testable import Pickle

/// Pickles of checkpoints. An accepted pickle names only nodes that there are, and its configuration is read or refused.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    var limits = PickleLimits()
    limits.nodes = 10_000
    limits.values = 50_000
    let pickle: Pickle
    do throws(PickleError) {
        pickle = try Pickle(input(start, count), limits: limits)
    } catch {
        requireOneLine(error)
        return 0
    }
    require(pickle.nodes.count <= limits.nodes, "\(pickle.nodes.count) nodes")
    var members = 0
    for (index, node) in pickle.nodes.enumerated() {
        members += node.elements.count + 2 * node.entries.count
        for value in [node.callee, node.arguments, node.state ?? .none] + node.elements {
            check(value, pickle)
        }
        for entry in node.entries {
            check(entry.key, pickle)
            check(entry.value, pickle)
        }
        _ = pickle.bytes(.node(index))
        require(pickle.summary(.node(index)).utf8.count <= 16_384, "a long summary")
    }
    require(members <= limits.values, "\(members) members")
    check(pickle.root, pickle)
    readConfiguration(pickle)
    return 0
}

private func check(_ value: PickleValue, _ pickle: Pickle) {
    if case .node(let index) = value {
        require(pickle.nodes.indices.contains(index), "node \(index) of \(pickle.nodes.count)")
    }
}

/// As an import reads it.
private func readConfiguration(_ pickle: Pickle) {
    do throws(ImportError) {
        var reader = ConfigurationReader(pickle, file: "x.ckpt")
        let root = try reader.read(pickle.member("cfg", of: pickle.root) ?? pickle.root)
        let configuration = ConfigurationKey(root: root, file: "x.ckpt")
        _ = try MeaningOfActions(configuration).notes(keepsRotations: true)
        let policy = try SourcePolicy(try configuration.required("policy", expected: "a policy"))
        require(policy.horizon > 0 && policy.nObsSteps > 0 && policy.nActionSteps > 0, "no time")
        let layout = try FeatureLayout(policy.observations, state: nil, featuresOfFrame: 64, file: "x.ckpt")
        let columns = layout.columns(of: policy.observations)
        require(columns.sorted() == Array(0..<layout.stepCount), "columns that are no permutation")
    } catch {
        requireOneLine(error)
    }
}
