"""The shelf as cards: what every adapter is, how it was trained, and how well its words were heard, as HTML.

Knows cards and measurements, not where they come from. Everything of a card is somebody's text and is escaped.
``browser/shelf.js`` filters the cards and removes adapters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from adapters.card import AdapterCard
from eval.report.formats import say_points
from eval.resampling import Estimate
from ui.figures import say_moment, say_rate, say_rates
from ui.hints import TERMS, hint, hinted
from ui.measured import GenreRate, Measured, Shown
from ui.recipe_words import describe_recipe, describe_variant

#: Genres shown at each end, before all of them are asked for.
_ENDS = 3
#: Word error rate at which a bar is full.
_FULL = 1.0
_UNITS = ("bytes", "KB", "MB", "GB", "TB")


@dataclass(frozen=True)
class Standing:
    """An adapter as it stands on the shelf. ``size``: bytes of its files; ``fits``: the loaded song model."""

    card: AdapterCard
    fits: bool
    size: int


def show_shelf(standings: Sequence[Standing], damaged: Mapping[str, str], measured: Shown) -> str:
    """All cards, and those that cannot be read with what is wrong with them."""
    if not standings and not damaged:
        return (
            '<div class="empty"><p>The shelf is empty.</p><p>Import an adapter below, or train one: '
            "<code>choirmaster train</code>.</p></div>"
        )
    count = len(standings) + len(damaged)
    cards = [show_card(standing, measured.get(standing.card.name)) for standing in standings]
    cards += [show_damaged(name, fault) for name, fault in damaged.items()]
    names = "s" if count != 1 else ""
    return (
        f'<adapter-shelf><p class="faint shelf-count" role="status" data-count="{count}">{count} adapter{names}</p>'
        f'<div class="adapters">{"".join(cards)}</div></adapter-shelf>'
    )


def show_card(standing: Standing, measured: Measured | str | None) -> str:
    """The card of one adapter."""
    card, name = standing.card, escape(standing.card.name)
    base = escape(card.base.name)
    fit = (
        '<span class="badge fits">fits the loaded model</span>'
        if standing.fits
        else f'<span class="badge foreign">made for another model, {base}: cannot be used here</span>'
    )
    described = f'<p class="described">{escape(card.description)}</p>' if card.description else ""
    about = [
        ("Parameters" + hint("parameters"), f"{card.parameters:,} in {card.layers:,} layers"),
        ("Size" + hint("size"), show_size(standing.size)),
        ("Rank" + hint("rank"), str(card.rank)),
        ("Song model" + hint("base_model"), base),
        ("Corpus" + hint("corpus"), _corpus(card)),
        ("Made", say_moment(card.created)),
    ]
    more = [*describe_recipe(card), ("Fingerprint of its song model", card.base.fingerprint)]
    more += [("Licence", escape(card.licence))] if card.licence else []
    return (
        f'<article class="card adapter" id="adapter-{name}" data-name="{name}" tabindex="-1" '
        f'aria-labelledby="adapter-{name}-title" data-text="{escape(_text(card))}">'
        f'<header><h3 id="adapter-{name}-title">{name}</h3><p class="variant">{escape(describe_variant(card))}</p>'
        f"{fit}</header>{described}{_list(about)}{_heard(measured)}"
        f"<details><summary>How it was trained</summary>{_list(more)}{_layers(card)}</details>"
        f"{_actions(name, standing.fits)}</article>"
    )


def show_damaged(name: str, fault: str) -> str:
    """The card of an adapter that cannot be read."""
    shown = escape(name)
    return (
        f'<article class="card adapter damaged" id="adapter-{shown}" data-name="{shown}" tabindex="-1" '
        f'aria-labelledby="adapter-{shown}-title" data-text="{shown} damaged">'
        f'<header><h3 id="adapter-{shown}-title">{shown}</h3><span class="badge foreign">damaged</span></header>'
        f'<p class="fault">{escape(fault)}</p>{_actions(shown, False)}</article>'
    )


def show_size(size: int) -> str:
    """Bytes as a person reads them, in powers of ten as disks and downloads are counted."""
    value, unit = float(size), 0
    while value >= 999.5 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if value >= 10 or unit == 0 else f"{value:.1f} {_UNITS[unit]}"


def _text(card: AdapterCard) -> str:
    """What a search looks through."""
    corpus = card.corpus.name if card.corpus is not None else ""
    parts = (card.name, describe_variant(card), card.description, card.base.name, corpus, card.licence)
    return " ".join(parts).lower()


def _corpus(card: AdapterCard) -> str:
    if card.corpus is None:
        return "<span class='faint'>its card does not say</span>"
    hours = f"{card.corpus.hours:.1f} hours"
    return f"{escape(card.corpus.name)} <span class='faint'>{card.corpus.clips:,} clips, {hours}</span>"


def _layers(card: AdapterCard) -> str:
    kinds = ", ".join(escape(target) for target in card.targets[:32])
    return f'<p class="faint">Kinds of layers: {kinds}.</p>'


def _list(rows: Sequence[tuple[str, str]]) -> str:
    return f'<dl class="facts">{"".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in rows)}</dl>'


def _actions(name: str, usable: bool) -> str:
    blend = f'<button type="button" class="button" data-blend="{name}">Blend and export</button>' if usable else ""
    return (
        f'<div class="actions">{blend}<button type="button" class="button" data-remove="{name}" '
        f'aria-label="Remove {name}">Remove</button></div><div class="confirm" hidden></div>'
    )


def _heard(measured: Measured | str | None) -> str:
    """How well words came through, or that nobody has measured it."""
    if not isinstance(measured, Measured):
        why = "Nothing was measured of this adapter yet." if measured is None else f"Nothing is known: {measured}."
        return f'<section class="heard"><h4>Word errors by genre</h4><p class="faint">{escape(why)}</p></section>'
    beside = f", the song model alone {_percent(measured.base.value)}" if measured.base is not None else ""
    overall = (
        f'<p><strong class="overall">{_percent(measured.wer.value)}</strong> of all words wrong{hint("wer")} '
        f'<span class="faint">{_span(measured.wer)}{beside}</span></p>{_compared(measured)}'
    )
    genres = measured.genres
    ends = ""
    if len(genres) > 2 * _ENDS:
        ends = (
            f'<div class="ends"><div><h5>Best genres</h5>{_bars(genres[:_ENDS])}</div>'
            f"<div><h5>Worst genres</h5>{_bars(genres[: -_ENDS - 1 : -1])}</div></div>"
        )
    kind = "s" if len(genres) != 1 else ""
    return (
        f'<section class="heard"><h4>Word errors by genre</h4>{overall}{ends}'
        f"<details{'' if ends else ' open'}><summary>All {len(genres)} genre{kind}</summary>"
        f'{_table(genres)}<p class="faint">{measured.songs:,} songs at weight 1, heard by {escape(measured.judge)}.</p>'
        "</details></section>"
    )


def _compared(measured: Measured) -> str:
    """The comparison with the base model in a sentence, and whether it can be told from chance."""
    found = measured.difference
    if found is None:
        return ""
    size = found.difference
    sure = f", 95\u00a0% interval {say_points(size.low)} to {say_points(size.high)}" if size.low is not None else ""
    verdict = "more than chance" if found.p_holm < 0.05 and size.excludes_zero else "which cannot be told from chance"
    shown = hinted(f"{say_points(size.value)} percentage points", "difference")
    return (
        f'<p class="faint">{shown} to the song model alone{sure}: '
        f"{verdict}. Better in {found.wins} genres, worse in {found.losses}.</p>"
    )


def _bars(genres: Sequence[GenreRate]) -> str:
    return f'<ul class="genre-bars">{"".join(map(_bar, genres))}</ul>'


def _bar(genre: GenreRate) -> str:
    change = ""
    if genre.difference is not None:
        change = (
            f'<small class="faint" data-hint="{escape(TERMS["difference"])}">{say_points(genre.difference)}</small>'
        )
    return (
        f"<li><span>{escape(genre.genre)}</span>{_heat(genre.wer.value)}"
        f'<b data-hint="{escape(TERMS["wer"])}">{_percent(genre.wer.value)}</b>{change}</li>'
    )


def _heat(rate: float) -> str:
    """A bar whose length and darkness both say the rate."""
    share = max(0.0, min(1.0, rate / _FULL))
    return f'<span class="heat" aria-hidden="true"><i style="--share:{share:.3f}"></i></span>'


def _table(genres: Sequence[GenreRate]) -> str:
    rows = "".join(
        f'<tr><th scope="row">{escape(genre.genre)}{_heat(genre.wer.value)}</th>'
        f'<td>{_percent(genre.wer.value)} <span class="faint">{_span(genre.wer)}</span></td>'
        f"<td>{'–' if genre.base is None else _percent(genre.base)}</td>"
        f"<td>{'–' if genre.difference is None else say_points(genre.difference)}</td></tr>"
        for genre in genres
    )
    return (
        '<table class="genres"><thead><tr><th scope="col">Genre</th>'
        f'<th scope="col">{hinted("Wrong", "wer")}</th><th scope="col">{hinted("Alone", "model_alone")}</th>'
        f'<th scope="col">{hinted("Points", "difference")}</th></tr></thead><tbody>{rows}</tbody></table>'
    )


def _percent(rate: float) -> str:
    return say_rate(rate).replace(" ", "\u00a0")


def _span(estimate: Estimate) -> str:
    return say_rates(estimate.low, estimate.high).replace(" ", "\u00a0")
