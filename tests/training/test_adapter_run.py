"""Runs that are stopped, starved of disk or given someone else's checkpoint; and what they leave."""

from __future__ import annotations

import errno
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from peft import PeftModel

from adapters.base import Base
from adapters.store import AdapterStore
from engine.song_model import SongModel
from tests.training.board import events, scalars
from tests.training.planted_corpus import fresh, write_planted
from training.adapter_checkpoint import CHECKPOINT
from training.adapter_log import BOARD, LOG, RunProgress
from training.adapter_options import AdapterOptions
from training.adapter_run import AdapterRun, collapse, count_steps, make_run
from training.adapter_training import AdapterTrainer
from training.encoding import encode_corpus, read_encoded
from training.manifest import Corpus, CorpusError
from training.sharpness import AttentionState

RECIPE: dict[str, Any] = {
    "variant": "lyrics-asr",
    "steps": 6,
    "accumulation": 2,
    "learning_rate": 1e-3,
    "warmup": 2,
    "measure_every": 3,
    "validate_every": 4,
    "save_every": 3,
}


@pytest.fixture(autouse=True)
def _accelerator_of_its_own() -> Iterator[None]:
    """Accelerate keeps its settings for the whole process."""
    AcceleratorState._reset_state(True)
    yield
    AcceleratorState._reset_state(True)


@pytest.fixture(scope="module")
def corpus(tmp_path_factory: pytest.TempPathFactory, random_model: SongModel) -> Corpus:
    """Nine clips, of which one is kept for validation, encoded for the random model."""
    made = write_planted(tmp_path_factory.mktemp("corpus"), 9)
    list(encode_corpus(made, random_model, with_words=True))
    return made


Make = Callable[..., AdapterRun]


@pytest.fixture(scope="module")
def build(corpus: Corpus, random_model: SongModel) -> Make:
    def build(out: Path, model: SongModel = random_model, of: Corpus = corpus, **fields: Any) -> AdapterRun:
        options, used = AdapterOptions(**{**RECIPE, **fields}), fresh(model)
        clips = read_encoded(corpus, random_model, with_words=True)
        return make_run(lambda steps: AdapterTrainer(used, options, steps, Accelerator()), of, clips, options, out, 1)

    return build


@pytest.fixture
def make(build: Make, tmp_path: Path) -> Make:
    return lambda out="run", **given: build(tmp_path / out, **given)


@dataclass(frozen=True)
class Straight:
    """A run that nothing befell."""

    told: list[RunProgress]
    rows: list[dict[str, Any]]
    weights: dict[str, torch.Tensor]


@pytest.fixture(scope="module")
def straight(build: Make, tmp_path_factory: pytest.TempPathFactory) -> Straight:
    out = tmp_path_factory.mktemp("straight")
    told = train(run := build(out))
    return Straight(told, rows(out), weights(run))


def train(run: AdapterRun, until: int | None = None) -> list[RunProgress]:
    """Train to the end, or until some step is done; returns what was told on the way."""
    told: list[RunProgress] = []
    assert run.train(told.append, lambda: run.trainer.step == until) == (until is None)
    return told


def rows(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / LOG).read_text(encoding="utf-8").splitlines()]


def weights(run: AdapterRun) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in run.trainer.parameters.items()}


def same(one: dict[str, torch.Tensor], other: dict[str, torch.Tensor]) -> bool:
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("fields", "batches", "processes", "steps"),
    [({}, 40, 1, 550), ({}, 40, 2, 275), ({"epochs": 0.01}, 4, 1, 1), ({"steps": 7}, 40, 1, 7)],
)
def test_steps_are_counted_from_epochs(fields: dict[str, Any], batches: int, processes: int, steps: int) -> None:
    assert count_steps(AdapterOptions(variant="lyrics", **fields), batches, processes) == steps


def test_a_run_logs_each_step_and_measures_and_validates_when_asked(straight: Straight) -> None:
    told, logged = straight.told, straight.rows
    assert [row["step"] for row in logged] == [p.step for p in told] == list(range(1, 7))
    rates = [AdapterOptions(**RECIPE).learning_rate_at(step, 6) for step in range(6)]
    assert [row["learning_rate"] for row in logged] == pytest.approx(rates)
    assert all(row["loss"] > 0 and row["sharpness"] > 0 for row in logged)
    assert [row["step"] for row in logged if "attention" in row] == [1, 4, 6]
    assert [row["step"] for row in logged if "validation" in row] == [1, 4, 6]
    assert set(logged[0]["validation"]) == {"loss@0.95", "loss@0.6", "loss@0.25"}
    assert set(logged[0]["attention"]) == {"entropy", "lyric_mass", "dominant", "collapsed"}
    smooth = logged[0]["loss"]
    for row, progress in zip(logged, told, strict=True):
        smooth = 0.95 * smooth + 0.05 * row["loss"]
        assert progress.loss == pytest.approx(smooth) and progress.steps == 6
    assert not any("warning" in row for row in logged)


