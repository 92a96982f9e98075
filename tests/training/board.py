"""TensorBoard's event files read back without TensorBoard, their checksums tested."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from tensorboardX.crc32c import crc32c
from tensorboardX.proto.event_pb2 import Event

from training.adapter_log import BOARD


def events(out: Path) -> list[list[Any]]:
    """What stands in each event file, its checksums tested: length, its checksum, an event, its checksum."""

    def masked(data: bytes) -> int:
        checksum = crc32c(data)
        return (int(checksum >> 15 | checksum << 17) + 0xA282EAD8) & 0xFFFFFFFF

    found = []
    for path in sorted((out / BOARD).iterdir(), key=lambda p: int(p.suffix[1:])):
        data, at, read = path.read_bytes(), 0, []
        while at < len(data):
            (length,), (check,) = struct.unpack_from("<Q", data, at), struct.unpack_from("<I", data, at + 8)
            body = data[at + 12 : at + 12 + length]
            assert check == masked(data[at : at + 8])
            assert struct.unpack_from("<I", data, at + 12 + length)[0] == masked(body)
            read.append(Event.FromString(body))
            at += 16 + length
        found.append(read)
    return found


def scalars(read: list[Any]) -> dict[str, dict[int, float]]:
    found: dict[str, dict[int, float]] = {}
    for event in read:
        for value in event.summary.value:
            found.setdefault(value.tag, {})[event.step] = value.simple_value
    return found
