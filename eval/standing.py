"""How the compositions stand, as tables: headline, errors, genres, wins, oracle, two by two. Computes nothing itself.

Rates are fractions, 0.25 being one error in four words; above 1 where more was heard than was to be sung.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from eval.agreement_sheet import print_agreement as print_agreement
from eval.figures import NONE, freeze, shorten, show_estimate, show_p, show_rate, show_tau
from eval.lattice import LatticeError
from eval.oracle import Choice
from eval.resampling import MIN_UNITS
from eval.sheet import Sheet
from eval.stability import Agreement
from eval.summary import Summary, summarise_table
from eval.table import Table

if TYPE_CHECKING:
    from rich.console import Console


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
    columns += [f"difference to {shorten(against)}", "p (Holm)"] * (against is not None)
    lowest = min(s.macro.value for s in summary.words)
    rows = []
    for i, s in enumerate(summary.words):
        macro = show_estimate(s.macro)
        row = [shorten(s.composition), str(s.songs), show_estimate(s.micro)]
        row.append(f"**{macro}**" if s.macro.value == lowest and len(summary.words) > 1 else macro)
        row += [] if summary.characters is None else [show_rate(summary.characters[i].micro.value)]
        row.append(show_rate(s.median))
        if against is not None:
            c = differences.get(s.composition)
            row += [NONE, NONE] if c is None else [show_estimate(c.difference, signed=True), show_p(c.p_holm)]
        rows.append(row)
    return Sheet(f"judge: {summary.judge}", tuple(columns), freeze(rows), _headline_note(summary))


def headline_markdown(summary: Summary) -> str:
    """The headline for a README, its note below."""
    return headline_sheet(summary).markdown()


def error_sheet(summary: Summary) -> Sheet:
    """What goes wrong in each composition's songs; no rows of published rates."""
    columns = ("composition", "substituted", "deleted", "inserted", "MER", "micro CER", "macro CER", "songs by kind")
    lost = ("left out", "not sung")
    characters = {s.composition: s for s in summary.characters or ()}
    rows = []
    for b in summary.breakdowns:
        cer = characters.get(b.composition)
        row = [shorten(b.composition), *map(show_rate, (b.substitutions, b.deletions, b.insertions, b.mer))]
        row += [NONE, NONE] if cer is None else [show_estimate(cer.micro), show_estimate(cer.macro)]
        kinds = ", ".join(f"{kind} {count}" for kind, count in b.failures.items() if count)
        rows.append([*row, kinds, str(b.dropped), str(b.missing)])
    note = (
        "Words substituted, deleted and inserted per word to be sung; MER: mean match error rate. Left out: songs "
        "whose prompt and seed another composition did not sing; not sung: those that this one lacks."
    )
    return Sheet("kinds of errors", columns + lost, freeze(rows), note)


def genre_sheet(summary: Summary) -> Sheet:
    """A row per genre, a column per composition: micro WER, the lowest bold, with its interval where there is one."""
    names = summary.extent.compositions
    rows = []
    for g in summary.genres:
        cells = [
            f"**{show_estimate(rate)}**" if name in g.best and len(names) > 1 else show_estimate(rate)
            for name, rate in zip(names, g.rates, strict=True)
        ]
        rows.append([g.genre, str(g.songs), *cells])
    note = "Micro WER, lowest bold; songs per composition."
    if units := sorted({g.unit for g in summary.genres if any(rate.low is not None for rate in g.rates)}):
        note += f" 95 % intervals: Student's, over a genre's {' or '.join(units)}."
    return Sheet("WER by genre", ("genre", "songs", *map(shorten, names)), freeze(rows), note)


