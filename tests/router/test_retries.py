"""What is tried next, and with which noise."""

from __future__ import annotations

from typing import Any

import pytest

from router.errors import RouterError
from router.retries import RETRIES, Retry, derive_seed, make_wishes

KNOWN = {"base": {}, "lyrics=1": {"lyrics": 1.0}, "blend": {"lyrics": 0.5, "nolyrics": 0.5}}
ORDER = ("lyrics=1", "blend", "base")


def test_adapters_share_one_noise() -> None:
    wishes = make_wishes(ORDER, KNOWN, 42, 3, "adapters")
    assert [wish.name for wish in wishes] == list(ORDER)
    assert [wish.composition for wish in wishes] == [KNOWN[name] for name in ORDER]
    assert {wish.seed for wish in wishes} == {42}


def test_seeds_keep_the_pick() -> None:
    wishes = make_wishes(ORDER, KNOWN, 42, 4, "seeds")
    assert {wish.name for wish in wishes} == {"lyrics=1"}
    assert wishes[0].seed == 42 and len({wish.seed for wish in wishes}) == 4


def test_both_change() -> None:
    wishes = make_wishes(ORDER, KNOWN, 42, 3, "both")
    assert [wish.name for wish in wishes] == list(ORDER) and len({wish.seed for wish in wishes}) == 3


@pytest.mark.parametrize("retry", RETRIES)
def test_no_song_is_sung_twice_where_the_order_begins_anew(retry: Retry) -> None:
    wishes = make_wishes(ORDER, KNOWN, 42, 8, retry)
    assert len({(wish.name, wish.seed) for wish in wishes}) == 8
    assert (wishes[0].name, wishes[0].seed) == ("lyrics=1", 42)
    if retry == "adapters":
        assert [wish.seed for wish in wishes[:3]] == [42] * 3 and len({wish.seed for wish in wishes[3:6]}) == 1


def test_seeds_are_derived_always_the_same() -> None:
    assert derive_seed(42, 0) == 42
    # sha256("42 1"), first four bytes, below 2**31: by `printf '42 1' | sha256sum`
    assert derive_seed(42, 1) == 0x731E8F83 % 2**31
    drawn = {derive_seed(seed, attempt) for seed in range(200) for attempt in range(1, 16)}
    assert len(drawn) == 200 * 15 and min(drawn) >= 0 and max(drawn) < 2**31
    assert derive_seed(1, 1) != 2 and derive_seed(1, 11) != derive_seed(11, 1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"order": ()}, "no composition is left"),
        ({"order": ("base", "gone=1")}, "nothing is known of gone=1: choose from base"),
        ({"count": 0}, "0 songs are to be tried: choose 1 to 16"),
        ({"count": 17}, "17 songs"),
        ({"seed": -1}, "seed is -1"),
        ({"seed": 2**31}, "seed is 2147483648"),
        ({"retry": "luck"}, "'luck': choose from adapters, seeds, both"),
    ],
)
def test_bad_wishes(given: dict[str, Any], message: str) -> None:
    with pytest.raises(RouterError, match=message):
        make_wishes(**{"order": ORDER, "compositions": KNOWN, "seed": 1, "count": 3, "retry": "both", **given})
