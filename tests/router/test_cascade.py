"""A cascade sings as much as it must, keeps the best, and tells what went wrong."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from router.cascade import MAX_BUDGET, Cascade, JudgeGone, SongGone, Take, Wish, check_limits, run_cascade
from router.errors import RouterError

NAMES = ("lyrics", "base", "nolyrics", "blend", "other")
WISHES = tuple(Wish(name, {name: 1.0}, 7) for name in NAMES)


class Stage:
    """Sings a wish as its name, and remembers in which rounds."""

    def __init__(self, broken: Sequence[str] = ()) -> None:
        self.rounds: list[list[str]] = []
        self.broken = broken

    def __call__(self, wishes: Sequence[Wish]) -> list[Any]:
        self.rounds.append([wish.name for wish in wishes])
        return [MemoryError(f"no room for {w.name}") if w.name in self.broken else f"{w.name}.flac" for w in wishes]


def judge_by(*rates: float | None) -> Callable[[Any], float | None]:
    known = {f"{name}.flac": rate for name, rate in zip(NAMES, rates, strict=False)}
    return lambda song: known[song]


def test_it_stops_at_the_first_good_one() -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, judge_by(0.6, 0.2, 0.0), budget=5, stop_wer=0.2)
    assert stage.rounds == [["lyrics"], ["base"]]
    assert found.stopped == "good enough" and found.best == found.takes[1]
    assert found.best == Take(WISHES[1], 0.2, "", "base.flac")
    assert [take.wer for take in found.takes] == [0.6, 0.2]
    assert found.reason == "After 2 songs, base is good enough: a WER of 20.0 %, asked for 20.0 %."


def test_a_spent_budget_keeps_the_best_and_the_earlier_of_equals() -> None:
    found = run_cascade(WISHES, Stage(), judge_by(0.6, 0.4, 0.4, 0.0), budget=3)
    assert found.stopped == "budget" and found.best is found.takes[1]
    assert found.reason == (
        "The budget of 3 songs is spent and none was at or below a WER of 20.0 %; base came closest at a WER of 40.0 %."
    )


def test_fewer_wishes_than_the_budget() -> None:
    found = run_cascade(WISHES[:2], Stage(), judge_by(1.5, 0.9), budget=5)
    assert found.stopped == "budget" and found.best is found.takes[1]
    assert found.reason.startswith("All there was to try (2 songs) is sung")


def test_a_round_is_sung_together_and_judged_to_its_end() -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, judge_by(0.1, 0.5, 0.0), budget=5, together=3)
    assert stage.rounds == [["lyrics", "base", "nolyrics"]]
    assert [take.wer for take in found.takes] == [0.1, 0.5, 0.0]
    assert found.best is found.takes[2] and found.stopped == "good enough"


def test_the_last_round_keeps_to_the_budget() -> None:
    stage = Stage()
    run_cascade(WISHES, stage, judge_by(1, 1, 1, 1, 1), budget=4, together=3)
    assert stage.rounds == [["lyrics", "base", "nolyrics"], ["blend"]]


def test_a_failure_costs_one_song_and_is_not_tried_again() -> None:
    stage = Stage(broken=["lyrics"])
    found = run_cascade(WISHES, stage, judge_by(0.0, 0.5, 0.7, 0.0), budget=3)
    assert stage.rounds == [["lyrics"], ["base"], ["nolyrics"]]
    assert found.takes[0] == Take(WISHES[0], None, "no room for lyrics", None)
    assert found.best is found.takes[1] and found.reason.endswith("1 of 3 songs failed.")


def test_all_fail() -> None:
    def sing(wishes: Sequence[Wish]) -> Sequence[Any]:
        raise RuntimeError("the engine is gone")

    found = run_cascade(WISHES, sing, judge_by(), budget=3, together=2)
    assert found.best is None and found.stopped == "budget"
    assert [take.error for take in found.takes] == ["the engine is gone"] * 3
    assert found.reason == "All 3 songs failed, the last because: the engine is gone"
    alone = run_cascade(WISHES, lambda wishes: [None], None)
    assert alone.reason == "The only song failed, the last because: it was not sung"


def test_a_judge_that_breaks_costs_that_judgement_alone() -> None:
    found = run_cascade(WISHES, Stage(), lambda song: 0.5 if song != "lyrics.flac" else 1 / 0, budget=2)
    assert found.takes[0].song == "lyrics.flac" and "not judged: division by zero" in found.takes[0].error
    assert found.best is found.takes[1]
    broken = run_cascade(WISHES, Stage(), judge_by(float("nan"), float("inf")), budget=2)
    assert broken.stopped == "budget" and len(broken.takes) == 2 and broken.best is broken.takes[0]
    assert "a WER of nan" in broken.takes[0].error and "none was judged" in broken.reason
    assert broken.reason.endswith("2 of 2 songs were not judged.") and "failed" not in broken.reason
    assert found.reason.endswith("1 of 2 songs was not judged.")


def test_a_song_heard_beats_one_that_was_not() -> None:
    found = run_cascade(WISHES, Stage(), lambda song: 1 / 0 if song == "lyrics.flac" else 2.0, budget=2)
    assert found.best is found.takes[1]


@pytest.mark.parametrize("together", [1, 3])
def test_nobody_to_tell_songs_apart(together: int) -> None:
    for judge, wordless, stopped in ((None, False, "no judge"), (judge_by(0.9), True, "wordless")):
        stage = Stage()
        found = run_cascade(WISHES, stage, judge, wordless=wordless, together=together)
        assert stage.rounds == [["lyrics"]] and found.stopped == stopped
        assert found.best == Take(WISHES[0], None, "", "lyrics.flac") and "taken as it came" in found.reason


def test_a_judge_with_nothing_to_say_ends_it() -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, judge_by(None, 0.0))
    assert stage.rounds == [["lyrics"]] and found.stopped == "wordless" and found.best is found.takes[0]


def raise_at(song: str, error: Exception, wer: float = 0.5) -> Callable[[Any], float]:
    def judge(given: Any) -> float:
        if given == song:
            raise error
        return wer

    return judge


@pytest.mark.parametrize("together", [1, 2])
def test_a_judge_that_goes_ends_it_with_its_round(together: int) -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, raise_at("lyrics.flac", JudgeGone("no weights")), budget=5, together=together)
    assert (len(stage.rounds), found.stopped, len(found.takes)) == (1, "no judge", together)
    assert "no weights" in found.takes[0].error
    if together == 1:
        assert found.best is found.takes[0] and found.reason == "Nobody listens here, so lyrics is taken as it came."
    else:
        assert found.best is found.takes[1]
        assert found.reason == "Nobody listens here any more; base came closest at a WER of 50.0 %."


def test_a_song_that_is_gone_is_never_the_best() -> None:
    found = run_cascade(WISHES, Stage(), raise_at("lyrics.flac", SongGone("it was removed")), budget=2, stop_wer=0)
    assert found.takes[0] == Take(WISHES[0], None, "it was removed", None)
    assert found.best is found.takes[1] and found.reason.endswith("1 of 2 songs failed.")
    alone = run_cascade(WISHES, Stage(), raise_at("lyrics.flac", SongGone("it was removed")), budget=1)
    assert alone.best is None


def test_what_is_sung_is_judged_when_no_more_may_be_begun() -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, judge_by(0.5, 0.6), budget=4, together=2, closing=lambda: bool(stage.rounds))
    assert [take.wer for take in found.takes] == [0.5, 0.6] and found.stopped == "cancelled"
    assert found.reason == "Cancelled after 2 songs; lyrics came closest at a WER of 50.0 %."
    whole = run_cascade(WISHES, Stage(), judge_by(0.5), budget=1, closing=iter([False, True]).__next__)
    assert whole.stopped == "budget", "nothing was left to be begun"


def cancelling_after(calls: int) -> Callable[[], bool]:
    asked = iter(range(1000))
    return lambda: next(asked) >= calls


def test_cancelled_before_anything() -> None:
    stage = Stage()
    found = run_cascade(WISHES, stage, judge_by(0.5), cancelled=lambda: True)
    assert (found.stopped, found.takes, found.best, stage.rounds) == ("cancelled", (), None, [])
    assert found.reason == "Cancelled before a song was sung."


def test_cancelled_in_the_midst_keeps_what_is_there() -> None:
    # Asked: before the round, before judging each of two songs, after it.
    found = run_cascade(WISHES, Stage(), judge_by(0.5, 0.1), budget=4, together=2, cancelled=cancelling_after(2))
    assert found.stopped == "cancelled" and [take.wer for take in found.takes] == [0.5, None]
    assert found.takes[1].song == "base.flac" and found.best is found.takes[0]
    assert found.reason == "Cancelled after 2 songs; lyrics came closest at a WER of 50.0 %."


def test_every_take_is_told_as_it_comes() -> None:
    heard: list[str] = []
    told: list[tuple[str, int]] = []

    def judge(song: Any) -> float:
        heard.append(song)
        return 0.9

    found = run_cascade(WISHES, Stage(), judge, together=2, told=lambda take: told.append((take.wish.name, len(heard))))
    assert told == [("lyrics", 1), ("base", 2), ("nolyrics", 3)]
    assert isinstance(found, Cascade) and len(found.takes) == 3


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"budget": 0}, "budget is 0: a cascade sings 1 to 16"),
        ({"budget": MAX_BUDGET + 1}, "budget is 17"),
        ({"together": 0}, "together is 0"),
        ({"stop_wer": -0.1}, "stop_wer is -0.1: give a word error rate from 0"),
        ({"stop_wer": 1.01}, "stop_wer is 1.01"),
        ({"stop_wer": float("nan")}, "stop_wer is nan"),
    ],
)
def test_limits(given: dict[str, Any], message: str) -> None:
    stage = Stage()
    with pytest.raises(RouterError, match=message):
        check_limits(**given)
    with pytest.raises(RouterError, match=message):
        run_cascade(WISHES, stage, judge_by(0.5), **given)
    assert not stage.rounds


def test_no_wishes() -> None:
    with pytest.raises(RouterError, match="no composition is to be sung"):
        run_cascade((), Stage(), judge_by())


def test_singing_the_wrong_number_of_songs_is_a_defect() -> None:
    with pytest.raises(ValueError, match="shorter"):
        run_cascade(WISHES, lambda wishes: [], judge_by())
