"""One training run on disk: steps, log, checkpoints and, at the end, the adapter with its card.

``<out>`` holds ``log.jsonl`` (a row per step), ``tensorboard.d/``, ``checkpoint.safetensors`` and the finished adapter
in a folder of its name, so that ``<out>`` is a shelf of one. A run killed at any moment goes on from its last
checkpoint, and its log reads as if nothing had happened.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import torch

from adapters.card import AdapterCard, BaseCard, CorpusCard
from adapters.store import AdapterStore
from training.adapter_batches import AdapterBatch, BatchOrder, collate, split_clips
from training.adapter_checkpoint import CHECKPOINT, read_checkpoint, write_checkpoint
from training.adapter_log import LOG, RunProgress, TrainingLog
from training.adapter_options import AdapterOptions
from training.adapter_training import AdapterTrainer, StepResult
from training.encoding import EncodedCorpus
from training.manifest import Corpus, CorpusError
from training.sharpness import AttentionState

_SMOOTHING = 0.95
#: Attention has collapsed when this share of heads more than at the start looks at one token, or when words get less
#: than this share of the attention they got at the start.
_MORE_COLLAPSED, _LESS_LYRIC = 0.25, 0.25


def count_steps(options: AdapterOptions, batches_per_epoch: int, processes: int) -> int:
    """Optimiser steps of a run."""
    return options.steps or max(1, round(options.epochs * batches_per_epoch / (options.accumulation * processes)))


class AdapterRun:
    """Ties a trainer to its clips and to its folder; every process of a run has one, the first alone writes."""

    def __init__(
        self,
        trainer: AdapterTrainer,
        corpus: Corpus,
        clips: EncodedCorpus,
        order: BatchOrder,
        held_out: list[int],
        out: Path,
    ) -> None:
        self.trainer, self.corpus, self.clips, self.order, self.out = trainer, corpus, clips, order, out
        size = max(1, min(16, order.size))
        self.validation = [collate([clips[i] for i in held_out[k : k + size]]) for k in range(0, len(held_out), size)]
        self._smoothed: float | None = None
        self._start: AttentionState | None = None
        self._warned = False
        self._last: dict[str, float] = {}
        self._saved: int | None = None

    def train(self, listen: Callable[[RunProgress], None], stop: Callable[[], bool] = lambda: False) -> bool:
        """Train to the end or until ``stop()``, from the last checkpoint where there is one; True at the end.

        Raises:
            CorpusError: the checkpoint is of another run or damaged, the training comes apart, or the disk is full.
        """
        try:
            return self._train(listen, stop)
        except OSError as error:
            raise CorpusError(
                f"the training stopped after step {self.trainer.step} ({error}): free space in {self.out} and see that "
                "it can be written; the same command goes on from the last checkpoint"
            ) from error

    def _train(self, listen: Callable[[RunProgress], None], stop: Callable[[], bool]) -> bool:
        trainer, options, main = self.trainer, self.trainer.options, self.trainer.accelerator.is_main_process
        if main:
            self._clear()
        self._resume()
        started, first = time.monotonic(), trainer.step
        with TrainingLog(self.out, trainer.step, write=main) as log:
            while trainer.step < trainer.steps and not self._stopped(stop):
                number = trainer.step
                measure = number % options.measure_every == 0 or number == trainer.steps - 1
                result = trainer.train_step(list(self._batches(number)), measure=measure)
                last = trainer.step == trainer.steps
                checked = None
                if self.validation and main and (number == 0 or trainer.step % options.validate_every == 0 or last):
                    checked = trainer.validate(self.validation)
                progress = self._progress(
                    number, result, checked, (trainer.step - first) / (time.monotonic() - started)
                )
                if main:
                    log.write(progress, result)
                    listen(progress)
                    if trainer.step % options.save_every == 0 or last:
                        self._save()
            if main and self._saved != trainer.step:
                self._save()
        return trainer.step >= trainer.steps

    def finish(self, name: str, dtype: torch.dtype = torch.float32, description: str = "") -> AdapterCard:
        """Write the trained adapter and its card into ``out``, replacing one of the same name."""
        trainer, corpus = self.trainer, self.corpus
        card = AdapterCard(
            name=name,
            variant=trainer.options.variant,
            description=description,
            licence=corpus.about.licence[:200],
            created=datetime.now(UTC).replace(microsecond=0),
            base=BaseCard(name=trainer.model.name[:200], fingerprint=trainer.base.fingerprint),
            rank=trainer.options.rank,
            alpha=trainer.options.alpha,
            layers=len(trainer.layers),
            parameters=sum(p.numel() for p in trainer.parameters.values()),
            targets=(),
            corpus=CorpusCard(
                name=corpus.about.name,
                fingerprint=corpus.fingerprint,
                clips=len(corpus.clips),
                hours=round(corpus.hours, 3),
                licence=corpus.about.licence[:2000],
            ),
            recipe={**trainer.options.model_dump(mode="json"), "steps": trainer.steps},
            metrics=self._last,
        )
        store = AdapterStore(self.out)
        if name in store.names():
            store.remove(name)
        return store.add(name, trainer.weights(dtype), card, base=trainer.base)

    def _batches(self, step: int) -> Iterator[AdapterBatch]:
        """This process's batches of one step."""
        accelerator, count = self.trainer.accelerator, self.trainer.options.accumulation
        for place in range(count):
            number = (step * count + place) * accelerator.num_processes + accelerator.process_index
            yield collate([self.clips[i] for i in self.order[number]])

    def _stopped(self, stop: Callable[[], bool]) -> bool:
        """Whether any process was asked to stop: all must leave at the same step."""
        accelerator = self.trainer.accelerator
        asked = torch.tensor([float(stop())], device=accelerator.device)
        return bool(accelerator.reduce(asked, reduction="sum").item() > 0)

    def _progress(self, number: int, result: StepResult, checked: dict[str, float] | None, rate: float) -> RunProgress:
        options, steps = self.trainer.options, self.trainer.steps
        old = self._smoothed
        self._smoothed = result.loss if old is None else _SMOOTHING * old + (1 - _SMOOTHING) * result.loss
        warning = None
        if result.attention is not None:
            self._start = self._start or result.attention
            if not self._warned:
                warning = collapse(self._start, result.attention)
                self._warned = warning is not None
            self._last |= {k: round(v, 5) for k, v in asdict(result.attention).items()}
        self._last |= {"loss": round(self._smoothed, 5), **{k: round(v, 5) for k, v in (checked or {}).items()}}
        if options.sharpened:
            self._last["sharpness"] = round(result.sharpness, 5)
        return RunProgress(
            step=self.trainer.step,
            steps=steps,
            loss=self._smoothed,
            sharpness=result.sharpness,
            attention=result.attention,
            learning_rate=options.learning_rate_at(number, steps),
            steps_per_second=rate,
            validation=checked,
            warning=warning,
        )

    def _identity(self) -> dict[str, Any]:
        """What must be the same for a run to go on."""
        trainer = self.trainer
        return {
            **trainer.options.model_dump(mode="json"),
            "steps": trainer.steps,
            "processes": trainer.accelerator.num_processes,
            "base": trainer.base.fingerprint,
            "corpus": self.corpus.fingerprint,
        }

    def _save(self) -> None:
        state = {
            "step": self.trainer.step,
            "identity": self._identity(),
            "smoothed": self._smoothed,
            "start": None if self._start is None else asdict(self._start),
            "warned": self._warned,
            "last": self._last,
        }
        write_checkpoint(self.out / CHECKPOINT, self.trainer.state(), state)
        self._saved = self.trainer.step

    def _clear(self) -> None:
        """Delete what runs left that were killed while they wrote a file."""
        for name in (CHECKPOINT, LOG):
            for left in self.out.glob(f".{name}.*"):
                left.unlink()

    def _resume(self) -> None:
        path = self.out / CHECKPOINT
        if not path.exists():
            return
        tensors, state = read_checkpoint(path)
        mine, theirs = self._identity(), state["identity"]
        odd = [f"{key} was {theirs.get(key)} and is {mine.get(key)}" for key in mine if mine[key] != theirs.get(key)]
        if odd:
            raise CorpusError(
                f"{path} is of another run ({'; '.join(odd[:4])}): train into another --out, or move it away to start "
                "anew"
            )
        self.trainer.restore(tensors, state["step"])
        self._saved = state["step"]
        self._smoothed, self._warned, self._last = state["smoothed"], state["warned"], state["last"]
        self._start = None if state["start"] is None else AttentionState(**state["start"])


