import Testing

@testable import Drawing

@Suite struct AxisTests {
    @Test func linearTicksAreRound() {
        let axis = Axis.linear([0.52, 0.97], within: 0...1, count: 4)
        #expect(axis.ticks.map(\.label) == ["0.4", "0.6", "0.8", "1.0"])
        #expect((axis.low, axis.high) == (0.4, 1))
        #expect(abs(axis.place(0.7) - 0.5) < 1e-12)
        #expect(axis.place(-5) == 0 && axis.place(5) == 1)
    }

    @Test func linearAxisStaysWithinItsBounds() {
        let axis = Axis.linear([0, 7.3], within: 0...7.3)
        #expect(axis.high == 7.3)
        #expect(axis.ticks.map(\.label) == ["0", "2", "4", "6"])
    }

    @Test(arguments: [[1.0, 1.0], [3.3], [0, 0], [-3, -3], [], [.nan, .infinity]])
    func anAxisOfOneValueHasSomeWidth(values: [Double]) {
        for axis in [Axis.linear(values), Axis.logarithmic(values)] {
            #expect(axis.high > axis.low)
            #expect(!axis.ticks.isEmpty)
            for value in values { #expect((0...1).contains(axis.place(value))) }
        }
    }

    @Test func negativeValuesHaveTicksOnBothSidesOfZero() {
        let axis = Axis.linear([-0.012, 0.004, 0], within: -1...1, count: 4)
        #expect(
            axis.ticks.map(\.label) == ["\u{2212}0.015", "\u{2212}0.010", "\u{2212}0.005", "0.000", "0.005"]
        )
    }

    @Test func logarithmicTicksArePowersOfTen() {
        let axis = Axis.logarithmic([0.001, 100])
        #expect(axis.ticks.map(\.label) == ["0.001", "0.01", "0.1", "1", "10", "100"])
        #expect(abs(axis.place(0.1) - 0.4) < 1e-12)
        #expect(axis.place(0) == 0 && axis.place(-1) == 0)
    }

    @Test func aShortLogarithmicAxisHasMoreTicks() {
        #expect(Axis.logarithmic([4, 60]).ticks.map(\.label) == ["5", "10", "20", "50"])
    }

    @Test(arguments: [1e-12, 1e-3, 0.5, 3, 1e6, 1e12])
    func anAxisOfAnySizeHasFewTicks(size: Double) {
        for axis in [
            Axis.linear([0, size]), Axis.linear([-size, size]), Axis.logarithmic([size, size * 50]),
        ] {
            #expect((2...12).contains(axis.ticks.count), "\(axis)")
        }
    }
}
