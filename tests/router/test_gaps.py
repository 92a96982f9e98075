"""What a control did not sing costs no example, and what is missing is said."""

from __future__ import annotations

from dataclasses import replace

import pytest

from eval.lattice import make_lattice
from router.errors import RouterError
from router.gaps import describe_fitted, describe_gaps, describe_origin, hear_controls, keep_compositions, leave_out
from tests.router.planted_router import ADAPTERS, JUDGE, MODEL, NAMES, plant_table

ALL = plant_table(names=(*NAMES, "random=1"), genres=4, prompts=2)  # 8 prompts of 2 seeds
_SONGS = ALL.songs
FEW = replace(ALL, songs=_SONGS[(_SONGS.composition != "random=1") | (_SONGS.seed == 1) & (_SONGS.prompt != "harp-0")])


def test_a_control_that_sang_little_is_heard_on_what_it_sang() -> None:
    assert make_lattice(FEW, JUDGE).songs < 16
    assert make_lattice(keep_compositions(FEW, NAMES), JUDGE).songs == 16
    heard, notes = hear_controls(FEW, JUDGE, NAMES, ["random=1"])
    (lattice,) = heard.values()
    assert not notes and lattice.compositions == (*NAMES, "random=1")
    assert (len(lattice.prompts), lattice.songs) == (3, 3), "prompts of number 0, whose second seed is 1, but for one"


def test_a_control_that_shares_no_song_is_named() -> None:
    apart = replace(FEW, songs=FEW.songs.assign(seed=FEW.songs.seed + 1000 * (FEW.songs.composition == "random=1")))
    heard, notes = hear_controls(apart, JUDGE, NAMES, ["random=1"])
    assert not heard and notes[0].startswith(f"the control random=1 is not scored by {JUDGE}: no prompt and seed")


def test_how_many_songs_are_dropped_and_for_want_of_whom() -> None:
    songs = keep_compositions(ALL, NAMES).songs
    table = replace(ALL, songs=songs[(songs.composition != "b=1") | (songs.seed != 1)])
    found = describe_gaps(table, JUDGE, make_lattice(table, JUDGE))
    assert found.startswith("8 of 44 songs are left out, since not all compositions sang them; b=1 lacks most, 4 of 16")
    assert describe_gaps(ALL, JUDGE, make_lattice(ALL, JUDGE)) == ""


def test_a_silent_origin_is_said() -> None:
    known = {"model_fingerprint": MODEL, "adapters": ADAPTERS}
    assert describe_origin(known, NAMES) == () == describe_fitted(known, NAMES)
    assert "which model sang it" in describe_origin({"adapters": ADAPTERS}, NAMES)[0]
    (told,) = describe_origin({**known, "adapters": {"a": "aaaa"}}, (*NAMES, "a=0.5,c=0.5"))
    assert told.startswith("the table has no fingerprint of b, c, so that")
    told = " ".join(describe_fitted({"prompts": {"file": "test.jsonl"}}, NAMES))
    assert "frozen prompts of test.jsonl" in told and "a server will refuse this router" in told


def test_two_compositions_must_be_left() -> None:
    assert leave_out(["base", "a=1", "random=1"], ["random=1"]) == ["base", "a=1"]
    with pytest.raises(RouterError, match="the control b=1 was not measured: choose from base, a=1, or none"):
        leave_out(["base", "a=1"], ["b=1"])
    with pytest.raises(RouterError, match=r"without its controls \(a=1\) the table has base only"):
        leave_out(["base", "a=1"], ["a=1"])
