"""A trial on unseen prompts scores what the router would have sung, and refuses what would not be a trial."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, replace

import numpy as np
import pytest

from eval.lattice import make_lattice
from eval.table import Table
from router.errors import RouterError
from router.findings import Findings, Score, read_findings
from router.prompt import RouterPrompt
from router.router import Router
from router.trial import try_router
from tests.router.planted_router import ADAPTERS, JUDGE, MODEL, SECOND, plant_router, plant_table

UNSEEN = plant_table(first=60, prompts=2, seeds=3)


@pytest.fixture(scope="module")
def router() -> Router:
    return plant_router()


@pytest.fixture(scope="module")
def findings(router: Router) -> Findings:
    return try_router(router, UNSEEN)


def scores(findings: Findings, judge: str) -> dict[tuple[str, str], Score]:
    judged = next(judged for judged in findings.judges if judged.judge == judge)
    return {(score.kind, score.name): score for score in judged.scores}


@pytest.mark.parametrize("judge", [JUDGE, SECOND])
def test_the_router_is_scored_by_what_it_would_have_sung(router: Router, findings: Findings, judge: str) -> None:
    songs = UNSEEN.of_judge(judge)
    texts = songs.drop_duplicates("prompt").set_index("prompt")
    rates = songs.groupby(["prompt", "composition"]).deletions.sum() / (40 * 3)  # words of three seeds
    picks = {
        prompt: router.route(
            RouterPrompt(caption=row.caption, tags=tuple(row.tags.split(", ")), lyrics=row.lyrics)
        ).name
        for prompt, row in texts.iterrows()
    }
    found = scores(findings, judge)
    own = found["router", "router"]
    assert own.wer.value == pytest.approx(np.mean([rates[prompt, name] for prompt, name in picks.items()]))
    assert own.changed == pytest.approx(np.mean([name != "base" for name in picks.values()])) and own.changed > 0.9
    base = found["single", "base"]
    assert base.wer.value == pytest.approx(rates[:, "base"].mean()) and base.gain.value == pytest.approx(0)
    assert own.gain.value == pytest.approx(base.wer.value - own.wer.value)
    assert found["policy", "best single"].wer == base.wer
    assert found["control", "random choice"].wer.value == pytest.approx(rates.groupby("prompt").mean().mean())
    assert own.gap_closed is not None and own.gap_closed.value > 0.9
    assert own.gap_closed.low is not None and own.gap_closed.low > 0


def test_who_selects_and_who_scores_is_told(findings: Findings) -> None:
    assert [(judged.judge, judged.selecting) for judged in findings.judges] == [(JUDGE, True), (SECOND, False)]
    assert (findings.kind, findings.prompts, findings.genres, findings.seeds) == ("test", 24, 12, 3)
    assert findings.signal.startswith("There is a routable signal")
    assert {curve.order for curve in findings.curves} >= {"router", "fixed", "random", "new seed"}
    assert [row.prompts for row in findings.genre_rows] == [2] * 12


def test_cascades_cost_songs_and_lose_fewer_words(findings: Findings) -> None:
    found = scores(findings, SECOND)
    two, three = (found["cascade", f"cascade of {n} songs at most"] for n in (2, 3))
    assert 1 <= two.songs <= 2 and two.songs <= three.songs <= 3
    assert three.wer.value <= found["router", "router"].wer.value + 0.02


def test_coverage_falls_as_more_is_asked_for(findings: Findings) -> None:
    coverage = [point.coverage for point in findings.risk]
    assert coverage == sorted(coverage, reverse=True) and coverage[0] > 0.9
    for point in findings.risk:
        assert point.wer.value + point.gain.value == pytest.approx(scores(findings, SECOND)["single", "base"].wer.value)


def test_intervals_are_held_against_what_was_measured(router: Router, findings: Findings) -> None:
    lattice = make_lattice(UNSEEN, JUDGE)
    measured = lattice.capped.mean(-1)
    texts = UNSEEN.songs.drop_duplicates("prompt").set_index("prompt")
    inside = []
    for p, prompt in enumerate(lattice.prompts):
        row = texts.loc[prompt]
        asked = RouterPrompt(caption=row.caption, tags=tuple(row.tags.split(", ")), lyrics=row.lyrics)
        for c in router.route(asked).candidates:
            inside.append(c.low <= measured[lattice.index(c.name), p] <= c.high)
    assert findings.calibration is not None
    assert findings.calibration.covered == pytest.approx(np.mean(inside))


def test_findings_are_json_and_come_back(findings: Findings) -> None:
    assert read_findings(json.loads(json.dumps(asdict(findings), allow_nan=False))) == findings


def test_without_a_signal_the_policy_is_scored_beside_the_default() -> None:
    findings = try_router(plant_router(signal=False), UNSEEN)
    assert findings.signal.startswith("This router always sings its default, base, because fitting found no signal.")
    assert re.search(r"would have gained \d\d\.\d \(.* which is above zero", findings.signal)
    found = scores(findings, SECOND)
    assert found["router", "router"].wer == found["single", "base"].wer
    assert found["policy", "ridge, whatever the signal"].gain.value > 0.2


def test_a_router_that_mixes_is_tried_on_what_was_sung_and_says_so(findings: Findings) -> None:
    found = try_router(plant_router(mixing=0.5), UNSEEN)
    assert found.judges == findings.judges and not findings.blending
    assert "mixed nothing" in found.blending


def test_one_judge_and_fewer_compositions_will_do(router: Router) -> None:
    songs = UNSEEN.songs
    kept = songs[(songs.judge == JUDGE) & (songs.composition != "a=1")]
    findings = try_router(router, replace(UNSEEN, songs=kept))
    assert findings.compositions == ("base", "b=1") and [judged.selecting for judged in findings.judges] == [True]
    assert scores(findings, JUDGE)["router", "router"].changed < 0.6


def test_what_the_router_does_not_know_stands_beside_as_a_control(router: Router) -> None:
    findings = try_router(router, plant_table(names=("base", "a=1", "b=1", "random=1"), first=60, prompts=2))
    assert findings.controls == ("random=1",)
    rate = scores(findings, SECOND)["control", "random=1"].wer.value
    assert rate == pytest.approx(0.4, abs=0.05)


def test_a_control_that_sang_little_takes_no_prompt_from_the_others(router: Router) -> None:
    table = plant_table(names=("base", "a=1", "b=1", "random=1"), first=60, prompts=2)
    songs = table.songs
    genres = list(dict.fromkeys(songs.genre))[:3]
    few = replace(table, songs=songs[(songs.composition != "random=1") | songs.genre.isin(genres)])
    findings = try_router(router, few)
    control, base = (scores(findings, SECOND)["control", "random=1"], scores(findings, SECOND)["single", "base"])
    assert findings.prompts == 24 and control.wins + control.ties + control.losses == 6
    assert base.wins + base.ties + base.losses == 24
    kept = few.of_judge(SECOND).query("genre in @genres").groupby("composition").wer.mean()
    assert control.wer.value == pytest.approx(kept["random=1"])
    assert control.gain.value == pytest.approx(kept[findings.judges[1].opponent] - kept["random=1"])
    json.dumps(asdict(findings), allow_nan=False)
    apart = replace(few, songs=few.songs.assign(seed=few.songs.seed + 10**6 * (few.songs.composition == "random=1")))
    assert try_router(router, apart).controls == ()


def test_the_opponent_is_the_best_as_the_judge_scores_it(router: Router) -> None:
    """The default loops here, so that anything would beat it."""
    songs = UNSEEN.songs.copy()
    loops = songs.composition == "base"
    songs.loc[loops, "insertions"] += 80
    songs.loc[loops, "wer"] += 2
    findings = try_router(router, replace(UNSEEN, songs=songs))
    for judged in findings.judges:
        singles = {s.name: s for s in judged.scores if s.kind == "single"}
        assert judged.opponent == min(singles, key=lambda name: singles[name].wer.value) != "base"
        assert singles["base"].gain.value < -1 and singles[judged.opponent].gain.value == 0
    assert "as this judge hears it, not the default base" in findings.signal
    own = scores(findings, SECOND)["router", "router"]
    at = next(point for point in findings.risk if point.threshold == 0.8)
    assert at.gain.value == pytest.approx(own.gain.value)


def with_lyrics(lyrics: str, prompt: str = "") -> Table:
    """The unseen songs, those of one prompt of these lyrics, or under another name."""
    songs = UNSEEN.songs.copy()
    here = songs.prompt == "harp-60"
    songs.loc[here, "lyrics"] = lyrics
    songs.loc[here, "prompt"] = prompt or "harp-60"
    return replace(UNSEEN, songs=songs)


SEEN = "sing me a line of the flute\nand count to 1"


@pytest.mark.parametrize(
    ("table", "like"),
    [
        (with_lyrics(f"{SEEN} (oh!)\n{{spoken}}"), "flute-1"),
        (with_lyrics(f"{SEEN}\nwith a new line"), "flute-1"),
        (with_lyrics("all new words\nand none of them known", "flute-0"), "flute-0"),
    ],
)
def test_a_prompt_that_was_seen_in_part_is_no_trial(router: Router, table: Table, like: str) -> None:
    with pytest.raises(RouterError, match=rf"1 of the table's 24 prompts have the name, .* is its '{like}'"):
        try_router(router, table)


def test_half_of_the_lines_may_be_known(router: Router) -> None:
    assert try_router(router, with_lyrics(f"{SEEN}\nand here are\ntwo new lines")).prompts == 24


def other(**changed: object) -> Table:
    known = {"model_fingerprint": MODEL, "adapters": dict(ADAPTERS)}
    return replace(UNSEEN, about=known | changed)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        (
            plant_table(),
            r"36 of the table's 36 prompts have the name, .* the router was fitted to \('harp-0' is its 'harp-0'",
        ),
        (other(model_fingerprint="feed"), "this one has feed: measure this model"),
        (other(adapters={"a": "other"}), r"other adapters than those fitted under the same names \(a\)"),
        (
            replace(UNSEEN, songs=UNSEEN.songs[UNSEEN.songs.judge == SECOND]),
            f"fitted by the judge '{JUDGE}', who is not",
        ),
        (plant_table(names=("a=1", "b=1"), first=60), "has a=1, b=1: sing the default and at least one other"),
        (plant_table(names=("base", "c=1"), first=60), "has base: sing the default and at least one other"),
    ],
)
def test_what_is_no_trial_is_refused(router: Router, table: Table, said: str) -> None:
    with pytest.raises(RouterError, match=said):
        try_router(router, table)
