"""What a results table says, in a sentence, and every composition's standing: error rates, difference to base, p.

Knows a summary (``eval.summary``) and how it looks as HTML; not where the table lies.
"""

from __future__ import annotations

from html import escape

from eval.report.findings import ALPHA, say_choice, say_result
from eval.report.formats import say_composition, say_count, say_p, say_percent, say_points, say_range
from eval.resampling import Estimate
from eval.statistics import Comparison, Standing
from eval.summary import Summary
from ui.evidence_sections import show_section
from ui.hints import hint


def fold(name: str) -> str:
    """A composition as people name it, as HTML that may be broken after its commas."""
    return ",<wbr>".join(escape(part) for part in say_composition(name).split(","))


def show_headline(summary: Summary) -> str:
    """The finding in a sentence, what choosing per prompt could gain, and what it is made of."""
    extent = summary.extent
    made_of = ", ".join((
        say_count(extent.songs, "song") + " of each composition",
        say_count(extent.prompts, "prompt"),
        say_count(extent.genres, "genre"),
        f"heard by {summary.judge}",
    ))  # fmt: skip
    left = [
        f"{say_count(extent.dropped, 'song')} left out, since not every composition sang them"
        if extent.dropped
        else "",
        f"{say_count(extent.wordless, 'song')} without words left out" if extent.wordless else "",
    ]
    choice = f"<p>{escape(say_choice(summary.oracle))} {hint('headroom')}</p>" if summary.oracle else ""
    more = "".join(f"<br>{escape(said)}" for said in left if said)
    return (
        f'<section class="finding" aria-label="What this table says"><p class="said">{escape(say_result(summary))}</p>'
        f'{choice}<p class="faint">{escape(made_of)}{more}</p></section>'
    )


def show_standings(summary: Summary) -> str:
    """The table of compositions, sortable by its heads."""
    against = {c.composition: c for c in summary.comparisons}
    heads = [
        ("Composition", "composition"),
        ("WER of all words, %", "micro"),
        ("WER, mean of prompts, %", "macro"),
        ("Median, %", "median"),
    ]
    heads += [("Difference to base", "difference"), ("p", "p")] if against else []
    heads += [("Songs", "songs")]
    shown = "".join(
        f'<th scope="col" data-kind="{"text" if name == "composition" else "number"}">'
        f'<button type="button" class="sort">{said}</button>{hint(name)}</th>'
        for said, name in heads
    )
    rows = "".join(_row(standing, summary.reference, against) for standing in summary.words)
    content = (
        "<div class='wide' tabindex='0' role='region' aria-label='Word errors by composition'>"
        '<table class="sortable standings"><caption class="sr">Word errors by composition, in percent, with 95 % '
        f"intervals</caption><thead><tr>{shown}</tr></thead><tbody>{rows}</tbody></table></div>"
        '<p class="faint">Small figures are 95 % intervals. A difference counts as shown, and is bold, where p is '
        "below 0.05.</p>"
    )
    return show_section("standings", f"Compositions {hint('wer')}", content)


def show_estimate(estimate: Estimate, signed: bool = False) -> str:
    """A rate, or a difference, with its interval below."""
    within = say_range(estimate, signed)
    value = say_points(estimate.value) if signed else say_percent(estimate.value)
    return f"<b>{value}</b>" + (f"<small>{within}</small>" if within else "")


def _row(standing: Standing, reference: str | None, against: dict[str, Comparison]) -> str:
    is_reference = standing.composition == reference and bool(against)
    mark = ' <span class="chip">compared with</span>' if is_reference else ""
    cells = [
        f'<td data-value="{standing.micro.value}">{show_estimate(standing.micro)}</td>',
        f'<td data-value="{standing.macro.value}">{show_estimate(standing.macro)}</td>',
        f'<td data-value="{standing.median}">{say_percent(standing.median)}</td>',
    ]
    if against:
        cells += _against(against.get(standing.composition))
    cells.append(f'<td data-value="{standing.songs}">{standing.songs:,}</td>')
    name = f'<th scope="row" data-value="{escape(standing.composition)}">{fold(standing.composition)}{mark}</th>'
    return f"<tr>{name}{''.join(cells)}</tr>"


def _against(found: Comparison | None) -> list[str]:
    if found is None:
        return ['<td data-value="0">–</td>', '<td data-value="2">–</td>']
    sure = ' class="sure"' if found.p_holm < ALPHA else ""
    return [
        f'<td{sure} data-value="{found.difference.value}">{show_estimate(found.difference, signed=True)}</td>',
        f'<td{sure} data-value="{found.p_holm}">{escape(say_p(found.p_holm))}</td>',
    ]
