"""Planted main effects and interaction are found again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from eval.contrasts import Effect, contrast, find_cells
from eval.study import STUDY_CELLS, read_study
from tests.eval.lattices import lattice_of, noisy

FOUR = ("nolyrics", "nolyrics-asr", "lyrics", "lyrics-asr")


def test_effects_by_hand() -> None:
    found = contrast(lattice_of([[[8], [8]], [[16], [12]], [[6], [4]], [[8], [6]]], compositions=FOUR), resamples=50)
    assert found is not None
    assert [cell.rate.value for cell in found.cells] == pytest.approx([0.4, 0.7, 0.25, 0.35])
    assert [(cell.composition, cell.lyrics, cell.sharpened) for cell in found.cells] == [
        ("nolyrics", False, False), ("nolyrics-asr", False, True), ("lyrics", True, False), ("lyrics-asr", True, True)
    ]  # fmt: skip
    assert found.lyrics.size.value == pytest.approx((0.25 + 0.35) / 2 - (0.4 + 0.7) / 2)
    assert found.sharpening.size.value == pytest.approx((0.7 + 0.35) / 2 - (0.4 + 0.25) / 2)
    assert found.interaction.size.value == pytest.approx((0.35 - 0.25) - (0.7 - 0.4))


@pytest.mark.parametrize(
    ("cells", "effects"),
    [((0.0, 0.3, -0.1, 0.0), (-0.2, 0.2, -0.2)), ((0.0, 0.2, -0.1, 0.1), (-0.1, 0.2, 0.0))],
    ids=["interaction", "plain sum"],
)
def test_planted_effects_are_found(cells: tuple[float, ...], effects: tuple[float, ...]) -> None:
    rng = np.random.default_rng(1)
    sizes, covered, ps = [], [], []
    for _ in range(100):  # a single interval misses now and then, as it should
        prompts = rng.uniform(0.3, 0.4, size=30)
        lattice = replace(noisy(np.stack([prompts + d for d in cells]), 4, rng), compositions=FOUR)
        found = contrast(lattice, resamples=300)
        assert found is not None
        three = (found.lyrics, found.sharpening, found.interaction)
        sizes.append([e.size.value for e in three])
        covered.append([_covers(e, truth) for e, truth in zip(three, effects, strict=True)])
        ps.append([e.p for e in three])
    errors = np.std(sizes, axis=0) / np.sqrt(len(sizes))
    assert (np.abs(np.mean(sizes, axis=0) - effects) < 3.5 * errors).all()
    assert (np.mean(covered, axis=0) > 0.84).all()
    found_out = np.mean(np.array(ps) < 0.05, axis=0)
    assert ((found_out > 0.9) == (np.array(effects) != 0)).all()
    assert (found_out[np.array(effects) == 0] < 0.15).all()


def test_p_is_corrected_for_three_effects() -> None:
    rng = np.random.default_rng(4)
    found = contrast(replace(noisy(rng.uniform(0.2, 0.5, size=(4, 12)), 4, rng), compositions=FOUR), resamples=20)
    assert found is not None
    three = (found.lyrics, found.sharpening, found.interaction)
    least, middle, most = sorted(three, key=lambda effect: effect.p)
    assert least.p_holm == pytest.approx(min(1.0, 3 * least.p))
    assert middle.p_holm == pytest.approx(min(1.0, max(3 * least.p, 2 * middle.p)))
    assert most.p_holm >= middle.p_holm > middle.p


def _covers(effect: Effect, truth: float) -> bool:
    return effect.size.low is not None and effect.size.high is not None and effect.size.low <= truth <= effect.size.high


def test_adapters_are_found_by_their_weights_too() -> None:
    names = (
        "base",
        "nolyrics=1",
        "nolyrics-asr=1",
        "lyrics=1",
        "lyrics-asr=1",
        "lyrics=0.5",
        "lyrics=0.5,nolyrics=0.5",
    )
    lattice = lattice_of(np.ones((7, 2, 1), dtype=int), compositions=names)
    found = find_cells(lattice)
    assert found is not None and list(found.values()) == [f"{name}=1" for name in FOUR]
    assert contrast(lattice, resamples=5) is not None


@pytest.mark.parametrize(
    "names", [("base", *FOUR[:3]), ("lyrics=0.5", "nolyrics", "nolyrics-asr", "lyrics-asr"), ("no name",)]
)
def test_a_cell_is_missing(names: tuple[str, ...]) -> None:
    assert contrast(lattice_of(np.ones((len(names), 2, 1), dtype=int), compositions=names)) is None


def test_the_study() -> None:
    found = contrast(read_study(), STUDY_CELLS)
    assert found is not None
    assert [round(100 * cell.rate.value, 2) for cell in found.cells] == [46.51, 89.21, 47.14, 64.23]
    assert found.sharpening.size.value == pytest.approx((0.8921 + 0.6423 - 0.4651 - 0.4714) / 2, abs=1e-4)
    assert found.interaction.size.value == pytest.approx(0.6423 - 0.4714 - (0.8921 - 0.4651), abs=1.5e-4)
    assert found.sharpening.p < 0.01 and found.sharpening.size.excludes_zero
