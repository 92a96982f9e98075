"""What the router knows, in short: its sentences, the curve of singing, listening and trying again, the full report.

Knows findings (``router.findings``) and how they look; how they are worked out is said where they are made.
"""

from __future__ import annotations

from html import escape

from eval.report.formats import say_composition, say_count, say_number, say_percent, say_range
from router.findings import Findings
from router.report.charts import draw_key
from router.report.drawings import draw_curves
from router.report.palette import COLOURS, pick_kind, plain_kind
from router.report.parts import (
    ORDERS,
    Part,
    has_independent,
    kind_of_order,
    list_budgets,
    list_parts,
    list_points,
    list_stops,
)
from router.report.sentences import say_headline, say_headroom, say_map, say_switching
from ui.evidence_sections import show_section
from ui.hints import hint, hinted
from ui.routing import NoRouter, Routing

REPORT = "/v1/router/report"
#: Colours of kinds on this page, whose dark look is a class.
KIND_STYLE = "".join(
    f".routed-curve .{kind.name} {{ color: {kind.light}; }} .dark .routed-curve .{kind.name} {{ color: {kind.dark}; }}"
    for kind in (plain_kind(), *map(pick_kind, range(len(COLOURS))))
)


def show_routing(routing: Routing) -> str:
    """What the router of the server knows, or why there is none."""
    try:
        found = routing.known()
    except NoRouter as error:
        why = "The router is still being loaded." if error.loading else f"There is no router here: {error}."
        return _framed(f'<p class="note-box" role="status">{escape(why)}</p>')
    return show_findings(found, "A router that was fitted here is asked, until it is changed." if routing.used else "")


def show_findings(found: list[Findings], note: str = "") -> str:
    """The findings of one router, those of its test first; ``note`` is said before them."""
    parts = list_parts(found)
    fit = next((one for one in found if one.kind == "fit"), found[0])
    curve = next((_curve(part) for part in parts if part.findings.curves), "")
    link = f'<p><a class="button" href="{REPORT}" target="_blank" rel="noopener">The full report of the router</a></p>'
    said = f"<p>{escape(note)}</p>" if note else ""
    return _framed(f"{said}{_words(parts[0], fit)}{curve}{link}")


def _framed(content: str) -> str:
    return show_section("router", "What the router knows", content, "routed-curve")


def _words(part: Part, fit: Findings) -> str:
    default = hinted(escape(say_composition(fit.default)), "default")
    facts = [
        f"Where it is not sure, it sings with {default}; it goes by the policy "
        f"{hinted(escape(fit.policy), 'policy')}, fitted on {say_count(fit.prompts, 'prompt')}.",
        f"{escape(say_headline(part))} {hint('macro')}",
        f"{escape(say_headroom(part.main))} {hint('headroom')}" if part.main else "",
        escape(_say_worth(fit)),
        f"What it would sing with: {escape(say_map(fit))}" if fit.map else "",
    ]
    terms = "".join(f"<p>{escape(said)}</p>" for said in (fit.signal, fit.blending) if said)
    more = f"<details><summary>The same in the terms of the field</summary>{terms}</details>" if terms else ""
    return f'<ul class="facts">{"".join(f"<li>{said}</li>" for said in facts if said)}</ul>{more}'


def _say_worth(fit: Findings) -> str:
    """Whether the router's choices are shown to pay, in plain words; nothing where nobody scored it."""
    router = list_parts([fit])[0].router
    if router is None:
        return ""
    if router.gain.low is not None and router.gain.low > 0:
        return "Style and words are shown to tell which composition sings a song best, so it chooses by them."
    return (
        "Style and words are not shown to tell which composition sings a song best, so every song is sung with the "
        "same one."
    )


def _curve(part: Part) -> str:
    """The cascade, drawn and as a table."""
    curves = part.findings.curves
    stops, independent = list_stops(curves), has_independent(curves)
    if not stops:
        return ""
    stop = stops[0]
    budgets = list_budgets(curves, stop, independent)
    legend = "".join(
        f"<li>{draw_key(kind_of_order(curve.order, curves))}<b>{escape(curve.order)}</b> "
        f"{escape(ORDERS.get(curve.order, ''))}</li>"
        for curve in curves
    )
    heads = "".join(f'<th scope="col">at most {say_count(budget, "song")}</th>' for budget in budgets)
    rows = ""
    for curve in curves:
        points = {point.budget: (point, rate) for point, rate in list_points(curve, stop, independent)}
        cells = ""
        for budget in budgets:
            if budget not in points:
                cells += "<td>–</td>"
                continue
            point, rate = points[budget]
            within = say_range(rate)
            cells += (
                f"<td><b>{say_percent(rate.value)}</b>{f'<small>{within}</small>' if within else ''}"
                f"<small>{say_number(point.songs)} songs</small></td>"
            )
        rows += f'<tr><th scope="row">{escape(curve.order)}</th>{cells}</tr>'
    judge = "a judge that did not choose" if independent else "the judge that chose, so they flatter"
    return (
        f"<style>{KIND_STYLE}</style><h4>Sing, listen, try again {hint('cascade')}</h4>"
        f"<p>{escape(say_switching(curves))}</p>"
        f"<figure>{draw_curves(curves, stop, part.cascade_rival)}<figcaption class='faint'>Songs are sung until the "
        f"judge hears at most {say_percent(stop)} % of the words wrong {hint('stop_wer')}, or until no more may be "
        f"sung {hint('budget')}. Rates are by {judge}. Dashed: the best single composition.</figcaption></figure>"
        f'<ul class="kinds" aria-label="Orders of trying">{legend}</ul><details><summary>The same as a table</summary>'
        '<div class="wide" tabindex="0" role="region" aria-label="Cascades as a table"><table class="plain">'
        '<caption class="sr">Word error rate, mean of the prompts, in percent, and songs sung on average</caption>'
        "<thead><tr>"
        f'<th scope="col">Order</th>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>'
    )
