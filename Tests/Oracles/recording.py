"""Golden recordings, and checks of ours, by the Python mcap package.

    python Tests/Oracles/recording.py                    writes Tests/MCAPTests/Resources/python.mcap
    python Tests/Oracles/recording.py --golden           checks Tests/MCAPTests/Resources/ours.mcap, which the tests write
                                                         to the folder DENOISED_WRITE_GOLDEN, where that is set
    python Tests/Oracles/recording.py --check FILE...    checks recordings of `denoised serve --record`

A check reads the file as a stream with every CRC verified, and, where the file was finished, by its index, and compares
the two and the statistics. A file that was cut off must give every message before the cut. Of recordings of the daemon every
message must fit its schema, and every schema must be one that Foxglove and Lichtblick read. Needs mcap and jsonschema.
"""

import json
import pathlib
import sys

import jsonschema
from mcap.exceptions import EndOfFile
from mcap.reader import SeekingReader
from mcap.records import Channel, DataEnd, Message, Schema, Statistics
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer

RESOURCES = pathlib.Path(__file__).parents[1] / "MCAPTests" / "Resources"
TIME = 1_800_000_000_000_000_000


def write_golden(path):
    with open(path, "wb") as file:
        writer = Writer(file, chunk_size=200, compression=CompressionType.NONE)
        writer.start(profile="", library="golden")
        schema = writer.register_schema("point", "jsonschema", b'{"type":"object"}')
        channels = [
            writer.register_channel("/a", "json", schema),
            writer.register_channel("/b", "json", schema),
        ]
        for number in range(12):
            data = json.dumps({"number": number, "text": "x" * number}).encode()
            writer.add_message(channels[number % 2], TIME + number, data, TIME + number, number // 2)
        writer.add_metadata("about", {"left": "out"})
        writer.add_attachment(TIME, TIME, "note", "text/plain", b"skipped")
        writer.finish()


def key(schema, channel, message):
    name = schema.name if schema else ""
    return (
        channel.topic,
        name,
        message.log_time,
        message.publish_time,
        message.sequence,
        message.data,
    )


def stream(path):
    """Every message, whether the data section ended, and the statistics."""
    schemas, channels, messages, ended, statistics = {}, {}, [], False, None
    with open(path, "rb") as file:
        try:
            for record in StreamReader(file, validate_crcs=True).records:
                if isinstance(record, Schema):
                    schemas[record.id] = record
                elif isinstance(record, Channel):
                    channels[record.id] = record
                elif isinstance(record, Message):
                    channel = channels[record.channel_id]
                    messages.append(key(schemas.get(channel.schema_id), channel, record))
                elif isinstance(record, DataEnd):
                    ended = True
                elif isinstance(record, Statistics):
                    statistics = record
        except EndOfFile:
            ended = False
    return schemas, messages, ended, statistics


def check(path):
    schemas, messages, ended, statistics = stream(path)
    validate(schemas, messages)
    if ended:
        with open(path, "rb") as file:
            reader = SeekingReader(file, validate_crcs=True)
            indexed = [key(*found) for found in reader.iter_messages(log_time_order=False)]
            summary = reader.get_summary()
        assert sorted(indexed) == sorted(messages), "the index leads to other messages"
        assert statistics.message_count == len(messages), "the statistics count other messages"
        assert statistics.chunk_count == len(summary.chunk_indexes)
        assert len(summary.schemas) == len(schemas)
        assert sum(statistics.channel_message_counts.values()) == len(messages)
        times = [message[2] for message in messages] or [0]
        assert (statistics.message_start_time, statistics.message_end_time) == (min(times), max(times))
        by_topic = {}
        for message in messages:
            by_topic.setdefault(message[0], []).append(message)
        for topic, expected in by_topic.items():
            with open(path, "rb") as file:
                found = [key(*item) for item in SeekingReader(file).iter_messages(topics=[topic], log_time_order=False)]
            assert sorted(found) == sorted(expected), f"{topic}: the index leads to other messages"
    print(f"{path}: {len(messages)} messages, {'complete' if ended else 'cut off'}")


def validate(schemas, messages):
    validators = {}
    for schema in schemas.values():
        parsed = json.loads(schema.data)
        jsonschema.Draft202012Validator.check_schema(parsed)
        validators[schema.name] = jsonschema.Draft202012Validator(parsed)
        if schema.name.startswith(("denoised.", "foxglove.")):
            readable(parsed, schema.name)
    for _topic, name, *_, data in messages:
        if name:
            validators[name].validate(json.loads(data))


def readable(schema, path, values=("object",)):
    """Refuses what Lichtblick cannot read, by the rules of packages/mcap-support/src/parseJsonSchema.ts in its repository: a
    channel whose schema breaks one is dropped. Numbers with names are its one use of `oneOf`."""
    for word in ("anyOf", "allOf", "$ref"):
        assert word not in schema, f"{path}: {word}"
    # Bytes, which the viewer decodes.
    assert schema.get("contentEncoding", "base64") == "base64", f"{path}: contentEncoding"
    for alternative in schema.get("oneOf", []):
        assert isinstance(alternative["const"], int) and alternative["title"], f"{path}: oneOf"
    kind = schema.get("type")
    assert kind in values, f"{path}: the type {kind}, expected one of {values}"
    plain = ("boolean", "string", "number", "integer", "object")
    if kind == "object":
        assert "properties" in schema, f"{path}: no properties"
        others = schema.get("additionalProperties", False)
        members = schema["properties"] | ({"*": others} if isinstance(others, dict) else {})
        for name, member in members.items():
            readable(member, f"{path}.{name}", (*plain, "array"))
    elif kind == "array":
        readable(schema["items"], f"{path}[]", plain)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        for argument in sys.argv[2:]:
            check(argument)
    elif sys.argv[1:] == ["--golden"]:
        check(RESOURCES / "ours.mcap")
    else:
        RESOURCES.mkdir(exist_ok=True)
        write_golden(RESOURCES / "python.mcap")
