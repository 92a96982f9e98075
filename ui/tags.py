"""Words to describe a song with, picked from a list or typed: tempo, voice, moods, instruments, genres.

The list holds what the planner reads in a caption and what the prompts that the router was fitted on are tagged with.
Knows how tags become part of a caption, and nothing of who sings it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from functools import lru_cache

from engine.genres import GENRES, caption_words, lexicon
from eval.prompts import ROUTER, PromptError, read_prompts

#: A tag of the router's prompts is offered where so many of them have it.
_OFTEN = 2


@lru_cache(maxsize=1)
def offered_tags() -> tuple[str, ...]:
    """Tags to pick from, each once: tempo and voice first, since the plan follows them, then moods, then the rest."""
    try:
        used = Counter(tag for prompt in read_prompts(ROUTER) for tag in prompt.tags)
    except PromptError:  # what the planner reads is offered all the same
        used = Counter()
    read = lexicon()
    planned = [tag for kind in ("tempo", "voice") for group in read[kind].values() for tag in group if used[tag]]
    often = [tag for tag, count in used.most_common() if count >= _OFTEN]
    return tuple(dict.fromkeys([*planned, *read["mood"], *often, *GENRES]))


def add_tags(caption: str, tags: Sequence[str]) -> str:
    """The caption with the tags it does not hold yet, each after a comma."""
    parts = [caption.strip()] if caption.strip() else []
    for tag in tags:
        plain = " ".join(str(tag).replace(",", " ").split())
        words = " ".join(caption_words(plain)) or plain.lower()
        told = f" {' '.join(caption_words(', '.join(parts)))} "
        if plain and f" {words} " not in told and plain not in parts:
            parts.append(plain)
    return ", ".join(parts)
