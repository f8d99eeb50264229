"""Golden recordings, and checks of ours, by the Python mcap package.

    python Tests/Oracles/recording.py                    writes Tests/RecordingTests/Resources/python.mcap
    python Tests/Oracles/recording.py --golden           checks Tests/RecordingTests/Resources/ours.mcap, which the tests write
                                                         to the folder DENOISED_WRITE_GOLDEN, where that is set
    python Tests/Oracles/recording.py --check FILE...    checks recordings of `denoised serve --record`

A check reads the file as a stream with every CRC verified, and, where the file was finished, by its index, and compares
the two and the statistics. A file that was cut off must give every message before the cut. Needs mcap and jsonschema.
"""

import json
import pathlib
import sys

from mcap.exceptions import EndOfFile
from mcap.reader import SeekingReader
from mcap.records import Channel, DataEnd, Message, Schema, Statistics
from mcap.stream_reader import StreamReader
from mcap.writer import CompressionType, Writer

RESOURCES = pathlib.Path(__file__).parents[1] / "RecordingTests" / "Resources"
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
            writer.add_message(
                channels[number % 2], TIME + number, data, TIME + number, number // 2
            )
        writer.add_metadata("about", {"left": "out"})
        writer.add_attachment(TIME, TIME, "note", "text/plain", b"skipped")
        writer.finish()


def key(schema, channel, message):
    name = schema.name if schema else ""
    return (
        channel.topic, name, message.log_time, message.publish_time, message.sequence, message.data,
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
                found = [
                    key(*item)
                    for item in SeekingReader(file).iter_messages(topics=[topic], log_time_order=False)
                ]
            assert sorted(found) == sorted(expected), f"{topic}: the index leads to other messages"
    print(f"{path}: {len(messages)} messages, {'complete' if ended else 'cut off'}")


def validate(schemas, messages):
    try:
        import jsonschema
    except ImportError:
        jsonschema = None
    by_name = {schema.name: json.loads(schema.data) for schema in schemas.values()}
    for topic, name, *_, data in messages:
        value = json.loads(data)
        if jsonschema and name:
            jsonschema.Draft202012Validator(by_name[name]).validate(value)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--check"]:
        for argument in sys.argv[2:]:
            check(argument)
    elif sys.argv[1:] == ["--golden"]:
        check(RESOURCES / "ours.mcap")
    else:
        RESOURCES.mkdir(exist_ok=True)
        write_golden(RESOURCES / "python.mcap")
