"""A robot's side of the openpi protocol: openpi-client as it is, told what to do on standard input.

    python Tests/Oracles/openpi_robot.py --port 8000 [--key KEY] [--horizon STEPS]

Prints one JSON object a line: `metadata` with the server's, and then what comes of each line of standard input, an
observation as a JSON object. Numbers in lists go as arrays of 32-bit floats; an object of `shape` and `pixels` (base64) goes
as an array of bytes; `options` and texts go as they are. With --horizon openpi's ActionChunkBroker stands between, and only
the action of the present control step comes back. An error is an object of its class and its text, and the client connects
anew. Needs openpi-client 0.1.2 and typing_extensions, which it imports.
"""

import argparse
import base64
import json
import sys

import numpy as np
from openpi_client import action_chunk_broker, websocket_client_policy


def unpacked(value):
    if isinstance(value, dict) and "pixels" in value:
        return np.frombuffer(base64.b64decode(value["pixels"]), np.uint8).reshape(value["shape"])
    if isinstance(value, list):
        return np.array(value, np.float32)
    return value


def printable(value):
    if isinstance(value, dict):
        return {key: printable(inner) for key, inner in value.items()}
    if isinstance(value, np.ndarray):
        return {"dtype": value.dtype.str, "shape": list(value.shape), "values": value.ravel().tolist()}
    return value


def say(value):
    print(json.dumps(printable(value)), flush=True)


def fault(error):
    return {"error": type(error).__name__, "text": str(error)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--key")
    parser.add_argument("--horizon", type=int)
    options = parser.parse_args()

    def connect():
        client = websocket_client_policy.WebsocketClientPolicy("127.0.0.1", options.port, options.key)
        if not options.horizon:
            return client, client
        return client, action_chunk_broker.ActionChunkBroker(client, options.horizon)

    try:
        client, policy = connect()
    except Exception as error:
        say(fault(error))
        return
    say({"metadata": client.get_server_metadata()})
    for line in sys.stdin:
        observation = {key: unpacked(value) for key, value in json.loads(line).items()}
        try:
            say(policy.infer(observation))
        except Exception as error:
            say(fault(error))
            client, policy = connect()


if __name__ == "__main__":
    main()
