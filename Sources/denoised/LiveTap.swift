import Monitoring
import Recording
import Robotics

/// Hands a daemon's messages to the live page, and to a recorder if there is one.
struct LiveTap: MessageTap {
    let board: LiveBoard
    /// Who gets every message as well.
    let next: (any MessageTap)?

    var lostMessages: UInt64 { next?.lostMessages ?? 0 }

    func take(_ message: TappedMessage) {
        next?.take(message)
        guard board.isWatched else { return }
        switch message.content {
        case .observation(let observation, _, let isRepeat, let receivedNs):
            if !isRepeat { board.put(observation, receivedNs: receivedNs) }
        case .chunk(let chunk, _, let isPrediction, let isGrouped):
            board.put(chunk, isPrediction: isPrediction, isGrouped: isGrouped)
        case .command(let command): board.put(command)
        case .started, .unsent, .status, .reset: break
        }
    }
}