def make_run(
    trainer_of: Callable[[int], AdapterTrainer],
    corpus: Corpus,
    clips: EncodedCorpus,
    options: AdapterOptions,
    out: Path,
    processes: int,
) -> AdapterRun:
    """Split the clips, count the steps and tie it all together; ``trainer_of`` makes the trainer of so many steps.

    Raises:
        CorpusError: no clip is left to train on.
    """
    training, held_out = split_clips(len(clips), options.validation_share, options.seed)
    if not training:
        raise CorpusError("the corpus has no clip to train on: give more clips")
    order = BatchOrder(training, clips.frames, options.batch, options.seed)
    trainer = trainer_of(count_steps(options, order.per_epoch, processes))
    return AdapterRun(trainer, corpus, clips, order, held_out, out)


def collapse(start: AttentionState, now: AttentionState) -> str | None:
    """A sentence when attention has collapsed since the start of the training."""
    if now.collapsed >= start.collapsed + _MORE_COLLAPSED:
        return (
            f"attention has collapsed: {now.collapsed:.0%} of the heads look at a single token, {start.collapsed:.0%} "
            "did at the start; lower --sharpness-weight or choose --sharpness mutual-information"
        )
    if start.lyric_mass > 0 and now.lyric_mass < _LESS_LYRIC * start.lyric_mass:
        return (
            f"attention has left the words: they get {now.lyric_mass:.0%} of it, {start.lyric_mass:.0%} at the start; "
            "lower --sharpness-weight or choose --sharpness mutual-information"
        )
    return None
