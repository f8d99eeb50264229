"""Certificates as pyzmq writes them, and their keys as bytes, for TransportTests.

The keys are new with every run, and protect nothing. Needs pyzmq.
"""

import json
import pathlib

import zmq.auth
import zmq.utils.z85

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "TransportTests" / "Fixtures"


def main():
    metadata = {"name": "arm one", "note": "public-key = none of the section curve"}
    files = zmq.auth.create_certificates(FOLDER, "pyzmq", metadata=metadata)
    public, secret = zmq.auth.load_certificate(files[1])
    keys = {"public": zmq.utils.z85.decode(public).hex(), "secret": zmq.utils.z85.decode(secret).hex()}
    (FOLDER / "pyzmq.json").write_text(json.dumps(keys, indent=2) + "\n")


if __name__ == "__main__":
    main()
