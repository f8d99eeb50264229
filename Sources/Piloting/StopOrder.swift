import Clocks
import Robotics

/// A stop's place in the order of stops and resumes.
///
/// Sockets are read in turn, so a resume may be read after a stop that was sent later. A resume is therefore done only if it is
/// certain that whoever sent it knew of the newest stop: it names that stop's number, or both came over one connection, whose
/// messages are read in the order in which they were sent.
package struct StopOrder: Sendable, Hashable {
    /// Rises from stop to stop, also from daemon to daemon on one machine.
    package let number: UInt64
    /// The connection that asked for the stop; nil if no request did.
    package let connection: [UInt8]?

    /// No stop.
    package static let none = StopOrder(number: 0, connection: nil)

    /// The order of a stop at a time of the monotonic clock: the wall clock, as it would be had nobody set it since the daemon's
    /// start.
    package init(now: MonotonicTime, connection: [UInt8]? = nil) {
        self.init(number: now.unsignedNs &+ Self.wallOffset, connection: connection)
    }

    private init(number: UInt64, connection: [UInt8]?) {
        (self.number, self.connection) = (number, connection)
    }

    private static let wallOffset = Clock.wallNs() &- MonotonicTime.now().unsignedNs

    /// Checks that whoever resumes knew of this stop, the newest.
    /// - Throws: `MessageError` `newer_stop`, or `missing_field` if the request names no stop.
    package func check(seen: UInt64?, by connection: [UInt8]?) throws(MessageError) {
        guard number > 0 else { return }
        guard let seen else {
            guard self.connection != nil, self.connection == connection else {
                throw MessageError(
                    .missingField,
                    field: "stop",
                    "missing, expected the number of the newest stop that you have seen, as `status`, `info` and the reply to "
                        + "`stop` give it: another client, or the daemon, stopped a robot"
                )
            }
            return
        }
        guard number > seen else { return }
        throw MessageError(
            .newerStop,
            field: "stop",
            "found \(seen), and stop \(number) came later; look, then resume with that number"
        )
    }
}
