"""A client of a GR00T N1.5 policy server that needs no NumPy, and what the tests ask of a daemon with it.

    python Tests/Oracles/gr00t_n15_client.py --endpoint tcp://127.0.0.1:5558 --routing-id n15
        --observations '[{"state.arm": [[0, 1]]}, {"state.arm": [[2, 3]]}]'

Sends ping, get_modality_config, get_action with each observation, a request as torch.save packs it, and a kill, as
RobotInferenceClient of Isaac-GR00T N1.5 does (gr00t/eval/robot.py and service.py), and prints one JSON object of the
answers. Numbers in nested lists go as arrays of 32-bit floats, beside an image and an instruction. Needs pyzmq and msgpack.
"""

import argparse
import io
import json
import sys
import zipfile

import msgpack
import zmq

from gr00t_client import ARRAY, CONFIGURATION, load, pack, save


def unpack(value):
    if ARRAY in value:
        return load(value["as_npy"])
    if CONFIGURATION in value:
        # N1.5 gives it to json.loads, which takes nothing but a text.
        return json.loads(value["as_json"])
    return value


class Client:
    def __init__(self, endpoint, routing_id):
        self.socket = zmq.Context.instance().socket(zmq.REQ)
        self.socket.linger = 0
        self.socket.setsockopt(zmq.IDENTITY, routing_id.encode())
        self.socket.connect(endpoint)

    def send(self, message):
        self.socket.send(message)
        if not self.socket.poll(30_000):
            sys.exit("no answer")
        return msgpack.unpackb(self.socket.recv(), object_hook=unpack)

    def ask(self, endpoint, data=None):
        request = {"endpoint": endpoint}
        if data is not None:
            request["data"] = data
        return self.send(msgpack.packb(request))


def observation(numbers):
    """What a robot sends: its state, a picture of 2 x 2 pixels and its task."""
    video = {ARRAY: True, "as_npy": save([[[[0, 0, 0], [0, 0, 0]], [[0, 0, 0], [0, 0, 0]]]])}
    return pack(numbers) | {"video.front": video, "annotation.human.action.task_description": ["push the T"]}


def torch_file():
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}q\x00.")
    return file.getvalue()


def main():
    parser = argparse.ArgumentParser(description="Asks a daemon what a client of GR00T N1.5 asks.")
    parser.add_argument("--endpoint", required=True)
    parser.add_argument("--routing-id", required=True)
    parser.add_argument("--observations", type=json.loads, required=True)
    arguments = parser.parse_args()

    client = Client(arguments.endpoint, arguments.routing_id)
    answers = {
        "ping": client.ask("ping"),
        "modalities": client.ask("get_modality_config"),
        "actions": [client.ask("get_action", observation(numbers)) for numbers in arguments.observations],
        "torch": client.send(torch_file()),
        "kill": client.ask("kill"),
        "after": client.ask("ping"),
    }
    print(json.dumps(answers))


if __name__ == "__main__":
    main()
