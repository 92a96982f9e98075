"""Reasons are sentences with the figures they are about."""

from __future__ import annotations

from dataclasses import replace

import pytest

from router import reasons
from router.decision import Candidate, Neighbour
from router.prompt import RouterPrompt

BASE = Candidate("base", {}, 0.45, 0.3, 0.6, 0.0, 0.0)
PICK = Candidate("lyrics=1", {"lyrics": 1.0}, 0.31, 0.2, 0.5, 0.14, 0.92)
NEAR = Neighbour("router-folk-01", "folk", "a slow folk song", 0.3, {"base": 0.5, "lyrics=1": 0.25}, 2)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("base", "the base model"),
        ("lyrics=1", "lyrics"),
        ("lyrics=0.5", "lyrics at 0.5"),
        ("lyrics=0.6,nolyrics=0.4", "lyrics 0.6 + nolyrics 0.4"),
    ],
)
def test_compositions_are_said_plainly(name: str, said: str) -> None:
    assert reasons.say_composition(name) == said


@pytest.mark.parametrize(
    ("share", "said"), [(0.92, "92 %"), (1.0, "over 99 %"), (0.0, "under 1 %"), (0.994, "99 %"), (0.5, "50 %")]
)
def test_shares_are_never_quite_all_or_nothing(share: float, said: str) -> None:
    assert reasons.say_share(share) == said


def test_a_pick_names_both_rates_the_chance_and_the_nearest_song() -> None:
    said = reasons.explain_pick(PICK, BASE, NEAR)
    assert said == (
        "With lyrics about 31 of 100 words should go wrong, and 45 with the base model, the best over all measured "
        "songs; that it does better here has a chance of 92 %, as in the nearest measured song (folk, “a slow folk "
        "song”) it was 25 against 50."
    )
    against = replace(NEAR, wer={"base": 0.25, "lyrics=1": 0.5})
    assert ", although in the nearest measured song (folk" in reasons.explain_pick(PICK, BASE, against)
    for nearest in (None, replace(NEAR, wer={"base": 0.25, "lyrics=1": 0.25})):
        assert reasons.explain_pick(PICK, BASE, nearest).endswith("a chance of 92 %.")


def test_an_abstention_names_what_came_nearest() -> None:
    said = reasons.explain_abstention(replace(PICK, chance=0.63), BASE, 0.8)
    assert said == (
        "Lyrics might do better here, but that has a chance of only 63 %, and 80 % is asked for: so the base model "
        "sings, the best over all measured songs."
    )
    for worse in (None, replace(PICK, gain=-0.1)):
        assert reasons.explain_abstention(worse, BASE, 0.8).startswith("Nothing at hand is expected to sing more")


def test_no_signal_claims_no_more_than_was_looked_at() -> None:
    assert reasons.explain_no_signal(BASE) == (
        "Fitting found nothing in captions or lyrics that tells which composition a prompt needs, so the base model "
        "sings, the best over all measured songs."
    )


def test_a_stand_in_says_for_whom_and_why() -> None:
    gone = replace(PICK, available=False, reason=reasons.missing("lyrics"))
    assert reasons.explain_stand_in(BASE, gone) == (
        "The best over all measured songs, lyrics, cannot sing (the adapter lyrics is not on the shelf), so the base "
        "model does, the model as it is."
    )
    other = replace(PICK, name="nolyrics=1", composition={"nolyrics": 1.0})
    assert reasons.explain_stand_in(other, gone).endswith("so nolyrics does, the best predicted of what is left.")


def test_notes_say_what_a_prompt_lacks() -> None:
    assert reasons.note_prompt(RouterPrompt(caption="folk", lyrics="words")) == ()
    assert reasons.note_prompt(RouterPrompt(caption="folk", lyrics="[solo]")) == (reasons.NO_JUDGING,)
    assert reasons.note_prompt(RouterPrompt(lyrics="words")) == (reasons.NO_CAPTION,)
    assert reasons.note_prompt(RouterPrompt()) == (reasons.NO_JUDGING,)


def test_long_captions_are_cut_to_one_line() -> None:
    assert reasons.shorten("a  song\nof two lines") == "“a song of two lines”"
    assert len(reasons.shorten("word " * 100, 20)) <= 22
