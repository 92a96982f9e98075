"""The verbs ``pretrain``, from text files to the embedded song model in stages that can each be stopped and resumed,
and ``recordings``, the corpus's own songs as sound files."""

from __future__ import annotations

import json
import random
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Self

import typer

from training.progress import StateBar, StopRequest, show_stages

if TYPE_CHECKING:
    import torch

    from engine.codec import WorldCodec
    from engine.tokenizer import SongTokenizer
    from training.corpus import Bank, ClipRecord
    from training.pretrain import Batch
    from training.pretrain import Progress as Step

#: Songs the codec is fitted on, and validation songs per number of lines.
CODEC_SONGS = 800
VALIDATION_SONGS = 6


def pretrain(
    work: Annotated[Path, typer.Option(help="Folder for corpus, checkpoint and log; run again to go on.")] = Path(
        "work/tiny"
    ),
    out: Annotated[Path | None, typer.Option(help="Where the model goes; by default WORK/model.")] = None,
    lines: Annotated[int, typer.Option(min=200, help="Spoken lines in the bank.")] = 4200,
    songs: Annotated[int, typer.Option(min=64, help="Sung songs in the corpus.")] = 32000,
    steps: Annotated[int, typer.Option(min=1, help="Training steps; may be raised before the last third.")] = 9000,
    seed: Annotated[int, typer.Option(min=0, help="Of the weights and of the order of songs.")] = 0,
    workers: Annotated[int, typer.Option(min=1, help="Processes that build the corpus.")] = 2,
    threads: Annotated[int, typer.Option(min=1, help="Threads that train.")] = 2,
    corpus_only: Annotated[bool, typer.Option("--corpus-only", help="Stop once the corpus is built.")] = False,
) -> None:
    """Build the sung corpus and train the embedded song model. Ctrl-C at any time; the same command goes on."""
    import torch

    from adapters.files import write_text_atomically
    from engine.codec import WorldCodec
    from engine.tokenizer import SongTokenizer
    from training.corpus import build_corpus, read_corpus, split_bank
    from training.pretrain import Pretrainer, PretrainOptions, train
    from training.release import release
    from training.speech import build_bank, read_bank
    from training.texts import corpus_lines

    show_stages("speaking the lines", build_bank(corpus_lines(lines), work / "speech", workers))
    bank = read_bank(work / "speech")
    tokenizer = SongTokenizer()
    if not (work / "codec" / "config.json").is_file():
        _fit_codec(bank, tokenizer, work / "codec")
    show_stages(
        "singing the songs", build_corpus(work / "songs", work / "speech", work / "codec", songs, workers=workers)
    )
    clips, records = read_corpus(work / "songs")
    _describe(records, len(bank), work / "corpus.json")
    if corpus_only:
        return
    codec = WorldCodec.from_pretrained(work / "codec")
    validation = _validation_sets(split_bank(bank)[1], codec, tokenizer)
    silence = silence_latent(bank, codec)
    del bank
    torch.set_num_threads(threads)
    trainer = Pretrainer(PretrainOptions(steps=steps, seed=seed), tokenizer, silence)
    stop = StopRequest()
    with _TrainingBar(work / "log.jsonl", steps) as bar:
        train(trainer, clips, validation, work / "checkpoint.safetensors", bar.update, stop)
    folder = out or work / "model"
    release(trainer.average, codec, tokenizer, folder)
    write_text_atomically(folder / "corpus.json", (work / "corpus.json").read_text(encoding="utf-8"))
    typer.echo(f"step {trainer.step} of {steps}; the model is in {folder}, the log in {work / 'log.jsonl'}")


