"""Fingerprints change with what they are of, and with nothing else; tables tell the same ones."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from adapters.errors import AdapterError
from adapters.fingerprints import fingerprint_adapter, fingerprint_model, fingerprint_shelf
from adapters.places import SHELF, TINY_MODEL
from eval.table import read_table


def test_they_are_those_of_results_tables() -> None:
    about = read_table(TINY_MODEL).about
    assert fingerprint_model(TINY_MODEL) == about["model_fingerprint"]
    shelf = fingerprint_shelf(SHELF)
    assert about["adapters"] == {name: shelf[name] for name in about["adapters"]} != {}
    assert fingerprint_model(Path("some/hub-id")) != fingerprint_model(Path("other/hub-id"))


def test_an_adapter_is_its_weights_and_configuration(tmp_path: Path) -> None:
    shutil.copytree(SHELF / "lyrics", tmp_path / "copy")
    before = fingerprint_adapter(tmp_path / "copy")
    assert before == fingerprint_adapter(SHELF / "lyrics") != fingerprint_adapter(SHELF / "nolyrics")
    (tmp_path / "copy" / "card.json").write_text("{}")
    assert fingerprint_adapter(tmp_path / "copy") == before
    with (tmp_path / "copy" / "adapter_config.json").open("a") as file:
        file.write(" ")
    assert fingerprint_adapter(tmp_path / "copy") != before


def test_a_shelf_is_listed_without_what_cannot_be_read(tmp_path: Path) -> None:
    shutil.copytree(SHELF, tmp_path / "shelf")
    (tmp_path / "shelf" / "lyrics" / "adapter_model.safetensors").unlink()
    (tmp_path / "shelf" / "note.txt").write_text("")
    found = fingerprint_shelf(tmp_path / "shelf")
    assert found == {name: fingerprint_adapter(SHELF / name) for name in ("lyrics-asr", "nolyrics", "nolyrics-asr")}
    assert fingerprint_shelf(tmp_path / "nowhere") == {}


def test_a_shelf_that_cannot_be_listed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(self: object) -> list[str]:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("adapters.fingerprints.AdapterStore.names", refuse)
    with pytest.raises(AdapterError, match=r"the shelf .* cannot be read \(Permission denied\)"):
        fingerprint_shelf(tmp_path)


def test_a_model_is_its_parts_and_neither_tables_nor_adapters(tmp_path: Path) -> None:
    shutil.copytree(TINY_MODEL / "scheduler", tmp_path / "model" / "scheduler")
    before = fingerprint_model(tmp_path / "model")
    for name in ("router.json", "router-test.json", "coverage.json", "adapters/a/card.json", "notes.md"):
        (tmp_path / "model" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "model" / name).write_text("{}")
    assert fingerprint_model(tmp_path / "model") == before
    (tmp_path / "model" / "more.json").write_text("{}")
    assert fingerprint_model(tmp_path / "model") != before
