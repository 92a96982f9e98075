from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.lattice import LatticeError
from router.errors import RouterError
from router.examples import Examples, find_default, pair
from router.features import Features
from router.findings import Judged, Score, read_findings
from router.held_out import hold_out_genres
from router.policies.search import select_policy
from router.validation import RANDOM, Validation, validate
from tests.router.planted_null import make_null
from tests.router.planted_world import make_middle_world, make_world

CONTROL = "random=1"


@pytest.fixture(scope="module")
def repaired() -> Validation:
    """Genres of two kinds that need x or y."""
    examples, features, lattices = make_world(compositions=5)
    return validate(examples, features, scoring=lattices, controls=(CONTROL,), permutations=4)


@pytest.fixture(scope="module")
def noise() -> Validation:
    """Compositions that are all alike."""
    examples, features, lattices = make_world(effect=0.0, seeds=2, genres=10)
    return validate(examples, features, scoring=lattices, controls=(CONTROL,), permutations=2)


def score(judged: Judged, name: str) -> Score:
    return next(s for s in judged.scores if s.name == name)


def test_a_planted_choice_is_found(repaired: Validation) -> None:
    found = repaired.findings
    assert repaired.signal and found.signal.startswith("There is a routable signal")
    assert found.policy != "best single" and found.kind == "fit"
    assert [j.judge for j in found.judges] == ["judge 0", "judge 1"]
    assert [j.selecting for j in found.judges] == [True, False]
    for judged in found.judges:
        router, single = score(judged, "router"), score(judged, "best single")
        # Eight genres of twelve are repaired by .3 by the best single, and the others broken as much.
        assert single.wer.value == pytest.approx(0.4, abs=0.06)
        assert router.wer.value == pytest.approx(0.2, abs=0.06)
        assert router.gain.low is not None and router.gain.low > 0
        assert router.gap_closed is not None and router.gap_closed.value > 0.8
        assert judged.distinguishable is True
        assert single.gain.value == 0 and single.changed == 0 and single.ties == found.prompts
        assert score(judged, "base").kind == "single" and score(judged, "oracle").kind == "oracle"
        assert score(judged, CONTROL).wer.value == pytest.approx(0.6, abs=0.05)


def test_shuffled_prompts_gain_nothing(repaired: Validation) -> None:
    assert len(repaired.findings.permuted) == 4
    assert max(repaired.findings.permuted) < score(repaired.findings.judges[1], "router").gain.value / 2
    assert np.mean(repaired.findings.permuted) < 0.05


def test_a_default_that_flips_with_the_genre_left_out_is_no_easy_opponent() -> None:
    """Where each of two compositions suits half of the genres, the best single one without a genre is the wrong one."""
    examples, features, _ = make_world(balanced=True, genres=10, each=2, seeds=2)
    found = validate(examples, features, controls=(CONTROL,), permutations=5).findings
    router, single = score(found.judges[0], "router"), score(found.judges[0], "best single")
    assert single.wer.value > 0.7 and single.gain.value < -0.2, "as the policy that it is"
    assert router.wer.value + router.gain.value == pytest.approx(0.47, abs=0.08), "the opponent"
    assert max(found.permuted) < 0.1


def test_random_choice_is_the_mean_over_what_may_be_chosen(repaired: Validation) -> None:
    examples, _, lattices = make_world(compositions=5)
    expected = lattices["judge 1"].select([c for c in examples.compositions if c != CONTROL]).prompt_rates.mean()
    random = score(repaired.findings.judges[1], RANDOM)
    assert random.wer.value == pytest.approx(expected) and random.kind == "control" and random.changed == 0.75


def test_coverage_falls_with_the_threshold(repaired: Validation) -> None:
    risk = repaired.findings.risk
    coverage = [point.coverage for point in risk]
    assert coverage == sorted(coverage, reverse=True) and coverage[0] > 0.3
    at = next(point for point in risk if point.threshold == 0.8)
    router = score(repaired.findings.judges[1], "router")
    assert at.coverage == router.changed and at.gain.value == router.gain.value


def test_intervals_calibration_map_and_genres_are_told(repaired: Validation) -> None:
    found = repaired.findings
    assert repaired.low.shape == repaired.high.shape == (4,) and (repaired.low < repaired.high).all()
    assert found.calibration is not None and 0.65 < found.calibration.covered < 0.95
    predicted = [b.predicted for b in found.calibration.bins]
    assert all(b.observed == pytest.approx(b.predicted, abs=0.2) for b in found.calibration.bins)
    assert predicted == sorted(predicted)
    assert len(found.map) == 36 and {p.name for p in found.map} <= set(found.compositions)
    assert np.std([p.x for p in found.map]) > np.std([p.y for p in found.map]) > 0
    assert [row.prompts for row in found.genre_rows] == [3] * 12
    of_router = np.mean([row.wer["router"] for row in found.genre_rows])
    assert of_router == pytest.approx(score(found.judges[1], "router").wer.value)
    assert CONTROL not in found.compositions and found.controls == (CONTROL,)


