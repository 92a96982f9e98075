"""What the figures say, in plain sentences written from the figures alone.

A difference is called one only where its p, corrected for all comparisons, is below five percent.
"""

from __future__ import annotations

from eval.contrasts import Effect, Factorial
from eval.oracle import Oracle
from eval.report.formats import say_composition, say_count, say_list, say_p, say_percent, say_points, say_range
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
            f"No adapter differs from {base} by more than chance (least p\N{NO-BREAK SPACE}{_equals(least)}, {of} over "
            f"{say_count(extent.prompts, 'prompt')})."
        )
    parts = [f"Fewer words go wrong than with {base}: {_gains(better)}."] if better else []
    parts += [f"More words go wrong than with {base}: {_gains(worse)}."] if worse else []
    if rest:
        names = say_list([say_composition(c.composition) for c in rest])
        parts.append(f"{names} {'does' if len(rest) == 1 else 'do'} not differ from {base} by more than chance.")
    return " ".join(parts)


def say_choice(oracle: Oracle) -> str:
    """Whether choosing a composition for every prompt could pay."""
    if oracle.honest is None:
        return (
            "Every prompt was sung from one seed only, so luck cannot be told from skill: two seeds or more are needed "
            "for an honest oracle."
        )
    gain = oracle.honest.headroom
    told = f"{say_points(gain.value)} points (95 % interval {say_range(gain, signed=True)})"
    if gain.low is None:
        told = f"{say_points(gain.value)} points"
    if oracle.split_prompts < oracle.prompts:
        told += f" over the {oracle.split_prompts} of {oracle.prompts} prompts that were sung from two seeds or more"
    if oracle.distinguishable:
        return f"Choosing the composition for every prompt pays: the honest gain on the best single one is {told}."
    if gain.high is not None and gain.high < 0:
        return f"No routable signal: choosing for every prompt does worse than the best single composition, by {told}."
    return f"No routable signal: the honest gain of choosing for every prompt is {told}, which may well be none."


def say_stability(stability: Stability) -> str:
    """Whether the order of the compositions repeats from other seeds."""
    halves = stability.halves
    tau = "" if halves.tau is None else f" (Kendall's tau {halves.tau:.2f})".replace("-", "−")
    return (
        f"Between halves of the seeds the same composition is best in {say_percent(halves.same_best)} % of splits{tau},"
        f" and within a genre in {say_percent(halves.genre_same_best)} %; by chance it would be "
        f"{say_percent(halves.chance)} %."
    )


def say_factorial(factorial: Factorial) -> str:
    """What lyrics and sharpening do."""
    return (
        f"Training on lyrics {_does(factorial.lyrics)}; sharpening attention {_does(factorial.sharpening)}; "
        f"{'the two do not simply add up' if factorial.interaction.p < ALPHA else 'the two may simply add up'}."
    )


def _does(effect: Effect) -> str:
    told = f"{say_points(effect.size.value)} points, p\N{NO-BREAK SPACE}{_equals(effect.p)}"
    if effect.p >= ALPHA:
        return f"makes no difference beyond chance ({told})"
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