def recordings(
    work: Annotated[Path, typer.Option(help="Folder of a `choirmaster pretrain` that has built its corpus.")] = Path(
        "work/tiny"
    ),
    out: Annotated[Path, typer.Option(help="Folder for the sound files and recordings.jsonl.")] = Path(
        "outputs/recordings"
    ),
    per_genre: Annotated[int, typer.Option(min=1, max=100, help="Lines, songs and spoken lines of each genre.")] = 4,
) -> None:
    """Write the corpus's own recordings as sound files, for `choirmaster measure --recordings`."""
    from engine.codec import WorldCodec
    from engine.errors import ModelError
    from training.recordings import record_songs
    from training.speech import read_bank

    if not (work / "codec" / "config.json").is_file():
        raise ModelError(
            f"{work} holds no finished corpus: build it with `choirmaster pretrain --work {work} --corpus-only`"
        )
    codec = WorldCodec.from_pretrained(work / "codec")
    show_stages("recording songs", record_songs(read_bank(work / "speech"), codec, out, per_genre))
    typer.echo(f"the recordings are in {out}")


def silence_latent(bank: Bank, codec: WorldCodec) -> torch.Tensor:
    """The latent [1, 1, 64] of silence."""
    import numpy as np
    import torch

    from engine.codec import CEPSTRA, FEATURES, FRAMES_PER_LATENT, LOG_F0
    from training.singing import Singer

    features = np.zeros((FRAMES_PER_LATENT, FEATURES), np.float32)
    features[:, :CEPSTRA] = Singer(bank).silence
    features[:, LOG_F0] = 5.1
    return torch.from_numpy(codec.features_to_latents(features))[None]


def _fit_codec(bank: Bank, tokenizer: SongTokenizer, folder: Path) -> None:
    from engine.codec import WorldCodec
    from training.corpus import draw_song, split_bank
    from training.singing import Singer

    usable, singer, rng = split_bank(bank)[0], Singer(bank), random.Random("codec/1")
    codec = WorldCodec()
    songs = [draw_song(usable, singer, tokenizer, rng)[0].features for _ in range(CODEC_SONGS)]
    kept = codec.fit(songs)
    before, after = codec.fit_encoder(songs)
    codec.save_pretrained(folder)
    typer.echo(f"the codec keeps {kept:.2%} of the weighted variance; encoding what it decoded errs by {after:.3f}")
    typer.echo(f"(mean squared, latents of variance 1; {before:.3f} by analysis alone)")


def _validation_sets(bank: Bank, codec: WorldCodec, tokenizer: SongTokenizer) -> list[Batch]:
    from training.corpus import draw_song, encode
    from training.pretrain import collate
    from training.singing import Singer

    singer, rng, sets = Singer(bank), random.Random("validation"), []
    for lines in (1, 2, 3, 4):
        drawn = [draw_song(bank, singer, tokenizer, rng, lines=lines) for _ in range(VALIDATION_SONGS)]
        sets.append(collate([encode(codec, sung, clip) for sung, clip, _ in drawn]))
    return sets


def _describe(records: list[ClipRecord], spoken_lines: int, path: Path) -> None:
    """Count what the corpus holds, for the model's card."""
    from adapters.files import write_text_atomically

    genres: dict[str, Counter[str]] = {}
    for record in records:
        genres.setdefault(record.genre, Counter())[record.label] += 1
    summary = {
        "spoken_lines": spoken_lines,
        "clips": len(records),
        "hours": round(sum(r.seconds for r in records) / 3600, 2),
        "labels": dict(Counter(r.label for r in records)),
        "voices": dict(Counter(r.voice for r in records)),
        "genres": {genre: dict(counts) for genre, counts in sorted(genres.items())},
    }
    write_text_atomically(path, json.dumps(summary, indent=1) + "\n")


class _TrainingBar(StateBar):
    """A progress bar with losses and time left; every fiftieth step and every validation also goes to a JSONL log."""

    def __init__(self, log: Path, steps: int) -> None:
        super().__init__("training", steps)
        self.path = log

    def __enter__(self) -> Self:
        self.file = self.path.open("a", encoding="utf-8")
        super().__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        super().__exit__(*exception)
        self.file.close()

    def update(self, step: Step) -> None:
        state = (
            f"loss {step.loss:.3f}  alignment {step.alignment:.3f}  phones {step.accuracy:.0%}  "
            f"{step.clips_per_second:.1f} clips/s"
        )
        self.show(step.step, state)
        if step.validation or step.step % 50 == 0:
            row: dict[str, Any] = asdict(step)
            self.file.write(json.dumps(row) + "\n")
            self.file.flush()
