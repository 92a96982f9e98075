"""Picks of people who heard one prompt sung by several compositions, in a log that only ever grows.

Knows what a vote is and how it is kept. Not who may vote, and not what a vote is worth (``router.evidence``).
"""

from __future__ import annotations

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator

from adapters.composition import checked_composition, format_composition
from adapters.errors import AdapterError
from adapters.field_faults import say_first
from adapters.files import flush_folder, is_full
from router.errors import RouterError
from router.prompt import MAX_CAPTION, MAX_LYRICS, MAX_TAGS, RouterPrompt, Tag

#: What the log of a folder of songs is called.
FEEDBACK = "feedback.jsonl"
#: Bytes of a log, far more than people pick: reading it whole stays cheap, and nobody fills a disk by voting.
MAX_LOG = 64 << 20
#: Unreadable lines that are told one by one.
_TOLD = 5


def _checked(composition: dict[str, float]) -> dict[str, float]:
    try:
        return checked_composition(composition)
    except AdapterError as error:
        raise ValueError(str(error)) from None


def _in_utc(time: datetime) -> datetime:
    return time.astimezone(UTC)


_Composition = Annotated[dict[str, float], AfterValidator(_checked)]


class Vote(BaseModel):
    """One pick: of songs from the same prompt and the same noise, which somebody liked best.

    ``winner`` and ``losers`` are compositions, all different. ``blind``: nothing told which was which. ``adapters``:
    fingerprints (``adapters.fingerprints``) by name of those that sang; one that cannot be told any more is missing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    time: Annotated[AwareDatetime, AfterValidator(_in_utc)] = Field(description="When it was given, in UTC.")
    comparison: str = Field(min_length=1, max_length=64, description="Id of the comparison.")
    # what was sung
    caption: str = Field(default="", max_length=MAX_CAPTION)
    tags: tuple[Tag, ...] = Field(default=(), max_length=MAX_TAGS)
    lyrics: str = Field(default="", max_length=MAX_LYRICS)
    seed: int = Field(ge=0, lt=2**31)
    # what was picked
    winner: _Composition = Field(description="Weights of adapters by name; none is the base model.")
    losers: tuple[_Composition, ...] = Field(min_length=1, max_length=64)
    blind: bool = Field(description="Whether nothing told which composition was which.")
    # who sang
    model_fingerprint: str = Field(max_length=64)
    adapters: dict[str, str] = Field(default_factory=dict, description="Fingerprints of adapters by name.")

    @model_validator(mode="after")
    def _picks_one_of_several(self) -> Vote:
        names = [format_composition(composition) for composition in (self.winner, *self.losers)]
        twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
        if twice is not None:
            raise ValueError(f"{twice[:80]} stands there twice: a pick is between different compositions")
        return self

    @property
    def prompt(self) -> RouterPrompt:
        """What was sung, as the router sees it."""
        return RouterPrompt(caption=self.caption, tags=self.tags, lyrics=self.lyrics)


@dataclass(frozen=True)
class Feedback:
    """What a log holds: its votes in the order they were given, and what is wrong with lines that are none, by line
    number from 1."""

    votes: tuple[Vote, ...]
    unreadable: dict[int, str]

    def describe_unreadable(self) -> str:
        """One sentence on the lines that are no votes; empty where there are none."""
        if not self.unreadable:
            return ""
        told = [f"line {number} ({reason})" for number, reason in list(self.unreadable.items())[:_TOLD]]
        more = len(self.unreadable) - len(told)
        return f"not read as votes: {', '.join(told)}{f' and {more:,} more' if more else ''}; mend or delete them"


class FeedbackLog:
    """The votes in ``path``, JSON of one each line; the file comes into being with the first one.

    Any thread and process may read and append at once: whoever appends has the file for itself meanwhile. Nothing that
    stands there is ever changed. A line that was torn by a crash stays, and the next vote begins a line of its own.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._known: tuple[object, Feedback] | None = None

    def append(self, vote: Vote) -> None:
        """Add a vote, flushed to disk before this returns.

        Raises:
            RouterError: the log is full, the folder cannot be written, or the disk is full; the log is then as it was.
        """
        line = vote.model_dump_json().encode() + b"\n"
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self._opened(os.O_RDWR | os.O_CREAT | os.O_APPEND, fcntl.LOCK_EX) as handle:
                size = os.fstat(handle).st_size
                if size + len(line) >= MAX_LOG:
                    raise RouterError(
                        f"the log of picks {self.path} holds {size:,} bytes and may hold {MAX_LOG:,}: move it away, "
                        "and a new one begins"
                    )
                if size and os.pread(handle, 1, size - 1) != b"\n":
                    line = b"\n" + line
                try:
                    if os.write(handle, line) < len(line):
                        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
                    os.fsync(handle)
                except OSError:
                    os.ftruncate(handle, size)
                    raise
            if not size:
                with suppress(OSError):  # the vote is there; only a power cut within seconds could lose it
                    flush_folder(self.path.parent)
        except OSError as error:
            remedy = "free some space" if is_full(error) else "mend the permissions of its folder"
            raise RouterError(
                f"the log of picks {self.path} cannot be written ({error.strerror or error}): {remedy}"
            ) from error

    def read(self) -> Feedback:
        """All votes, and which lines are none. Where there is no log there are no votes.

        Raises:
            RouterError: the log cannot be read, or is larger than one may be.
        """
        try:
            with self._opened(os.O_RDONLY, fcntl.LOCK_SH) as handle:
                found = os.fstat(handle)
                stamp = (found.st_ino, found.st_size, found.st_mtime_ns)
                if (known := self._known) is not None and known[0] == stamp:
                    return known[1]
                if found.st_size > MAX_LOG:
                    raise RouterError(
                        f"the log of picks {self.path} holds {found.st_size:,} bytes and may hold {MAX_LOG:,}: "
                        "split it into several"
                    )
                with os.fdopen(os.dup(handle), "rb") as file:
                    content = file.read()
        except FileNotFoundError:
            return Feedback((), {})
        except OSError as error:
            raise RouterError(
                f"the log of picks {self.path} cannot be read ({error.strerror or error}): mend its permissions, or "
                "give another file"
            ) from error
        feedback = _read_lines(content)
        self._known = (stamp, feedback)
        return feedback

    @contextmanager
    def _opened(self, flags: int, lock: int) -> Iterator[int]:
        handle = os.open(self.path, flags | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(handle, lock)
            yield handle
        finally:
            os.close(handle)  # which gives the lock back


def _read_lines(content: bytes) -> Feedback:
    votes, unreadable = list[Vote](), dict[int, str]()
    *lines, rest = content.split(b"\n")
    for number, line in enumerate([*lines, rest] if rest else lines, 1):
        if not line.strip():
            continue  # an editor's
        try:
            votes.append(Vote.model_validate_json(line))
        except ValidationError as error:
            torn = number > len(lines)
            unreadable[number] = "it was not written to its end" if torn else say_first(error)
    return Feedback(tuple(votes), unreadable)
