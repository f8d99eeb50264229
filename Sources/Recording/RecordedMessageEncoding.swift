import Robotics
import StrictJSON
import Wire

/// A message as it goes into a recording.
package struct RecordedJSON {
    package let kind: RecordedKind
    /// The name of its channel.
    package let topic: String
    package let data: [UInt8]

    /// - Parameter robot: whom it concerns; nil for the daemon.
    package init(kind: RecordedKind, robot: RobotID? = nil, data: [UInt8]) {
        self.init(kind: kind, topic: kind.topic(of: robot), data: data)
    }

    init(kind: RecordedKind, topic: String, data: [UInt8]) {
        self.kind = kind
        self.topic = topic
        self.data = data
    }

    init<Message>(
        _ kind: RecordedKind,
        of robot: RobotID? = nil,
        _ table: MessageTable<Message>,
        _ message: Message
    ) {
        let data = JSONBuilder.object { RecordedForm.write(table.entries(of: message), to: &$0) }
        self.init(kind: kind, robot: robot, data: data)
    }

    /// Messages are missing here.
    static func gap(lost: UInt64) -> RecordedJSON {
        RecordedJSON(.gap, RecordedGap.table, RecordedGap(lost: lost))
    }
}

extension TappedMessage.Content {
    /// What a recording keeps of a message, without the frames of cameras, which are messages of their own.
    ///
    /// - Parameter setup: what the daemon was started with.
    package func recorded(setup: RecordingSession.Setup) -> [RecordedJSON] {
        switch self {
        case .started(let policies):
            let session = RecordingSession(daemonVersion: daemonVersion, policies: policies, setup: setup)
            return [RecordedJSON(.session, RecordingSession.table, session)]
        case .observation(let observation, let preceding, let isRepeat, let receivedNs):
            let recorded = RecordedObservation(
                tapped: observation,
                preceding: preceding,
                isRepeat: isRepeat,
                receivedNs: receivedNs
            )
            return [
                RecordedJSON(.observation, of: observation.robot, RecordedObservation.table, recorded)
            ]
        case .chunk(let chunk, let sampled, let isPrediction, let isGrouped):
            var recorded = RecordedChunkMessage(
                chunk: chunk,
                isPrediction: isPrediction,
                isGrouped: isGrouped
            )
            if sampled.actions != chunk.actions || sampled.beyond != chunk.beyond {
                recorded.sampledActions = ActionRows(sampled.actions, actionDim: sampled.actionDim)
                recorded.sampledBeyond = ActionRows(sampled.beyond, actionDim: sampled.actionDim)
            }
            let latency = RecordedLatency(sequence: chunk.sequence, stages: chunk.timing.stages)
            return [
                RecordedJSON(.chunk, of: chunk.robot, RecordedChunkMessage.table, recorded),
                RecordedJSON(.latency, of: chunk.robot, RecordedLatency.table, latency),
            ]
        case .reset(let robot, let policy):
            let recorded = RecordedRobot(robot: robot, episode: .number(0), policy: policy)
            return [RecordedJSON(.reset, of: robot, RecordedRobot.reset, recorded)]
        case .unsent(let robot, let episode):
            let recorded = RecordedRobot(robot: robot, episode: episode)
            return [RecordedJSON(.unsent, of: robot, RecordedRobot.unsent, recorded)]
        case .command(let command):
            return [RecordedJSON(.command, of: command.robot, RobotCommand.recorded, command)]
        case .status(let status):
            return [RecordedJSON(.status, StatusMessage.recorded, status)]
        }
    }
}
