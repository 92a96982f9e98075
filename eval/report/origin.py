"""How the table was made, what is missing from it, and what every measure means.

Knows the table's columns and what ``Table.about`` may tell. All of it may be absent or of another shape, as a table can
be made elsewhere: what is not told is said to be not told.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from markupsafe import Markup, escape

from eval.report.formats import set_code
from eval.table import CELL, HEAD_COLUMNS, SONG_COLUMNS, Column, Table

_MOST_SEEDS = 12
NOT_TOLD = "not told by this table"
#: Names in the report that are no column of the table.
TERMS = (
    ("micro WER", "errors over words to be sung, all songs together: long songs count more"),
    ("macro WER", "mean over prompts of the prompt's word error rate, its seeds together: prompts count the same"),
    ("median", "of the songs' word error rates, which no endless loop can carry off"),
    ("interval", "where the figure lies in 95 of 100 repetitions, drawing whole prompts anew (bootstrap)"),
    ("difference to base", "macro WER minus that of base on the same prompts and seeds; below zero is better"),
    ("p", "how often chance alone gives a difference as large (signs flipped by prompt), corrected after Holm"),
    ("lowest", "genres in which no composition made fewer word errors; shared where another made as few, else unique"),
    ("oracle", "sings every prompt with its best composition; honest when chosen on some seeds and scored on others"),
    ("gain", "macro WER of the best single composition minus the oracle's: what choosing for every prompt could win"),
    ("null", "what a measure gives where attention knows nothing of the words; a value near it tells nothing"),
)  # fmt: skip


@dataclass(frozen=True)
class Fact:
    """One line about how the table was made; ``code``: to be set as it is typed."""

    name: str
    said: str
    code: bool = False


@dataclass(frozen=True)
class LeftOut:
    """Songs that the table should hold and does not: the count, and the first of them."""

    count: int
    first: list[str]


def list_facts(table: Table) -> list[Fact]:
    """The single facts, in order of interest."""
    about = table.about
    prompts = about.get("prompts")
    prompts = prompts if isinstance(prompts, Mapping) else {}
    steps = about.get("steps")
    return [
        Fact("Command", _said(about.get("command")), "command" in about),
        Fact("Made", _said(about.get("made"))),
        Fact("Song model", _said(about.get("model")), "model" in about),
        Fact("Its fingerprint", _said(about.get("model_fingerprint")), "model_fingerprint" in about),
        Fact("Preset", _said(about.get("preset"))),
        Fact("Denoising steps", "the preset's" if steps is None and "steps" in about else _said(steps)),
        Fact("Prompts", _said(prompts.get("file")), "file" in prompts),
        Fact("Their SHA-256", _said(prompts.get("sha256")), "sha256" in prompts),
        Fact("Seeds", _seeds(about.get("seeds"), table)),
        Fact("Alignment heads", _heads(about.get("alignment_heads"))),
    ]


def list_named(table: Table, field: str) -> list[tuple[str, str]]:
    """A mapping of ``about`` as pairs: adapters to fingerprints, packages to versions, judges to settings."""
    found = table.about.get(field)
    return [(str(name), _said(value)) for name, value in found.items()] if isinstance(found, Mapping) else []


def find_left_out(table: Table, judge: str) -> LeftOut:
    """The songs that one judge did not hear: every prompt and seed of the table should be sung by every composition."""
    heard = table.of_judge(judge)
    there = set(heard[list(CELL)].itertuples(index=False, name=None))
    starts = dict.fromkeys(table.songs[["prompt", "seed"]].itertuples(index=False, name=None))
    gone = [cell for start in starts for name in table.compositions if (cell := (*start, name)) not in there]
    return LeftOut(len(gone), [f"{prompt}, seed {seed}, {composition}" for prompt, seed, composition in gone[:10]])


def list_measures() -> list[tuple[str, list[tuple[str, Markup]]]]:
    """The glossary: titles, and names with their meanings."""
    return [
        ("Figures of this report", [(name, escape(meaning)) for name, meaning in TERMS]),
        ("Columns of a song", [_explain(c) for c in SONG_COLUMNS]),
        ("Columns of an attention head", [_explain(c) for c in HEAD_COLUMNS]),
    ]


def _explain(column: Column) -> tuple[str, Markup]:
    return column.name, set_code(column.meaning)


def _seeds(told: object, table: Table) -> str:
    """All seeds, or where every prompt has its own, how many and the first."""
    seeds = list(told) if isinstance(told, list | tuple) and told else sorted(set(table.songs["seed"]))
    more = f" and {len(seeds) - _MOST_SEEDS} more" if len(seeds) > _MOST_SEEDS else ""
    return ", ".join(map(str, seeds[:_MOST_SEEDS])) + more


def _heads(found: object) -> str:
    try:
        return ", ".join(f"{int(layer)}.{int(head)}" for layer, head in found) or NOT_TOLD  # type: ignore[attr-defined]
    except (TypeError, ValueError):
        return NOT_TOLD


def _said(value: Any) -> str:
    if value is None or value == "" or value == {} or value == []:
        return NOT_TOLD
    if isinstance(value, Mapping):
        return ", ".join(f"{name} {_said(entry)}" for name, entry in value.items())
    if isinstance(value, list | tuple):
        return ", ".join(map(_said, value))
    return "yes" if value is True else "no" if value is False else str(value)
