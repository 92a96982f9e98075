"""Prompts to begin with: a handful of our own, and one of every genre from those that the router was fitted on.

None is from the frozen files: a song that people listen to over and over measures nothing any more.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from eval.prompts import ROUTER, PromptError, read_prompts


@dataclass(frozen=True)
class Example:
    """A prompt to begin with."""

    name: str
    caption: str
    lyrics: str
    tags: tuple[str, ...] = ()


QUICK_PROMPTS = (
    Example(
        "Folk morning",
        "gentle folk song, warm male voice",
        "[verse]\nThe morning comes across the hill\nThe river runs, the wind is still\n"
        "I take the road beside the sea\nAnd every bird will sing with me",
    ),
    Example(
        "Pop night",
        "bright pop with a high female voice",
        "[chorus]\nWe can dance until the light\nHold my hand and stay tonight\nEvery star is here to see\n"
        "All the world for you and me",
    ),
    Example(
        "Slow lullaby",
        "slow soft lullaby",
        "Close your eyes, the day is done\nSleep until the morning sun\nI will keep you safe and warm\n"
        "Far away from every storm",
    ),
    Example(
        "Fast punk",
        "fast loud punk",
        "We will never go back home\nWe are running on our own\nTurn it up and let it go",
    ),
    Example("Blues, no words", "late night blues", ""),
)


@lru_cache(maxsize=1)
def genre_examples() -> dict[str, Example]:
    """The first of the router's prompts of every genre, by genre in order; empty where their file cannot be read."""
    try:
        prompts = read_prompts(ROUTER)
    except PromptError:
        return {}
    found: dict[str, Example] = {}
    for prompt in prompts:
        if prompt.genre not in found:
            found[prompt.genre] = Example(prompt.genre, prompt.caption, prompt.lyrics, prompt.tags)
    return dict(sorted(found.items()))
