"""The results table of a grid, made of what its journals hold, and its folder's other files."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from adapters.files import write_text_atomically
from eval.cells import Cell
from eval.failures import failure_kind
from eval.grid import Grid, GridError, cannot_write
from eval.grid_log import HeardCell, SungCell
from eval.heard import Heard
from eval.ledger import Ledger, Listening
from eval.table import CELL, HEAD_COLUMNS, PARQUET, Table, make_heads, make_songs
from eval.wer import score

MANIFEST = "grid.json"
#: What is known of a model only once it is loaded.
_OF_THE_MODEL = ("preset", "alignment_heads")
_ERRORS = (
    "wer", "cer", "mer", "substitutions", "deletions", "insertions", "hits", "reference_words", "heard_words",
    "character_errors", "reference_characters",
)  # fmt: skip


def make_table(ledger: Ledger, judges: Sequence[Listening], about: Mapping[str, Any]) -> Table:
    """All cells that are sung and heard, in the order of the plan, judges of a cell beside each other."""
    heard = [ledger.heard(listening) for listening in judges]
    songs: list[dict[str, Any]] = []
    heads: list[dict[str, Any]] = []
    for cell in ledger.grid.cells:
        entry = ledger.sung.get(cell.key)
        told = [found[cell.key] for found in heard if cell.key in found]
        if entry is None or not told:
            continue
        songs += [_make_row(cell, entry, listened) for listened in told]
        keys = dict(zip(CELL, cell.key, strict=True))
        heads += [{**keys, **{c.name: _round(getattr(h, c.name)) for c in HEAD_COLUMNS}} for h in entry.heads]
    return Table(make_songs(songs), make_heads(heads), dict(about))


def read_manifest(folder: Path) -> dict[str, Any]:
    """What ``grid.json`` tells of earlier runs; nothing where it cannot be read."""
    try:
        found = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def write_results(grid: Grid, judges: Sequence[Listening], about: Mapping[str, Any]) -> Table:
    """Write ``grid.json`` and the table of what is done, as Parquet and CSV.

    What the table says of itself is ``about``, over what was told before of the same model and of other judges.

    Raises:
        LogError: a journal is damaged or cannot be read.
        TableError, GridError: the disk is full.
    """
    before, ledger = read_manifest(grid.folder), Ledger(grid)
    kept = _OF_THE_MODEL if before.get("model_fingerprint") == about.get("model_fingerprint") else ()
    told = {**{name: before[name] for name in kept if name in before}, **about}
    others, named = before.get("judges"), ledger.listenings(judges)
    known = {**(others if isinstance(others, dict) else {}), **about.get("judges", {})}
    told["judges"] = {one.title: known[one.title] for one in named if one.title in known}
    table = make_table(ledger, named, told)
    path = grid.folder / MANIFEST
    try:
        write_text_atomically(path, json.dumps(told, indent=1, ensure_ascii=False) + "\n")
    except OSError as error:
        raise GridError(cannot_write(path, error)) from error
    table.write(grid.folder / PARQUET)
    table.write_csv(grid.folder)
    return table


def _round(value: Any) -> Any:
    """Four decimals: what a noisy measure is worth, and a table of half the size."""
    return round(value, 4) if isinstance(value, float) else value


def _make_row(cell: Cell, sung: SungCell, heard: HeardCell) -> dict[str, Any]:
    errors = score(cell.prompt.lyrics, heard.transcript)
    confidence = Heard(heard.transcript, heard.segments, heard.judge_seconds, sung.audio_seconds).confidence
    return {
        "prompt": cell.prompt.id,
        "genre": cell.prompt.genre,
        "seed": cell.seed,
        "composition": cell.composition,
        "judge": heard.judge,
        "caption": cell.prompt.caption,
        "tags": ", ".join(cell.prompt.tags),
        "lyrics": cell.prompt.lyrics,
        "audio_seconds": sung.audio_seconds,
        "judge_seconds": heard.judge_seconds,
        "transcript": heard.transcript,
        "avg_logprob": confidence.avg_logprob,
        "compression_ratio": confidence.compression_ratio,
        "no_speech_prob": confidence.no_speech_prob,
        "temperature": confidence.temperature,
        **{name: getattr(errors, name) for name in _ERRORS},
        "failure": failure_kind(errors, heard.transcript, confidence.compression_ratio),
        "lyric_mass": sung.lyric_mass,
        "alignment_score": sung.alignment_score,
        "alignment_null": sung.alignment_null,
    }
