"""All the page shows, gathered from a folder of results: what cannot be gathered is told in its place.

Knows which statistics and rows go into which section; neither how they are worked out nor how they look.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from eval.agreement import JudgeAgreement, measure_agreement
from eval.lattice import LatticeError
from eval.report.attention import Attention, describe_attention
from eval.report.budget import Budget
from eval.report.findings import say_agreement, say_result
from eval.report.formats import say_composition, say_day
from eval.report.origin import Fact, LeftOut, find_left_out, list_facts, list_named
from eval.report.pictures import Scale, scale_of
from eval.report.transcripts import Card, make_cards
from eval.resampling import Estimate
from eval.results import Results
from eval.statistics import Comparison, Standing
from eval.summary import Summary, summarise_table
from eval.table import Table, TableError

#: Kinds of failure, from the best to the worst, and what each is.
KINDS = {
    "good": "few words wrong",
    "garbled": "words came through, many wrong",
    "unrelated": "other words than were to be sung",
    "boilerplate": "what a judge writes where nobody sings",
    "loop": "one phrase again and again",
    "silent": "no word heard",
}


#: Share of the page's weight that pictures may take.
_DRAWN = 0.4


@dataclass(frozen=True)
class Options:
    """``judge``: whose figures the page is about (the table's first); ``songs``, ``prompts``: how many songs to play
    and how many prompts to draw maps of; ``megabytes``: most that sounds and pictures may weigh together.
    """

    judge: str | None = None
    songs: int = 12
    prompts: int = 3
    megabytes: float = 20.0


@dataclass(frozen=True)
class HeadlineRow:
    """One composition as one judge heard it. ``comparison``: None for the reference, and where there is none."""

    words: Standing
    characters: Standing | None
    comparison: Comparison | None
    is_reference: bool


@dataclass(frozen=True)
class Headline:
    """One judge's table: what it says and its rows, or why there is none."""

    judge: str
    summary: Summary | None
    finding: str
    rows: list[HeadlineRow]

    @property
    def reference_rate(self) -> float | None:
        """Micro WER of the reference, None where there is nothing to refer to."""
        return next((row.words.micro.value for row in self.rows if row.is_reference and len(self.rows) > 1), None)


@dataclass(frozen=True)
class KindRow:
    """How often the songs of one composition ended in each kind, in the order of :data:`KINDS`."""

    composition: str
    songs: int
    counts: dict[str, int]

    @property
    def shares(self) -> list[tuple[str, float]]:
        """Kinds that the page has a colour for, and their share of the songs."""
        return [(kind, count / self.songs) for kind, count in self.counts.items() if kind in KINDS]

    @property
    def said(self) -> str:
        """The same in words."""
        told = [f"{kind} {100 * share:.0f} %" for kind, share in self.shares if share]
        return f"{say_composition(self.composition)}: {', '.join(told)}"


@dataclass(frozen=True)
class Report:
    """Everything on the page. ``main``: the headline of the judge the page is about. ``agreement``: of this judge and
    the next; ``agreed``: what it says, or why there is none, empty where one judge listened.
    """

    name: str
    day: str
    genres: int
    prompts: int
    songs: int
    compositions: list[str]
    main: Headline
    headlines: list[Headline]
    agreement: JudgeAgreement | None
    agreed: str
    rates: Scale
    gains: Scale
    effects: Scale
    kinds: list[KindRow]
    attention: Attention
    cards: list[Card]
    facts: list[Fact]
    named: dict[str, list[tuple[str, str]]]
    left_out: LeftOut


def gather(results: Results, options: Options) -> Report:
    """Everything on the page.

    Raises:
        TableError: there is no table, it is damaged or empty, or ``options.judge`` did not listen.
    """
    table = results.table()
    if not table.judges:
        raise TableError(
            f"the table in {results.folder} holds no song: let `choirmaster eval` sing and hear some first"
        )
    judge = table.judges[0] if options.judge is None else options.judge
    heard = table.of_judge(judge)
    headlines = [summarise_judge(table, name) for name in sorted(table.judges, key=lambda name: name != judge)]
    main, standings = headlines[0], [row.words.micro for headline in headlines for row in headline.rows]
    agreement, agreed = compare_judges(table, [headline.judge for headline in headlines])
    drawing = Budget(_DRAWN * options.megabytes)
    attention = describe_attention(results, table, judge, options.prompts, drawing)
    playing = Budget((1 - _DRAWN) * options.megabytes + drawing.left / 1e6)
    return Report(
        name=Path(results.folder).resolve().name,
        day=say_day(table.about.get("made")),
        genres=heard["genre"].nunique(),
        prompts=heard["prompt"].nunique(),
        songs=len(heard),
        compositions=table.compositions,
        main=main,
        headlines=headlines,
        agreement=agreement,
        agreed=agreed,
        rates=scale_of(_ends(standings)),
        gains=scale_of(_ends(_gains(main.summary))),
        effects=scale_of(_ends(_effects(main.summary))),
        kinds=count_kinds(table, judge),
        attention=attention,
        cards=make_cards(results, table, judge, options.songs, playing),
        facts=list_facts(table),
        named={field: list_named(table, field) for field in ("adapters", "judges", "versions")},
        left_out=find_left_out(table, judge),
    )


def summarise_judge(table: Table, judge: str) -> Headline:
    """One judge's figures; where songs cannot be compared, the reason stands in place of the finding."""
    try:
        summary = summarise_table(table, judge)
    except LatticeError as error:
        return Headline(judge, None, f"These songs cannot be compared: {error}.", [])
    characters = dict.fromkeys(summary.extent.compositions, None) | {s.composition: s for s in summary.characters or ()}
    compared = {c.composition: c for c in summary.comparisons}
    rows = [
        HeadlineRow(
            standing,
            characters[standing.composition],
            compared.get(standing.composition),
            standing.composition == summary.reference,
        )
        for standing in summary.words
    ]
    return Headline(judge, summary, say_result(summary), rows)


def compare_judges(table: Table, judges: list[str]) -> tuple[JudgeAgreement | None, str]:
    """How the first two judges agree and what that says; with one, nothing."""
    if len(judges) < 2:
        return None, ""
    try:
        found = measure_agreement(table, judges[0], judges[1])
    except LatticeError as error:
        return None, f"The judges cannot be compared: {error}."
    return found, say_agreement(found)


def count_kinds(table: Table, judge: str) -> list[KindRow]:
    """Songs of each kind by composition; kinds we do not know, of a table made elsewhere, stand last."""
    heard = table.of_judge(judge)
    kinds = [*KINDS, *sorted(set(heard["failure"]) - set(KINDS))]
    counted: dict[str, dict[str, Any]] = {}
    for composition, kind in zip(heard["composition"], heard["failure"], strict=True):
        row = counted.setdefault(composition, dict.fromkeys(kinds, 0))
        row[kind] += 1
    return [KindRow(name, sum(counts.values()), counts) for name, counts in counted.items()]


def _gains(summary: Summary | None) -> list[Estimate]:
    oracle = summary.oracle if summary else None
    return [choice.headroom for choice in (oracle.optimistic, oracle.honest) if choice] if oracle else []


def _effects(summary: Summary | None) -> list[Estimate]:
    factorial = summary.factorial if summary else None
    return [e.size for e in (factorial.lyrics, factorial.sharpening, factorial.interaction)] if factorial else []


def _ends(estimates: list[Estimate]) -> list[float]:
    return [v for e in estimates for v in (e.value, e.low, e.high) if v is not None]
