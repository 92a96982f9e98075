"""Pictures of kept attention maps: some prompts, compositions side by side, and all heads of one of them.

Knows maps in the folder of an evaluation. Maps that cannot be read, or are of other words than their mates', are told.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from engine.attention_maps import AttentionRecord
from engine.errors import ChoirmasterError
from eval.heads import lyric_only
from eval.report.budget import Budget
from eval.report.formats import say_composition, say_count, say_list, say_percent
from eval.results import Results
from eval.table import Table

Heads = Sequence[tuple[int, int]]
KIND = "image/png"


@dataclass(frozen=True)
class Kept:
    """A song whose maps were kept: the word error rate of each composition that sang it."""

    prompt: str
    seed: int
    rates: dict[str, float]


@dataclass(frozen=True)
class Panel:
    """A picture: what it shows, and its PNG as a data URI, empty where there was no room for it."""

    title: str
    caption: str
    alt: str
    uri: str


@dataclass(frozen=True)
class Pictures:
    """``panels``: a picture per song, all compositions in it; ``heads``: of the first, a picture per composition."""

    panels: list[Panel]
    heads: list[Panel]
    damaged: list[str]


def find_kept(results: Results, table: Table, judge: str, count: int) -> list[Kept]:
    """Songs whose maps were kept, one per prompt, the most telling first: those kept of most compositions, and of these
    the ones on which compositions differ most.
    """
    found: list[Kept] = []
    for (prompt, seed), rows in table.of_judge(judge).groupby(["prompt", "seed"], sort=False):
        rates = {
            composition: float(rate)
            for composition, rate in zip(rows["composition"], rows["wer"], strict=True)
            if results.attention_path(prompt, seed, composition).is_file()
        }
        if rates:
            found.append(Kept(prompt, int(seed), rates))
    found.sort(key=lambda kept: (-len(kept.rates), min(kept.rates.values()) - max(kept.rates.values())))
    return list({kept.prompt: kept for kept in reversed(found)}.values())[::-1][:count]


def draw_maps(results: Results, kept: Sequence[Kept], followers: Heads, budget: Budget) -> Pictures:
    """All pictures that ``budget`` has room for. Never raises: what cannot be drawn is told."""
    panels: list[Panel] = []
    heads: list[Panel] = []
    damaged: list[str] = []
    for song in kept:
        records = _read(results, song, damaged)
        if not records:
            continue
        panels.append(_side_by_side(song, records, followers, budget))
        if len(panels) == 1:
            heads = [_every_head(song, name, record, followers, budget) for name, record in records.items()]
    if left_out := sum(not panel.uri for panel in (*panels, *heads)):
        damaged.append(f"No room left in this page for {say_count(left_out, 'picture')}: give it more `--megabytes`.")
    panels, heads = ([panel for panel in group if panel.uri] for group in (panels, heads))
    return Pictures(panels, heads, damaged)


def _read(results: Results, song: Kept, damaged: list[str]) -> dict[str, AttentionRecord]:
    records: dict[str, AttentionRecord] = {}
    reasons: dict[str, list[str]] = {}
    for composition in song.rates:
        reason = "they hold no step or no word"
        try:
            record = results.attention(song.prompt, song.seed, composition)
        except ChoirmasterError as error:
            record, reason = None, str(error)
        if record is not None and record.recorded and record.lyric_map.words:
            first = next(iter(records.values()), record)
            if _shape(record) == _shape(first):
                records[composition] = record
                continue
            reason = "they are of other words, another length or other heads than those beside them"
        reasons.setdefault(reason, []).append(say_composition(composition))
    for reason, names in reasons.items():
        damaged.append(f"Of {song.prompt}, seed {song.seed}, the maps of {say_list(names)} are not shown: {reason}.")
    return records


def _shape(record: AttentionRecord) -> tuple[Any, ...]:
    return record.lyric_map.words, record.heads, record.frames, record.frame_rate, len(record.edges)


def _side_by_side(song: Kept, records: dict[str, AttentionRecord], followers: Heads, budget: Budget) -> Panel:
    from eval.panels import draw_compositions

    means, elsewhere = {}, {}
    for name, record in records.items():
        rows = [at for at, head in enumerate(record.heads) if head in followers] or list(range(len(record.heads)))
        mean = record.recorded[-1].maps[rows].astype("float32").mean(0, keepdims=True)
        words, discarded = lyric_only(mean, record.lyric_map)
        means[say_composition(name)], elsewhere[say_composition(name)] = words[0], float(discarded.mean())
    first = next(iter(records.values()))
    drawn = draw_compositions(means, first.lyric_map.words, first.edges, elsewhere)
    told = ", ".join(f"{say_composition(name)} {say_percent(song.rates[name])} % WER" for name in records)
    alt = f"Attention to each word over time, one panel per composition: {', '.join(means)}. Brighter is more."
    return Panel(f"{song.prompt}, seed {song.seed}", told, alt, budget.embed(drawn, KIND))


def _every_head(song: Kept, name: str, record: AttentionRecord, followers: Heads, budget: Budget) -> Panel:
    from eval.panels import draw_heads

    words, _ = lyric_only(record.recorded[-1].maps, record.lyric_map)
    drawn = draw_heads(words, record.heads, record.lyric_map.words, record.edges, followers)
    alt = f"Attention of {len(record.heads)} heads to each word over time, one small panel per head, layers down."
    told = f"{song.prompt}, seed {song.seed}, {say_percent(song.rates[name])} % WER"
    return Panel(say_composition(name), told, alt, budget.embed(drawn, KIND))
