"""Errors of the shelf and of exports as answers: which status, and a sentence without any folder of this machine.

Knows the errors of ``adapters`` and no route.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.errors import AdapterError, NameTaken, NoSuchAdapter, PickleRefused
from adapters.files import is_full
from api.places import call_places
from api.problems import Problem

#: What the command line calls things, and what they are called over HTTP.
_WORDS = {
    ": choose another --out or --dtype bf16": ": free some space, or ask for the dtype bf16",
    "; nothing was written: free some, or choose another --out": ": free some space, or delete exports",
    "choose another --out": "free some space, or check the folder's rights",
    "give --composition, or a full format": "name an adapter in the composition, or ask for a full format",
    "give --dtype bf16 or fp32": "ask for the dtype bf16 or fp32",
    "name an adapter in --composition": "name an adapter in the composition",
    "with --format ": "in the format ",
    "give --model a song model's folder": "start the server with a song model's folder",
    "give --model": "start the server with a whole song model",
    "without --rank": "without a rank",
    "; --rank 32 makes": "; rank 32 makes",
}


def explain(text: str, places: Mapping[Path, str]) -> str:
    """The text with places called by the given names, files by theirs alone, and no option of a command."""
    text = call_places(text, places)
    for ours, theirs in _WORDS.items():
        text = text.replace(ours, theirs)
    return text


def shelf_problem(error: AdapterError, places: Mapping[Path, str]) -> Problem:
    """The answer to what went wrong with an adapter."""
    said, cause = explain(str(error), places), error.__cause__
    if isinstance(error, NoSuchAdapter):
        return Problem(404, said)
    if isinstance(error, NameTaken):
        return Problem(409, said)
    if isinstance(error, PickleRefused):
        return Problem(415, said)
    if isinstance(cause, OSError):
        return disk_problem(cause)
    return Problem(422, said)


def disk_problem(error: OSError) -> Problem:
    """The answer where the disk did not take or give what it should."""
    if is_full(error):
        return Problem(507, "the server's disk is full: delete songs, exports or adapters, or free some space")
    return Problem(
        500, f"the server's disk failed ({error.strerror or type(error).__name__}): its owner must look at it"
    )
