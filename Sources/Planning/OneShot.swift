import Dispatch
import Synchronization

/// A value that one thread will set, once, and others wait for.
package final class OneShot<Value: Sendable>: Sendable {
    private let value = Mutex<Value?>(nil)
    private let isSet = DispatchSemaphore(value: 0)

    /// Without a value.
    package init() {}

    /// Sets the value; later calls change nothing.
    package func set(_ newValue: Value) {
        let isFirst = value.withLock { value in
            guard value == nil else { return false }
            value = newValue
            return true
        }
        if isFirst { isSet.signal() }
    }

    /// Whether the value is there.
    package var hasValue: Bool { value.withLock { $0 != nil } }

    /// Waits for the value until a time; nil if it is not set by then.
    package func wait(until time: DispatchTime) -> Value? {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            guard isSet.wait(timeout: time) == .success else { return value.withLock { $0 } }
            isSet.signal()
        }
    }

    /// Waits for the value.
    package func wait() -> Value {
        while true {
            if let value = value.withLock({ $0 }) { return value }
            isSet.wait()
            // Signals again, so that other waiters wake.
            isSet.signal()
        }
    }
}
