"""How the compositions stand, as tables: headline, genres, oracle, the two by two, wins. Computes nothing itself.

Rates are fractions, 0.25 being one error in four words; above 1 where more was heard than was to be sung.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from eval.lattice import LatticeError
from eval.oracle import Choice
from eval.resampling import Estimate
from eval.sheet import Sheet
from eval.stability import Agreement
from eval.summary import Summary, summarise_table
from eval.table import Table

if TYPE_CHECKING:
    from rich.console import Console

_NONE = "–"


def headline_sheet(summary: Summary) -> Sheet:
    """A row per composition: error rates, and the difference to the reference. The lowest macro WER is bold."""
    differences = {c.composition: c for c in summary.comparisons}
    against = summary.reference
    columns = [
        "composition",
        "songs",
        "micro WER",
        "macro WER",
        *["CER"] * (summary.characters is not None),
        "median WER",
    ]
    columns += [f"difference to {_short(against)}", "p (Holm)"] * (against is not None)
    lowest = min(s.macro.value for s in summary.words)
    rows = []
    for i, s in enumerate(summary.words):
        macro = _with_interval(s.macro)
        row = [_short(s.composition), str(s.songs), _with_interval(s.micro)]
        row.append(f"**{macro}**" if s.macro.value == lowest and len(summary.words) > 1 else macro)
        row += [] if summary.characters is None else [_rate(summary.characters[i].micro.value)]
        row.append(_rate(s.median))
        if against is not None:
            c = differences.get(s.composition)
            row += [_NONE, _NONE] if c is None else [_with_interval(c.difference, signed=True), _p(c.p_holm)]
        rows.append(row)
    return Sheet(f"judge: {summary.judge}", tuple(columns), _frozen(rows), _headline_note(summary))


def headline_markdown(summary: Summary) -> str:
    """The headline for a README, its note below."""
    return headline_sheet(summary).markdown()


def genre_sheet(summary: Summary) -> Sheet:
    """A row per genre, a column per composition: micro WER, the lowest bold, with its interval where there is one."""
    names = summary.extent.compositions
    rows = []
    for g in summary.genres:
        cells = [
            f"**{_with_interval(rate)}**" if name in g.best and len(names) > 1 else _with_interval(rate)
            for name, rate in zip(names, g.rates, strict=True)
        ]
        rows.append([g.genre, str(g.songs), *cells])
    note = "Micro WER, lowest bold; songs per composition."
    if units := sorted({g.unit for g in summary.genres if g.rates[0].low is not None}):
        note += f" 95 % intervals: Student's, over a genre's {' or '.join(units)}."
    return Sheet("WER by genre", ("genre", "songs", *map(_short, names)), _frozen(rows), note)


def wins_sheet(summary: Summary) -> Sheet:
    """Genres each composition sings best, and how it does against the reference; no rows with a single composition."""
    against = {c.composition: c for c in summary.comparisons}
    columns = ["composition", "best alone", "best, shared"]
    columns += [f"wins / ties / losses against {_short(summary.reference)}"] * (summary.reference is not None)
    rows = []
    for w in summary.wins:
        row = [_short(w.composition), str(w.unique), str(w.shared)]
        if summary.reference is not None:
            c = against.get(w.composition)
            row.append(_NONE if c is None else f"{c.wins} / {c.ties} / {c.losses}")
        rows.append(row)
    note = f"Of {summary.extent.genres} genres; the lower micro WER wins, be it by one word."
    return Sheet("genres won", tuple(columns), _frozen(rows), note)


def oracle_sheet(summary: Summary) -> Sheet:
    """Best single composition, oracle and headroom, chosen both ways; no rows with a single composition."""
    columns = ("chosen and scored on", "best single", "oracle", "headroom", "best single is")
    if summary.oracle is None:
        return Sheet("oracle", columns, ())
    found, names = summary.oracle, summary.oracle.compositions
    rows = [_choice_row("the same songs", found.optimistic, names)]
    if found.honest is None:
        note = "With one seed per prompt nothing can be chosen on one part and scored on another."
    else:
        rows.append(_choice_row("different seeds", found.honest, names))
        verdict = "lies above zero" if found.distinguishable else "is not distinguishable from zero"
        note = (
            f"Honest headroom {verdict}. Macro WER over prompts; seeds of {found.split_prompts} prompts halved in "
            f"{found.splits} ways, both directions."
        )
    return Sheet("choosing per prompt", columns, _frozen(rows), note)


def subset_sheet(summary: Summary) -> Sheet:
    """The best sets of compositions of every size, by their optimistic oracle; no rows with a single composition."""
    rows = [[str(len(s.compositions)), ", ".join(map(_short, s.compositions)), _rate(s.rate)] for s in summary.subsets]
    note = "Chosen and scored on the same songs: luck included."
    return Sheet("best sets of compositions", ("size", "compositions", "optimistic oracle"), _frozen(rows), note)


def factorial_sheet(summary: Summary) -> Sheet:
    """Cells and effects of the two by two; no rows unless its four adapters were sung."""
    columns = ("two by two", "macro WER", "p")
    if summary.factorial is None:
        return Sheet("lyrics × sharpening", columns, ())
    f = summary.factorial
    rows = [[_short(cell.composition), _with_interval(cell.rate), _NONE] for cell in f.cells]
    named = (("effect of lyrics", f.lyrics), ("effect of sharpening", f.sharpening), ("interaction", f.interaction))
    rows += [[name, _with_interval(effect.size, signed=True), _p(effect.p)] for name, effect in named]
    note = "Effects below zero help. Interaction: what sharpening adds with lyrics less what it adds without."
    return Sheet("lyrics × sharpening", columns, _frozen(rows), note)


def stability_sheet(summary: Summary) -> Sheet:
    """Whether the order of compositions repeats from other seeds; no rows where it cannot be told."""
    columns = ("between", "pairs", "tau", "same best", "tau within genres", "same best within genres")
    if summary.stability is None:
        return Sheet("order of the compositions", columns, ())
    found = summary.stability
    rows = [_agreement_row("halves of the seeds", found.halves), _agreement_row("single seeds", found.singles)]
    note = (
        f"Kendall's tau: 1 the same order, 0 chance. By chance the same is best {found.halves.chance:.0%} of the time."
    )
    return Sheet("order of the compositions", columns, _frozen(rows), note)


def standing_sheets(summary: Summary) -> tuple[Sheet, ...]:
    """All tables that have rows, the headline first."""
    made = (headline_sheet, genre_sheet, wins_sheet, oracle_sheet, subset_sheet, factorial_sheet, stability_sheet)
    return tuple(sheet for make in made if (sheet := make(summary)).rows)


def print_standing(table: Table, judge: str, console: Console) -> None:
    """Print all tables of one judge; of a grid with no prompt that all compositions sang, a line that says so.

    Raises:
        TableError: no such judge listened.
    """
    try:
        summary = summarise_table(table, judge)
    except LatticeError as error:
        console.print(f"{judge}: {error}", markup=False, highlight=False)
        return
    for sheet in standing_sheets(summary):
        console.print(sheet.table())


def _headline_note(summary: Summary) -> str:
    e = summary.extent
    note = (
        f"{e.prompts} prompts of {e.genres} genres, each from at most {e.seeds} seeds. 95 % intervals: "
        f"{summary.resamples:,} bootstrap resamples of prompts."
    )
    if summary.reference is not None:
        note += " Difference: of macro WER, paired; p: sign flips over prompts."
    if e.dropped:
        note += f" Songs left out, as not every composition sang their prompt and seed: {e.dropped}."
    if e.wordless:
        note += f" Songs left out for want of words: {e.wordless}."
    return note


def _choice_row(name: str, choice: Choice, compositions: tuple[str, ...]) -> list[str]:
    shares = sorted(zip(choice.single_shares, compositions, strict=True), key=lambda pair: -pair[0])
    best = ", ".join(_short(c) + ("" if share > 0.995 else f" {share:.0%}") for share, c in shares if share > 0.005)
    figures = (
        _with_interval(choice.single),
        _with_interval(choice.oracle),
        _with_interval(choice.headroom, signed=True),
    )
    return [name, *figures, best]


def _agreement_row(name: str, a: Agreement) -> list[str]:
    return [name, str(a.pairs), _tau(a.tau), f"{a.same_best:.0%}", _tau(a.genre_tau), f"{a.genre_same_best:.0%}"]


def _with_interval(figure: Estimate, signed: bool = False) -> str:
    sign = "+" if signed else ""
    value = f"{figure.value:{sign}.3f}"
    if figure.low is None or figure.high is None:
        return value
    return f"{value} [{figure.low:{sign}.3f}, {figure.high:{sign}.3f}]"


def _rate(value: float) -> str:
    return f"{value:.3f}"


def _tau(value: float | None) -> str:
    return _NONE if value is None else f"{value:+.2f}"


def _p(value: float) -> str:
    return "<0.001" if value < 0.001 else f"{value:.3f}"


def _short(composition: str | None) -> str:
    """One adapter at full weight by its name alone."""
    name = composition or ""
    return name if "," in name else name.removesuffix("=1")


def _frozen(rows: Iterable[Iterable[str]]) -> tuple[tuple[str, ...], ...]:
    return tuple(tuple(row) for row in rows)
