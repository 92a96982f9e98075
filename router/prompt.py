"""What is routed: a prompt, checked at the edge. Knows nothing of features, nor of who sings it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Annotated, Any, cast

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.field_faults import Wording, name_fault, say_fault
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
        raise RouterError("; ".join(_describe(cast(Mapping[str, Any], one)) for one in error.errors())) from None


def _describe(error: Mapping[str, Any]) -> str:
    name = str(error["loc"][0])
    return name_fault(name, say_fault(error, Wording(shorter=_REMEDY.get(name, "mend it")), RouterPrompt, "a prompt"))
