import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.errors import RequestError
from engine.genres import GENRES
from engine.lyrics import Lyrics, parse_lyrics
from engine.plan import (
    BPM_LIMITS,
    MIN_NOTE_FRAMES,
    TAIL_FRAMES,
    Plan,
    fit_plan,
    make_plan,
    plan_latents,
    slot_sinusoids,
)

FOUR_LINES = parse_lyrics(
    "[verse]\nmy father built this crooked gate\nand every spring he paints it green\n"
    "the hinges sing when i get home\na sound i never want to lose"
)


@settings(max_examples=60)
@given(st.sampled_from(sorted(GENRES)), st.sampled_from(["low", "high"]), st.integers(0, 2**31 - 1))
def test_one_note_per_syllable_in_order_without_overlap(genre: str, voice: str, seed: int) -> None:
    plan = make_plan(FOUR_LINES, genre, voice, sum(GENRES[genre].bpm) / 2, seed)  # type: ignore[arg-type]
    assert [n.slot for n in plan.notes] == list(range(FOUR_LINES.syllables))
    ends = [n.start + n.frames for n in plan.notes]
    assert all(n.frames >= MIN_NOTE_FRAMES for n in plan.notes)
    assert all(end <= n.start for end, n in zip(ends, plan.notes[1:], strict=False))
    assert plan.frames == ends[-1] + TAIL_FRAMES
    assert Plan.model_validate_json(plan.model_dump_json()) == plan, "a plan survives its file"


def test_the_seed_decides() -> None:
    plans = [make_plan(FOUR_LINES, "folk", "low", 120, seed) for seed in (1, 1, 2)]
    assert plans[0] == plans[1] != plans[2]


def test_given_durations_are_kept() -> None:
    lyrics = parse_lyrics("one two three")
    plan = make_plan(lyrics, "folk", "low", 120, 0, durations=[0.2, 0.4, 1.0])
    assert [n.frames for n in plan.notes] == [5, 10, 25]
    assert plan.word_times() == [(0, 0.16, 0.36), (1, 0.36, 0.76), (2, 0.76, 1.76)]
    with pytest.raises(RequestError, match="2 durations were given for 3 syllables"):
        make_plan(lyrics, "folk", "low", 120, 0, durations=[0.2, 0.4])


@pytest.mark.parametrize("seconds", [7.0, 9.0, 11.0, 24.0])
def test_fits_the_asked_duration(seconds: float) -> None:
    plan = fit_plan(FOUR_LINES, "folk", "low", seconds, 3)
    assert plan.seconds == pytest.approx(seconds, abs=0.02)
    last = plan.notes[-1]
    sung = (last.start + last.frames) / 25
    slowest = make_plan(FOUR_LINES, "folk", "low", BPM_LIMITS[0], 3).seconds
    assert sung > 0.9 * min(seconds, slowest), "the words fill the time as far as the tempo allows"


def test_too_short_and_too_much_name_the_remedy() -> None:
    with pytest.raises(RequestError, match="do not fit into 2 s: ask for at least"):
        fit_plan(FOUR_LINES, "folk", "low", 2.0, 3)
    with pytest.raises(RequestError, match="at most 96"):
        make_plan(parse_lyrics("la " * 97), "folk", "low", 120, 0)
    with pytest.raises(RequestError, match="at most 24 s"):
        make_plan(parse_lyrics("la " * 90), "ambient", "low", 75, 0)


def test_instrumental_fills_its_length() -> None:
    plan = fit_plan(Lyrics(()), "folk", "low", 6.0, 1)
    assert plan.seconds == 6.0 and {n.slot for n in plan.notes} == {-1} and plan.word_times() == []
    assert plan.notes[-1].start + plan.notes[-1].frames == plan.frames - TAIL_FRAMES
    with pytest.raises(RequestError, match="instrumental may last"):
        fit_plan(Lyrics(()), "folk", "low", 0.1, 1)


def test_source_latents_say_what_sounds() -> None:
    plan = make_plan(parse_lyrics("hello there"), "folk", "low", 125, 1)
    latents = plan_latents(plan)
    assert latents.shape == (plan.frames, 64) and latents.dtype == np.float32
    on = np.zeros(plan.frames, bool)
    for note in plan.notes:
        span = slice(note.start, note.start + note.frames)
        on[span] = True
        np.testing.assert_allclose(latents[span, :32], np.tile(slot_sinusoids(note.slot), (note.frames, 1)), atol=1e-6)
        np.testing.assert_allclose(latents[span, 54], (note.midi - 52) / 6, atol=1e-6)
        assert latents[note.start, 52] == 0 and latents[note.start + note.frames - 1, 53] == 0
    np.testing.assert_array_equal(latents[:, 49], on)
    assert not latents[~on, :32].any()