def test_blends_are_compared_with_picking_one(repaired: Validation, noise: Validation) -> None:
    assert "so it is off" in repaired.findings.blending and "points of WER" in repaired.findings.blending
    assert score(repaired.findings.judges[1], "mixed by gain").kind == "policy"
    assert not repaired.mixes and repaired.mixer is not None and repaired.mixing is None
    assert noise.findings.blending.startswith("No blends")
    assert not noise.mixes and noise.mixer is None and noise.mixing is None


def test_mixing_is_on_where_the_independent_judge_hears_that_it_wins(monkeypatch: pytest.MonkeyPatch) -> None:
    examples, features, lattices = make_middle_world()
    held = hold_out_genres(examples.select(["base", "x=1", "y=1", "x=0.5,y=0.5"]), features, 0.55)
    monkeypatch.setattr("router.validation.hold_out_genres", lambda *given: held)
    found = validate(examples, features, scoring=lattices, controls=(CONTROL,), confidence=0.55, permutations=1)
    router, mixed = (score(found.findings.judges[1], name) for name in ("router", "mixed by gain"))
    assert router.wer.value - mixed.wer.value > 0.01
    assert found.mixes and found.findings.blending.endswith("so it is on.")
    gain = f"wins {100 * (router.wer.value - mixed.wer.value):+.1f} points"
    assert gain in found.findings.blending
    assert found.mixer is not None and found.mixing == found.mixer.temperature
    deaf = replace(lattices["judge 1"], errors=np.full_like(lattices["judge 1"].errors, 12))
    scoring = lattices | {"judge 1": deaf}
    found = validate(examples, features, scoring=scoring, controls=(CONTROL,), confidence=0.55, permutations=1)
    assert not found.mixes and found.mixing is None and found.findings.blending.endswith("so it is off.")


def test_the_settings_are_those_that_all_examples_gave(repaired: Validation) -> None:
    examples, features, _ = make_world(compositions=5)
    learnt = examples.select([name for name in examples.compositions if name != CONTROL])
    selection = select_policy(features, pair(learnt, find_default(learnt)))
    assert (repaired.findings.policy, repaired.settings) == (selection.name, selection.settings)


def test_findings_are_plain_json(repaired: Validation) -> None:
    text = json.dumps(asdict(repaired.findings), allow_nan=False)
    assert read_findings(json.loads(text)) == repaired.findings


def test_in_noise_no_signal_is_found(noise: Validation) -> None:
    assert not noise.signal and noise.findings.signal.startswith("No routable signal")
    for judged in noise.findings.judges:
        gain = score(judged, "router").gain
        assert gain.low is not None and gain.high is not None and gain.low <= 0 <= gain.high
        assert abs(gain.value) < 0.03
        assert judged.headroom is not None and judged.headroom.value < 0.05


def test_the_same_again() -> None:
    examples, features, _ = make_world(genres=4, each=2)
    one, two = (validate(examples, features, permutations=1).findings for _ in range(2))
    assert replace(one, seconds=0) == replace(two, seconds=0)
    assert [j.judge for j in one.judges] == ["judge 0"] and one.judges[0].selecting


def test_a_judge_that_heard_fewer_prompts_scores_those() -> None:
    examples, features, lattices = make_world(genres=4, each=2)
    heard = np.arange(8) != 3
    scoring = {"judge 0": examples.lattice, "deaf": lattices["judge 1"].at(heard)}
    found = validate(examples, features, scoring=scoring, permutations=2).findings
    router = score(found.judges[1], "router")
    assert router.wins + router.ties + router.losses == 7
    assert sum(row.prompts for row in found.genre_rows) == 7 and len(found.map) == 8
    assert np.isfinite(found.permuted).all()


def test_two_genres_and_one_seed_are_enough_to_say_that_nothing_is_known() -> None:
    examples, features, _ = make_world(genres=2, each=2, seeds=1)
    found = validate(examples, features, permutations=2)
    assert not found.signal and found.findings.signal.startswith("No routable signal")
    assert found.findings.policy == "best single"


