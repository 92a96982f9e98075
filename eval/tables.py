"""A measurement's report as tables for the terminal, in Markdown so that they can be pasted. Computes nothing."""

from __future__ import annotations

from collections.abc import Sequence

from rich import box
from rich.table import Table

from eval.alignment import HeadAccuracy
from eval.targets import Report


def target_table(report: Report, judge: str, has_coverage: bool) -> Table:
    """The README's table: one row per measurement, then the speed."""
    title = f"judge: {judge}; {report.measured} of {report.planned} clips"
    caption = None if has_coverage else "no coverage.json in the model folder: no figures by coverage"
    table = Table(title=title, box=box.MARKDOWN, caption=caption)
    for name in ("measured on", "clips", "words", "WER", "95 % interval", "macro WER", "CER"):
        table.add_column(name, justify="left" if name == "measured on" else "right")
    for f in report.figures:
        wer, interval = f"{f.wer.estimate:.3f}", f"{f.wer.low:.3f}–{f.wer.high:.3f}"
        table.add_row(f.label, str(f.clips), str(f.words), wer, interval, f"{f.macro_wer:.3f}", f"{f.cer:.3f}")
    if report.speed is not None:
        s = report.speed
        label = f"seconds per song: median {s.median:.2f}, mean {s.mean:.2f}, for {s.audio_mean:.1f} s of audio"
        table.add_row(label, str(s.songs), "", "", "", "", "")
    return table


def genre_table(report: Report) -> Table:
    """Micro WER of each genre, best songs first; a star marks the well-covered ones, recordings beside."""
    table = Table(box=box.MARKDOWN)
    columns = ["genre", "line WER", "song WER", "songs"]
    recorded = any(g.song_ceiling is not None or g.line_ceiling is not None for g in report.genres)
    for name in columns + ["recorded lines", "recorded songs"] * recorded:
        table.add_column(name, justify="left" if name == "genre" else "right")
    for g in sorted(report.genres, key=lambda g: (g.song_wer is None, g.song_wer or 0.0, g.genre)):
        cells = [g.genre + (" *" if g.well_covered else ""), _rate(g.line_wer), _rate(g.song_wer), str(g.songs)]
        table.add_row(*cells, *[_rate(g.line_ceiling), _rate(g.song_ceiling)] * recorded)
    return table


def alignment_table(heads: Sequence[HeadAccuracy], most: int = 6) -> Table:
    """The best attention heads, with the accuracy of the same maps read with the words shuffled."""
    table = Table(box=box.MARKDOWN)
    for name in ("layer", "head", "word-argmax accuracy", "words shuffled", "frames"):
        table.add_column(name, justify="right")
    for h in heads[:most]:
        table.add_row(str(h.layer), str(h.head), f"{h.accuracy:.3f}", f"{h.chance:.3f}", str(h.frames))
    return table


def _rate(wer: float | None) -> str:
    return "–" if wer is None else f"{wer:.3f}"
