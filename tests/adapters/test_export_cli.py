"""The ``export`` verb from end to end: what it writes, says and refuses, and that nothing half-done is left."""

from __future__ import annotations

import errno
import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import torch
from diffusers import AceStepTransformer1DModel

import choirmaster
from adapters.base import Base
from adapters.blending import concatenate
from adapters.card import AdapterCard, BaseCard
from adapters.errors import AdapterError
from adapters.exporting import FORMATS, ExportOptions, export_composition, read_base
from adapters.folders import new_folder
from adapters.importing import import_adapter
from adapters.merging import merge
from adapters.store import AdapterStore
from adapters.weights import LowRank, describe_weights
from tests.adapters.exported import adapter, folded, same_change, song_model, transformer, velocity

NAMES = ("lyrics", "nolyrics")


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return song_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def shelf(model: Path) -> Path:
    base, name = read_base(model)
    store = AdapterStore(model / "adapters")
    for adapter_name, weights in planted().items():
        card = AdapterCard(
            name=adapter_name,
            created=datetime(2026, 1, 1, tzinfo=UTC),
            base=BaseCard(name=name, fingerprint=base.fingerprint),
            **describe_weights(weights),
        )
        store.add(adapter_name, weights, card, base=base)
    return store.folder


def planted() -> dict[str, dict[str, LowRank]]:
    return {
        name: adapter(transformer(), ("to_q", "to_v"), rank=r, scale=s, seed=r)
        for name, r, s in zip(NAMES, (2, 3), (2.0, 0.5), strict=True)
    }


def run(*arguments: object) -> None:
    choirmaster.main(["export", *map(str, arguments)])


@pytest.fixture
def common(model: Path, shelf: Path) -> list[object]:
    return ["--composition", "lyrics=0.6,nolyrics=0.4", "--shelf", shelf, "--model", model]


def exported(*arguments: object) -> int:
    with pytest.raises(SystemExit) as stop:
        run(*arguments)
    return int(stop.value.code or 0)


