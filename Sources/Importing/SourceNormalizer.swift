import StrictJSON

/// The `LinearNormalizer` of a policy: y = x scale + offset for each dimension of an entry.
struct SourceNormalizer {
    /// The range that becomes [-1, 1].
    struct Range {
        var min: [Double]
        var max: [Double]
    }

    private let state: StateDictionary

    init(_ state: StateDictionary) { self.state = state }

    /// The range of an entry of numbers: min = (-1 - offset) / scale, max = (1 - offset) / scale.
    ///
    /// That holds for every dimension, also for one that never moved in training: its scale is 1, and its offset makes it 0.
    /// The statistics that the normaliser keeps beside are not what it computes with.
    ///
    /// - Parameter count: the numbers of the entry. Where the normaliser has fewer, it takes them in turn.
    /// - Throws: `ImportError` for a normaliser that is missing, was not fitted or is none.
    func range(of key: String, count: Int) throws(ImportError) -> Range {
        let name = "normalizer.params_dict.\(key)"
        guard state.contains("\(name).scale") else {
            throw state.error("\(name).scale", found: "missing", expected: "the normaliser of \(key.quoted)")
        }
        let scale = try state.numbers("\(name).scale")
        let offset = try state.numbers("\(name).offset")
        guard !scale.isEmpty, scale.count == offset.count, count.isMultiple(of: scale.count) else {
            throw state.error(
                "\(name).scale",
                found: "\(scale.count) numbers, and \(offset.count) of the offset",
                expected: "\(count) of each, or numbers that divide into \(count)"
            )
        }
        var range = Range(min: [], max: [])
        for index in 0..<count {
            let (scale, offset) = (scale[index % scale.count], offset[index % scale.count])
            let (low, high) = ((-1 - offset) / scale, (1 - offset) / scale)
            guard scale > 0, low.isFinite, high.isFinite, low < high else {
                throw state.error(
                    "\(name).scale",
                    found: "\(scale) at index \(index), with an offset of \(offset)",
                    expected: "a scale greater than 0 whose range is finite"
                )
            }
            range.min.append(low)
            range.max.append(high)
        }
        return range
    }

    /// The range of a camera, which is the same for all colours.
    func range(ofCamera key: String) throws(ImportError) -> Range {
        let name = "normalizer.params_dict.\(key)"
        guard try state.numbers("\(name).scale").count == 1 else {
            throw state.error(
                "\(name).scale",
                found: "\(try state.numbers("\(name).scale").count) numbers",
                expected: "one for all pixels of \(key.quoted)"
            )
        }
        let one = try range(of: key, count: 1)
        return Range(
            min: [one.min[0], one.min[0], one.min[0]],
            max: [one.max[0], one.max[0], one.max[0]]
        )
    }
}
