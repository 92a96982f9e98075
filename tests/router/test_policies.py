from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from router.examples import LEAST_VARIANCE, Targets, find_default, pair
from router.features import Features
from router.policies import POLICIES, Policy
from router.policies.base import estimate_spread, make_column
from router.policies.search import part_groups, search, select_policy
from router.policies.space import fit_space
from tests.router.planted_world import make_world

SETTINGS: dict[str, dict[str, Any]] = {
    "best single": {},
    "neighbours": {"k": 5, "signal": 0.5, "lyrics": 0.5},
    "ridge": {"signal": 0.4, "lyrics": 0.5},
    "gaussian process": {"signal": 0.5, "length": 1.5, "own": 0.2, "lyrics": 0.5},
}
LOOKING = [name for name in POLICIES if name != "best single"]


def features_of(count: int, width: int = 6, seed: int = 0) -> Features:
    rng = np.random.default_rng(seed)
    sentences = rng.normal(size=(count, width))
    sentences /= np.linalg.norm(sentences, axis=1, keepdims=True)
    return Features(sentences.astype(np.float32), rng.normal(size=(count, 2)))


def targets_of(gains: NDArray[np.float64], noise: float | NDArray[np.float64] = 0.01) -> Targets:
    """One composition beside the default."""
    both = np.stack([np.zeros(len(gains)), gains], 1)
    noises = np.stack([np.zeros(len(gains)), np.broadcast_to(noise, len(gains))], 1)
    return Targets(both, noises, np.full(len(gains), 0.5), 0)


def make(name: str) -> Policy:
    return POLICIES[name].with_settings(SETTINGS[name])


def test_all_policies_are_there_plainest_first() -> None:
    assert list(POLICIES) == ["best single", "neighbours", "ridge", "gaussian process"]


def test_a_mean_within_its_noise_goes_to_zero_and_a_sure_one_stays() -> None:
    flat = make_column(np.array([0.01, -0.008, 0.009, -0.01]), np.full(4, 0.05))
    assert flat.shrunk == 0 and flat.own == 0
    sure = make_column(np.full(50, 0.3), np.full(50, 0.001))
    weight = 1 / (0.001 + LEAST_VARIANCE)
    assert sure.shrunk == pytest.approx(0.3 * (1 - 1 / (50 * weight) / 0.09))
    assert sure.doubt == pytest.approx(1 / (50 * weight))


def test_the_spread_between_prompts_is_recovered_beneath_the_noise() -> None:
    rng = np.random.default_rng(0)
    noise = rng.uniform(0.002, 0.03, 20_000)
    gains = 0.1 + rng.normal(size=20_000) * np.sqrt(0.01 + noise)
    assert estimate_spread(gains, noise) == pytest.approx(0.01, rel=0.05)
    assert estimate_spread(0.1 + rng.normal(size=300) * np.sqrt(noise[:300]) * 0.8, noise[:300]) == 0


def test_best_single_says_the_shrunk_mean_whatever_the_prompt() -> None:
    features, gains = features_of(30), np.random.default_rng(1).normal(0.2, 0.2, 30)
    column = make_column(gains, np.full(30, 0.01))
    found = make("best single").fit(features, targets_of(gains)).predict(features_of(4, seed=9))
    assert found.mean.tolist() == [[0, pytest.approx(column.shrunk)]] * 4
    assert found.sd.tolist() == [[0, pytest.approx((column.doubt + column.own) ** 0.5)]] * 4 and column.own > 0


def test_ridge_is_the_posterior_of_a_linear_function() -> None:
    features, asked = features_of(40), features_of(5, seed=3)
    rng = np.random.default_rng(2)
    noise = rng.uniform(0.001, 0.01, 40)
    gains = 0.1 + 0.3 * features.sentences[:, 0] + rng.normal(size=40) * 0.05
    found = make("ridge").fit(features, targets_of(gains, noise)).predict(asked)
    column, space = make_column(gains, noise), fit_space(features)
    x, z = (space.place(f, 0.5) for f in (features, asked))
    # In function space: covariance of the prior, Gaussian conditioning (Rasmussen and Williams 2006, eq. 2.22-2.24).
    prior = 0.4 * column.own
    noisy = prior * x @ x.T + np.diag(noise + 0.6 * column.own)
    across = prior * z @ x.T
    mean = column.shrunk + across @ np.linalg.solve(noisy, column.deviations)
    spread = np.diag(prior * z @ z.T - across @ np.linalg.solve(noisy, across.T)) + 0.6 * column.own
    assert found.mean[:, 1] == pytest.approx(mean)
    assert found.sd[:, 1] == pytest.approx(np.sqrt(spread + column.doubt))


