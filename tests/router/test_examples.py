from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from eval.lattice import Lattice
from eval.table import TableError
from router.errors import RouterError
from router.examples import LEAST_VARIANCE, PRIOR_DEGREES, Examples, find_default, make_examples, pair
from router.prompt import RouterPrompt
from tests.eval.lattices import JUDGE, row, table_of


def examples_of(errors: list[list[list[int]]], words: list[list[int]] | None = None) -> Examples:
    """Of errors [compositions, prompts, seeds] in ten words each, or none where ``words`` [prompts, seeds] is 0."""
    counts = np.broadcast_to(np.array(words) if words else 10, np.array(errors).shape).astype(np.int64)
    prompts = tuple(f"p{i}" for i in range(counts.shape[1]))
    lattice = Lattice(
        tuple(["base", "x=1", "y=1"][: len(counts)]), prompts, prompts, counts.shape[2], np.array(errors), counts
    )
    return Examples("judge", tuple(RouterPrompt() for _ in prompts), lattice)


def test_gains_are_paired_by_seed_and_capped() -> None:
    found = pair(examples_of([[[8, 2], [20, 5]], [[6, 0], [10, 5]]]), 0)
    assert found.gains.tolist() == [[0, pytest.approx(0.2)], [0, pytest.approx(0.0)]]  # 20 of 10 words count as all
    assert found.level.tolist() == pytest.approx([0.5, 0.75])
    assert found.default == 0 and found.groups == ("p0", "p1") and len(found) == 2


def test_the_noise_is_that_of_the_paired_difference_drawn_to_the_pooled_one() -> None:
    # Both songs of p0 differ by .2 and are no news; those of p1 by 0 and .4: variance .08, pooled over both .04.
    found = pair(examples_of([[[8, 2], [5, 5]], [[6, 0], [5, 1]]]), 0)
    pooled = 0.08 / 2
    expected = [(PRIOR_DEGREES * pooled + own) / (PRIOR_DEGREES + 1) / 2 for own in (0.0, 0.08)]
    assert found.noise[:, 1] == pytest.approx(expected)
    assert (found.noise[:, 0] == 0).all()
    assert expected[0] < expected[1] < 1.5 * expected[0], "two seeds must not claim much"


def test_a_prompt_of_one_seed_gets_the_pooled_noise_undivided() -> None:
    found = pair(examples_of([[[8, 2], [5, 0]], [[8, -2 + 2], [5, 0]]], [[10, 10], [10, 0]]), 0)
    pooled = max(0.02, LEAST_VARIANCE)
    assert found.gains[:, 1] == pytest.approx([0.1, 0.0])
    assert found.noise[1, 1] == pytest.approx(pooled)


def test_of_one_seed_everywhere_half_of_the_spread_is_noise() -> None:
    found = pair(examples_of([[[5], [5], [5]], [[1], [5], [9]]]), 0)
    assert found.noise[:, 1] == pytest.approx([0.16 / 2] * 3)


def test_songs_that_never_differ_are_not_called_exact() -> None:
    found = pair(examples_of([[[5, 5], [5, 5]], [[5, 5], [5, 5]]]), 0)
    assert found.noise[:, 1] == pytest.approx([LEAST_VARIANCE / 2] * 2)


def test_nothing_is_learnt_from_prompts_that_were_not_chosen() -> None:
    plain = examples_of([[[8, 2], [5, 5], [3, 4]], [[6, 0], [5, 1], [1, 1]], [[1, 2], [3, 4], [5, 6]]])
    odd = plain.lattice.errors.copy()
    odd[:, 2] = [[0, 10], [10, 0], [10, 10]]
    other = replace(plain, lattice=replace(plain.lattice, errors=odd))
    for rows in (np.array([True, True, False]), np.array([0, 1])):
        one, two = pair(plain, 1, rows), pair(other, 1, rows)
        assert (one.gains == two.gains).all() and (one.noise == two.noise).all() and (one.level == two.level).all()
        assert find_default(plain, rows) == find_default(other, rows)


def test_the_default_is_the_lowest_mean_over_prompts_and_the_first_of_equals() -> None:
    assert find_default(examples_of([[[5], [5]], [[9], [0]], [[4], [6]]])) == 1
    assert find_default(examples_of([[[5], [5]], [[6], [4]]])) == 0
    assert find_default(examples_of([[[5], [5]], [[9], [0]]]), np.array([True, False])) == 0


def test_targets_are_selected_by_mask_and_index() -> None:
    found = pair(examples_of([[[8, 2], [5, 5]], [[6, 0], [5, 1]]]), 0)
    for rows in (np.array([False, True]), np.array([1])):
        part = found.select(rows)
        assert part.gains.tolist() == found.gains[1:].tolist() and part.groups == ("p1",)
        assert part.level.tolist() == found.level[1:].tolist() and part.default == 0


def test_a_table_becomes_examples_with_texts() -> None:
    told: dict[str, Any] = {"caption": "a hymn", "tags": "choir, slow ,", "lyrics": "[verse]\nlow"}
    rows = [row(f"{g}-1", s, c, 1, **told) for g in ("pop", "rock") for s in (1, 2) for c in ("base", "x=1")]
    found = make_examples(table_of(rows), JUDGE)
    assert found.prompts == ("pop-1", "rock-1") and found.genres == ("pop", "rock")
    assert found.compositions == ("base", "x=1") and found.judge == JUDGE
    assert found.texts[1] == RouterPrompt(caption="a hymn", tags=("choir", "slow"), lyrics="[verse]\nlow")
    assert found.capped.shape == (2, 2, 2) and found.present.all()
    assert found.rates.tolist() == [[0.1, 0.1], [0.1, 0.1]]
    assert found.select(["x=1"]).compositions == ("x=1",)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ([row("pop-1", 1, "base", 1), row("rock-1", 1, "base", 1)], "composition base only.*measure the same prompts"),
        ([row("pop-1", 1, c, 1) for c in ("base", "x=1")], "genre 'pop' only.*two genres or more"),
        (
            [row(p, 1, c, 1, caption="x" * 1001) for p in ("pop-1", "rock-1") for c in ("base", "x=1")],
            "prompt 'pop-1' of the table cannot be routed: caption has 1,001 characters",
        ),
    ],
)
def test_a_table_without_a_choice_is_refused(rows: list[dict[str, Any]], said: str) -> None:
    with pytest.raises(RouterError, match=said):
        make_examples(table_of(rows), JUDGE)


def test_an_unknown_judge_is_refused() -> None:
    with pytest.raises(TableError, match="'deaf' is not in the table"):
        make_examples(table_of([row("pop-1", 1, "base", 1)]), "deaf")
