"""In which order a cascade tries, and from which noise each song starts. Knows no router: the order is given to it.

``adapters`` goes down the router's order with one noise, so that songs differ by the adapters alone; ``seeds`` keeps
the router's pick and rolls the noise anew; ``both`` goes down the order with a new noise each time.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from typing import Literal, get_args

from router.cascade import MAX_BUDGET, Wish
from router.errors import RouterError

Retry = Literal["adapters", "seeds", "both"]
RETRIES: tuple[Retry, ...] = get_args(Retry)
#: What another song changes unless something else is asked for: on the router's own prompts, new noise saves more words
#: of the embedded model than another adapter does, with new noise or without (``choirmaster fit`` draws the curves).
RETRY: Retry = "seeds"
#: As the engine takes them.
_SEEDS = 2**31


def make_wishes(
    order: Sequence[str],
    compositions: Mapping[str, Mapping[str, float]],
    seed: int,
    count: int,
    retry: Retry = RETRY,
) -> tuple[Wish, ...]:
    """The songs to try, ``count`` of them; the first is always the order's first, sung from ``seed``.

    Where the order is at its end it begins anew, then with another noise.

    Args:
        order: names of compositions, the most promising first.
        compositions: adapters and weights of each of these names.
        seed: noise of the first song, 0 to 2³¹ - 1; all others are derived from it, always the same.

    Raises:
        RouterError: no or unknown names, a count outside 1 to 16, a seed out of range, or no such way to try again.
    """
    if not order:
        raise RouterError("no composition is left to be sung: put one of the router's adapters on the shelf")
    if unknown := [name for name in order if name not in compositions]:
        raise RouterError(f"nothing is known of {', '.join(unknown)}: choose from {', '.join(compositions) or 'none'}")
    if not 1 <= count <= MAX_BUDGET:
        raise RouterError(f"{count} songs are to be tried: choose 1 to {MAX_BUDGET}")
    if not 0 <= seed < _SEEDS:
        raise RouterError(f"seed is {seed}: give one from 0 to {_SEEDS - 1}")
    if retry not in RETRIES:
        raise RouterError(f"no way to try again is called {retry!r}: choose from {', '.join(RETRIES)}")
    wishes = []
    for i in range(count):
        name = order[0] if retry == "seeds" else order[i % len(order)]
        attempt = i // len(order) if retry == "adapters" else i
        wishes.append(Wish(name, dict(compositions[name]), derive_seed(seed, attempt)))
    return tuple(wishes)


def derive_seed(seed: int, attempt: int) -> int:
    """Seed of the noise of an attempt, 0 to 2³¹ - 1; of attempt 0 it is ``seed`` itself.

    By hash, so that the second noise of seed 1 is not the first of seed 2, as counting up would make it.
    """
    if attempt == 0:
        return seed
    return int.from_bytes(hashlib.sha256(f"{seed} {attempt}".encode()).digest()[:4], "big") % _SEEDS