def test_the_gaussian_process_conditions_on_rows_with_their_noise() -> None:
    features, asked = features_of(40), features_of(5, seed=3)
    rng = np.random.default_rng(2)
    noise = rng.uniform(0.001, 0.05, 40)
    gains = 0.1 + 0.3 * features.sentences[:, 0] ** 2 + rng.normal(size=40) * 0.05
    found = make("gaussian process").fit(features, targets_of(gains, noise)).predict(asked)
    column, space = make_column(gains, noise), fit_space(features)
    x, z = (space.place(f, 0.5) for f in (features, asked))
    weights = 1 / (noise + column.own + LEAST_VARIANCE)
    scale = weights @ column.deviations**2 / weights.sum()

    def kernel(a: NDArray[np.float64], b: NDArray[np.float64]) -> NDArray[np.float64]:
        values: NDArray[np.float64] = 0.5 * scale * np.exp(-((a[:, None] - b) ** 2).sum(-1) / (2 * 1.5**2))
        return values

    noisy = kernel(x, x) + np.diag(noise + 0.2 * scale)
    across = kernel(z, x)
    mean = column.shrunk + across @ np.linalg.solve(noisy, column.deviations)
    spread = np.diag(kernel(z, z) - across @ np.linalg.solve(noisy, across.T)) + 0.2 * scale
    assert found.mean[:, 1] == pytest.approx(mean)
    assert found.sd[:, 1] == pytest.approx(np.sqrt(spread + column.doubt), rel=1e-4)


def test_one_kernel_matrix_for_all_compositions_says_what_the_estimators_say() -> None:
    from sklearn.gaussian_process import GaussianProcessRegressor
    from sklearn.gaussian_process.kernels import RBF, ConstantKernel

    features, asked = features_of(40), features_of(7, seed=3)
    rng = np.random.default_rng(4)
    gains, noise = rng.normal(0.1, 0.2, (40, 4)), rng.uniform(0.001, 0.05, (40, 4))
    gains[:, 0], gains[rng.random(40) < 0.3, 2] = 0.0, np.nan
    gains[30:], level = [np.nan, 0.05, 0.05, 0.05], np.repeat([0.5, np.nan], (30, 10))  # votes
    found = make("gaussian process").fit(features, Targets(gains, noise, level, 0)).predict(asked)
    space = fit_space(features.select(np.arange(30)))
    x, z = (space.place(f, 0.5) for f in (features, asked))
    for c in (1, 2, 3):
        column = make_column(gains[:, c], noise[:, c], np.isfinite(level))
        sung = column.rows < 30
        precision = 1 / (column.noise + column.own + LEAST_VARIANCE)
        scale = float(np.average(column.deviations[sung] ** 2, weights=precision[sung]))
        kernel = ConstantKernel(0.5 * scale) * RBF(1.5)
        process = GaussianProcessRegressor(kernel, alpha=column.noise + 0.2 * scale, optimizer=None)
        mean, sd = process.fit(x[column.rows], column.deviations).predict(z, return_std=True)
        np.testing.assert_allclose(found.mean[:, c], column.shrunk + mean, rtol=0, atol=1e-10)
        np.testing.assert_allclose(found.sd[:, c] ** 2, column.doubt + sd**2 + 0.2 * scale, rtol=0, atol=1e-10)


def test_neighbours_tell_by_nearness_and_precision() -> None:
    features, asked = features_of(30), features_of(1, seed=3)
    rng = np.random.default_rng(2)
    noise = rng.uniform(0.001, 0.01, 30)
    gains = rng.normal(0.1, 0.2, 30)
    found = make("neighbours").fit(features, targets_of(gains, noise)).predict(asked)
    column, space = make_column(gains, noise), fit_space(features)
    distances = np.linalg.norm(space.place(features, 0.5) - space.place(asked, 0.5), axis=1)
    near = np.argsort(distances)[:6]
    weights = (1 - (distances[near[:5]] / distances[near[5]]) ** 2) / (noise[near[:5]] + 0.5 * column.own)
    told = weights.sum() + 1 / (0.5 * column.own)
    assert found.mean[0, 1] == pytest.approx(column.shrunk + weights @ column.deviations[near[:5]] / told)
    assert found.sd[0, 1] == pytest.approx(np.sqrt(column.doubt + 1 / told + 0.5 * column.own))


