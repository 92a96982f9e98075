"""The shipped router is of the shipped model and adapters, was tested as its file says, and the README tells that."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from adapters.composition import parse_composition
from adapters.fingerprints import fingerprint_model, fingerprint_shelf
from adapters.places import SHELF, TINY_MODEL
from eval.prompts import ROUTER, TEST, read_prompts
from eval.table import Table, read_table
from router.examples import make_examples
from router.findings import Findings, read_findings
from router.markdown import headline_markdown
from router.prompt import RouterPrompt
from router.router import Router
from router.trial import try_router

FITTED, TRIED = TINY_MODEL / "router-table.parquet", TINY_MODEL / "router-test.parquet"
README = (Path(__file__).parent.parent / "README.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def router() -> Router:
    return Router.load(TINY_MODEL / "router.json")


@pytest.fixture(scope="module")
def tried() -> Table:
    return read_table(TRIED)


@pytest.fixture(scope="module")
def found() -> Findings:
    return read_findings(json.loads((TINY_MODEL / "router-test.json").read_text(encoding="utf-8")))


def test_it_is_of_this_model_and_all_it_may_choose_is_on_the_shelf(router: Router) -> None:
    router.check(fingerprint_model(TINY_MODEL))
    decision = router.route(RouterPrompt(caption="slow blues", lyrics="The last train left"), fingerprint_shelf(SHELF))
    assert all(candidate.available for candidate in decision.candidates), decision.candidates
    assert {c.name for c in decision.candidates} == set(router.file.compositions) and len(decision.candidates) >= 7
    assert decision.order[0] == decision.name


def test_it_was_fitted_to_the_table_beside_it_and_never_to_the_frozen_prompts(router: Router) -> None:
    table = read_table(FITTED)
    of_router = {prompt.id for prompt in read_prompts(ROUTER)}
    assert table.about["prompts"]["file"] == ROUTER.name
    assert table.about["prompts"]["sha256"] == hashlib.sha256(ROUTER.read_bytes()).hexdigest()
    examples = make_examples(table, router.file.judge).select(router.file.compositions)
    assert set(examples.prompts) <= of_router
    assert not of_router & {prompt.id for prompt in read_prompts(TEST)}
    assert [prompt.id for prompt in router.file.prompts] == list(examples.prompts)
    # What a decision tells of measured prompts is what the table says.
    told = np.array([prompt.wer for prompt in router.file.prompts])
    np.testing.assert_allclose(told, examples.rates.T, atol=1e-6)
    means = dict(zip(examples.compositions, examples.rates.mean(1), strict=True))
    assert router.file.default == min(means, key=lambda name: means[name])


def test_its_controls_are_scored_and_cannot_be_chosen(router: Router) -> None:
    controls = router.findings.controls
    assert "random=1" in controls and any(0 < w < 1 for name in controls for w in parse_composition(name).values())
    assert not set(controls) & set(router.file.compositions)
    scored = {score.name for judged in router.findings.judges for score in judged.scores}
    assert set(controls) <= scored


def test_the_test_beside_it_is_what_testing_it_finds(router: Router, tried: Table, found: Findings) -> None:
    assert tried.about["prompts"]["sha256"] == hashlib.sha256(TEST.read_bytes()).hexdigest()
    again = try_router(router, tried)
    for ours, kept in zip(again.judges, found.judges, strict=True):
        assert (ours.judge, ours.selecting, ours.distinguishable) == (kept.judge, kept.selecting, kept.distinguishable)
        for score, one in zip(ours.scores, kept.scores, strict=True):
            assert (score.name, score.wins, score.ties, score.losses) == (one.name, one.wins, one.ties, one.losses)
            assert score.wer.value == pytest.approx(one.wer.value, abs=1e-9)
            assert score.songs == pytest.approx(one.songs, abs=1e-9)
    assert again.signal == found.signal


def test_songs_of_the_evaluation_are_the_same_in_both_tables(tried: Table) -> None:
    """The test's table is the evaluation's with more compositions, not another evaluation."""
    keys = ["prompt", "seed", "composition", "judge"]
    first = read_table(TINY_MODEL).songs.set_index(keys)["transcript"]
    second = tried.songs.set_index(keys)["transcript"]
    assert (second.loc[first.index] == first).all()


def test_the_readme_tells_what_the_test_found(found: Findings) -> None:
    for line in headline_markdown(found).splitlines():
        assert line in README, line
    assert found.signal in README.replace("\n", " ")
