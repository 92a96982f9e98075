"""The JSON beside a GTSinger recording: its words with times and notes, and the labels that hold for the whole clip.

The file is a list with a record per word: ``word``, ``start_time`` and ``end_time`` in seconds, lists ``note`` (MIDI, 0
is a rest), ``note_start``, ``note_end`` and ``note_dur``, phones and techniques per phone, and, the same in every
record, ``singing_method``, ``emotion``, ``pace`` and ``range``. Silence and breath are records too: ``<SP>``, ``<AP>``
or blank.
Source: Data-Process/process of github.com/AaronZ345/GTSinger. Knows nothing of folders and sounds.
"""

from __future__ import annotations

import json
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from training.manifest import SungNote, TimedWord

WORD, START, END = "word", "start_time", "end_time"
#: Why a clip cannot be used for its records; these are the headings of the report.
MISSING = "no JSON beside it"
UNREADABLE = "JSON cannot be read"
NO_KEY = f"records without the key {WORD!r}"
BAD_TIMES = "word times missing or out of order"
TOO_LATE = "words last longer than the sound"
WORDLESS = "nothing is sung in it"

#: Labelled words may overlap by this much, or end this long after the sound (seconds); more is a mistake.
SLACK = 0.1
LARGEST_BYTES = 4_000_000
_MARKERS = {"SP", "AP", "sil"}
_LABEL = re.compile(r"[\w' -]{1,40}")


class RecordError(Exception):
    """The records of one clip cannot be used: ``reason`` is a heading of the report, ``detail`` what was found."""

    def __init__(self, reason: str, detail: str = "") -> None:
        super().__init__(f"{reason}: {detail}" if detail else reason)
        self.reason, self.detail = reason, detail


@dataclass(frozen=True)
class Labels:
    """What the annotators say of a whole clip, in lower case; empty where they say nothing."""

    method: str = ""
    emotion: str = ""
    pace: str = ""
    range: str = ""


@dataclass(frozen=True)
class Records:
    """The sung words of a clip, in order, and its labels."""

    words: tuple[TimedWord, ...]
    labels: Labels

    @property
    def text(self) -> str:
        return " ".join(word.text for word in self.words)


def read_records(path: Path, seconds: float) -> Records:
    """Read the records beside a sound of ``seconds``.

    Raises:
        RecordError: there are none, they cannot be read, or what they say of words and times cannot be true.
    """
    rows = _rows(path)
    words, last = list[TimedWord](), 0.0
    for number, row in enumerate(rows):
        if WORD not in row:
            raise RecordError(NO_KEY, f"record {number} has the keys {', '.join(map(str, list(row)[:8]))}")
        if not isinstance(row[WORD], str):
            raise RecordError(UNREADABLE, f"{WORD!r} of record {number} is {row[WORD]!r}, not text")
        text = spelling(row[WORD])
        if not text:
            continue
        start, end = _number(row.get(START)), _number(row.get(END))
        if start is None or end is None or start < -SLACK or end <= start or start < last - SLACK:
            raise RecordError(BAD_TIMES, f"{text!r} from {row.get(START)!r} to {row.get(END)!r} s, after {last:g} s")
        if end > seconds + SLACK:
            raise RecordError(TOO_LATE, f"{text!r} ends at {end:g} s of {seconds:.2f} s")
        start, end = max(start, last, 0.0), min(end, seconds)
        if end <= start or len(text) > 100:
            raise RecordError(BAD_TIMES, f"{text[:40]!r} from {start:g} to {end:g} s")
        last = end
        words.append(TimedWord(text=text, start=start, end=end, notes=_notes(row, start, end)))
    if not words:
        raise RecordError(WORDLESS, f"{len(rows)} records")
    return Records(tuple(words), _labels(rows))


def spelling(word: str) -> str:
    """The word as it stands in lyrics: without brackets, which lyrics give a meaning; empty for silence and breath."""
    word = "".join(letter for letter in " ".join(word.split()) if letter.isprintable())
    if word in _MARKERS or (word.startswith("<") and word.endswith(">")):
        return ""
    word = re.sub(r"[\[\](){}<>]", "", word)
    return word if any(letter.isalnum() for letter in word) else ""


def decode(data: bytes) -> str:
    """Text of a JSON file in UTF-8, -16 or -32 with or without a byte order mark, else in Latin-1's Windows form.

    Raises:
        UnicodeDecodeError: it is none of these.
    """
    try:
        return data.decode(json.detect_encoding(data))
    except UnicodeDecodeError:
        return data.decode("cp1252")


def _rows(path: Path) -> list[dict[str, Any]]:
    try:
        if path.stat().st_size > LARGEST_BYTES:
            raise RecordError(UNREADABLE, f"{path.stat().st_size} bytes, the limit is {LARGEST_BYTES}")
        data = path.read_bytes()
    except FileNotFoundError as error:
        raise RecordError(MISSING) from error
    except OSError as error:
        raise RecordError(UNREADABLE, error.strerror or str(error)) from error
    try:
        found = json.loads(decode(data))
    except (ValueError, RecursionError) as error:
        raise RecordError(UNREADABLE, str(error)) from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise RecordError(UNREADABLE, "it is not a list of records")
    return found


def _labels(rows: list[dict[str, Any]]) -> Labels:
    def label(key: str) -> str:
        for row in rows:
            value = row.get(key)
            if isinstance(value, str) and _LABEL.fullmatch(value.strip()):
                return " ".join(value.replace("_", " ").lower().split())
        return ""

    return Labels(label("singing_method"), label("emotion"), label("pace"), label("range"))


def _notes(row: dict[str, Any], start: float, end: float) -> tuple[SungNote, ...]:
    """The notes of a word within its times. Their own times where the lists match, else shares by written length."""
    pitches = _numbers(row.get("note"))
    starts, ends, lengths = (_numbers(row.get(key)) for key in ("note_start", "note_end", "note_dur"))
    if not len(starts) == len(ends) == len(pitches):
        whole = sum(length or 0 for length in lengths)
        if len(lengths) != len(pitches) or whole <= 0 or any(length is None or length < 0 for length in lengths):
            lengths, whole = [1.0] * len(pitches), float(len(pitches))
        edges = [start]
        for length in lengths:
            edges.append(edges[-1] + (length or 0) / whole * (end - start))
        starts, ends = list(edges[:-1]), list(edges[1:])
    notes = []
    for pitch, begin, finish in zip(pitches, starts, ends, strict=True):
        if pitch is None or begin is None or finish is None or not 0 < pitch <= 127:
            continue  # a rest, or no number
        begin, finish = max(begin, start), min(finish, end)
        if finish > begin:
            notes.append(SungNote(start=round(begin, 4), end=round(finish, 4), midi=pitch))
    return tuple(notes)


def _numbers(value: object) -> list[float | None]:
    """A list of numbers, or one number on its own, as some of the files have it."""
    if value is None:
        return []
    return [_number(item) for item in value] if isinstance(value, list) else [_number(value)]


def _number(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, (int, float, str)):
        return None
    try:
        number = float(value)
    except (ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None
