"""In which order the songs of a comparison are heard blind. Knows places, and nothing of what sings at them."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import TypeVar

from ui.songs import MAX_COMPARED

T = TypeVar("T")


def shuffle(comparison: str, places: Sequence[int | None], things: Sequence[T]) -> list[T]:
    """Things by their places within a comparison, in an order that follows from its id alone: the same whenever it is
    looked at, also once some of them are gone, and whatever sings."""
    ranks = list(range(MAX_COMPARED))
    random.Random(comparison).shuffle(ranks)
    last = MAX_COMPARED  # songs that do not tell their place, or one beyond
    ranked = [(ranks[place] if place is not None and 0 <= place < last else last, place or 0) for place in places]
    return [thing for _, thing in sorted(zip(ranked, things, strict=True), key=lambda pair: pair[0])]
