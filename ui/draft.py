"""What was typed before a page was loaded again: kept by the browser's own tab, read with no trust in it.

``browser/draft.js`` writes it down. Knows the fields' order and what each may hold, no component.
"""

from __future__ import annotations

import json
from typing import Any

from engine.request import MAX_CAPTION, MAX_LYRICS
from router.prompt import MAX_TAG, MAX_TAGS
from ui import form as forms
from ui import modes

#: Text beyond its limit is kept as well, since what is wrong with it is told; but not any amount.
_LONGEST = 2 * (MAX_CAPTION + MAX_LYRICS)
_ALLOWED: dict[str, list[str]] = {
    "watch": [value for _, value in forms.WATCHED],
    "mode": [value for _, value in modes.CHOICES],
    "retry": [value for _, value in modes.RETRIES],
}
#: What a page asks its own tab for when it is loaded. A browser that keeps nothing is asked in vain.
READ = """() => { try { return [JSON.stringify({
  kept: sessionStorage.getItem("choirmaster-draft"),
  restarted: sessionStorage.getItem("choirmaster-restarted") !== null,
})]; } catch { return ["{}"]; } }"""


def read_draft(told: str | None, song: str) -> list[Any] | None:
    """Values of all fields, those of the form before those of the modes, or None where nothing is to be filled in.

    A draft is for the page as it was: where the address names another song now, that song goes first, unless the page
    was loaded again because the server had ended.
    """
    try:
        found = json.loads(told or "{}")
        draft = json.loads(found.get("kept") or "null")
        names, values = (*forms.FIELDS, *modes.FIELDS), draft["values"]
        if not isinstance(values, list) or len(values) != len(names):
            return None
        if draft.get("song", "") != song and found.get("restarted") is not True:
            return None
    except (ValueError, TypeError, AttributeError, KeyError, RecursionError):
        return None
    read = [_read(name, value) for name, value in zip(names, values, strict=True)]
    return None if any(value is _ODD for value in read) else read


_ODD = object()


def _read(name: str, value: Any) -> Any:
    if name == "tags":
        tags = value if isinstance(value, list) else []
        return [str(tag)[:MAX_TAG] for tag in tags[:MAX_TAGS]]
    if name in _ALLOWED:
        return value if value in _ALLOWED[name] else _ODD
    if name == "single" and value in (None, [], ""):
        return None
    return value[:_LONGEST] if isinstance(value, str) else "" if value is None else _ODD