def test_the_board_shows_what_the_log_holds(make: Make, tmp_path: Path) -> None:
    train(make(), until=5)
    train(make())
    first, second = events(tmp_path / "run")
    found = {name: {**scalars(first).get(name, {}), **values} for name, values in scalars(second).items()}
    logged = rows(tmp_path / "run")
    for name in ("loss", "sharpness", "learning_rate"):
        assert found[name] == pytest.approx({row["step"]: row[name] for row in logged})
    measured = {row["step"]: row["attention"]["entropy"] for row in logged if "attention" in row}
    assert found["attention/entropy"] == pytest.approx(measured)
    assert set(found["validation/loss_0.6"]) == {1, 4, 6}
    starts = [event.step for event in second if event.HasField("session_log")]
    assert starts == [6], "the board drops steps from there on, and none before"


def test_a_stopped_run_goes_on_as_if_nothing_had_happened(make: Make, straight: Straight, tmp_path: Path) -> None:
    train(make(), until=4)
    log = tmp_path / "run" / LOG
    log.write_text(log.read_text(encoding="utf-8") + '{"step": 5, "loss": 9}\n{"step": 6, "lo', encoding="utf-8")
    told = train(last := make())
    assert told[0].step == 5 and same(straight.weights, weights(last))
    assert rows(tmp_path / "run") == straight.rows, "rows past the checkpoint and torn rows are written anew"
    assert train(again := make()) == [] and same(straight.weights, weights(again)), "a finished run is finished"


def test_a_run_stopped_before_its_first_step_starts(make: Make, straight: Straight, tmp_path: Path) -> None:
    train(make(), until=0)
    train(make(), until=2)
    assert rows(tmp_path / "run") == straight.rows[:2]


@pytest.mark.parametrize("call", ["fsync", "replace"])
def test_a_full_disk_leaves_the_last_checkpoint(
    make: Make, straight: Straight, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str
) -> None:
    train(make(), until=4)
    before = (tmp_path / "run" / CHECKPOINT).read_bytes()
    plain, calls = getattr(os, call), [0]

    def full(*given: Any) -> Any:
        calls[0] += 1
        if calls[0] == 2:  # the first cuts the log to length
            raise OSError(errno.ENOSPC, "No space left on device")
        return plain(*given)

    with monkeypatch.context() as patch:
        patch.setattr(os, call, full)
        with pytest.raises(CorpusError, match=r"stopped after step 6 .*No space left.*the same command goes on"):
            train(make())
    assert (tmp_path / "run" / CHECKPOINT).read_bytes() == before
    assert {p.name for p in (tmp_path / "run").iterdir()} == {CHECKPOINT, LOG, BOARD}
    train(make())
    assert rows(tmp_path / "run") == straight.rows


def other_model(model: SongModel) -> SongModel:
    other = fresh(model)
    other.transformer.layers[0].cross_attn.to_q.weight.data[0, 0] += 1
    return other


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"rank": 4}, "rank was 8 and is 4"),
        ({"sharpness_layers": (1, 2)}, r"sharpness_layers was None and is \[1, 2\]"),
        ({"seed": 1, "steps": 7}, "steps was 6 and is 7; seed was 0 and is 1"),
        ({"variant": "lyrics"}, "variant was lyrics-asr and is lyrics"),
    ],
)
def test_a_checkpoint_of_other_options_is_refused(make: Make, fields: dict[str, Any], said: str) -> None:
    train(make(), until=1)
    with pytest.raises(CorpusError, match=rf"is of another run \({said}\): train into another --out"):
        train(make(**fields))


def test_a_checkpoint_of_another_corpus_or_base_is_refused(
    make: Make, corpus: Corpus, random_model: SongModel, tmp_path: Path
) -> None:
    train(make(), until=1)
    with pytest.raises(CorpusError, match=r"corpus was .* and is "):
        train(make(of=write_planted(tmp_path / "other", 9, wordless=[0])))
    with pytest.raises(CorpusError, match=r"base was .* and is "):
        train(make(model=other_model(random_model)))


