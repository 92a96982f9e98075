"""``choirmaster route`` says what a router decides and why, tests it, and makes a page of what was found."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from adapters.fingerprints import fingerprint_adapter
from adapters.places import SHELF
from router.route_cli import ROUTER
from tests.router.planted_router import ADAPTERS, JUDGE, MODEL, Words, plant_router, plant_table
from tests.verbs import Run, verb_runner

run = verb_runner("route")
QUIET = ("--caption", "a very quiet quiet song with harp", "--tags", "quiet, harp", "--lyrics", "sing me a line")


@pytest.fixture(autouse=True)
def words(monkeypatch: pytest.MonkeyPatch) -> SimpleNamespace:
    """A sentence model that takes no time, and a shelf of adapters without files; ``shelf`` of it may be changed."""
    there = SimpleNamespace(shelf=dict(ADAPTERS), words=Words())
    monkeypatch.setattr("router.router.load_sentence_model", lambda name: there.words)
    monkeypatch.setattr("adapters.fingerprints.fingerprint_shelf", lambda folder: there.shelf)
    return there


@pytest.fixture
def router(tmp_path: Path) -> Path:
    path = tmp_path / "router.json"
    plant_router().save(path)
    return path


def test_it_prints_the_decision_its_candidates_and_neighbours(run: Run, router: Path) -> None:
    code, shown, told = run("--router", router, *QUIET)
    assert code == 0 and not told
    assert shown.startswith("a=1  With a about ")
    for text in (
        "chosen",
        "default",
        "8 in 10 prompts",
        "nearest measured prompts",
        "harp: “a very quiet",
        "to the nearest;",
    ):
        assert text in shown


def test_it_prints_json(run: Run, router: Path) -> None:
    code, shown, _ = run("--router", router, *QUIET, "--json")
    found = json.loads(shown)
    assert code == 0 and found["name"] == "a=1" and found["composition"] == {"a": 1.0}
    assert {c["name"] for c in found["candidates"]} == {"base", "a=1", "b=1"} and len(found["neighbours"]) == 5


def test_lyrics_come_from_a_file_as_well(run: Run, router: Path, tmp_path: Path) -> None:
    (tmp_path / "words.txt").write_text("\ufeffsing me a line", encoding="utf-8")
    from_file = run("--router", router, *QUIET[:4], "--lyrics-file", tmp_path / "words.txt", "--json")
    assert from_file == run("--router", router, *QUIET, "--json")


def test_an_adapter_that_is_gone_or_changed_is_named(run: Run, router: Path, words: SimpleNamespace) -> None:
    del words.shelf["a"]
    shown = run("--router", router, *QUIET)[1]
    assert "Note: a was predicted to do best, but cannot sing: the adapter a is not on the shelf." in shown
    words.shelf["a"] = "other"
    assert "the adapter a has changed since fitting; measure it and fit again" in run("--router", router, *QUIET)[1]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ((), "Neither a caption nor words say what kind of song this is"),
        (("--caption", "🎻🎸🔥", "--lyrics", "🎤 oh"), "This is unlike all 36 measured prompts"),
        (("--caption", "悲伤的钢琴曲", "--lyrics", "悲伤的"), "This is unlike all 36 measured prompts"),
        (("--lyrics", "Ein Lied für dich"), "without a caption or tags the lyrics alone were looked at"),
        (QUIET[:4], "the song has no words, so nobody can tell how well they come through"),
    ],
)
def test_odd_prompts_are_answered(run: Run, router: Path, options: tuple[str, ...], said: str) -> None:
    code, shown, told = run("--router", router, *options)
    assert code == 0 and said in shown and not told


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (
            ("--caption", "x" * 100_000),
            "caption has 100,000 characters, at most 1,000 are allowed; describe the song in",
        ),
        (("--lyrics", "x" * 100_000), "lyrics has 100,000 characters, at most 5,000 are allowed"),
        (("--tags", "a," * 40), "tags has 40 entries, at most 32 are allowed"),
        (("--lyrics", "a", "--lyrics-file", "b"), "--lyrics and --lyrics-file are both given: choose one"),
        (("--lyrics-file", "nowhere.txt"), "the lyrics nowhere.txt cannot be read"),
        (("--model", "another/model"), f"of the model planted with fingerprint {MODEL}, this one has "),
        (("--router", "none.json"), "there is no router none.json: `choirmaster fit TABLE --out none.json` makes one"),
    ],
)
def test_wrong_options_are_one_line(run: Run, router: Path, options: tuple[str, ...], said: str) -> None:
    code, shown, told = run(*(() if options[0] == "--router" else ("--router", router)), *options)
    assert code == 2 and said in told and told.count("\n") == 1 and not shown


def test_another_sentence_model_is_one_line(run: Run, router: Path, words: SimpleNamespace) -> None:
    words.words = Words(fingerprint="other")
    code, _, told = run("--router", router, *QUIET)
    assert code == 2 and "words of fingerprint fake0, and words has other: install that one, or fit again" in told


def test_a_test_is_written_and_makes_a_page(
    run: Run, router: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.argv", ["choirmaster", "route", "test", "table"])
    plant_table(first=60, prompts=1, seeds=3).write(tmp_path / "table.parquet")
    code, shown, told = run("test", tmp_path, "--router", router, "--out", tmp_path / "test.json")
    assert code == 0, told
    assert f"judge {JUDGE}" in shown and "cascade of 3 songs at most" in shown
    found = json.loads((tmp_path / "test.json").read_text())
    assert found["kind"] == "test" and found["command"] == "choirmaster route test table"
    picture = tmp_path / "curves.png"
    page = tmp_path / "router.html"
    code, shown, told = run("report", router, "--test", tmp_path / "test.json", "--out", page, "--curves", picture)
    assert picture.read_bytes().startswith(b"\x89PNG") and str(picture) in shown
    assert code == 0, told
    text = page.read_text()
    assert text.startswith("<!doctype html>") or text.startswith("<!DOCTYPE html>")
    assert "cascade of 3 songs at most" in text


def test_a_test_says_what_its_table_lacks(run: Run, router: Path, tmp_path: Path) -> None:
    table = plant_table(first=60, prompts=1, seeds=2, about={"adapters": {"a": "aaaa"}})
    songs = table.songs
    kept = songs[(songs.composition != "b=1") | (songs.prompt != "harp-60") | (songs.seed != 6000)]
    replace(table, songs=kept).write(tmp_path / "table.parquet")
    code, _, told = run("test", tmp_path, "--router", router, "--out", tmp_path / "test.json")
    assert code == 0
    for note in (
        "Note: the table does not tell which model sang it",
        "Note: the table has no fingerprint of b, so that",
        "Note: 2 of 71 songs are left out, since not all compositions sang them; b=1 lacks most, 1 of 24",
    ):
        assert note in told


def test_what_is_no_test_or_no_name_is_told(run: Run, router: Path, tmp_path: Path) -> None:
    plant_table().write(tmp_path / "table.parquet")
    for arguments, said in (
        (
            ("test", tmp_path, "--router", router, "--out", tmp_path / "t.json"),
            "most lines of one that the router was fitted to",
        ),
        (("test", tmp_path, "--router", router, "--out", tmp_path), "is no name for it: end it in .json"),
        (("report", router, "--out", "page.txt"), "--out page.txt is no name for it: end it in .html"),
        (("report", router, "--curves", "page.gif"), "--curves page.gif is no name for it: end it in .png"),
        (("report", router, "--test", router, "--out", tmp_path / "p.html"), "is no test of a router"),
        (
            ("report", router, "--test", "none.json", "--out", tmp_path / "p.html"),
            "none.json is no test of a router (there",
        ),
        (("report", tmp_path / "none.json"), "there is no router"),
    ):
        code, _, told = run(*arguments)
        assert code == 2 and said in told
    assert not (tmp_path / "p.html").exists() and not (tmp_path / "t.json").exists()


def test_what_fitting_found_is_no_test(run: Run, router: Path, tmp_path: Path) -> None:
    (tmp_path / "fit.json").write_text(json.dumps(json.loads(router.read_text())["findings"]))
    code, _, told = run("report", router, "--test", tmp_path / "fit.json", "--out", tmp_path / "p.html")
    assert code == 2 and "tells of fitting a router, not of testing one" in told


def test_the_usual_router_stands_beside_the_embedded_model() -> None:
    assert ROUTER.parent == SHELF.parent
    assert len(fingerprint_adapter(SHELF / "lyrics")) == 16