def test_a_mean_is_as_sure_as_its_genres_are_many() -> None:
    rng = np.random.default_rng(4)
    owner = np.repeat(np.arange(40), 25)
    gains = rng.normal(0.1, 0.2, 40)[owner] + rng.normal(0, 0.05, 1000) + rng.normal(0, 0.1, 1000)
    column = make_column(gains, np.full(1000, 0.01), groups=owner)
    means = gains.reshape(40, 25).mean(1)
    assert column.doubt == pytest.approx(means.var(ddof=1) / 40, rel=0.05), "the squared standard error of genre means"
    assert column.own == pytest.approx(means.var(ddof=1) + 0.05**2, rel=0.1)
    alone = make_column(gains, np.full(1000, 0.01))
    assert alone.doubt < column.doubt / 15 and alone.own == pytest.approx(column.own, rel=0.1)


def test_the_spread_within_genres_is_what_analysis_of_variance_says() -> None:
    rng = np.random.default_rng(5)
    owner = np.repeat(np.arange(4000), [2, 3, 4, 5] * 1000)
    gains = rng.normal(size=4000)[owner] + rng.normal(size=len(owner)) * np.sqrt(0.02 + 0.01)
    assert estimate_spread(gains, np.full(len(owner), 0.01), owner) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("name", LOOKING)
def test_planted_kinds_are_told_apart(name: str) -> None:
    examples, features, _ = make_world(balanced=True)
    held = np.isin(examples.genres, ["genre 0", "genre 1"])
    targets = pair(examples, 0, ~held)
    policy = POLICIES[name]()
    found = policy.fit(features.select(~held), targets).predict(features.select(held))
    for p, genre in enumerate(np.array(examples.genres)[held]):
        ours, other = (1, 2) if genre == "genre 0" else (2, 1)
        assert found.mean[p, ours] > 0.1 and found.mean[p, other] < 0
    again = POLICIES[name].with_settings(json.loads(json.dumps(policy.settings())))
    same = again.fit(features.select(~held), targets).predict(features.select(held))
    assert (same.mean == found.mean).all() and (same.sd == found.sd).all() and (same.level == found.level).all()


@pytest.mark.parametrize("name", LOOKING)
def test_a_row_of_great_noise_says_nothing(name: str) -> None:
    features = features_of(40)
    gains = 0.5 * features.sentences[:, 0].astype(np.float64)
    noise = np.full(40, 0.001)
    loud, noise[7] = gains.copy(), 1e6
    loud[7] = 0.9
    one, two = (make(name).fit(features, targets_of(g, noise)).predict(features) for g in (gains, loud))
    assert one.mean == pytest.approx(two.mean, abs=1e-3)


@pytest.mark.parametrize("name", POLICIES)
def test_unknown_gains_are_left_out_composition_by_composition(name: str) -> None:
    features = features_of(40)
    rng = np.random.default_rng(5)
    gains = np.concatenate([np.zeros((40, 1)), rng.normal(0.1, 0.2, (40, 2))], 1)
    noise = np.concatenate([np.zeros((40, 1)), np.full((40, 2), 0.01)], 1)
    level = rng.uniform(0.2, 0.8, 40)
    full = Targets(gains, noise, level, 0)
    holes = gains.copy()
    holes[30:, 1] = np.nan
    holed = Targets(holes, noise, level, 0)
    space = fit_space(features)
    kept = np.arange(40) < 30
    some = make(name).fit(features, holed, space).predict(features)
    assert some.mean[:, 2] == pytest.approx(make(name).fit(features, full, space).predict(features).mean[:, 2])
    part = make(name).fit(features.select(kept), full.select(kept), space).predict(features)
    assert some.mean[:, 1] == pytest.approx(part.mean[:, 1]) and some.sd[:, 1] == pytest.approx(part.sd[:, 1])


@pytest.mark.parametrize("name", POLICIES)
def test_votes_without_a_level_and_compositions_nobody_knows(name: str) -> None:
    features = features_of(30)
    gains = np.random.default_rng(5).normal(0.1, 0.2, (30, 3))
    gains[:, 0], gains[:, 2] = 0.0, np.nan
    gains[20:, 0] = np.nan  # a vote knows no column of the default
    noise, level = np.full((30, 3), 0.01), np.full(30, 0.4)
    level[20:] = np.nan
    found = make(name).fit(features, Targets(gains, noise, level, 0)).predict(features)
    assert np.isfinite(found.mean).all() and np.isfinite(found.sd).all()
    assert found.level == pytest.approx(0.4)
    assert (found.mean[:, 2] == 0).all() and (found.sd[:, 2] > 0).all()
    assert (found.mean[:, 0] == 0).all() and (found.sd[:, 0] == 0).all()