def wins_sheet(summary: Summary) -> Sheet:
    """Genres each composition sings best, and how it does against the reference; no rows with a single composition."""
    against = {c.composition: c for c in summary.comparisons}
    columns = ["composition", "best alone", "best, shared"]
    columns += [f"wins / ties / losses against {shorten(summary.reference)}"] * (summary.reference is not None)
    rows = []
    for w in summary.wins:
        row = [shorten(w.composition), str(w.unique), str(w.shared)]
        if summary.reference is not None:
            c = against.get(w.composition)
            row.append(NONE if c is None else f"{c.wins} / {c.ties} / {c.losses}")
        rows.append(row)
    note = f"Of {summary.extent.genres} genres; the lower micro WER wins, be it by one word."
    return Sheet("genres won", tuple(columns), freeze(rows), note)


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
        verdict = "lies above zero" if found.distinguishable else "is not shown to lie above zero"
        note = (
            f"Honest headroom {verdict}. Macro WER over prompts; seeds of {found.split_prompts} prompts halved, each "
            f"prompt's by themselves, in {found.splits} splits, both directions."
        )
    return Sheet("choosing per prompt", columns, freeze(rows), note)


def subset_sheet(summary: Summary) -> Sheet:
    """The best sets of compositions of every size, by their optimistic oracle; no rows with a single composition."""
    rows = [
        [str(len(s.compositions)), ", ".join(map(shorten, s.compositions)), show_rate(s.rate)] for s in summary.subsets
    ]
    note = "Chosen and scored on the same songs: luck included."
    return Sheet("best sets of compositions", ("size", "compositions", "optimistic oracle"), freeze(rows), note)


def factorial_sheet(summary: Summary) -> Sheet:
    """Cells and effects of the two by two; no rows unless its four adapters were sung."""
    columns = ("two by two", "macro WER", "p (Holm)")
    if summary.factorial is None:
        return Sheet("lyrics × sharpening", columns, ())
    f = summary.factorial
    rows = [[shorten(cell.composition), show_estimate(cell.rate), NONE] for cell in f.cells]
    named = (("effect of lyrics", f.lyrics), ("effect of sharpening", f.sharpening), ("interaction", f.interaction))
    rows += [[name, show_estimate(effect.size, signed=True), show_p(effect.p_holm)] for name, effect in named]
    note = (
        "Effects below zero help. Interaction: what sharpening adds with lyrics less what it adds without. p: sign "
        "flips over prompts, corrected for the three effects."
    )
    return Sheet("lyrics × sharpening", columns, freeze(rows), note)


def stability_sheet(summary: Summary) -> Sheet:
    """Whether the order of compositions repeats from other seeds; no rows where it cannot be told."""
    columns = ("between", "pairs", "tau", "same best", "tau within genres", "same best within genres")
    if summary.stability is None:
        return Sheet("order of the compositions", columns, ())
    found = summary.stability
    rows = [_agreement_row("halves of the seeds", found.halves), _agreement_row("single seeds", found.singles)]
    note = (
        f"Kendall's tau: 1 the same order, 0 chance. By chance the same is best {found.halves.chance:.0%} of the time; "
        "who ties for best shares it."
    )
    return Sheet("order of the compositions", columns, freeze(rows), note)


def standing_sheets(summary: Summary) -> tuple[Sheet, ...]:
    """All tables that have rows, the headline first."""
    made = (
        headline_sheet,
        error_sheet,
        genre_sheet,
        wins_sheet,
        oracle_sheet,
        subset_sheet,
        factorial_sheet,
        stability_sheet,
    )
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
    note = f"{e.prompts} prompts of {e.genres} genres, each from at most {e.seeds} seeds. " + (
        f"95 % intervals: {summary.resamples:,} bootstrap resamples of prompts."
        if e.prompts >= MIN_UNITS
        else f"Fewer than {MIN_UNITS} prompts are too few for intervals."
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
    best = ", ".join(shorten(c) + ("" if share > 0.995 else f" {share:.0%}") for share, c in shares if share > 0.005)
    figures = (
        show_estimate(choice.single),
        show_estimate(choice.oracle),
        show_estimate(choice.headroom, signed=True),
    )
    return [name, *figures, best]


def _agreement_row(name: str, a: Agreement) -> list[str]:
    return [
        name,
        str(a.pairs),
        show_tau(a.tau),
        f"{a.same_best:.0%}",
        show_tau(a.genre_tau),
        f"{a.genre_same_best:.0%}",
    ]
