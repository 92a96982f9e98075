"""The verb ``train``: one adapter from a corpus, from audit to card, stopped and resumed at will."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from training.progress import StateBar

if TYPE_CHECKING:
    from accelerate import Accelerator

    from engine.song_model import SongModel
    from training.adapter_log import RunProgress
    from training.adapter_options import AdapterOptions
    from training.manifest import Corpus

_VARIANTS = Literal["nolyrics", "lyrics", "nolyrics-asr", "lyrics-asr"]
_STRATEGIES = Literal["entropy", "lyric-entropy", "mutual-information"]


def train(
    variant: Annotated[_VARIANTS, typer.Option(help="With or without words, with or without the sharpness term.")],
    corpus: Annotated[Path, typer.Option(help="A corpus made with `choirmaster corpus`.")],
    out: Annotated[Path, typer.Option(help="Folder of the run; the same command goes on from its last checkpoint.")],
    model: Annotated[
        str | None, typer.Option(help="Folder or hub id of a song model; by default the embedded one.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the adapter; by default the variant.")] = None,
    # adapter
    targets: Annotated[
        Literal["cross", "self", "both", "both+mlp"], typer.Option(help="Which attention, or MLP, is changed.")
    ] = "both",
    rank: Annotated[int, typer.Option(help="Rank of the change of each layer.")] = 8,
    alpha: Annotated[float, typer.Option(help="The change is scaled by alpha / rank.")] = 16.0,
    dropout: Annotated[float, typer.Option(help="Of the adapter's input.")] = 0.1,
    # length
    epochs: Annotated[float, typer.Option(help="Times that every clip is seen.")] = 55.0,
    steps: Annotated[int | None, typer.Option(help="Optimiser steps, instead of epochs.")] = None,
    batch: Annotated[int, typer.Option(help="Clips at once.")] = 1,
    accumulation: Annotated[int, typer.Option(help="Batches per optimiser step.")] = 4,
    seed: Annotated[int, typer.Option(help="The same seed gives the same adapter on the same machine.")] = 0,
    # optimiser
    learning_rate: Annotated[float, typer.Option(help="At its highest; then a cosine to zero.")] = 1e-4,
    warmup: Annotated[int, typer.Option(help="Steps in which it rises.")] = 100,
    weight_decay: Annotated[float, typer.Option(help="Of AdamW.")] = 0.01,
    # flow matching
    timesteps: Annotated[
        Literal["turbo", "logit-normal"] | None, typer.Option(help="By default what the model's preset wants.")
    ] = None,
    time_mean: Annotated[float, typer.Option(help="Of logit-normal times; above 0 is nearer to noise.")] = 0.3,
    time_spread: Annotated[float, typer.Option(help="Of logit-normal times.")] = 1.2,
    condition_dropout: Annotated[float, typer.Option(help="Share of clips trained without any conditioning.")] = 0.0,
    padding: Annotated[
        Literal["masked", "visible"], typer.Option(help="Whether attention sees the padding of a batch.")
    ] = "masked",
    # sharpness
    sharpness: Annotated[_STRATEGIES, typer.Option(help="What the -asr variants call sharp.")] = "entropy",
    sharpness_weight: Annotated[float, typer.Option(help="Weight (lambda) of that term.")] = 0.02,
    sharpness_schedule: Annotated[
        Literal["constant", "ramp", "decay"], typer.Option(help="How the weight changes over the run.")
    ] = "constant",
    sharpness_layers: Annotated[str | None, typer.Option(help="Layers it acts on, like 2,3; by default all.")] = None,
    # machine
    mixed_precision: Annotated[Literal["no", "bf16"], typer.Option(help="bf16 on a GPU that has it.")] = "no",
    gradient_checkpointing: Annotated[
        bool, typer.Option("--gradient-checkpointing", help="Less memory, a third slower.")
    ] = False,
    dtype: Annotated[Literal["fp32", "bf16", "fp16"], typer.Option(help="In which the adapter is stored.")] = "fp32",
    # book-keeping
    validation_share: Annotated[float, typer.Option(help="Share of clips kept for validation, 32 at most.")] = 0.05,
    measure_every: Annotated[int, typer.Option(help="Steps between two looks at attention.")] = 25,
    validate_every: Annotated[int, typer.Option(help="Steps between two validations.")] = 100,
    save_every: Annotated[int, typer.Option(help="Steps between two checkpoints.")] = 100,
) -> None:
    """Train one adapter. Ctrl-C at any time; the same command goes on.

    `accelerate launch` spreads it over GPUs, `torchrun --nproc-per-node` over processors.
    """
    from adapters.card import check_name
    from training.adapter_options import read_options
    from training.manifest import read_corpus

    options = read_options(
        variant=variant, targets=targets, rank=rank, alpha=alpha, dropout=dropout, epochs=epochs, steps=steps,
        batch=batch, accumulation=accumulation, seed=seed, learning_rate=learning_rate, warmup=warmup,
        weight_decay=weight_decay, timesteps=timesteps, time_mean=time_mean, time_spread=time_spread,
        condition_dropout=condition_dropout, padding=padding,
        sharpness=sharpness, sharpness_weight=sharpness_weight, sharpness_schedule=sharpness_schedule,
        sharpness_layers=_layers(sharpness_layers), mixed_precision=mixed_precision,
        gradient_checkpointing=gradient_checkpointing, validation_share=validation_share,
        measure_every=measure_every, validate_every=validate_every, save_every=save_every,
    )  # fmt: skip
    chosen, read = check_name(name or variant), read_corpus(corpus)
    _check_out(out, chosen)

    import torch
    from accelerate import Accelerator

    from adapters.places import TINY_MODEL
    from engine.song_model import load_song_model
    from training.adapter_training import choose_layers

    # Told that there is no GPU, accelerate joins processes on CPUs; untold, each would train for itself.
    accelerator = Accelerator(cpu=not torch.accelerator.is_available(), mixed_precision=options.mixed_precision)
    try:
        if accelerator.is_main_process:
            _audit(read, options)
        half = torch.bfloat16 if options.mixed_precision == "bf16" else torch.float32
        song_model = load_song_model(model or TINY_MODEL, device=str(accelerator.device), dtype=half)
        choose_layers(song_model.transformer, options)
        if accelerator.is_main_process:
            _encode(read, song_model, options)
        accelerator.wait_for_everyone()
        _run(read, song_model, options, accelerator, out, chosen, dtype)
    finally:
        accelerator.end_training()


def _run(
    corpus: Corpus,
    model: SongModel,
    options: AdapterOptions,
    accelerator: Accelerator,
    out: Path,
    name: str,
    dtype: str,
) -> None:
    import torch

    from adapters.places import SHELF
    from adapters.store import AdapterStore
    from training.adapter_run import make_run
    from training.adapter_training import AdapterTrainer
    from training.encoding import read_encoded
    from training.progress import StopRequest

    clips = read_encoded(corpus, model, with_words=options.with_words)
    run = make_run(
        lambda steps: AdapterTrainer(model, options, steps, accelerator),
        corpus, clips, options, out, accelerator.num_processes,
    )  # fmt: skip
    stop = StopRequest()
    if not accelerator.is_main_process:
        run.train(lambda _: None, stop)
        return
    with _TrainingBar(name, run.trainer.steps) as bar:
        done = run.train(bar.update, stop)
    if not done:
        typer.echo(f"stopped at step {run.trainer.step} of {run.trainer.steps}: the same command goes on from there")
        return
    shelved = f"my-{name}"[:64] if name in AdapterStore(SHELF).names() else name
    types = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}
    card = run.finish(name, types[dtype])
    typer.echo(
        f"adapter {name}: {card.layers} layers, {card.parameters:,} parameters, loss {card.metrics['loss']:.3f}; it is "
        f"in {out / name}, its log in {out}\nput it on the shelf: choirmaster adapters import {out / name} {shelved}"
    )


def _check_out(out: Path, name: str) -> None:
    """Find out before hours of work, and without leaving anything behind, whether the run can be written."""
    from training.adapter_checkpoint import CHECKPOINT
    from training.manifest import CorpusError

    nearest = next(folder for folder in (out, *out.parents) if os.path.exists(folder))
    if not nearest.is_dir() or not os.access(nearest, os.W_OK | os.X_OK):
        raise CorpusError(f"--out {out} cannot be written: {nearest} is no folder we may write; choose another")
    if os.path.lexists(out / name) and not (out / CHECKPOINT).exists():
        raise CorpusError(
            f"{out / name} is there already, and no checkpoint of its training: it would be replaced; choose another "
            "--out or --name"
        )


def _layers(text: str | None) -> tuple[int, ...] | None:
    from training.manifest import CorpusError

    if text is None:
        return None
    try:
        return tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        raise CorpusError(f"--sharpness-layers {text!r} names no layers: write their numbers, like 2,3") from None


def _audit(corpus: Corpus, options: AdapterOptions) -> None:
    from rich.console import Console

    from training.audit import audit, check_variant

    console = Console(stderr=True)
    found = audit(corpus)
    share = found.with_words / found.clips
    told = f"{corpus.about.name}: {found.clips} clips, {found.hours:.2f} h, {share:.0%} with words"
    plain: Any = {"soft_wrap": True, "highlight": False, "markup": False}  # clips may have brackets in their names
    console.print(f"{told}; `choirmaster corpus audit {corpus.folder}` shows more", **plain)
    for sentence in [*found.problems, *check_variant(found, options.variant)]:
        console.print(sentence, style="yellow", **plain)


def _encode(corpus: Corpus, model: SongModel, options: AdapterOptions) -> None:
    from training.encoding import encode_corpus
    from training.manifest import CorpusError
    from training.progress import show_stages

    try:
        show_stages("encoding the clips", encode_corpus(corpus, model, with_words=options.with_words))
    except OSError as error:
        raise CorpusError(
            f"the clips cannot be kept as encoded ({error}): free space in {corpus.folder} and see that it can be "
            "written; the same command goes on from there"
        ) from error


class _TrainingBar(StateBar):
    """A progress bar with loss, sharpness, attention, rate and time left."""

    attention = ""

    def update(self, progress: RunProgress) -> None:
        if (found := progress.attention) is not None:
            self.attention = (
                f"  entropy {found.entropy:.2f}  on words {found.lyric_mass:.0%}  top token {found.dominant:.0%}"
            )
        if progress.validation is not None:
            losses = "  ".join(f"{key} {value:.4f}" for key, value in progress.validation.items())
            self.console.print(f"step {progress.step}: {losses}", highlight=False)
        if progress.warning is not None:
            self.console.print(f"[bold red]{progress.warning}")
        sharp = f"  sharpness {progress.sharpness:.2f}" if progress.sharpness else ""
        state = f"loss {progress.loss:.3f}{sharp}{self.attention}  {progress.steps_per_second:.1f}/s"
        self.show(progress.step, state)
