"""What the figures say, in plain sentences written from the figures alone.

A difference is called one only where its p, corrected for all comparisons, is below five percent. Where it is not, we
say that none is shown, not that there is none.
"""

from __future__ import annotations

from eval.agreement import JudgeAgreement
from eval.contrasts import Effect, Factorial
from eval.oracle import Oracle
from eval.report.formats import (
    say_composition,
    say_count,
    say_list,
    say_number,
    say_p,
    say_percent,
    say_points,
    say_range,
)
from eval.resampling import Estimate
from eval.stability import Stability
from eval.statistics import Comparison, Standing
from eval.summary import Summary

#: Chance of any false finding that is put up with.
ALPHA = 0.05


def say_result(summary: Summary) -> str:
    """Whether any composition differs from base, and how much."""
    extent = summary.extent
    of = f"{say_count(extent.songs, 'song')} each"
    if len(summary.words) == 1:
        return f"{_alone(summary.words[0])} of the words wrong over {of}. There is nothing to compare it with."
    if summary.reference is None:
        best = min(summary.words, key=lambda standing: standing.macro.value)
        return (
            f"The table holds no base, so nothing is compared with it. {_alone(best)} of the words wrong over {of}, "
            "the lowest here; how far that is chance is not tested."
        )
    sure = [c for c in summary.comparisons if c.p_holm < ALPHA]
    better = sorted((c for c in sure if c.difference.value < 0), key=lambda c: c.difference.value)
    worse = sorted((c for c in sure if c.difference.value > 0), key=lambda c: -c.difference.value)
    rest = [c for c in summary.comparisons if c.p_holm >= ALPHA]
    base = summary.reference
    if not sure:
        least = min(c.p_holm for c in rest)
        return (
            f"No adapter is shown to differ from {base} (least p\N{NO-BREAK SPACE}{_equals(least)}, {of} over "
            f"{say_count(extent.prompts, 'prompt')})."
        )
    parts = [f"Fewer words go wrong than with {base}: {_gains(better)}."] if better else []
    parts += [f"More words go wrong than with {base}: {_gains(worse)}."] if worse else []
    if rest:
        names = say_list([say_composition(c.composition) for c in rest])
        parts.append(f"{names} {'is' if len(rest) == 1 else 'are'} not shown to differ from {base}.")
    return " ".join(parts)


def say_choice(oracle: Oracle) -> str:
    """Whether choosing a composition for every prompt could pay."""
    if oracle.honest is None:
        return (
            "Every prompt was sung from one seed only, so luck cannot be told from skill: with two seeds or more it "
            "could be told what choosing for every prompt would gain (an honest oracle)."
        )
    gain = oracle.honest.headroom
    told = f"{say_points(gain.value)} points (95 % interval {say_range(gain, signed=True)})"
    if gain.low is None:
        told = f"{say_points(gain.value)} points"
    if oracle.split_prompts < oracle.prompts:
        told += f" over the {oracle.split_prompts} of {oracle.prompts} prompts that were sung from two seeds or more"
    if oracle.distinguishable:
        return (
            "Choosing the composition for every prompt pays: chosen on some songs and scored on others (an honest "
            f"oracle), it gains {told} on the best single one."
        )
    if gain.high is not None and gain.high < 0:
        return (
            "Choosing the composition for every prompt is not shown to pay (no routable signal): chosen on some songs "
            "and scored on others (an honest oracle), it does worse than the best single composition; the gain is "
            f"{told}."
        )
    why = "too few prompts to tell it from none" if gain.low is None else "which may well be none"
    return (
        "Choosing the composition for every prompt is not shown to pay (no routable signal): chosen on some songs and "
        f"scored on others (an honest oracle), it gains {told} on the best single one, {why}."
    )


def say_stability(stability: Stability) -> str:
    """Whether the order of the compositions repeats from other seeds."""
    halves = stability.halves
    tau = "" if halves.tau is None else f" (Kendall's tau {halves.tau:.2f})".replace("-", "−")
    return (
        f"Between halves of the seeds the same composition is best in {say_percent(halves.same_best)} % of splits{tau},"
        f" and within a genre in {say_percent(halves.genre_same_best)} %; by chance it would be "
        f"{say_percent(halves.chance)} % (who ties for best shares it)."
    )


def say_factorial(factorial: Factorial) -> str:
    """What lyrics and sharpening do."""
    together = factorial.interaction.p_holm < ALPHA
    return (
        f"Training on lyrics {_does(factorial.lyrics)}; sharpening attention {_does(factorial.sharpening)}; "
        f"{'the two do not simply add up' if together else 'the two are not shown to do other than add up'}."
    )


def say_agreement(found: JudgeAgreement) -> str:
    """How far two judges agree, and whether what one chooses is better to the other."""
    a, b = found.judges
    songs, differences = found.song_correlation, found.difference_correlation
    parts = [f"{a} and {b} heard the same {say_count(found.songs, 'song')} of each composition."]
    if songs is not None:
        parts.append(f"Their word error rates of songs correlate by {_correlation(songs)}.")
    if differences is not None:
        sure = differences.low is not None and differences.low > 0
        parts.append(
            "How compositions differ within a prompt, which is what choosing goes by, correlates by "
            f"{_correlation(differences)}{'.' if sure else ', which is not shown to be more than chance.'}"
        )
    gains = [t.honest.headroom for t in found.transfers if t.honest is not None]
    if gains:
        told = say_list([say_points(gain.value) for gain in gains])
        shown = sum(gain.low is not None and gain.low > 0 for gain in gains)
        verdict = ("in neither direction", "in one direction only", "in both directions")[shown]
        parts.append(
            "Where one judge chooses per prompt and the other scores on other seeds, the gain on the best single "
            f"composition is {told} points; it is shown to be above zero {verdict}."
        )
    return " ".join(parts)


def _correlation(r: Estimate) -> str:
    within = "" if r.low is None else f" (95 % interval {say_number(r.low)} to {say_number(r.high)})"
    return say_number(r.value) + within


def _does(effect: Effect) -> str:
    told = f"{say_points(effect.size.value)} points, p\N{NO-BREAK SPACE}{_equals(effect.p_holm)}"
    if effect.p_holm >= ALPHA:
        return f"is not shown to make a difference ({told})"
    return f"{'helps' if effect.size.value < 0 else 'harms'} ({told})"


def _gains(comparisons: list[Comparison]) -> str:
    told = []
    for c in comparisons:
        within = say_range(c.difference, signed=True)
        told.append(
            f"{say_composition(c.composition)} by {100 * abs(c.difference.value):.1f} points ("
            + (f"difference {within}, " if within else "")
            + f"p\N{NO-BREAK SPACE}{_equals(c.p_holm)})"
        )
    return say_list(told)


def _equals(p: float) -> str:
    said = say_p(p)
    return said.replace(" ", "\N{NO-BREAK SPACE}") if said.startswith("<") else f"=\N{NO-BREAK SPACE}{said}"


def _alone(standing: Standing) -> str:
    within = say_range(standing.micro)
    rate = f"{say_percent(standing.micro.value)} %" + (f" ({within})" if within else "")
    return f"{say_composition(standing.composition)} gets {rate}"