def test_bad_input_is_refused() -> None:
    examples, features, lattices = make_world(genres=2, each=2)
    with pytest.raises(RouterError, match="the control nobody=1 was not measured: choose from base, x=1"):
        validate(examples, features, controls=("nobody=1",))
    with pytest.raises(RouterError, match=r"without its controls .* has base only"):
        validate(examples, features, controls=("x=1", "y=1", CONTROL))
    with pytest.raises(RouterError, match="confidence 1 is out of range"):
        validate(examples, features, confidence=1.0)
    with pytest.raises(LatticeError, match="no songs by"):
        validate(examples, features, scoring={"j": lattices["judge 1"].select(["base", "x=1"])})
    other = replace(lattices["judge 1"], prompts=tuple("abcd"))
    with pytest.raises(RouterError, match="heard none of the prompts"):
        validate(examples, features, scoring={"j": other})


def change(examples: Examples, features: Features, rows: NDArray[np.bool_]) -> tuple[Examples, Features]:
    """What was measured of some prompts turned round; their features stay."""
    errors = examples.lattice.errors.copy()
    errors[:, rows] = 24 - errors[:, rows]
    return replace(examples, lattice=replace(examples.lattice, errors=errors)), features


def test_nothing_of_a_genre_leaks_into_what_is_chosen_for_it() -> None:
    examples, features, _ = make_world(genres=5, each=3, compositions=5)
    rows = np.array(examples.genres) == "genre 2"
    plain = hold_out_genres(examples, features, 0.8)
    turned = hold_out_genres(*change(examples, features, rows), 0.8)
    assert (plain.default[rows] == turned.default[rows]).all() and (plain.selected[rows] == turned.selected[rows]).all()
    for one, two in [(plain.router, turned.router), *((plain.policies[n], turned.policies[n]) for n in plain.policies)]:
        assert (one.choice[rows] == two.choice[rows]).all()
        assert (one.wer[rows] == two.wer[rows]).all() and (one.chance[rows] == two.chance[rows]).all()
    assert plain.blended is not None and turned.blended is not None
    assert (plain.blended[rows] == turned.blended[rows]).all()
    assert not np.allclose(plain.router.wer[~rows], turned.router.wer[~rows]), "the others do learn from it"


def test_the_features_of_a_genre_do_not_leak_either() -> None:
    examples, features, _ = make_world(genres=4, each=3)
    rows = np.array(examples.genres) == "genre 2"
    first = np.flatnonzero(rows)[0]
    rest = rows & (np.arange(len(rows)) != first)
    moved = Features(features.sentences.copy(), features.lyrics.copy())
    moved.sentences[rest], moved.lyrics[rest] = -moved.sentences[rest], 100.0
    plain, other = (hold_out_genres(examples, f, 0.8) for f in (features, moved))
    assert plain.router.wer[first] == pytest.approx(other.router.wer[first], abs=1e-12)


def test_progress_is_told_and_the_default_is_the_fold_s() -> None:
    examples, features, _ = make_world(genres=3, each=2)
    told: list[tuple[int, int]] = []
    held = hold_out_genres(examples, features, 0.8, progress=lambda done, of: told.append((done, of)))
    assert told == [(1, 3), (2, 3), (3, 3)]
    for genre in set(examples.genres):
        rows = np.array(examples.genres) == genre
        assert (held.default[rows] == find_default(examples, ~rows)).all()
    assert (held.router.at(held.default, 0.8) == held.router.choice).all()


def test_a_control_is_never_chosen_however_good() -> None:
    examples, features, _ = make_world(genres=4, each=2)
    errors = examples.lattice.errors.copy()
    errors[3] = 0
    tempting = replace(examples, lattice=replace(examples.lattice, errors=errors))
    found = validate(tempting, features, controls=(CONTROL,), permutations=1).findings
    assert found.default != CONTROL and CONTROL not in {p.name for p in found.map}
    assert score(found.judges[0], CONTROL).wer.value == 0
    oracle = score(found.judges[0], "oracle").wer.value
    assert oracle > 0, "nor by the oracle"


def test_pairing_matters_for_what_is_learnt() -> None:
    """A prompt that is hard for all compositions says nothing for or against one."""
    examples, _, _ = make_world(genres=4, each=2)
    errors = examples.lattice.errors.astype(float)
    hard = errors.copy()
    hard[:, 0] += 2
    plain, shifted = (
        pair(replace(examples, lattice=replace(examples.lattice, errors=e, counted=False)), 0).gains
        for e in (errors, hard)
    )
    uncapped = (errors[:, 0] + 2 <= 24).all()
    assert uncapped and plain[0] == pytest.approx(shifted[0])


