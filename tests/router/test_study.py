"""The published figures come out of the shipped table, and a router finds in it what is there: nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from eval.lattice import LatticeError
from eval.study import JUDGE, STUDY_CELLS, read_study
from router.features import Featuriser
from router.findings import Findings, Score
from router.sentences import load_sentence_model
from router.study import ORDER, STOP_WER, fit_study, make_study_examples, measure_reference, tell_reference
from tests.eval.lattices import lattice_of


def test_the_published_figures() -> None:
    found = measure_reference(read_study())
    assert round(found.single.value, 4) == 0.4651 and found.picks == {"lora": 30}
    assert round(found.cascade.selecting.value, 4) == 0.2217 and round(found.cascade.songs, 2) == 2.23
    assert (found.cascade.budget, found.cascade.stop_wer) == (5, STOP_WER) and found.cascade.independent is None
    assert round(found.oracle.value, 4) == 0.1819
    for figure in (found.single, found.cascade.selecting, found.oracle):
        assert figure.low is not None and figure.high is not None and figure.low < figure.value < figure.high
    assert found.shuffled.songs > found.cascade.songs
    assert set(ORDER) == {"baseline", *STUDY_CELLS.values()}


def test_the_cascade_by_hand() -> None:
    rates = read_study().select(ORDER).rates[..., 0]
    songs, best = [], []
    for genre in rates.T:
        tried = next((i + 1 for i, rate in enumerate(genre) if rate <= 0.3), 5)
        songs.append(tried)
        best.append(min(genre[:tried]))
    found = measure_reference(read_study()).cascade
    np.testing.assert_allclose([found.songs, found.selecting.value], [np.mean(songs), np.mean(best)])


def test_uncapped_rates_would_choose_worse() -> None:
    """What the module says of them."""
    rates = read_study().prompt_rates
    picks = [int(np.delete(rates, p, axis=1).mean(1).argmin()) for p in range(30)]
    loss = rates[picks, range(30)] - rates[read_study().index("lora")]
    assert (loss > 0).sum() == 12 and (loss < 0).sum() == 0 and round(rates[picks, range(30)].mean(), 2) == 0.65


def test_the_figures_are_told() -> None:
    told = tell_reference(measure_reference(read_study()))
    assert "0.4651" in told[0] and "lora 30 of 30 times" in told[0]
    assert "0.2217" in told[1] and "after 2.23 songs" in told[1]
    assert "random" in told[2] and "0.1819" in told[3]


def test_another_table_is_refused() -> None:
    study = read_study()
    with pytest.raises(LatticeError, match="no songs by 'lora'"):
        measure_reference(replace(study, compositions=("baseline", "x", "y", "z", "v")))


def test_examples_of_the_study() -> None:
    examples = make_study_examples()
    assert examples.judge == JUDGE and len(examples.texts) == 30
    assert examples.texts[0].caption == "folk" and examples.texts[0].instrumental
    assert examples.compositions[:3] == ("base", "lora=1", "lora-asr=1")
    assert examples.genres == examples.prompts == tuple(text.caption for text in examples.texts)


class FirstWords:
    """Knows captions by their first word alone."""

    name = "first words"
    fingerprint = "0" * 16

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        vectors = np.zeros((len(texts), 3), np.float32)
        for vector, text in zip(vectors, texts, strict=True):
            vector[("soft", "loud", "swift").index(text.split()[0])] = 1
        return vectors


def find_router(findings: Findings) -> Score:
    return next(score for score in findings.judges[0].scores if score.kind == "router")


def test_names_that_tell_are_learnt() -> None:
    """Genres whose first word says which of three variants sings them."""
    genres = tuple(f"{word} {i}" for i in range(4) for word in ("soft", "loud", "swift"))
    errors = np.where(np.arange(3)[:, None] == np.arange(12) % 3, 1, 9)[..., None]
    lattice = lattice_of(errors, 10, genres, ("baseline", "lora", "lora_asr"))
    found = fit_study(Featuriser(FirstWords()), lattice)
    router = find_router(found)
    assert found.signal.startswith("There is a routable signal")
    assert router.wer.value == pytest.approx(0.1) and router.gain.low is not None and router.gain.low > 0.3
    curves = {curve.order: curve.points for curve in found.curves}
    assert {(p.songs, round(p.selecting.value, 9)) for p in curves["router"]} == {(1.0, 0.1)}
    assert all(p.songs > 1 for p in curves["fixed"] if p.budget > 1)


@pytest.mark.slow
def test_names_of_genres_tell_nothing() -> None:
    """The honest result on the study, read by the real sentence model."""
    found = fit_study(Featuriser(load_sentence_model()))
    router = find_router(found)
    assert found.signal.startswith("No routable signal") and found.default == "lora=1"
    assert router.gain.low is not None and router.gain.low <= 0 and router.gain.value < 0.01
    assert router.gap_closed is None and found.judges[0].headroom is None  # one song a genre
    assert {curve.order for curve in found.curves} >= {"router", "fixed", "random"}
    assert max(found.permuted, default=np.inf) >= router.gain.value, "luck does as much"
