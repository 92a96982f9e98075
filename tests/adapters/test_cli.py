"""``choirmaster adapters``: the shelf from the command line, against the embedded song model."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest
import torch

from adapters.base import Base
from adapters.card import VARIANTS
from adapters.naming import original_name
from adapters.places import TINY_MODEL
from adapters.store import AdapterStore
from adapters.weights import LowRank
from choirmaster import main
from tests.adapters.foreign import write_peft


@pytest.fixture(scope="module")
def base() -> Base:
    return Base.of_folder(TINY_MODEL / "transformer")


@pytest.fixture
def run_folder(tmp_path: Path, base: Base) -> Path:
    """What ACE-Step's trainer would leave of an adapter of the embedded model."""
    generator = torch.Generator().manual_seed(0)
    weights = {}
    for name, (out, inner) in base.shapes.items():
        if "attn" in name:
            down, up = torch.randn(8, inner, generator=generator), torch.randn(out, 8, generator=generator)
            weights[original_name(name)] = LowRank(down * 0.1, up * 0.1)
    write_peft(tmp_path / "run" / "checkpoints" / "epoch_5" / "adapter", weights)
    write_peft(tmp_path / "run" / "final" / "adapter", weights)
    return tmp_path / "run"


def run(*arguments: str | Path) -> int:
    with pytest.raises(SystemExit) as stop:
        main(["adapters", *map(str, arguments)])
    assert isinstance(stop.value.code, int)
    return stop.value.code


def test_from_import_to_removal(
    run_folder: Path,
    tmp_path: Path,
    base: Base,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    shelf = tmp_path / "shelf"
    assert run("list", "--shelf", shelf) == 0
    assert "holds no adapter: import one with" in capsys.readouterr().out

    assert run("import", run_folder, "mine", "--shelf", shelf, "--description", "Sung by me.") == 0
    shown = capsys.readouterr()
    assert shown.out.startswith("mine: rank 8, alpha 16, 48 layers (cross_attn.to_k/to_out.0/to_q/to_v self_attn.")
    assert "note: took final/adapter/adapter_model.safetensors; 1 more in run left alone" in shown.err
    assert len(AdapterStore(shelf).load("mine", base)) == 48

    assert run("list", "--shelf", shelf) == 0
    assert "mine" in (table := capsys.readouterr().out) and "tiny" in table and "48" in table

    assert run("show", "mine", "--shelf", shelf) == 0
    shown = capsys.readouterr()
    assert '"description": "Sung by me."' in shown.out and shown.err == "fits tiny\n"

    assert run("import", run_folder, "mine", "--shelf", shelf) == 2
    assert capsys.readouterr().err.startswith("choirmaster: the name mine is taken")

    assert run("rename", "mine", "ours", "--shelf", shelf) == 0
    assert run("remove", "mine", "--shelf", shelf) == 2
    assert "there is no adapter mine" in capsys.readouterr().err
    monkeypatch.setattr(sys, "stdin", io.StringIO("n\n"))
    assert run("remove", "ours", "--shelf", shelf) == 1, "nobody said yes"
    assert run("remove", "ours", "--yes", "--shelf", shelf) == 0
    assert list(shelf.iterdir()) == []


def test_an_adapter_of_another_base_is_shown_with_its_fault(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shelf = tmp_path / "shelf"
    assert run("import", run_folder, "mine", "--shelf", shelf) == 0
    store = AdapterStore(shelf)
    card = store.card("mine")
    other = card.model_copy(update={"base": card.base.model_copy(update={"fingerprint": "0" * 16})})
    (shelf / "mine" / "card.json").write_text(other.model_dump_json())
    (shelf / "broken").mkdir()
    capsys.readouterr()
    assert run("show", "mine", "--shelf", shelf) == 0
    assert "cannot sing with tiny: adapter mine was made for the song model tiny (0000" in capsys.readouterr().err
    assert run("list", "--shelf", shelf) == 0
    shown = capsys.readouterr()
    assert "mine" in shown.out and "broken is damaged" in shown.err


def test_a_model_without_a_transformer_is_an_error(
    run_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("import", run_folder, "mine", "--shelf", tmp_path / "shelf", "--model", tmp_path) == 2
    assert "in diffusers layout" in capsys.readouterr().err
    assert not (tmp_path / "shelf").exists()


@pytest.mark.parametrize("terminal", ["", "1"])
def test_names_are_shown_whole_in_a_narrow_window(
    terminal: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setenv("FORCE_COLOR", terminal)
    assert run("list") == 0
    shown = capsys.readouterr().out
    assert all(f" {name} " in shown for name in VARIANTS)
