"""Checks recordings against Foxglove's own message definitions.

    pip install mcap foxglove-schemas-protobuf
    python Tests/Oracles/foxglove.py RUN.mcap...

Every message whose schema has one of Foxglove's names must parse as the message of that name in foxglove-schemas-protobuf: no
field that it does not have, and no value of another type.
"""

import datetime
import importlib
import json
import sys

from google.protobuf import json_format
from mcap.reader import make_reader

# What `denoised` adds to a frame; viewers ignore it.
ADDED = {"foxglove.CompressedImage": {"number", "lossy"}}


def with_protobuf_times(value):
    """JSON of times has `sec` and `nsec`, protobuf's JSON has text."""
    if isinstance(value, list):
        return [with_protobuf_times(item) for item in value]
    if not isinstance(value, dict):
        return value
    result = {}
    for name, item in value.items():
        if name == "timestamp":
            moment = datetime.datetime.fromtimestamp(item["sec"], datetime.UTC)
            item = f"{moment:%Y-%m-%dT%H:%M:%S}.{item['nsec']:09d}Z"
        elif name == "lifetime":
            item = f"{item['sec']}.{item['nsec']:09d}s"
        else:
            item = with_protobuf_times(item)
        result[name] = item
    return result


def check(path: str) -> dict[str, int]:
    """How many messages of each of Foxglove's kinds a recording has; raises for one that is none."""
    counts: dict[str, int] = {}
    with open(path, "rb") as file:
        for schema, _, message in make_reader(file).iter_messages():
            if not schema or not schema.name.startswith("foxglove."):
                continue
            name = schema.name.removeprefix("foxglove.")
            kind = getattr(importlib.import_module(f"foxglove_schemas_protobuf.{name}_pb2"), name)
            fields = json.loads(message.data)
            fields = {key: value for key, value in fields.items() if key not in ADDED.get(schema.name, set())}
            json_format.ParseDict(with_protobuf_times(fields), kind())
            counts[schema.name] = counts.get(schema.name, 0) + 1
    return counts


if __name__ == "__main__":
    for path in sys.argv[1:]:
        print(f"{path}: {check(path)}")