@pytest.mark.parametrize("form", FORMATS)
def test_every_format_from_the_command_line(
    form: str, model: Path, common: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "blend"
    assert exported(*common, "--format", form, "--out", out) == 0
    assert f"lyrics=0.6,nolyrics=0.4 -> {out}: {form}," in capsys.readouterr().out.replace("\n", "")
    weights = planted()
    blend = concatenate([(0.6, weights["lyrics"]), (0.4, weights["nolyrics"])])
    record = json.loads((out / "composition.json").read_text())
    assert (record["composition"], record["format"]) == ("lyrics=0.6,nolyrics=0.4", form)
    assert record["base"] == {"name": model.name, "fingerprint": Base.of(transformer()).fingerprint}
    if form == "full-diffusers":
        loaded = AceStepTransformer1DModel.from_pretrained(out)
        torch.testing.assert_close(velocity(loaded), velocity(folded(transformer(), blend)), atol=1e-5, rtol=0)
    elif form != "full-original":
        assert record["ranks"] == {name: layer.rank for name, layer in blend.items()}
        came, *_ = import_adapter(out, "back", Base.of(transformer()), "tiny")
        same_change(blend, came)
    assert [path.name for path in tmp_path.iterdir()] == ["blend"]


def test_compression_prints_the_error_of_every_layer_and_of_all(
    common: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(*common, "--format", "peft", "--rank", 2, "--out", tmp_path / "small") == 0
    text = capsys.readouterr().out
    record = json.loads((tmp_path / "small" / "composition.json").read_text())
    assert set(record["ranks"].values()) == {2} and 0 < record["error"] < 1
    for layer, error in record["errors"].items():
        assert any(layer in line and f"{error:.4%}" in line for line in text.splitlines())
    told = " ".join(text.split())  # a long path folds the line
    assert f"{record['error']:.4%}" in told and "rank 2 in" in told


@pytest.mark.parametrize("method", ["ties", "dare-ties", "knots"])
def test_merge_methods(method: str, common: list[object], tmp_path: Path) -> None:
    for out in ("one", "two"):
        assert (
            exported(
                *common,
                "--format",
                "peft",
                "--merge",
                method,
                "--rank",
                4,
                "--seed",
                3,
                "--density",
                0.5,
                "--out",
                tmp_path / out,
            )
            == 0
        )
    one, two = (tmp_path / out / "adapter_model.safetensors" for out in ("one", "two"))
    assert one.read_bytes() == two.read_bytes()
    record = json.loads((tmp_path / "one" / "composition.json").read_text())
    assert record["merge"]["method"] == method and record["merge"]["density"] == 0.5


def test_ties_without_a_rank_is_exact_and_says_that_it_is_large(
    common: list[object], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert exported(*common, "--format", "comfyui", "--merge", "ties", "--out", tmp_path / "full") == 0
    assert "full rank, up to 48" in capsys.readouterr().err
    came, *_ = import_adapter(tmp_path / "full", "back", Base.of(transformer()), "tiny")
    weights = planted()
    same_change(merge([(0.6, weights["lyrics"]), (0.4, weights["nolyrics"])], "ties"), came)


def test_comfyui_as_one_file(common: list[object], tmp_path: Path) -> None:
    out = tmp_path / "loras" / "blend.safetensors"
    assert exported(*common, "--format", "comfyui", "--out", out, "--dtype", "bf16") == 0
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    assert exported(*common, "--format", "comfyui", "--out", out) == 2
    assert exported(*common, "--format", "comfyui", "--out", out, "--overwrite") == 0


def test_the_base_alone_is_a_whole_model_or_an_error(
    model: Path, shelf: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    base = ["--composition", "base", "--shelf", shelf, "--model", model]
    assert exported(*base, "--format", "peft", "--out", tmp_path / "lora") == 2
    assert "no LoRA" in capsys.readouterr().err
    assert exported(*base, "--format", "full-diffusers", "--max-shard-size", "100KB", "--out", tmp_path / "full") == 0
    loaded = AceStepTransformer1DModel.from_pretrained(tmp_path / "full")
    assert torch.equal(velocity(loaded), velocity(transformer()))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--composition", "unknown"], "unknown"),
        (["--density", "0"], "density"),
        (["--max-shard-size", "much"], "like 5GB"),
        (["--model", "/nowhere"], "nowhere"),
        (["--out", "x.safetensors"], "give a folder"),
    ],
)
def test_errors_are_one_line_and_leave_nothing(
    arguments: list[str],
    said: str,
    common: list[object],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    assert exported(*common, "--format", "peft", "--merge", "ties", "--out", "out", *arguments) == 2
    assert said in capsys.readouterr().err and not list(tmp_path.iterdir())


# --- folders


def options(**other: Any) -> ExportOptions:
    return ExportOptions(form="peft", **other)


def test_a_taken_folder_is_left_alone_unless_an_export_may_be_replaced(
    model: Path, shelf: Path, tmp_path: Path
) -> None:
    out, store = tmp_path / "out", AdapterStore(shelf)
    out.mkdir()
    (out / "thesis.txt").write_text("mine")
    for overwrite in (False, True):
        with pytest.raises(AdapterError, match="another --out"):
            export_composition({"lyrics": 1}, out, options(overwrite=overwrite), store=store, model=model)
    assert [path.name for path in out.iterdir()] == ["thesis.txt"]
    (out / "thesis.txt").unlink()
    export_composition({"lyrics": 1}, out, options(), store=store, model=model)
    with pytest.raises(AdapterError, match="--overwrite"):
        export_composition({"nolyrics": 1}, out, options(), store=store, model=model)
    export_composition({"nolyrics": 1}, out, options(overwrite=True), store=store, model=model)
    assert json.loads((out / "composition.json").read_text())["composition"] == "nolyrics=1"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_full_disk_leaves_nothing_and_the_earlier_export(
    model: Path, shelf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out, store = tmp_path / "out", AdapterStore(shelf)
    export_composition({"lyrics": 1}, out, options(), store=store, model=model)

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("adapters.exporting.write_lora", full)
    for place in (out, tmp_path / "new"):
        with pytest.raises(AdapterError, match="no space is left"):
            export_composition({"nolyrics": 1}, place, options(overwrite=True), store=store, model=model)
    assert [path.name for path in tmp_path.iterdir()] == ["out"]
    assert json.loads((out / "composition.json").read_text())["composition"] == "lyrics=1"


def test_an_interruption_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), new_folder(tmp_path / "out") as folder:
        (folder / "half").write_text("x")
        raise KeyboardInterrupt
    assert not list(tmp_path.iterdir())


def test_a_rename_that_fails_brings_the_earlier_export_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    out, rename, calls = tmp_path / "out", os.replace, []
    with new_folder(out) as folder:
        (folder / "composition.json").write_text("1")

    def failing(source: Path, target: Path) -> None:
        calls.append(source)
        if len(calls) == 2:
            raise OSError(errno.EIO, "broken")
        rename(source, target)

    monkeypatch.setattr("adapters.folders.os.replace", failing)
    with pytest.raises(AdapterError, match="broken"), new_folder(out, overwrite=True) as folder:
        (folder / "composition.json").write_text("2")
    assert (out / "composition.json").read_text() == "1" and [path.name for path in tmp_path.iterdir()] == ["out"]
