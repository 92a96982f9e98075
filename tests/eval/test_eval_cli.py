"""The ``eval`` verb: what it sings, writes, says, and refuses before anything is sung."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
import torch

import engine.song_model
import eval.ears
from eval.ears import Shares
from eval.evaluation import Watcher
from eval.grid_log import open_sung
from eval.judge import Judge
from eval.prompts import TEST
from eval.table import read_table
from tests.eval.planted_grid import WORDS, PlantedJudge
from tests.verbs import Run, verb_runner

evaluate = verb_runner("eval")
QUICK = ("--limit", 2, "--seeds", 1, "--steps", 1, "--compositions", "base,lyrics")


class Named(PlantedJudge):
    """A planted judge under the name of a real one."""

    def __init__(self, judge: Judge) -> None:
        super().__init__()
        self.title = judge.title


@pytest.fixture(autouse=True)
def own_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """The number of threads is this process's for good, and other tests compare what it rounds to."""
    monkeypatch.setattr(torch, "set_num_threads", lambda count: None)


@pytest.fixture
def planted(monkeypatch: pytest.MonkeyPatch) -> None:
    """Judges that hear planted words, whatever their name."""

    def copies(name: str, device: str, compute_type: str, shares: Shares) -> list[Any]:
        return [Named(Judge(name, device, compute_type, shares.judge_threads)) for _ in range(shares.copies)]

    monkeypatch.setattr(eval.ears, "load_copies", copies)


@pytest.fixture
def no_model(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever loads a song model fails."""

    def load(*_: Any) -> None:
        raise AssertionError("a song model was loaded")

    monkeypatch.setattr(engine.song_model, "load_song_model", load)


@pytest.mark.usefixtures("planted")
def test_a_grid_is_sung_judged_and_gone_on_with(evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["choirmaster", "eval", "--out", "a folder"])
    out = tmp_path / "out"
    status, shown, said = evaluate(*QUICK, "--judge", "base", "--judge", "tiny.en", "--out", out)
    assert status == 0
    for title in ("judge: base int8 beam 5", "judge: tiny.en int8 beam 5"):
        assert title in shown
    assert "| base " in shown and "| lyrics " in shown and "4 of 4 songs" in said and "choirmaster eval report" in said
    table = read_table(out)
    assert len(table.songs) == 8 and list(table.songs.genre.unique()) == ["folk", "pop"]
    assert (table.songs.transcript == WORDS).all()
    about = table.about
    assert about == json.loads((out / "grid.json").read_text())
    assert about["command"] == "choirmaster eval --out 'a folder'" and about["compositions"] == ["base", "lyrics=1"]
    assert about["judges"]["base int8 beam 5"]["beam"] == 5 and set(about["adapters"]) == {"lyrics"}
    assert about["prompts"]["file"] == TEST.name and len(about["seeds"]) == 2 and about["steps"] == 1
    assert about["alignment_heads"] == [[2, 0], [2, 1], [3, 0], [3, 1]] and "torch" in about["versions"]
    for file in ("table.csv", "heads.csv"):
        assert (out / file).stat().st_size > 0
    assert len(list((out / "audio").iterdir())) == len(list((out / "attention").iterdir())) == 4

    def load(*_: Any) -> None:
        raise AssertionError("a song model was loaded")

    monkeypatch.setattr(engine.song_model, "load_song_model", load)
    assert evaluate(*QUICK, "--out", out)[0] == 0, "there is nothing left to do"
    again = read_table(out)
    assert again.songs.equals(table.songs), "the other judge's rows are still there"
    assert again.about["alignment_heads"] == about["alignment_heads"] and set(again.about["judges"]) == set(
        about["judges"]
    )


@pytest.mark.usefixtures("planted")
def test_maps_of_the_first_seed_are_kept(evaluate: Run, tmp_path: Path) -> None:
    few = ("--limit", 1, "--steps", 1, "--compositions", "base", "--seeds", 2)
    for keep, kept in (("first", 1), ("all", 2), ("none", 0)):
        assert evaluate(*few, "--keep-maps", keep, "--out", tmp_path / keep)[0] == 0
        assert len(list((tmp_path / keep).glob("attention/*.npz"))) == kept


@pytest.mark.usefixtures("planted")
def test_ctrl_c_writes_the_table_of_what_is_there(
    evaluate: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import eval.evaluation

    def stopped(grid: Any, todo: Any, engine: Any, listeners: Any, _: Any, keep: Any) -> Any:
        count = 0

        def stop(cell: Any) -> None:
            nonlocal count
            count += 1
            if count == 3:
                raise KeyboardInterrupt

        return whole(grid, todo, engine, listeners, Watcher(sung=stop), keep)

    whole = eval.evaluation.evaluate
    monkeypatch.setattr(eval.evaluation, "evaluate", stopped)
    status, _, said = evaluate(*QUICK, "--out", tmp_path)
    assert status == 130 and "The same command goes on" in said
    assert len(open_sung(tmp_path).read()) >= 3
    assert len(read_table(tmp_path).songs) >= 1
    monkeypatch.undo()


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("line", "told"),
    [
        ('{"id": "b"}', r"prompts.jsonl:2 is not a prompt"),
        ("{broken", r"prompts.jsonl:2 is not a prompt"),
    ],
)
def test_a_broken_line_is_named_and_none_is_sung(evaluate: Run, tmp_path: Path, line: str, told: str) -> None:
    prompts = tmp_path / "prompts.jsonl"
    prompts.write_text(TEST.read_text().splitlines()[0] + "\n" + line + "\n")
    status, _, said = evaluate("--prompts", prompts, "--out", tmp_path / "out")
    assert status == 2 and told in said and len(said.splitlines()) == 1
    assert not (tmp_path / "out").exists()


@pytest.mark.usefixtures("no_model")
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("--compositions", "base,jazz"), "jazz"),
        (("--compositions", "base,lyrics=9"), "-4 to 4"),
        (("--compositions", "base,base"), "base"),
        (("--prompts", "none.jsonl"), "none.jsonl cannot be read"),
        (("--keep-maps", "some"), "--keep-maps"),
        (("--seeds", "0"), "--seeds"),
        (("--judge", "large-v3"), "connect to the hub once"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_sung(
    evaluate: Run, tmp_path: Path, arguments: tuple[str, ...], told: str
) -> None:
    status, _, said = evaluate("--limit", 1, *arguments, "--out", tmp_path / "out")
    assert status == 2 and told in said
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
def test_the_shipped_model_is_heard_by_both_judges(evaluate: Run, tmp_path: Path) -> None:
    """Nothing is planted here: real songs, real judges."""
    asked = ("--limit", 2, "--seeds", 1, "--compositions", "base,lyrics-asr", "--judge", "base", "--judge", "tiny.en")
    assert evaluate(*asked, "--out", tmp_path)[0] == 0
    songs = read_table(tmp_path).songs
    assert len(songs) == 8
    assert songs.hits.sum() / songs.reference_words.sum() > 0.5, "most words come through"
    assert songs.avg_logprob.between(-2, 0).all() and songs.alignment_score.min() > 2 * songs.alignment_null.max()
    heard = songs.pivot_table(index=["prompt", "composition"], columns="judge", values="transcript", aggfunc="first")
    assert (heard.iloc[:, 0] != heard.iloc[:, 1]).any(), "they are two judges"
