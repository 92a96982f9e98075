"""``choirmaster train``: what it says, what it refuses before any work, and what it leaves."""

from __future__ import annotations

import errno
import json
import signal
import socket
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from accelerate.state import AcceleratorState
from safetensors.torch import load_file

from adapters.base import Base
from adapters.places import TINY_MODEL
from adapters.store import AdapterStore
from choirmaster import main
from engine.conditioning import TokenKind
from engine.song_model import load_song_model
from tests.training.planted_corpus import write_planted
from tests.training.training_process import start_command
from tests.verbs import Run, verb_runner
from training.adapter_checkpoint import CHECKPOINT
from training.adapter_training import AdapterTrainer
from training.encoding import FOLDER, encode_corpus, read_encoded
from training.manifest import Corpus, read_corpus

run = verb_runner("train")

SHORT = ("--steps", "2", "--accumulation", "1")


@pytest.fixture(autouse=True)
def _process_as_it_was() -> Iterator[None]:
    """Accelerate keeps its settings, and a training its way to stop, for the whole process."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    """Four clips with words, encoded with them for the embedded model."""
    made = write_planted(tmp_path_factory.mktemp("corpus"), 4)
    list(encode_corpus(made, load_song_model(), with_words=True))
    return made


@dataclass(frozen=True)
class Done:
    """A training with every option left alone but the number of steps, and what it said."""

    out: Path
    arguments: tuple[str, ...]
    shown: str
    said: str


@pytest.fixture(scope="module")
def done(corpus: Corpus, tmp_path_factory: pytest.TempPathFactory) -> Done:
    out, shown, said = tmp_path_factory.mktemp("done") / "out", StringIO(), StringIO()
    given = ("--corpus", str(corpus.folder), "--model", str(TINY_MODEL), "--out", str(out), "--steps", "1")
    arguments = ("--variant", "lyrics-asr", *given)
    AcceleratorState._reset_state(True)
    with redirect_stdout(shown), redirect_stderr(said), pytest.raises(SystemExit) as stop:
        main(["train", *arguments])
    assert not stop.value.code
    return Done(out, arguments, shown.getvalue(), " ".join(said.getvalue().split()))


def test_from_a_corpus_to_an_adapter_on_a_shelf(done: Done) -> None:
    assert "planted: 4 clips, 0.00 h, 100% with words" in done.said
    assert "adapter lyrics-asr: 48 layers, 172,032 parameters, loss " in done.shown
    # the name of the variant is taken on the shelf that ships
    assert f"choirmaster adapters import {done.out / 'lyrics-asr'} my-lyrics-asr\n" in done.shown
    layers = AdapterStore(done.out).load("lyrics-asr", Base.of_folder(TINY_MODEL / "transformer"))
    assert len(layers) == 48 and {layer.rank for layer in layers.values()} == {8}
    assert {layer.scale for layer in layers.values()} == {2.0}


def test_the_default_is_the_recipe_of_the_study(done: Done) -> None:
    recipe = AdapterStore(done.out).card("lyrics-asr").recipe
    wanted = {
        "rank": 8,
        "alpha": 16,
        "dropout": 0.1,
        "targets": "both",
        "learning_rate": 1e-4,
        "warmup": 100,
        "batch": 1,
        "accumulation": 4,
        "epochs": 55,
        "sharpness": "entropy",
        "sharpness_weight": 0.02,
        "sharpness_layers": None,
    }
    assert {key: recipe[key] for key in wanted} == wanted


def test_the_same_command_again_finds_everything_done_and_another_is_refused(done: Done, run: Run) -> None:
    code, shown, _ = run(*done.arguments)
    assert code == 0 and shown.split() == done.shown.split()
    before = (done.out / CHECKPOINT).read_bytes()
    code, _, said = run(*done.arguments, "--rank", "4")
    assert code == 2 and "is of another run (rank was 8 and is 4)" in said
    assert (done.out / CHECKPOINT).read_bytes() == before


def test_nolyrics_says_that_it_drops_the_words_and_hears_none(corpus: Corpus, tmp_path: Path, run: Run) -> None:
    out = tmp_path / "out"
    arguments = ("--corpus", corpus.folder, "--out", out, "--name", "mine", "--dtype", "bf16", *SHORT)
    code, _, said = run("--variant", "nolyrics", *arguments)
    assert code == 0 and "nolyrics drops the words of 4 of 4 clips" in said
    model = load_song_model()
    for with_words in (True, False):
        for clip in read_encoded(corpus, model, with_words=with_words):
            assert bool((clip.kinds == TokenKind.WORD).any()) == with_words
            assert (clip.kinds == TokenKind.CAPTION).any()
    layers = AdapterStore(out).load("mine", Base.of(model.transformer))
    assert {layer.up.dtype for layer in layers.values()} == {torch.bfloat16}


@pytest.mark.parametrize("variant", ["lyrics", "lyrics-asr"])
def test_lyrics_are_not_learnt_from_clips_without_words(tmp_path: Path, run: Run, variant: str) -> None:
    write_planted(tmp_path / "corpus", 4, wordless=[1, 3])
    code, _, said = run("--variant", variant, "--corpus", tmp_path / "corpus", "--out", tmp_path / "out")
    assert code == 2
    assert "2 of 4 clips of planted have no words" in said and "audio/01.flac, audio/03.flac" in said
    assert "hold none under the key 'lyrics'" in said
    assert not (tmp_path / "out").exists() and not (tmp_path / "corpus" / FOLDER).exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--rank", "0"], "--rank: 0 is too small: choose 1 to"),
        (["--steps", "0"], "--steps: 0 is too small: choose 1"),
        (["--sharpness-weight", "nan"], "--sharpness-weight must be a finite number, not nan"),
        (["--sharpness-layers", "2,six"], "--sharpness-layers '2,six' names no layers: write their numbers, like 2,3"),
        (["--sharpness-layers", ","], "--sharpness-layers: it names no layer"),
        (["--sharpness-layers", "2,6"], "--sharpness-layers names layer 6: the model has layers 0 to 5"),
        (["--name", "../mine"], "'../mine' is no adapter name"),
        (["--name", "base"], "an adapter cannot be called base"),
        (["--corpus", "nowhere"], "nowhere holds no corpus"),
        (["--model", "nowhere"], "cannot load the song model 'nowhere'"),
        (["--out", "file"], "--out file cannot be written: file is no folder we may write; choose another"),
        (["--out", "file/deep/out"], "--out file/deep/out cannot be written: file is no folder"),
        (["--variant", "nolyrics-asr", "--sharpness", "lyric-entropy"], "looks at words, and nolyrics-asr has none"),
    ],
)
def test_what_cannot_be_is_told_in_a_sentence_before_any_work(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(tmp_path)
    write_planted(tmp_path / "corpus", 2)
    Path("file").write_text("here", encoding="utf-8")
    before = sorted(tmp_path.rglob("*"))
    given = {"--variant": "lyrics-asr", "--corpus": "corpus", "--out": "out"}
    given |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    code, shown, told = run(*(part for pair in given.items() for part in pair))
    last = told.strip().splitlines()[-1]
    assert code == 2 and last.startswith("choirmaster: ") and said in last
    assert not shown and sorted(tmp_path.rglob("*")) == before


def test_an_adapter_that_is_there_is_not_replaced_by_a_new_training(corpus: Corpus, tmp_path: Path, run: Run) -> None:
    (tmp_path / "lyrics").mkdir()
    code, _, said = run("--variant", "lyrics", "--corpus", corpus.folder, "--out", tmp_path, *SHORT)
    assert code == 2 and f"{tmp_path / 'lyrics'} is there already" in said
    assert [p.name for p in tmp_path.iterdir()] == ["lyrics"]


def test_ctrl_c_stops_after_the_step_and_the_same_command_goes_on(
    corpus: Corpus, tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain, asked = AdapterTrainer.train_step, {1: signal.SIGINT, 2: signal.SIGTERM}

    def interrupted(self: AdapterTrainer, *given: Any, **more: Any) -> Any:
        if self.step in asked:
            signal.raise_signal(asked.pop(self.step))
        return plain(self, *given, **more)

    monkeypatch.setattr(AdapterTrainer, "train_step", interrupted)
    arguments = ("--variant", "lyrics", "--corpus", corpus.folder, "--out", tmp_path, "--accumulation", 1, "--steps", 4)
    for step in (2, 3):
        code, shown, _ = run(*arguments)
        assert code == 0 and f"stopped at step {step} of 4: the same command goes on from there" in shown
        assert not (tmp_path / "lyrics").exists() and (tmp_path / CHECKPOINT).exists()
    code, shown, _ = run(*arguments)
    assert code == 0 and "adapter lyrics: 48 layers" in shown
    assert [json.loads(line)["step"] for line in (tmp_path / "log.jsonl").read_text().splitlines()] == [1, 2, 3, 4]


def test_a_disk_too_full_to_encode_on_is_told_in_a_sentence(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_planted(tmp_path / "corpus", 2)

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr("training.encoding.write_bytes_atomically", full)
    code, _, said = run("--variant", "lyrics", "--corpus", tmp_path / "corpus", "--out", tmp_path / "out")
    assert code == 2 and "No space left on device" in said and "free space in" in said
    assert not (tmp_path / "out").exists()


def test_names_with_brackets_are_shown_as_they_are(tmp_path: Path, run: Run) -> None:
    write_planted(tmp_path / "corpus", 30, wordless=[29], name="tones [/bold]")
    read = read_corpus(tmp_path / "corpus")
    code, _, said = run("--variant", "lyrics", "--corpus", read.folder, "--out", tmp_path / "out", "--model", "nowhere")
    assert code == 2 and "tones [/bold]: 30 clips, 0.01 h, 97% with words" in said
    assert "1 of 30 clips have no words and are trained without, such as audio/29.flac" in said


@pytest.mark.slow
def test_two_processes_do_together_what_one_does_with_twice_the_accumulation(corpus: Corpus, tmp_path: Path) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    group = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2", "OMP_NUM_THREADS": "1"}
    shared = ["train", "--variant", "lyrics-asr", "--corpus", str(corpus.folder), "--steps", "4", "--warmup", "0"]
    double = [*shared, "--accumulation", "2", "--out", str(tmp_path / "two")]
    pair = [start_command(double, {**group, "RANK": rank, "LOCAL_RANK": rank}) for rank in "01"]
    alone = start_command([*shared, "--accumulation", "4", "--out", str(tmp_path / "one")], {})
    for process in (*pair, alone):
        process.join(240)
    assert [process.exitcode for process in (*pair, alone)] == [0, 0, 0]
    one, two = (
        [json.loads(line) for line in (tmp_path / name / "log.jsonl").read_text().splitlines()]
        for name in ("one", "two")
    )
    for name in ("step", "loss", "sharpness", "learning_rate"):
        assert [row[name] for row in two] == pytest.approx([row[name] for row in one], rel=1e-4)
    assert len(list((tmp_path / "two" / "tensorboard.d").iterdir())) == 1, "only the first process writes"
    a, b = (load_file(tmp_path / name / "lyrics-asr" / "adapter_model.safetensors") for name in ("one", "two"))
    apart = np.concatenate([(a[name] - b[name]).flatten().numpy() for name in a])
    moved = np.concatenate([a[name].flatten().numpy() for name in a if "lora_B" in name])
    assert np.sqrt(np.mean(apart**2)) < 0.02 * np.sqrt(np.mean(moved**2))
