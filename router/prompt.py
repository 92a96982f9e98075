"""What is routed: a prompt, checked at the edge. Knows nothing of features, nor of who sings it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from router.errors import RouterError

#: As long as the engine takes them.
MAX_CAPTION, MAX_LYRICS, MAX_TAGS, MAX_TAG = 1000, 5000, 32, 100
_REMEDY = {
    "caption": "describe the song in fewer words",
    "lyrics": "route the parts by themselves",
    "tags": "give fewer or shorter ones",
}
#: One tag of a prompt.
Tag = Annotated[str, Field(max_length=MAX_TAG)]
_NO_WORDS = re.compile(r"\[[^\[\]\n]*\]|\([^()\n]*\)|\{[^{}\n]*\}")


class RouterPrompt(BaseModel):
    """A song that somebody wants. Everything may be empty: then less is known of it, and the decision says so."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    caption: str = Field(default="", max_length=MAX_CAPTION)
    tags: tuple[Tag, ...] = Field(default=(), max_length=MAX_TAGS)
    lyrics: str = Field(default="", max_length=MAX_LYRICS)

    @property
    def description(self) -> str:
        """Caption and tags as one text, what the sentence model reads; empty where both are."""
        return ". ".join(filter(None, (self.caption.strip().rstrip("."), ", ".join(self.tags))))

    @property
    def instrumental(self) -> bool:
        """Whether the lyrics hold nothing but tags and ad-libs."""
        return not re.search(r"\w", _NO_WORDS.sub("", self.lyrics))


def read_prompt(caption: str = "", tags: Sequence[str] = (), lyrics: str = "") -> RouterPrompt:
    """A prompt from untrusted text.

    Raises:
        RouterError: one sentence per wrong field, naming the value, the limit and the remedy.
    """
    try:
        return RouterPrompt(caption=caption, tags=tuple(tags), lyrics=lyrics)
    except ValidationError as error:
        raise RouterError("; ".join(_describe(e) for e in error.errors())) from None


def _describe(error: object) -> str:
    assert isinstance(error, dict)
    name, limits = str(error["loc"][0]), error.get("ctx", {})
    if error["type"] == "string_too_long":
        which = "".join(f" number {place + 1}" for place in error["loc"][1:])
        said = f"{name}{which} has {len(error['input']):,} characters, at most {limits['max_length']:,} are allowed"
    elif error["type"] == "too_long":
        said = f"{name} has {limits['actual_length']} entries, at most {limits['max_length']} are allowed"
    else:
        said = f"{name} is {str(error['input'])[:40]!r}: {str(error['msg'])[:1].lower()}{str(error['msg'])[1:]}"
    return f"{said}; {_REMEDY.get(name, 'mend it')}"