def with_votes(
    features: Features, targets: Targets, at: Features, weight: float, count: int = 300, gain: float = 0.05
) -> tuple[Features, Targets]:
    """Rows beside the measured ones for votes that all agree, near the prompt ``at``."""
    near = at.sentences + np.random.default_rng(8).normal(size=(count, at.sentences.shape[1])) * 0.02
    lyrics = np.repeat(at.lyrics, count, axis=0)
    both = np.vstack([features.sentences, near / np.linalg.norm(near, axis=1, keepdims=True)]).astype(np.float32)
    return Features(both, np.vstack([features.lyrics, lyrics])), Targets(
        np.vstack([targets.gains, np.tile([np.nan, gain], (count, 1))]),
        np.vstack([targets.noise, np.tile([np.nan, 0.04 / weight], (count, 1))]),
        np.append(targets.level, np.full(count, np.nan)),
        0,
    )


def measured_prompts(count: int = 120) -> tuple[Features, Targets]:
    """Prompts whose gains differ by an sd of .1 as their captions say, measured with a noise of a quarter of that."""
    features = features_of(count)
    gains = 0.25 * features.sentences[:, 0] + np.random.default_rng(3).normal(size=count) * 0.05
    return features, targets_of(gains, 0.0025)


def test_many_votes_leave_the_spread_between_prompts_as_it_was_measured() -> None:
    features, targets = measured_prompts()
    plain = make_column(targets.gains[:, 1], targets.noise[:, 1])
    assert plain.own == pytest.approx(0.25**2 / 6, rel=0.3)
    _, voted = with_votes(features, targets, features.select([0]), weight=10.0)
    gains, noise = voted.gains[:, 1], voted.noise[:, 1]
    assert estimate_spread(gains, noise) < plain.own / 2, "which is what there is to guard against"
    column = make_column(gains, noise, voted.measured)
    assert column.own == plain.own and column.measured.sum() == 120 and len(column.rows) == 420
    found = search(POLICIES["best single"], features_of(420), voted)
    assert found.held is not None
    weights = 1 / (noise + plain.own + LEAST_VARIANCE)
    wrong = (gains - found.held.mean[:, 1]) ** 2
    assert found.error == pytest.approx(weights @ wrong / weights.sum())


@pytest.mark.parametrize("name", LOOKING)
def test_votes_count_by_their_weight_and_do_not_crowd_out_what_was_measured(name: str) -> None:
    features, targets = measured_prompts()
    at, far = features.select([int(features.sentences[:, 0].argmin())]), features.select([0])

    def ask(weight: float | None) -> tuple[float, float]:
        given = (features, targets) if weight is None else with_votes(features, targets, at, weight)
        policy = make(name).fit(*given)
        return float(policy.predict(at).mean[0, 1]), float(policy.predict(far).mean[0, 1])

    plain, told = ask(None), [ask(weight) for weight in (1e-6, 0.01, 0.1, 1.0, 10.0)]
    assert told[0] == pytest.approx(plain, abs=1e-4), "votes of no weight change nothing"
    near = [here for here, _ in told]
    assert near == sorted(near) and plain[0] < -0.08 and near[-1] > plain[0] + 0.05
    assert near[-1] < 0.06, "and no more than what they say"
    moved = [abs(there - plain[1]) for _, there in told]
    assert moved[-1] < (near[-1] - plain[0]) / 2, "elsewhere prompts go on to differ"


@pytest.mark.parametrize("name", POLICIES)
@pytest.mark.parametrize("count", [1, 2, 3])
def test_a_handful_of_prompts_is_enough_to_fit(name: str, count: int) -> None:
    found = POLICIES[name]().fit(features_of(count), targets_of(np.linspace(-0.1, 0.3, count))).predict(features_of(4))
    assert np.isfinite(found.mean).all() and np.isfinite(found.sd).all()


@pytest.mark.parametrize("name", POLICIES)
def test_prompts_that_say_nothing_or_something_absurd_are_predicted(name: str) -> None:
    features = features_of(30)
    policy = make(name).fit(features, targets_of(np.random.default_rng(3).normal(0.1, 0.2, 30)))
    odd = Features(np.zeros((2, 6), np.float32), np.array([[1e12, -1e12], [0.0, 0.0]]))
    found = policy.predict(odd)
    assert (np.abs(found.mean) < 1).all() and np.isfinite(found.sd).all()
    assert ((found.wer >= 0) & (found.wer <= 1)).all()


