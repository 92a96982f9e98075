"""What the figures say, in plain sentences written from the figures alone.

A gain is called one only where its interval is above zero. Where it is not, we say that none is shown, not that there
is none.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from eval.report.formats import say_composition, say_count, say_list, say_number, say_percent, say_points, say_range
from eval.resampling import Estimate
from router.findings import Calibration, Curve, CurvePoint, Findings, Judged, RiskPoint, Score
from router.report.drawings import say_rate
from router.report.parts import (
    Part,
    find_best_single,
    find_router,
    has_independent,
    list_points,
    list_stops,
)

#: A cascade of so many songs is what the text speaks of.
USUAL_BUDGET = 3
#: Orders that sing one composition again and again, and what it is.
RIVALS = {"new seed": "The router’s first choice", "best single, new seeds": "The best single composition"}


def say_headline(part: Part) -> str:
    """What the router is worth, and the cascade, by the judge the text is about."""
    found, main = part.findings, part.main
    if main is None or not main.scores:
        return f"No judge’s scores are among these findings. {found.signal}".strip()
    where = "prompts it never saw" if found.kind == "test" else "prompts whose genre was left out of the fit"
    router, single = find_router(main), find_best_single(main)
    told = [f"On {found.prompts} {where}, heard by {main.judge},"]
    if router is None:
        told.append(f"the best single composition gets {say_percent(single)} % of the words wrong.")
    else:
        told.append(
            f"the router gets {say_percent(router.wer.value)} % of the words wrong and the best single composition "
            f"{say_percent(single)} %: {say_gain(router.gain)}."
        )
        if router.gap_closed is not None:
            told.append(
                f"That is {say_share(router.gap_closed)} of what could be gained by knowing how other songs of the "
                "same prompts came out (an honest oracle)."
            )
    cascades = [score for score in main.scores if score.kind == "cascade"]
    if cascades:
        best = min(cascades, key=lambda score: score.wer.value)
        told.append(
            f"Singing, listening and trying again gets {say_percent(best.wer.value)} % after {best.songs:.1f} songs on "
            f"average ({say_composition(best.name)})."
        )
    return " ".join(told)


def say_gain(gain: Estimate) -> str:
    """``a gain of +3.0 points (+0.5 to +5.5)``, or that none is shown."""
    within = say_range(gain, signed=True)
    told = f"{say_points(gain.value)} points" + (f" (95 % interval {within})" if within else "")
    if not within:
        return f"a gain of {told}, of too few prompts for an interval"
    if gain.excludes_zero:
        return f"a {'gain' if gain.value > 0 else 'loss'} of {told}"
    return f"no gain is shown, {told}"


def say_share(closed: Estimate) -> str:
    """A share of the gap, ``28 % (5 to 51)``."""
    ends = [None if v is None else f"{100 * v:.0f}".replace("-", "−") for v in (closed.value, closed.low, closed.high)]
    return f"{ends[0]} %" + (f" ({ends[1]} to {ends[2]})" if None not in ends else "")


def say_headroom(judged: Judged) -> str:
    """Whether choosing for every prompt could pay, to one judge."""
    flatters = "The router was fitted by this judge, so its figures flatter. " if judged.selecting else ""
    room = judged.headroom
    if room is None:
        return (
            f"{flatters}What could be gained is not known (there is no honest oracle): two seeds of a prompt or "
            "more are needed to tell luck from skill."
        )
    side, amount = "ahead of", say_points(room.value)
    if amount.startswith("−"):  # turned round with its interval, so that no minus is left to be taken twice
        room = replace(room, value=-room.value, low=_turned(room.high), high=_turned(room.low))
        side, amount = "behind", say_percent(room.value)
    within = say_range(room, signed=True)
    told = f"{amount} points" + (f" (95 % interval {within})" if within else "")
    verdict = {
        True: "so choosing for every prompt can pay",
        False: "which may well be none",
        None: "with too few prompts or seeds to tell it from none",
    }[judged.distinguishable]
    return (
        f"{flatters}Knowing how other songs of the same prompts came out (an honest oracle) would be {side} the best "
        f"single composition by {told}, {verdict}."
    )


def _turned(end: float | None) -> float | None:
    return None if end is None else -end


def say_risk(risk: Sequence[RiskPoint]) -> str:
    """What being bolder brings."""
    ordered = sorted(risk, key=lambda point: point.coverage)
    shy, bold = ordered[0], ordered[-1]
    if len(ordered) == 1 or bold.coverage - shy.coverage < 1e-9:
        return f"At every threshold {say_percent(bold.coverage)} % of prompts leave the default."
    sure = [point for point in ordered if point.gain.low is not None and point.gain.low > 0]
    verdict = (
        f"The gain is shown to be above zero at {len(sure)} of {len(ordered)} thresholds."
        if sure
        else "At no threshold is a gain shown."
    )
    return (
        f"From the most careful threshold to the boldest, {say_percent(shy.coverage)} to "
        f"{say_percent(bold.coverage)} % of prompts leave the default, and WER goes from {say_percent(shy.wer.value)} "
        f"to {say_percent(bold.wer.value)} %. {verdict} The lowest point was not chosen beforehand, so it flatters."
    )


def say_calibration(found: Calibration) -> str:
    """Whether predictions can be believed."""
    told = (
        f"Intervals that promise {say_percent(found.promised)} % of the measured rates hold "
        f"{say_percent(found.covered)} % of them."
    )
    if found.correlation is None:
        return told
    alike = say_number(found.correlation)
    return f"{told} Predicted and measured WER of the default rank prompts alike by {alike} (Spearman)."


def say_permuted(permuted: Sequence[float], gain: float | None) -> str:
    """How often a router that cannot know anything does as well."""
    mean = sum(permuted) / len(permuted)
    told = (
        f"{say_count(len(permuted), 'router')} fitted to shuffled prompts "
        f"{'gains' if len(permuted) == 1 else 'gain'} {say_points(mean)} points on average."
    )
    if gain is None:
        return told
    as_good = sum(value >= gain - 1e-12 for value in permuted)
    p = (as_good + 1) / (len(permuted) + 1)
    who = f"{as_good} of them {'gains' if as_good == 1 else 'gain'}" if as_good else "None of them gains"
    return f"{told} {who} as much as the real one, {say_points(gain)} points or more (p = {p:.2f})."


def say_controls(judged: Judged) -> str:
    """Whether what should not help does not."""
    controls = [score for score in judged.scores if score.kind == "control"]
    if not controls:
        return "No control was scored."
    helping = [s for s in controls if s.gain.low is not None and s.gain.low > 0]
    if helping:
        told = say_list([f"{say_composition(s.name)} ({say_points(s.gain.value)} points)" for s in helping])
        are = "is" if len(helping) == 1 else "are"
        return (
            f"{told} {are} better than the best single composition, as no control should be: either that opponent was "
            "chosen badly, so that a gain over it says little, or the figures are wrong."
        )
    return "No control is shown to be better than the best single composition."


def say_map(findings: Findings) -> str:
    """How often what was chosen."""
    counted = Counter(point.name for point in findings.map)
    told = say_list([f"{say_composition(name)} for {times}" for name, times in counted.most_common(5)])
    more = f", and {len(counted) - 5} others" if len(counted) > 5 else ""
    alone = " It is the same everywhere." if len(counted) == 1 else ""
    return f"Of {say_count(len(findings.map), 'prompt')}: {told}{more}.{alone}"


def say_switching(curves: Sequence[Curve]) -> str:
    """Whether other adapters beat other seeds of the same one, at the usual threshold and budget."""
    stops, held = list_stops(curves), {curve.order: curve for curve in curves}
    rivals = [name for name in RIVALS if name in held]
    if not stops or "router" not in held or not rivals:
        return "Whether other adapters beat other seeds of the same one was not tried."
    independent = has_independent(curves)
    ours = _by_budget(held["router"], stops[0], independent)
    told: list[str] = []
    for name in rivals:
        theirs = _by_budget(held[name], stops[0], independent)
        shared = sorted(budget for budget in set(ours) & set(theirs) if budget > 1)
        budget = max((b for b in shared if b <= USUAL_BUDGET), default=min(shared, default=0))
        if budget:
            (point, found), (rival, other) = ours[budget], theirs[budget]
            lead = other.value - found.value
            if not told:
                told.append(
                    f"Of at most {budget} songs, stopping at {say_percent(stops[0])} %, the router’s order of adapters "
                    f"ends at {say_rate(found)} after {point.songs:.2f} songs."
                )
            told.append(
                f"{RIVALS[name]} from new seeds ends at {say_rate(other)} after {rival.songs:.2f}: switching "
                f"{'leads' if lead > 0 else 'is behind'} by {abs(100 * lead):.1f} points, {_say_overlap(found, other)}."
            )
    return " ".join(told) or "Whether other adapters beat other seeds was not tried with more than one song."


def _say_overlap(one: Estimate, other: Estimate) -> str:
    if one.low is None or one.high is None or other.low is None or other.high is None:
        return "of too few prompts for intervals"
    if one.high < other.low or other.high < one.low:
        return "and the 95 % intervals do not overlap"
    return "but the 95 % intervals overlap, so it may well be chance"


def list_blends(judged: Judged) -> list[Score]:
    """Blends, best first, and the best composition of one adapter or none to hold them against."""
    singles = sorted((s for s in judged.scores if s.kind == "single"), key=lambda score: score.wer.value)
    blends = [score for score in singles if "," in score.name]
    return blends + [score for score in singles if "," not in score.name][:1] if blends else []


def _by_budget(curve: Curve, stop: float, independent: bool) -> dict[int, tuple[CurvePoint, Estimate]]:
    return {point.budget: (point, rate) for point, rate in list_points(curve, stop, independent)}
