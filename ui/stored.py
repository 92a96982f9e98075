"""What stands in a song's JSON, which anybody may have changed: read so that nothing in it breaks a list or a page.

Knows what a verdict looks like, and not where songs are kept.
"""

from __future__ import annotations

import math
from typing import Any

from ui.listening import Verdict

DAMAGED: Verdict = {"state": "unavailable", "reason": "what was stored of the verdict is damaged"}
#: Lists and objects within each other; a record of ours has eight.
MAX_DEPTH = 40

_KINDS = ("equal", "substitute", "delete", "insert")
_NUMBERS = ("wer", "hits", "substitutions", "deletions", "insertions", "reference_words")
_TEXTS = ("judge", "transcript", "reason")


def number(value: object) -> float:
    """A number as it is, and 0 for all that is none."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    try:
        return float(value) if math.isfinite(value) else 0.0
    except OverflowError:
        return 0.0


def plain(value: Any, depth: int = 0) -> Any:
    """A JSON value as any reader takes it: numbers that are finite, text that can be written, and no endless depth."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode("utf-8", "backslashreplace").decode()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, dict | list) and depth >= MAX_DEPTH:
        return None
    if isinstance(value, dict):
        return {plain(str(key)): plain(entry, depth + 1) for key, entry in value.items()}
    return [plain(entry, depth + 1) for entry in value] if isinstance(value, list) else value


def read_verdict(found: object) -> Verdict:
    """A verdict whose parts are what they should be, or that it is damaged."""
    if not isinstance(found, dict) or not isinstance(found.get("state"), str):
        return DAMAGED
    if any(not isinstance(found.get(name), str | None) for name in _TEXTS):
        return DAMAGED
    if found["state"] != "judged":
        return found
    counts = [found[name] for name in _NUMBERS if found.get(name) is not None]
    words = found.get("words", [])
    whole = found.get("wer") is not None and all(_is_count(count) for count in counts)
    return found if whole and isinstance(words, list) and all(map(_is_word, words)) else DAMAGED


def _is_count(value: object) -> bool:
    return value == 0 or 0 < number(value) < 1e9


def _is_word(pair: object) -> bool:
    return (
        isinstance(pair, dict)
        and pair.get("kind") in _KINDS
        and all(isinstance(pair.get(side), str) for side in ("reference", "heard"))
    )
