"""JSON objects read from files that strangers made: bounded in size, and every fault an error that names the file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from adapters.errors import AdapterError

#: Bytes of a JSON file; the config of an adapter over every layer of the largest model stays below 200 kB.
MAX_JSON = 4 << 20


def read_json_object(path: Path) -> dict[str, Any]:
    """The object in a JSON file.

    Raises:
        AdapterError: the file is missing, too large, not text, not JSON, or holds something else than an object.
    """
    try:
        if not path.is_file():
            raise AdapterError(f"{path} is no file: the adapter is incomplete; fetch it again")
        if (size := path.stat().st_size) > MAX_JSON:
            raise AdapterError(f"{path} holds {size} bytes, the limit is {MAX_JSON}: it is no {path.name}")
        text = path.read_bytes().decode("utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise AdapterError(f"{path} cannot be read as text ({error}): fetch it again") from error
    return parse_json_object(text, str(path))


def parse_json_object(text: str, what: str) -> dict[str, Any]:
    """The object in ``text``; ``what`` names it in errors.

    Raises:
        AdapterError: the text is not JSON, or not an object.
    """
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AdapterError(f"{what} is not JSON ({str(error)[:120]}): repair it or fetch it again") from error
    if not isinstance(found, dict):
        raise AdapterError(f"{what} holds a JSON {type(found).__name__}, not an object: fetch it again")
    return found
