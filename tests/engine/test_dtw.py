"""Plants paths in random matrices and finds them again; compares with the textbook's two loops."""

from __future__ import annotations

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from engine.dtw import warp


def least_cost(energy: NDArray[np.float32]) -> float:
    """Cell after cell, as the textbook has it."""
    frames, tokens = energy.shape
    total = np.full((frames + 1, tokens + 1), np.inf)
    total[0, 0] = 0
    for f in range(1, frames + 1):
        for t in range(1, tokens + 1):
            total[f, t] = min(total[f - 1, t - 1], total[f - 1, t], total[f, t - 1]) - float(energy[f - 1, t - 1]) ** 2
    return float(total[-1, -1])


def every_path(frames: int, tokens: int) -> list[list[tuple[int, int]]]:
    if frames == tokens == 1:
        return [[(0, 0)]]
    before = [(frames - 1, tokens - 1), (frames - 1, tokens), (frames, tokens - 1)]
    return [[*path, (frames - 1, tokens - 1)] for f, t in before if f and t for path in every_path(f, t)]


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(1, 9), st.integers(1, 9)),
        elements=st.floats(0, 1, width=32),
    )
)
@settings(deadline=None, max_examples=200)
def test_the_path_is_monotone_complete_and_of_least_cost(energy: NDArray[np.float32]) -> None:
    path = warp(energy)
    assert path[0].tolist() == [0, 0] and path[-1].tolist() == [n - 1 for n in energy.shape]
    assert {tuple(step) for step in np.diff(path, axis=0)} <= {(1, 0), (0, 1), (1, 1)}
    cost = -np.square(energy[path[:, 0], path[:, 1]].astype(float)).sum()
    assert cost == pytest.approx(least_cost(energy), abs=1e-5)


def test_no_path_of_all_is_better() -> None:
    energy = np.random.default_rng(5).random((5, 4)).astype(np.float32)
    best = max(sum(float(energy[cell]) ** 2 for cell in path) for path in every_path(5, 4))
    found = warp(energy)
    assert np.square(energy[found[:, 0], found[:, 1]]).sum() == pytest.approx(best, rel=1e-5)


def test_a_planted_path_is_found() -> None:
    random = np.random.default_rng(1)
    for frames, tokens in [(40, 7), (7, 40), (60, 60)]:
        planted = [(0, 0)]
        while planted[-1] != (frames - 1, tokens - 1):
            f, t = planted[-1]
            steps = [(f + 1, t), (f, t + 1)]
            inside = [step for step in steps if step[0] < frames and step[1] < tokens]
            planted.append(inside[random.integers(len(inside))])
        energy = 0.1 * random.random((frames, tokens))
        for cell in planted:
            energy[cell] = 0.9
        assert [tuple(cell) for cell in warp(energy).tolist()] == planted


def test_where_nothing_is_to_be_gathered_the_path_is_short() -> None:
    assert warp(np.zeros((5, 5))).tolist() == [[n, n] for n in range(5)]


def test_no_frames_or_no_tokens_is_no_path() -> None:
    assert warp(np.zeros((0, 3))).shape == warp(np.zeros((3, 0))).shape == (0, 2)


def test_ten_minutes_do_not_take_minutes() -> None:
    energy = np.random.default_rng(0).random((15_000, 800), dtype=np.float32)
    started = time.process_time()
    path = warp(energy)
    assert time.process_time() - started < 15
    assert len(path) >= 15_000