@pytest.mark.parametrize("name", LOOKING)
def test_the_level_is_predicted_and_wer_is_what_is_left_of_it(name: str) -> None:
    features = features_of(60)
    level = 0.5 + 0.6 * features.sentences[:, 0].astype(np.float64)
    targets = replace(targets_of(np.full(60, 0.1)), level=level)
    found = make(name).fit(features, targets).predict(features)
    assert np.corrcoef(found.level, level)[0, 1] > 0.7
    assert found.wer == pytest.approx(np.clip(found.level[:, None] - found.mean, 0, 1))


def test_settings_are_not_known_before_fitting() -> None:
    with pytest.raises(ValueError, match="no settings before it is fitted"):
        POLICIES["ridge"]().settings()


def test_space_keeps_distances_and_brings_blocks_to_one_scale() -> None:
    features = features_of(40, width=10)
    places = fit_space(features).place(features)
    sentences, lyrics = places[:, :10], places[:, 10:]
    assert (sentences**2).sum(1).mean() == pytest.approx(1)
    assert lyrics.shape == (40, 2) and lyrics.std(0) == pytest.approx([0.5**0.5] * 2, rel=0.05)
    apart = np.linalg.norm(features.sentences[0] - features.sentences[1])
    ratio = np.linalg.norm(sentences[0] - sentences[1]) / apart
    again = np.linalg.norm(sentences[2] - sentences[3]) / np.linalg.norm(features.sentences[2] - features.sentences[3])
    assert ratio == pytest.approx(again, rel=1e-4), "principal components turn, and keep distances"


def test_space_ignores_constants_and_prompts_without_captions() -> None:
    said = features_of(20)
    silent = Features(
        np.vstack([said.sentences, np.zeros((5, 6), np.float32)]), np.hstack([np.ones((25, 1)), np.ones((25, 1))])
    )
    places = fit_space(silent).place(silent)
    assert np.allclose(places[20:], 0) and np.allclose(places[:20, -2:], 0)
    assert np.allclose(fit_space(said).sentence_mean, fit_space(silent).sentence_mean)
    mute = silent.select(np.arange(20, 25))
    assert fit_space(mute).place(mute).shape == (5, 2)


def test_search_never_parts_a_group() -> None:
    examples, features, _ = make_world()
    targets = pair(examples, 0)
    seen = np.zeros(len(targets), dtype=int)
    for fitted, held, _ in part_groups(features, targets):
        assert not {targets.groups[i] for i in fitted} & {targets.groups[i] for i in held}
        seen[held] += 1
    assert (seen == 1).all()


def test_search_takes_the_settings_of_the_lowest_error_on_held_out_groups() -> None:
    examples, features, _ = make_world()
    targets = pair(examples, 0)
    found = search(POLICIES["ridge"], features, targets)
    errors = {}
    for settings in POLICIES["ridge"].propose(features, targets):
        mean = np.zeros(targets.gains.shape)
        for fitted, held, _ in part_groups(features, targets):
            policy = POLICIES["ridge"].with_settings(settings)
            policy.fit(features.select(fitted), targets.select(fitted))
            mean[held] = policy.predict(features.select(held)).mean
        weights = np.zeros(targets.gains.shape)
        for c in (1, 2, 3):
            own = estimate_spread(targets.gains[:, c], targets.noise[:, c])
            weights[:, c] = 1 / (targets.noise[:, c] + own + LEAST_VARIANCE)
        errors[json.dumps(settings)] = (weights * (targets.gains - mean) ** 2).sum() / weights.sum()
    assert json.dumps(found.settings) == min(errors, key=lambda key: errors[key])
    assert found.error == pytest.approx(min(errors.values()))


def test_without_two_groups_nothing_is_searched() -> None:
    features, targets = features_of(5), replace(targets_of(np.ones(5)), groups=("folk",) * 5)
    found = search(POLICIES["ridge"], features, targets)
    assert found.held is None and found.error == float("inf")
    assert select_policy(features, targets).name == "best single"


def test_a_policy_that_looks_is_selected_where_there_is_something_to_see() -> None:
    examples, features, _ = make_world()
    targets = pair(examples, find_default(examples))
    selection = select_policy(features, targets)
    assert selection.name in LOOKING
    assert selection.searched[selection.name].error < 0.7 * selection.searched["best single"].error


def test_in_noise_the_best_single_is_kept_mostly() -> None:
    kept = 0
    for seed in range(6):
        examples, features, _ = make_world(effect=0.0, seed=seed, genres=10, each=2, seeds=2)
        kept += select_policy(features, pair(examples, 0), ("best single", "ridge")).name == "best single"
    assert kept >= 4
