import Planning
import Piloting

/// Every robot's history and pilot: what the socket thread's parts share. For that thread alone.
final class Robots {
    /// Whose observations are known, and what is to be planned next.
    var agenda: Agenda
    /// Who looks after each robot.
    var pilots: Pilots

    init(agenda: Agenda, pilots: Pilots) {
        self.agenda = agenda
        self.pilots = pilots
    }

    /// Forgets the pilots of robots of which nothing else is kept, beyond a number of them.
    func forgetUnknownPilots() { pilots.keep { agenda.knows($0) } }
}
