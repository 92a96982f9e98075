"""Where files lie on this machine is nobody's business: sentences with folders called by what they hold, or cut short.

What the server knows of its own folders is told once, by :func:`hide_places`; any other path is told by its look.
"""

from __future__ import annotations

import re
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

_OURS = r"(?:v1|healthz|readyz|metrics|gradio_api)(?![\w-])"
#: A folder's name may hold spaces; it ends at the next slash.
_SEGMENT = r"[^\s/'\"]+(?: [^\s/'\"]+){0,4}/"
_QUOTED = re.compile(rf"(?P<quote>['\"])(?:file:)?/+(?!{_OURS})(?:[^'\"\n]*/)?(?P<name>[^/'\"\n]+)/*(?P=quote)")
_BARE = re.compile(
    rf"(?:file://|(?<![\w./<\]])(?!(?<=:)//))/(?!{_OURS})(?P<folders>(?:{_SEGMENT})*)(?P<name>[^\s/'\"]+)"
)

#: Folders of the servers of this process, and what they are called.
_known: dict[Path, str] = {}


def hide_places(places: Mapping[Path, str]) -> None:
    """Call folders by these words from now on."""
    _known.update({path.absolute(): name for path, name in places.items()})


def call_places(text: str, places: Mapping[Path, str], above: str = "") -> str:
    """The text with places called by the given names, and files in them by what is below, after ``above``."""
    spelled = {str(form): name for path, name in places.items() for form in (path, path.absolute(), path.resolve())}
    for path in sorted(spelled, key=len, reverse=True):
        if path not in (".", "/"):
            whole = rf"(?<![\w./-]){re.escape(path)}"
            text = re.sub(rf"{whole}(?![\w-])(?!/)", spelled[path], re.sub(f"{whole}/", above, text))
    return text


def without_paths(text: str) -> str:
    """The text with the folders of this server called by their names, and every other path cut to its last part."""
    text = call_places(text, {Path(tempfile.gettempdir()): "the temporary folder", **_known}, above="/")
    return _BARE.sub(r"\g<name>", _QUOTED.sub(r"\g<quote>\g<name>\g<quote>", text))


def with_clean_sentences(told: Mapping[str, Any]) -> dict[str, Any]:
    """What is told of a song, its ``error`` and ``reason`` without paths."""
    sentences = {key: told[key] for key in ("error", "reason") if isinstance(told.get(key), str)}
    return {**told, **{key: without_paths(text) for key, text in sentences.items()}}
