"""Word error rates as a coloured table: genres down, compositions across, and a button in every cell to hear its songs.

Knows a summary (``eval.summary``). What a press on a cell does is the tab's business; sorting is ``browser``'s.
"""

from __future__ import annotations

from html import escape

from eval.genres import GenreRow
from eval.report.colours import heat_class, ramp_steps
from eval.report.formats import say_composition, say_count, say_percent, say_range
from eval.resampling import Estimate
from eval.summary import Summary
from ui.evidence_sections import show_section
from ui.evidence_standings import fold
from ui.hints import hint

#: The ramp as the report of an evaluation has it, in the light and in the dark: its ink is chosen for its fill.
RAMP_STYLE = "".join(
    f".gradio-container #evidence .{s.name} {{ background: {s.fill}; color: {s.ink}; }}" for s in ramp_steps()
)


def show_heatmap(summary: Summary) -> str:
    """The table with its tools: colours explained, and a switch that shows intervals."""
    names = summary.extent.compositions
    heads = "".join(
        f'<th scope="col" data-kind="number"><button type="button" class="sort">{fold(name)}</button></th>'
        for name in names
    )
    rows = "".join(_row(row, names) for row in summary.genres)
    total = "".join(
        f'<td class="{heat_class(s.micro.value)}"><b>{say_percent(s.micro.value)}</b>{_within(s.micro)}</td>'
        for s in summary.words
    )
    ramp = "".join(f'<li class="{step.name}">{step.said}</li>' for step in ramp_steps())
    content = (
        "<p>Percent of the words that went wrong. Paler is better; ★ is the best of its row. "
        "Press a cell to hear its songs, a head to sort by it.</p>"
        '<div class="tools"><label><input type="checkbox" id="heat-intervals"> Show intervals</label>'
        f"{hint('interval')}</div>"
        '<div class="wide" tabindex="0" role="region" aria-label="Word error rate by genre and composition">'
        '<table class="sortable"><caption class="sr">Word error rate by genre and composition, percent</caption>'
        '<thead><tr><th scope="col" data-kind="text"><button type="button" class="sort">Genre</button></th>'
        f"{heads}</tr></thead><tbody>{rows}</tbody>"
        f'<tfoot><tr><th scope="row">all genres {hint("micro")}</th>{total}</tr></tfoot></table>'
        f'</div><ul class="ramp" aria-label="Colours: word error rate">{ramp}</ul>'
        f'<p class="faint">{escape(_made_of(summary))}</p>'
    )
    section = show_section("heat", f"Genre by genre {hint('wer')}", content, "genre-heat", first=True)
    return f"<style>{RAMP_STYLE}</style>{section}"


def _row(row: GenreRow, names: tuple[str, ...]) -> str:
    cells = "".join(
        _cell(row, name, rate, name in row.best and len(names) > 1) for name, rate in zip(names, row.rates, strict=True)
    )
    return f'<tr><th scope="row" data-value="{escape(row.genre)}">{escape(row.genre)}</th>{cells}</tr>'


def _cell(row: GenreRow, name: str, rate: Estimate, best: bool) -> str:
    within = say_range(rate)
    told = ", ".join(filter(None, (
        f"{row.genre}, {say_composition(name)}: {say_percent(rate.value)} % of the words wrong",
        "the best of this genre" if best else "",
        f"95 % interval {within} %" if within else "no interval: too few songs, or all alike",
        f"{say_count(row.songs, 'song')} of {say_count(row.prompts, 'prompt')}",
    )))  # fmt: skip
    star = '<span class="star" aria-hidden="true">★</span>' if best else ""
    return (
        f'<td class="{heat_class(rate.value)}{" best" if best else ""}" data-value="{rate.value}">'
        f'<button type="button" class="cell" data-genre="{escape(row.genre)}" data-composition="{escape(name)}" '
        f'aria-label="{escape(told)}" data-hint="{escape(told)}"><b>{star}{say_percent(rate.value)}</b>'
        f"{_within(rate)}</button></td>"
    )


def _within(rate: Estimate) -> str:
    within = say_range(rate)
    return f"<small>{within}</small>" if within else ""


def _made_of(summary: Summary) -> str:
    counts = [row.songs for row in summary.genres]
    fewest, most = min(counts), max(counts)
    each = say_count(most, "song") if fewest == most else f"{fewest} to {most} songs"
    alone = {row.unit for row in summary.genres} == {"seeds"}
    about = (
        "With one prompt in a genre, an interval says how far other noise would differ, and nothing about other lyrics."
        if alone
        else "Intervals are over the prompts of a genre, or over the seeds of its only one."
    )
    return f"Every cell is of {each}, so single cells are noisy. {about}"