def cut(data: bytes) -> bytes:
    return data[: len(data) // 2]


def flipped(data: bytes) -> bytes:
    return data[:-100] + bytes([data[-100] ^ 1]) + data[-99:]


@pytest.mark.parametrize(
    "damage", [cut, flipped, lambda _: b"", lambda _: b"no tensors", lambda d: d[:9] + b"x" + d[10:]]
)
def test_a_damaged_checkpoint_is_refused(make: Make, tmp_path: Path, damage: Callable[[bytes], bytes]) -> None:
    train(make(), until=1)
    path = tmp_path / "run" / CHECKPOINT
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorpusError, match=r"checkpoint\.safetensors is no checkpoint .*move it away to start anew"):
        train(make())


def state(**fields: float) -> AttentionState:
    return AttentionState(**{"entropy": 3.0, "lyric_mass": 0.4, "dominant": 0.3, "collapsed": 0.1, **fields})


def test_collapse_is_told_from_what_was_there_at_the_start() -> None:
    assert collapse(state(), state(collapsed=0.3, lyric_mass=0.11)) is None
    told = collapse(state(), state(collapsed=0.4))
    assert told is not None and told.startswith("attention has collapsed: 40% of the heads look at a single token, 10%")
    told = collapse(state(), state(lyric_mass=0.05))
    assert told is not None and told.startswith("attention has left the words: they get 5% of it, 40% at the start")
    assert collapse(state(lyric_mass=0), state(lyric_mass=0)) is None, "a variant without words cannot lose them"


def test_a_collapse_is_told_once_in_the_log_too(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    states = iter([state(), state(collapsed=0.9), state(collapsed=1)])
    monkeypatch.setattr("training.adapter_training.measure_attention", lambda *_: next(states))
    told = [*train(make(), until=5), *train(make())]
    assert [p.step for p in told if p.warning] == [4]
    warned = {row["step"]: row["warning"] for row in rows(tmp_path / "run") if "warning" in row}
    assert warned.keys() == {4} and "90% of the heads" in warned[4]


def test_a_huge_penalty_on_all_entropy_collapses_attention_and_is_told(make: Make) -> None:
    told = train(make(sharpness_weight=100, learning_rate=0.05, warmup=0, steps=30, accumulation=1, validation_share=0))
    assert any(p.warning is not None and "attention has" in p.warning for p in told)


def test_the_finished_adapter_does_what_the_trained_model_did(
    make: Make, random_model: SongModel, tmp_path: Path
) -> None:
    run = make(learning_rate=0.02)
    train(run)
    card = run.finish("mine")
    assert (card.name, card.variant, card.rank, card.alpha, card.layers) == ("mine", "lyrics-asr", 8, 16, 48)
    assert card.corpus is not None and card.corpus.fingerprint == run.corpus.fingerprint
    assert card.recipe["steps"] == 6 and card.metrics["loss"] > 0 and card.metrics["loss@0.6"] > 0

    store, base = AdapterStore(tmp_path / "run"), Base.of(random_model.transformer)
    assert store.names() == ["mine"] and not store.damaged()
    folded: Any = fresh(random_model).transformer
    with torch.no_grad():
        for name, layer in store.load("mine", base).items():
            folded.get_submodule(name).weight += layer.delta()
    peft: Any = PeftModel.from_pretrained(fresh(random_model).transformer, str(tmp_path / "run" / "mine"))
    live: Any = run.trainer.model.transformer.eval()

    generator = torch.Generator().manual_seed(1)
    latents, condition = torch.randn(2, 30, 64, generator=generator), torch.randn(2, 9, 192, generator=generator)
    times, context = torch.tensor([0.9, 0.3]), torch.randn(2, 30, 128, generator=generator)
    run.trainer.validate(run.validation)
    for processor in run.trainer.processors:
        processor.mask = None
    with torch.no_grad():
        answers = [
            model(latents, times, times, condition, context, return_dict=False)[0]
            for model in (live, folded, peft.eval(), random_model.transformer)
        ]
    for answer in answers[1:3]:
        torch.testing.assert_close(answer, answers[0], rtol=0, atol=1e-5)
    assert (answers[3] - answers[0]).abs().max() > 1e-2, "the adapter does something"
    assert run.finish("mine").name == "mine", "finishing again replaces it"


def test_a_corpus_of_nothing_to_train_on_is_refused(corpus: Corpus, random_model: SongModel, tmp_path: Path) -> None:
    options = AdapterOptions(**RECIPE)
    empty = read_encoded(Corpus(corpus.folder, corpus.about, (), "0" * 16), random_model, with_words=True)
    with pytest.raises(CorpusError, match="no clip to train on"):
        make_run(lambda _: pytest.fail("no trainer is needed"), corpus, empty, options, tmp_path, 1)
