"""Which songs take their next step together: fair in turns, oldest first, within a budget, without much padding."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol, TypeVar


class Waiting(Protocol):
    """A song that waits for its next step; ``turn`` grows with every step of any song."""

    turn: int


T = TypeVar("T", bound=Waiting)


def choose_batch(
    songs: Sequence[T], size: Callable[[T], tuple[int, int]], budget: int, most_padding: float = 0.2
) -> list[T]:
    """The next batch out of ``songs``, which come oldest first.

    The song that has waited longest leads, whatever its size; others follow, oldest first, while rows times the longest
    of them stays within ``budget`` and the share of padding within ``most_padding``.

    Args:
        size: rows and frames of a song.
    """
    if not songs:
        return []
    leader = min(songs, key=lambda song: song.turn)
    batch = [leader]
    rows, longest = size(leader)
    real = rows * longest
    for song in songs:
        if song is leader:
            continue
        more, frames = size(song)
        total = (rows + more) * max(longest, frames)
        if total <= budget and real + more * frames >= (1 - most_padding) * total:
            batch.append(song)
            rows, longest, real = rows + more, max(longest, frames), real + more * frames
    return batch
