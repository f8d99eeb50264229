"""Makes the recording of format 1 that the tests replay, with a `denoised` of commit 7ab8abb or older.

    python3 Tests/Oracles/old_recording.py BINARY        writes Tests/MCAPTests/Resources/format1.mcap

The recording has what format 2 writes in another form: an episode whose id is the integer 5, the same robot's next one whose
id is the text "5", and one with a name; actions given beforehand (`committed`, `frozen`); chunks that a robot's limits changed
(`sampled_action`); commands and heartbeats. Needs python3-zmq and python3-msgpack.
"""

import pathlib
import struct
import sys
import tempfile
import time

import msgpack
import zmq

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "Tests" / "Soak"))

from daemon import Daemon, free_ports  # noqa: E402

POLICY = ROOT / "Tests" / "PolicyTests" / "Fixtures" / "processors"
OUTPUT = ROOT / "Tests" / "MCAPTests" / "Resources" / "format1.mcap"
# Narrow enough that the policy's chunks leave it.
ROBOT_FILE = """
robot: arm1
control_hz: 10
command_hz: 20
clock: monotonic
actions:
  - {name: x, position: [100, 400]}
  - {name: y, position: [100, 400]}
"""


def observation(robot, episode, sequence):
    return {
        "v": 1,
        "type": "observation",
        "robot": robot,
        "episode": episode,
        "sequence": sequence,
        "time_ns": time.monotonic_ns(),
        "observation": {
            "observation.state": [250.1 + 10 * sequence, 300],
            "observation.environment_state": [0.3, -0.1 * sequence, 0.7],
        },
    }


def packed(rows):
    numbers = [number for row in rows for number in row]
    return {"__ndarray__": True, "dtype": "<f4", "shape": [len(rows), 2], "data": struct.pack(f"<{len(numbers)}f", *numbers)}


def predict(daemon, episode, sequence, **more):
    message = observation("arm2", episode, sequence) | {"type": "predict"} | more
    reply = daemon.request(message)
    assert reply["type"] == "chunk", reply


def drive(daemon):
    publisher = daemon.context.socket(zmq.PUB)
    publisher.connect(f"tcp://127.0.0.1:{daemon.ports[0]}")
    time.sleep(0.3)
    for sequence in range(20):
        message = observation("arm1", 1, sequence) | {"session": 7}
        publisher.send_multipart([b"observation.arm1", msgpack.packb(message)])
        time.sleep(0.1)
    publisher.close(0)
    for episode in [5, "5", "a.b"]:
        # The first seed is one that no double holds.
        predict(daemon, episode, 0, noise_seed=18_446_744_073_709_551_557)
        predict(daemon, episode, 1)
        predict(daemon, episode, 2, committed=packed([[250.5, 300]]))
        # A prediction that was asked for again.
        predict(daemon, episode, 2)
    assert daemon.request({"type": "reset", "robot": "arm2"})["type"] == "reset"
    predict(daemon, "a.b", 0)


def main(binary):
    OUTPUT.parent.mkdir(exist_ok=True)
    OUTPUT.unlink(missing_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        robot_file = pathlib.Path(folder) / "robot.yaml"
        robot_file.write_text(ROBOT_FILE)
        options = ["--robot", str(robot_file), "--record", str(OUTPUT), "--seed", "3"]
        options += ["--threads", "1"]
        daemon = Daemon(binary, POLICY, *options, ports=free_ports(3), log=sys.stderr)
        try:
            daemon.start()
            drive(daemon)
            daemon.stop()
        finally:
            if daemon.is_alive():
                daemon.kill()


if __name__ == "__main__":
    main(*sys.argv[1:])
