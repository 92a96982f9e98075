"""A router's file holds what was put in, and says what is wrong with one that was made otherwise."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eval.resampling import Estimate
from router.errors import RouterError
from router.router import Router
from router.router_file import (
    MOST_BYTES,
    VERSION,
    RouterFile,
    halve,
    name_lines,
    name_lyrics,
    read_router_file,
    write_router_file,
)
from tests.router.planted_router import NAMES, Words, plant_router


@pytest.fixture(scope="module")
def file() -> RouterFile:
    return plant_router().file


def spoil(file: RouterFile, path: Path, where: str, value: Any) -> Path:
    """Write the file with another value at a dotted place."""
    found = json.loads(file.model_dump_json())
    *parents, last = where.split(".")
    at = found
    for name in parents:
        at = at[int(name)] if isinstance(at, list) else at[name]
    at[int(last) if isinstance(at, list) else last] = value
    path.write_text(json.dumps(found))
    return path


def test_it_comes_back_as_it_was(file: RouterFile, tmp_path: Path) -> None:
    write_router_file(tmp_path / "new" / "router.json", file)
    assert read_router_file(tmp_path / "new" / "router.json") == file
    found = json.loads((tmp_path / "new" / "router.json").read_text())
    assert found["compositions"] == list(NAMES)
    assert found["sentences"] == {"name": "words", "fingerprint": "fake0"}
    assert found["model"] == {"name": "planted", "fingerprint": "0123456789abcdef"}


def test_half_precision_is_what_numpy_makes_of_it() -> None:
    values = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)
    np.testing.assert_array_equal(halve(values).array(), values.astype(np.float16).astype(np.float32))
    assert halve(np.zeros((0, 7), np.float32)).array().shape == (0, 7)


def test_there_is_none(tmp_path: Path) -> None:
    with pytest.raises(
        RouterError, match=r"there is no router .*none\.json: `choirmaster fit TABLE --out .*none\.json`"
    ):
        read_router_file(tmp_path / "none.json")
    with pytest.raises(RouterError, match="cannot be read"):
        read_router_file(tmp_path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "is no router, or damaged"),
        (b"\xff\xfe\x00", "is no router, or damaged"),
        (b'{"version": 1, "made', "is no router, or damaged"),
        (b"[" * 100_000, "is no router, or damaged"),
        (b"[1]", "is JSON, but no router"),
        (b"{}", "is JSON, but no router"),
        (b'{"version": 1}', r"is damaged \(made is missing: give it\)"),
        (b'{"version": 2}', f"is a router of version 2, this Choirmaster reads version {VERSION}: .*makes one"),
    ],
)
def test_something_else(tmp_path: Path, content: bytes, said: str) -> None:
    (tmp_path / "router.json").write_bytes(content)
    with pytest.raises(RouterError, match=said):
        read_router_file(tmp_path / "router.json")


def test_what_is_far_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "router.json").open("wb") as out:
        out.truncate(MOST_BYTES + 1)
    with pytest.raises(RouterError, match=r"holds 64,000,001 bytes, a router at most 64,000,000"):
        read_router_file(tmp_path / "router.json")


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("more", 1, "more is not known here"),
        ("default", "c=1", "the default 'c=1' is none of the compositions"),
        ("compositions", ["base", "base", "b=1"], "compositions: .*each once"),
        ("compositions", ["base", "A b", "b=1"], "is no adapter name"),
        ("confidence", 1.5, "confidence: "),
        ("mixing", 0, "mixing: "),
        ("mixing", "warm", "mixing must be a number, not the text 'warm'|mixing must be a number, not 'warm'"),
        ("prompts", [], "there is no fitted prompt"),
        ("prompts.3.songs", 0, r"prompts\.3\.songs"),
        ("prompts.3.wer", [0.1], "wer has a row of 1 values, and 3 belong there"),
        ("training.gains.2", [0.1, 0.2], "gains has a row of 2 values, and 3 belong there"),
        ("training.noise", [], "noise has 0 rows, and 36 belong there"),
        ("training.lyrics.0", [], "lyrics has a row of 0 values"),
        ("training.low", [0.1], "low and high has a row of 1 values"),
        ("training.sentences.float16", "AAAA?", "training.sentences"),
        ("training.sentences.float16", "AAAA", "there are .* numbers for a shape of 36 by 256|buffer size"),
        ("training.sentences.shape", [35, 256], "there are 9216 numbers for a shape of 35 by 256"),
        ("findings.kind", "guess", r"findings\.kind"),
    ],
)
def test_a_damaged_one_is_told_where(file: RouterFile, tmp_path: Path, where: str, value: Any, said: str) -> None:
    path = spoil(file, tmp_path / "router.json", where, value)
    with pytest.raises(RouterError, match=f"is damaged .*{said}|{said}"):
        read_router_file(path)


@pytest.mark.parametrize(
    ("where", "value", "said"),
    [
        ("policy.name", "oracle", "no policy is called 'oracle': choose from best single"),
        ("policy.settings", {"alpha": "much"}, "settings .* of the policy ridge are damaged"),
        ("policy.settings", {"signal": 0, "lyrics": 0}, "settings .* of the policy ridge are damaged .*ZeroDivision"),
        ("policy.settings", {}, "settings .* of the policy ridge are damaged"),
    ],
)
def test_a_policy_that_cannot_be_solved_is_refused(
    file: RouterFile, tmp_path: Path, where: str, value: Any, said: str
) -> None:
    with pytest.raises(RouterError, match=said):
        Router.load(spoil(file, tmp_path / "router.json", where, value), Words())


def test_other_figures_of_lyrics_are_refused(file: RouterFile, tmp_path: Path) -> None:
    names = ["rhymes", *file.training.lyric_names[1:]]
    with pytest.raises(RouterError, match=r"other figures of lyrics \(.*rhymes.*fit again"):
        Router.load(spoil(file, tmp_path / "router.json", "training.lyric_names", names), Words())


def test_a_place_that_cannot_be_written_leaves_what_was_there(file: RouterFile, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(RouterError, match=r"the router .* cannot be written .*choose another --out"):
        write_router_file(tmp_path / "file" / "router.json", file)


@pytest.mark.parametrize(
    "other",
    [
        "Sing me  a line, oh\nand count",
        "[verse]\nsing me a line oh\n\n[chorus]\nAND COUNT!",
        "sing me a line, oh and count",
        "sing me a line (la la la), oh {whispered} and count (count!)",
    ],
)
def test_lyrics_are_known_again_whatever_their_tags_and_spaces(other: str) -> None:
    assert name_lyrics(other) == name_lyrics("sing me a line oh and count") != ""
    assert name_lyrics(f"{other} to two") != name_lyrics(other)


def test_lines_are_named_each_once() -> None:
    lines = name_lines("[verse]\nSing me a line!\n\n(ooh)\nand count\nsing me a line (yeah)")
    assert len(lines) == 2 and name_lines("and count") == lines[1:] and name_lines("[solo]\n(la)") == ()


def test_what_is_not_a_number_is_not_written(tmp_path: Path) -> None:
    file = plant_router().file
    path = tmp_path / "router.json"
    path.write_text("the old one")
    score = file.findings.judges[0].scores[0]
    odd = replace(score, wer=Estimate(float("nan"), None, None))
    findings = replace(file.findings, judges=(replace(file.findings.judges[0], scores=(odd,)),))
    with pytest.raises(RouterError, match=r"is not written, because a figure of it is not a number .*fit again"):
        write_router_file(path, file.model_copy(update={"findings": findings}))
    assert path.read_text() == "the old one"


def test_no_words_have_no_name() -> None:
    assert name_lyrics("") == name_lyrics("[instrumental]\n...") == ""
    assert name_lyrics("悲伤的钢琴曲") not in ("", name_lyrics("悲伤"))
