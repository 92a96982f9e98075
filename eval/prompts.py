"""Prompts to sing when measuring: read, checked, and in an order that treats genres alike.

Knows the files and their fields; not what is sung or measured. Three files, all songs of four everyday lines, no line
shared between them or with the texts of ``training``; tests pin this:

- ``everyday.jsonl``, thirty genres by four songs: frozen; nothing may be trained or fitted on it.
- ``test.jsonl``, one song per genre: frozen; nothing may be trained, fitted or tuned on it, by hand either.
- ``router.jsonl``, ten songs per genre: for fitting the router, so it measures nothing the router did.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from adapters.field_faults import say_first
from engine.errors import ChoirmasterError
from eval.text import sung_lines

_FOLDER = Path(__file__).parent / "prompts"
EVERYDAY = _FOLDER / "everyday.jsonl"
TEST = _FOLDER / "test.jsonl"
ROUTER = _FOLDER / "router.jsonl"


class PromptError(ChoirmasterError):
    """A file of prompts cannot be used."""


class Prompt(BaseModel):
    """One song to sing."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    id: str = Field(min_length=1)
    genre: str = Field(min_length=1)
    caption: str = Field(min_length=1)
    tags: tuple[str, ...]
    lyrics: str = Field(min_length=1)

    @property
    def lines(self) -> list[str]:
        """The lines with words, without tags and ad-libs."""
        return sung_lines(self.lyrics)


def read_prompts(path: Path = EVERYDAY) -> tuple[Prompt, ...]:
    """All prompts of a JSONL file, in its order.

    Raises:
        PromptError: the file cannot be read, a line is no prompt (names file and line), or two share an id.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PromptError(f"the prompts {path} cannot be read: {error}") from error
    prompts: list[Prompt] = []
    seen: set[str] = set()
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        try:
            prompt = Prompt.model_validate(json.loads(line))
        except (json.JSONDecodeError, ValidationError) as error:
            raise PromptError(
                f"{path}:{number} is not a prompt with id, genre, caption, tags, lyrics: {say_first(error)}"
            ) from error
        if prompt.id in seen:
            raise PromptError(f"{path}:{number}: the id {prompt.id!r} was used before; ids name clips, make it unique")
        seen.add(prompt.id)
        prompts.append(prompt)
    if not prompts:
        raise PromptError(f"{path} holds no prompts")
    return tuple(prompts)


def across_genres(prompts: Iterable[Prompt]) -> tuple[Prompt, ...]:
    """The first prompt of every genre, then every second one, and so on: any beginning is a fair sample of genres."""
    rank: Counter[str] = Counter()
    ranked: list[tuple[int, int, Prompt]] = []
    for position, prompt in enumerate(prompts):
        ranked.append((rank[prompt.genre], position, prompt))
        rank[prompt.genre] += 1
    return tuple(prompt for _, _, prompt in sorted(ranked, key=lambda r: r[:2]))
