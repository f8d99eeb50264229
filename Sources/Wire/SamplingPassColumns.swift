import Robotics

/// The passes of the network that a chunk comes from, as a message has them: an array for each of their properties.
struct SamplingPassColumns: Sendable {
    private var firstSteps: [Float] = []
    private var endSteps: [Float] = []
    private var evaluations: [Float] = []
    private var durations: [Float] = []

    static let table = MessageTable(
        SamplingPassColumns(),
        [
            .required(
                "first_step",
                \.firstSteps,
                .floatArray,
                "for each pass the earliest denoising step that it evaluated, from 0, the noisiest"
            ),
            .required("end_step", \.endSteps, .floatArray, "the step after the latest"),
            .required("evaluations", \.evaluations, .floatArray, "how many of them it evaluated"),
            .required("ns", \.durations, .floatArray, "how long it took, in nanoseconds, to 24 bits"),
        ]
    )

    /// A coding of passes that are there.
    static let coding = FieldCoding<[SamplingPass]>(kind: .map(table.descriptions)) {
        .map(table.entries(of: SamplingPassColumns($0)))
    } read: { (fields, name) throws(MessageError) in
        try table.read(fields.fields(name)).passes(field: name)
    }

    private init() {}

    private init(_ passes: [SamplingPass]) {
        firstSteps = passes.map { Float($0.firstStep) }
        endSteps = passes.map { Float($0.endStep) }
        evaluations = passes.map { Float($0.evaluations) }
        durations = passes.map { Float($0.durationNs) }
    }

    private func passes(field: String) throws(MessageError) -> [SamplingPass] {
        let columns = [firstSteps, endSteps, evaluations, durations]
        guard columns.allSatisfy({ $0.count == firstSteps.count }) else {
            throw MessageError(
                .badArray,
                field: field,
                "found arrays of \(columns.map(\.count)) numbers, expected as many in each"
            )
        }
        var passes: [SamplingPass] = []
        passes.reserveCapacity(firstSteps.count)
        for index in firstSteps.indices {
            let numbers = columns.map { $0[index] }
            guard numbers.allSatisfy({ $0 >= 0 && $0 < 0x1p62 }), numbers[0] < numbers[1] else {
                throw MessageError(
                    .badArray,
                    field: "\(field)[\(index)]",
                    "found \(numbers), expected a step, a later step, a count and nanoseconds"
                )
            }
            passes.append(
                SamplingPass(
                    firstStep: Int(numbers[0]),
                    endStep: Int(numbers[1]),
                    evaluations: Int(numbers[2]),
                    durationNs: UInt64(numbers[3])
                )
            )
        }
        return passes
    }
}

extension FieldCoding<[Float]> {
    /// Numbers one after the other.
    static let floatArray = Self(kind: .floatArray) {
        .array($0, shape: [$0.count])
    } read: { (fields, name) throws(MessageError) in
        let value = try fields.value(name)
        guard value != .array([]) else { return [] }
        let (numbers, shape) = try NumericArray.decode(value, field: name)
        guard shape.count == 1 else {
            throw MessageError(.badArray, field: "\(name).shape", "found \(shape), expected one dimension")
        }
        return numbers
    }
}
