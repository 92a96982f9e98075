"""The benchmark of fitting plants what it says, in the size it says; how fast it is, is no test's matter."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.fitting import JUDGES, plant_songs
from eval.prompts import ROUTER, read_prompts


def test_adapters_repair_a_third_of_the_genres_each_and_both_judges_hear_the_same_rates() -> None:
    examples, heard = plant_songs(read_prompts(ROUTER), 5, 40, 0.1)
    assert len(examples.texts) == 300 and examples.compositions == ("base", "a1=1", "a2=1", "a3=1", "random=1")
    one, two = (heard[judge].rates.mean(-1) for judge in JUDGES)
    assert np.corrcoef(one.ravel(), two.ravel())[0, 1] > 0.8 and not np.array_equal(one, two)
    gains = one[0] - one[1]  # of the first adapter
    by_genre = {g: gains[np.array(examples.genres) == g].mean() for g in set(examples.genres)}
    assert sum(gain > 0.05 for gain in by_genre.values()) == 10
    assert sum(gain < -0.05 for gain in by_genre.values()) == 20


@pytest.mark.slow
def test_the_verb_prints_and_writes_the_figures(tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    given = ["fitting", "--each", "1", "--compositions", "3", "--out", str(out)]
    shown = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert "30 prompts of 30 genres × 3 compositions × 2 seeds" in shown.output
    assert "met" not in shown.output and "missed" not in shown.output, "the target is of the full size"
    found = json.loads(out.read_text())
    assert found["describing"] > 0 and found["fitting"] > 0 and (found["prompts"], found["genres"]) == (30, 30)
