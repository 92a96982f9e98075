"""The benchmark of routing asks what was never asked and means what it says; how fast it is, is no test's matter."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest
from typer.testing import CliRunner

from bench.cli import app
from bench.routing import AGAIN, NEW, PEER, Routing, cross_prompts, time_routing
from eval.prompts import Prompt, read_prompts
from router.errors import RouterError
from router.sentences import load_sentence_model
from tests.router.planted_router import plant_router


@pytest.fixture(scope="module")
def router(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small router in a file, of the real sentence model."""
    path = tmp_path_factory.mktemp("router") / "router.json"
    plant_router(cast(Any, load_sentence_model())).save(path)
    return path


def test_prompts_are_halves_of_two() -> None:
    one = Prompt(id="1", genre="folk", caption="a b c d e", tags=("x", "y"), lyrics="love me\n[verse]\nleave me\nlast")
    other = Prompt(id="2", genre="rock", caption="1 2 3 4", tags=("z",), lyrics="go\nstay")
    found = {(prompt.caption, prompt.tags, prompt.lyrics) for prompt in cross_prompts([one, other], 0)}
    assert found == {
        ("a b c 3 4", ("x",), "love me\nleave me\nstay"),
        ("1 2 d e", ("z", "y"), "go\nlast"),
    }


def test_no_prompt_comes_twice_and_the_seed_decides_the_order() -> None:
    prompts = read_prompts()[:20]
    found = list(cross_prompts(prompts, 1))
    assert len(found) == 20 * 19 == len({prompt.description for prompt in found})
    assert found == list(cross_prompts(prompts, 1)) != list(cross_prompts(prompts, 2))


def test_the_figures_are_of_the_rounds() -> None:
    found = Routing("ridge", 3, 2, 3, 0.1, 0.2, {NEW: [2.0, 4.0, 9.0], AGAIN: [1.0] * 3, PEER: [4.0, 2.0, 18.0]})
    assert (found.median(NEW), found.ratio) == (4, 0.5)  # 0.5, 2, 0.5
    assert found.slow(NEW) == pytest.approx(np.percentile([2, 4, 9], 95))


def test_a_router_is_timed(router: Path) -> None:
    turns: list[int] = []
    found = time_routing(router, 3, lambda: turns.append(1))
    assert turns == [1] * 4 and found.policy == "ridge" and (found.prompts, found.compositions) == (36, 3)
    assert {way: len(spent) for way, spent in found.spent.items()} == {NEW: 3, AGAIN: 3, PEER: 3}
    assert min(found.load_router, found.load_sentences, *found.spent[NEW]) > 0


def test_the_verb_prints_and_writes_the_figures(router: Path, tmp_path: Path) -> None:
    out = tmp_path / "bench.json"
    given = ["routing", "--router", str(router), "--rounds", "10", "--out", str(out)]
    shown = CliRunner().invoke(app, given, env={"COLUMNS": "200"})
    assert shown.exit_code == 0, shown.output
    assert all(way in shown.output for way in (NEW, AGAIN, PEER)) and "p50 ≤ 10 ms: m" in shown.output
    assert len(json.loads(out.read_text())["spent"][NEW]) == 10


def test_without_a_router_the_remedy_is_told(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match="choirmaster fit"):
        time_routing(tmp_path / "router.json", 1)
