"""Uploads in parts (``multipart/form-data``), straight to files of a folder: bounded, and never wholly in memory.

What a client calls its files is told to whoever asks and never used as a path. Knows no adapter. Time and whole size of
a body are the concern of ``api.guard``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from anyio import to_thread
from fastapi import Request
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from api.problems import Problem
from api.shelf_faults import disk_problem

#: Bytes beside the parts' own: their headers, the boundaries, and what may stand around them.
_OVERHEAD = 1 << 16


@dataclass(frozen=True)
class Part:
    """A field of a form: at most ``limit`` bytes, kept in the file ``stored`` or, without one, as text."""

    limit: int
    stored: str | None = None


@dataclass
class Form:
    """What came: texts by field, and files with something in them by field."""

    texts: dict[str, str] = field(default_factory=dict)
    files: dict[str, Path] = field(default_factory=dict)


async def receive_form(
    request: Request, folder: Path, parts: Mapping[str, Part], check: Callable[[str, str], None] = lambda *_: None
) -> Form:
    """Read a request's form; its files are written into ``folder``.

    Args:
        check: gets the field and the client's name of every file before anything of it is kept; may raise.

    Raises:
        Problem: another type of body, a malformed form or one cut short, fields unknown, given twice or too large, or
            a full disk.
    """
    kind, options = parse_options_header(request.headers.get("content-type"))
    if kind != b"multipart/form-data":
        raise Problem(415, f"the body is {_shown(kind) or 'of no type'}: send a form as multipart/form-data")
    if not options.get(b"boundary"):
        raise Problem(400, "the Content-Type names no boundary: let your client build the form")
    limit = _OVERHEAD + sum(part.limit for part in parts.values())
    try:
        reader = _Reader(options[b"boundary"], folder, parts, check)
    except FormParserError:
        raise Problem(400, "the boundary of the form is too long: let your client build the form") from None
    taken = 0
    try:
        async for chunk in request.stream():
            if (taken := taken + len(chunk)) > limit:
                raise Problem(413, f"the form is larger than {limit:,} bytes, which is the limit here: send less")
            if chunk:
                await to_thread.run_sync(reader.feed, chunk)
        return await to_thread.run_sync(reader.finish)
    except ClientDisconnect:
        raise Problem(400, "the client went away before the form was there") from None
    except FormParserError as error:
        raise Problem(400, f"the form is malformed ({str(error)[:120]}): let your client build it") from None
    except OSError as error:
        raise disk_problem(error) from error
    finally:
        reader.close()


class _Reader:
    """Feeds bytes to the parser and takes from it what each part holds."""

    def __init__(
        self, boundary: bytes, folder: Path, parts: Mapping[str, Part], check: Callable[[str, str], None]
    ) -> None:
        self._folder, self._parts, self._check = folder, parts, check
        self._found: dict[str, bytearray | Path] = {}
        self._header: tuple[bytes, bytes] = (b"", b"")
        self._headers: dict[bytes, bytes] = {}
        self._name, self._size, self._whole = "", 0, False
        self._file: BinaryIO | None = None
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._headers.clear,
                "on_header_field": self._take_header_name,
                "on_header_value": self._take_header_value,
                "on_header_end": self._end_header,
                "on_headers_finished": self._begin,
                "on_part_data": self._take,
                "on_part_end": self.close,
                "on_end": self._end,
            },
        )

    def feed(self, chunk: bytes) -> None:
        self._parser.write(chunk)

    def finish(self) -> Form:
        if not self._whole:
            raise Problem(400, "the form ends before its closing boundary: the upload was cut short; send it again")
        form = Form()
        for name, held in self._found.items():
            if isinstance(held, Path):
                if held.stat().st_size:  # pages send an empty file for one that was not chosen
                    form.files[name] = held
                else:
                    held.unlink()
                continue
            try:
                form.texts[name] = held.decode()
            except UnicodeDecodeError:
                raise Problem(422, f"{name} is no text in UTF-8: write it anew") from None
        return form

    def close(self) -> None:
        """End the part that is being read."""
        file, self._file = self._file, None
        if file is not None:
            file.close()

    def _take_header_name(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0] + data[start:end], self._header[1])

    def _take_header_value(self, data: bytes, start: int, end: int) -> None:
        self._header = (self._header[0], self._header[1] + data[start:end])

    def _end_header(self) -> None:
        self._headers[self._header[0].lower()] = self._header[1]
        self._header = (b"", b"")

    def _begin(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name = self._name = options.get(b"name", b"").decode("utf-8", "replace")
        part = self._parts.get(name)
        if part is None:
            raise Problem(422, f"{name[:80]!r} is no field of this form: its fields are {', '.join(self._parts)}")
        if name in self._found:
            raise Problem(422, f"{name} is given twice: give it once")
        self._size = 0
        if part.stored is None:
            self._found[name] = bytearray()
            return
        self._check(name, options.get(b"filename", b"").decode("utf-8", "replace"))
        self._found[name] = path = self._folder / part.stored
        self._file = path.open("xb")

    def _take(self, data: bytes, start: int, end: int) -> None:
        limit, held = self._parts[self._name].limit, self._found[self._name]
        if (size := self._size + end - start) > limit:
            raise Problem(413, f"{self._name} is larger than {limit:,} bytes, which is the limit")
        self._size = size
        if isinstance(held, bytearray):
            held += data[start:end]
        elif self._file is not None:
            self._file.write(memoryview(data)[start:end])

    def _end(self) -> None:
        self._whole = True


def _shown(kind: bytes) -> str:
    return kind.decode("latin-1")[:60]