def test_a_default_that_loops_is_no_opponent() -> None:
    """Capped, base is the best; but its songs loop now and then, and uncapped y is, which no choice by prompt beats."""
    examples, features, _ = make_world(effect=0.0, genres=10, each=2, seeds=2)
    errors = np.full(examples.lattice.errors.shape, 12)
    errors[0], errors[0, ::4] = 5, 96  # capped .41, uncapped 1.16
    looped = replace(examples, lattice=replace(examples.lattice, errors=errors))
    assert find_default(looped) == 0
    found = validate(looped, features, controls=(CONTROL,), permutations=1)
    judged = found.findings.judges[0]
    assert judged.opponent == "x=1" and found.findings.default == "base"
    assert score(judged, "x=1").gain.value == 0 and score(judged, "base").gain.value < -0.5
    assert not found.signal and "(x=1 as this judge hears it, not the default base)" in found.findings.signal
    assert found.findings.risk[-1].gain.value == pytest.approx(score(judged, "base").gain.value)
    assert all(score(judged, name).gain.value <= 0 for name in examples.compositions[:3])


def test_each_judge_has_its_own_opponent() -> None:
    examples, features, lattices = make_world(effect=0.0, genres=4, each=2)
    turned = lattices["judge 1"].errors.copy()
    turned[:3] = np.array([20, 2, 12])[:, None, None]
    scoring = {"judge 0": examples.lattice, "judge 1": replace(lattices["judge 1"], errors=turned)}
    judges = validate(examples, features, scoring=scoring, controls=(CONTROL,), permutations=1).findings.judges
    for judged in judges:
        singles = {s.name: s.wer.value for s in judged.scores if s.kind == "single"}
        assert judged.opponent == min(singles, key=lambda name: singles[name])
    assert judges[1].opponent == "x=1"


def test_where_no_feature_tells_what_a_genre_needs_chances_are_not_boasted() -> None:
    claimed, came, asked = [], [], 0
    for seed in range(3):
        examples, features = make_null(seed)
        held = hold_out_genres(examples, features, 0.8)
        rows, rates = np.arange(len(examples.prompts)), examples.rates
        for picks in held.policies.values():
            asked += len(rows)
            away = picks.choice != held.default
            claimed += picks.chance[rows, picks.choice][away].tolist()
            came += (rates[held.default, rows] > rates[picks.choice, rows])[away].tolist()
    assert len(claimed) < 0.02 * asked or np.mean(claimed) < np.mean(came) + 0.1


def test_where_no_feature_tells_what_a_genre_needs_there_is_no_signal() -> None:
    assert not any(validate(*make_null(seed, each=4), permutations=0).signal for seed in range(3))


def test_controls_are_scored_on_the_songs_they_share() -> None:
    examples, features, lattices = make_world(genres=4, each=2)
    learnt = examples.select(examples.compositions[:3])
    few = lattices["judge 1"].select([*learnt.compositions, CONTROL]).at(np.arange(8) < 3)
    beside = {"judge 0": {}, "judge 1": {CONTROL: few}}
    scoring = {j: lattice.select(learnt.compositions) for j, lattice in lattices.items()}
    found = validate(learnt, features, scoring=scoring, controls=(CONTROL,), permutations=1, beside=beside).findings
    judged = found.judges[1]
    control = score(judged, CONTROL)
    assert found.prompts == 8 and found.controls == (CONTROL,) and control.wins + control.ties + control.losses == 3
    opponent = few.prompt_rates[few.index(judged.opponent)].mean()
    assert control.wer.value == pytest.approx(few.prompt_rates[3].mean())
    assert control.gain.value == pytest.approx(opponent - control.wer.value)
    assert [CONTROL in row.wer for row in found.genre_rows] == [True, True, False, False]
    json.dumps(asdict(found), allow_nan=False)


def test_prompts_that_are_all_alike_have_one_place_on_the_map() -> None:
    examples, features, _ = make_world(genres=4, each=2)
    alike = Features(np.full_like(features.sentences, 0.25), np.ones_like(features.lyrics))
    found = validate(examples, alike, permutations=1).findings
    assert {(p.x, p.y) for p in found.map} == {(0.0, 0.0)}


def test_mixing_takes_no_blend_that_is_not_likely_to_gain_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    examples, features, _ = make_middle_world(genres=12)
    learnt = examples.select(["base", "x=1", "y=1", "x=0.5,y=0.5"])

    class Always:
        def mix(self, gains: NDArray[np.float64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
            return np.full(len(gains), 3), np.ones(len(gains), dtype=bool)

    monkeypatch.setattr("router.held_out.mix_held", lambda *given: Always())
    held = hold_out_genres(learnt, features, 0.55)
    assert held.blended is not None
    taken = (held.blended == 3) & (held.router.choice != 3)
    likely = held.router.chance[:, 3] >= 0.55
    assert taken.any() and likely[taken].all()
    assert (held.router.choice[~likely] == held.blended[~likely]).all() and (held.router.choice[~likely] != 0).any()
