"""Random adapters: as strong as what they are a control of, and nothing else of it."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from adapters.base import Base
from adapters.control import draw_control
from adapters.places import SHELF, TINY_MODEL
from adapters.store import AdapterStore
from adapters.weights import LowRank
from choirmaster import main


@pytest.fixture(scope="module")
def base() -> Base:
    return Base.of_folder(TINY_MODEL / "transformer")


def test_every_layer_is_as_strong_as_the_original_and_points_elsewhere(base: Base) -> None:
    trained = AdapterStore(SHELF).load("lyrics", base)
    drawn = draw_control(trained)
    assert drawn.keys() == trained.keys()
    for name, layer in trained.items():
        ours = drawn[name]
        assert (ours.rank, ours.shape, ours.scale, ours.down.dtype) == (
            layer.rank,
            layer.shape,
            layer.scale,
            layer.down.dtype,
        )
        one, two = layer.delta().flatten().double(), ours.delta().flatten().double()
        assert torch.linalg.norm(two).item() == pytest.approx(torch.linalg.norm(one).item(), rel=5e-3)
        assert abs(torch.dot(one, two) / (one.norm() * two.norm())) < 0.05


def test_the_same_seed_gives_the_same_weights_and_a_layer_of_zeros_stays_one() -> None:
    one = {"a": LowRank(torch.randn(4, 6), torch.randn(8, 4), 2.0), "b": LowRank(torch.zeros(4, 6), torch.zeros(8, 4))}
    first, again, other = draw_control(one, 3), draw_control(dict(reversed(one.items())), 3), draw_control(one, 4)
    for name in one:
        torch.testing.assert_close(first[name].delta(), again[name].delta(), rtol=0, atol=0)
    assert not torch.equal(first["a"].delta(), other["a"].delta())
    assert not first["b"].delta().any()


def test_the_verb_puts_one_on_the_shelf(
    tmp_path: Path, base: Base, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shelf = AdapterStore(tmp_path)
    shelf.add("lyrics", AdapterStore(SHELF).load("lyrics", base), AdapterStore(SHELF).card("lyrics"), base=base)

    def run(*arguments: object) -> object:
        with pytest.raises(SystemExit) as stop:
            main(["adapters", "control", *map(str, arguments), "--shelf", str(tmp_path)])
        return stop.value.code

    assert run("lyrics", "random") == 0
    assert "random weights as strong as those of lyrics" in capsys.readouterr().out
    card = shelf.card("random")
    assert card.variant is None and card.corpus is None and not card.recipe and not card.metrics
    assert "control: random weights" in card.description and card.base == shelf.card("lyrics").base
    shelf.load("random", base)
    assert run("lyrics", "random") == 2
    assert "the name random is taken" in capsys.readouterr().err
    assert run("nothing", "other") == 2
    assert "there is no adapter nothing" in capsys.readouterr().err
