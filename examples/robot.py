"""A toy robot that runs one episode against a running `denoised serve`.

    pip install pyzmq msgpack
    python robot.py --requests tcp://127.0.0.1:5557

It asks the daemon what its policy observes, so it runs with any policy. Its body is a stand-in: every number it observes
starts at 0 and follows the action. The wire is described in docs/PROTOCOL.md.
"""

import argparse
import array
import sys
import time

import msgpack
import zmq


def rows(action):
    """The rows of a chunk's action array, as lists of numbers."""
    steps, size = action[b"shape"]
    numbers = array.array("f", action[b"data"])
    return [list(numbers[step * size : (step + 1) * size]) for step in range(steps)]


class Body:
    """Stands in for motors and sensors: each feature is a list of numbers that follow the action."""

    def __init__(self, features):
        self.features = {feature["name"]: [0.0] * feature["count"] for feature in features}

    def observe(self):
        return self.features

    def act(self, action):
        for values in self.features.values():
            for index, target in zip(range(len(values)), action):
                values[index] += 0.5 * (target - values[index])


class Daemon:
    """The three sockets of a running daemon."""

    def __init__(self, context, requests, robot, timeout):
        self.robot, self.timeout = robot, timeout
        self.requests = context.socket(zmq.REQ)
        self.requests.connect(requests)
        self.info = self.ask({"v": 1, "type": "info"})
        self.chunks = context.socket(zmq.SUB)
        self.chunks.subscribe(f"chunk.{robot}")
        self.chunks.connect(self.info["endpoints"]["chunks"])
        self.observations = context.socket(zmq.PUB)
        self.observations.connect(self.info["endpoints"]["observations"])

    def ask(self, request):
        self.requests.send(msgpack.packb(request))
        if not self.requests.poll(1000 * self.timeout):
            sys.exit("no answer: is the daemon running?")
        reply = msgpack.unpackb(self.requests.recv())
        if reply["type"] == "error":
            sys.exit(f"{reply['code']}: {reply['message']}")
        return reply

    def publish(self, observation):
        message = {"v": 1, "type": "observation", "robot": self.robot, **observation}
        self.observations.send_multipart([f"observation.{self.robot}".encode(), msgpack.packb(message)])

    def chunk(self, observation):
        """Publishes an observation until its chunk arrives: what is sent before both sides have joined is lost."""
        deadline = time.monotonic() + self.timeout
        while time.monotonic() < deadline:
            self.publish(observation)
            while self.chunks.poll(250):
                topic, payload = self.chunks.recv_multipart()
                chunk = msgpack.unpackb(payload)
                answers = (chunk["robot"], chunk["episode"], chunk["sequence"])
                if answers == (self.robot, observation["episode"], observation["sequence"]):
                    return chunk
        sys.exit("no chunk: the daemon's log says why it rejects an observation")


def main():
    parser = argparse.ArgumentParser(description="Runs one episode of a toy robot against a running daemon.")
    parser.add_argument("--requests", default="tcp://127.0.0.1:5557", help="the daemon's request endpoint")
    parser.add_argument("--robot", default="toy", help="the robot's id")
    parser.add_argument("--steps", type=int, default=32, help="control steps in the episode")
    parser.add_argument("--hz", type=float, default=10, help="control steps in a second; 0: as fast as chunks come")
    parser.add_argument("--timeout", type=float, default=30, help="seconds to wait for the daemon")
    arguments = parser.parse_args()

    context = zmq.Context()
    context.linger = 0
    daemon = Daemon(context, arguments.requests, arguments.robot, arguments.timeout)
    policy = daemon.info["policy"]
    print(f"policy {policy['name']}: {policy['n_action_steps']} actions of {policy['action_dim']} numbers a chunk")

    body = Body(policy["features"])
    episode = time.time_ns()  # a new id, so that the daemon starts a fresh history
    actions = []
    for step in range(arguments.steps):
        observation = {
            "episode": episode,
            "sequence": step,
            "time_ns": time.monotonic_ns(),
            "observation": body.observe(),
            "replan": not actions,
        }
        if actions:
            daemon.publish(observation)
        else:
            chunk = daemon.chunk(observation)
            actions = rows(chunk["action"])
            milliseconds = chunk["stages_ns"]["total"] / 1e6
            print(f"step {step}: {len(actions)} actions in {milliseconds:.1f} ms, first {actions[0]}")
        body.act(actions.pop(0))
        if arguments.hz > 0:
            time.sleep(1 / arguments.hz)
    print(f"episode done: {arguments.steps} steps")


if __name__ == "__main__":
    main()
