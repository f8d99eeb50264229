import Testing

@testable import Safety

@Suite struct SupervisorTests {
    @Test func onlyResumeReleasesAStoppedRobot() {
        for event in RobotEvent.allCases {
            let leadsTo = Supervisor.transitions[.stopped]?[event]
            #expect(leadsTo == (event == .resumeRequested ? .idle : nil), "\(event)")
        }
    }
}
