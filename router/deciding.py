"""From predictions to a decision: which composition, why, and in which order a cascade tries the others.

Knows neither features nor policies, only what they predict for one prompt; ``router.choosing`` decides whether a gain
is credible, here is decided what follows where a composition cannot be had or nothing is known of the prompt.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from adapters.composition import format_composition, parse_composition
from router import reasons
from router.blends import Mixer
from router.choosing import choose
from router.decision import Candidate, Decision, Neighbour, Why
from router.errors import RouterError
from router.policies import Prediction
from router.prompt import RouterPrompt


@dataclass(frozen=True, eq=False)
class Outlook:
    """What is expected of one prompt. ``wer``, ``low``, ``high`` [C] of each composition of ``names``, capped;
    ``gains``: predicted gain over the default, its mean and sd [1, C]; ``mixer``: None where nothing is mixed."""

    names: tuple[str, ...]
    default: int
    wer: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    gains: Prediction
    confidence: float
    mixer: Mixer | None = None


@dataclass(frozen=True)
class Setting:
    """What else bears on a decision. ``given``: whether the prompt says anything; ``known``: whether it is like any
    measured one; ``signal``: whether fitting found that prompts differ; ``prompts``: how many were measured."""

    given: bool
    known: bool
    signal: bool
    prompts: int
    policy: str
    distance: float
    known_share: float
    neighbours: tuple[Neighbour, ...]
    notes: tuple[str, ...] = ()


def find_faults(
    names: Sequence[str],
    fitted: Mapping[str, str],
    shelf: Mapping[str, str] | None,
    only: Collection[str] | None = None,
) -> dict[str, str]:
    """Why compositions cannot be had, by name; those that can are not in it.

    Args:
        fitted: fingerprints of the adapters when their songs were measured, as far as known.
        shelf: fingerprints now; None where nobody looked.
        only: the compositions that are asked for at all; None is all.
    """
    faults = {name: reasons.NOT_ASKED for name in names if only is not None and name not in only}
    if shelf is None:
        return faults
    for name in names:
        for adapter in parse_composition(name):
            if adapter not in shelf:
                faults.setdefault(name, reasons.missing(adapter))
            elif adapter in fitted and shelf[adapter] != fitted[adapter]:
                faults.setdefault(name, reasons.changed(adapter))
    return faults


def decide(outlook: Outlook, prompt: RouterPrompt, setting: Setting, faults: Mapping[str, str]) -> Decision:
    """The decision for one prompt.

    Raises:
        RouterError: no composition can be had at all.
    """
    names, default = outlook.names, outlook.default
    able = np.array([name not in faults for name in names])
    if not able.any():
        raise RouterError(
            f"none of the router's compositions can sing ({'; '.join(dict.fromkeys(faults.values()))}): put the "
            "adapters back on the shelf, or measure those that are there and fit again"
        )
    candidates = _list_candidates(outlook, faults)
    picked, why = _pick(outlook, prompt, setting, able)
    notes, mix = setting.notes, None
    if (wanted := _pick(outlook, prompt, setting, np.ones_like(able))[0]) != picked:
        notes = (*notes, reasons.note_passed_over(candidates[wanted]))
    if not able[picked]:
        picked, why = _stand_in(outlook, able), "unavailable"
    elif why == "predicted":
        picked, mix = _mix(outlook, picked, able)
    chosen = candidates[picked]
    if mix is not None and mix != chosen.composition:
        chosen = replace(chosen, name=format_composition(mix), composition=mix)
        reason = reasons.explain_mix(chosen, candidates[picked], candidates[default])
    else:
        reason = _explain(outlook, candidates, picked, why, prompt, setting, able)
    ranked = _rank(outlook)
    return Decision(
        name=chosen.name,
        composition=chosen.composition,
        wer=chosen.wer,
        low=chosen.low,
        high=chosen.high,
        default=names[default],
        policy=setting.policy,
        why=why,
        reason=reason,
        candidates=tuple(candidates[c] for c in ranked),
        neighbours=setting.neighbours,
        distance=setting.distance,
        known_share=setting.known_share,
        order=(chosen.name, *(names[c] for c in ranked if c != picked and able[c])),
        notes=notes,
    )


def _list_candidates(outlook: Outlook, faults: Mapping[str, str]) -> list[Candidate]:
    chances = choose(outlook.gains, outlook.default, outlook.confidence)[1][0]
    return [
        Candidate(
            name=name,
            composition=parse_composition(name),
            wer=float(outlook.wer[c]),
            low=float(outlook.low[c]),
            high=float(outlook.high[c]),
            gain=float(outlook.wer[outlook.default] - outlook.wer[c]),
            chance=float(chances[c]),
            available=name not in faults,
            reason=faults.get(name, ""),
        )
        for c, name in enumerate(outlook.names)
    ]


def _pick(outlook: Outlook, prompt: RouterPrompt, setting: Setting, able: NDArray[np.bool_]) -> tuple[int, Why]:
    """What to sing with among those that can be had and the default, whether that can be had or not."""
    default = outlook.default
    if not setting.given:
        return default, "unknown ground"
    if not setting.signal:
        return default, "no signal"
    if not setting.known:
        return default, "unknown ground"
    choice = int(choose(outlook.gains, default, outlook.confidence, able)[0][0])
    if choice != default:
        return choice, "predicted"
    return default, "instrumental" if prompt.instrumental else "abstained"


def _mix(outlook: Outlook, picked: int, able: NDArray[np.bool_]) -> tuple[int, dict[str, float] | None]:
    """The measured composition nearest to the blend that mixing asks for, and that blend; the pick and None where
    nothing is mixed, or nothing but the default or what is not credible itself is near, as mixing was validated."""
    mixer, mean = outlook.mixer, outlook.gains.mean
    if mixer is None or not (mixer.pure & able).any():
        return picked, None
    columns, told = mixer.mix(mean, able)
    nearest = int(columns[0])
    chance = choose(outlook.gains, outlook.default, outlook.confidence)[1][0, nearest]
    if not told[0] or nearest == outlook.default or not able[nearest] or chance < outlook.confidence:
        return picked, None
    weights = zip(mixer.adapters, mixer.ask(mean, able)[0], strict=True)
    return nearest, {name: round(float(weight), 2) for name, weight in weights if weight}


def _stand_in(outlook: Outlook, able: NDArray[np.bool_]) -> int:
    """What sings where the default cannot: the model as it is, or else what is predicted best."""
    if "base" in outlook.names and able[outlook.names.index("base")]:
        return outlook.names.index("base")
    return next(c for c in _rank(outlook) if able[c])


def _rank(outlook: Outlook) -> list[int]:
    """The best predicted first, the default before its equals."""
    places = range(len(outlook.names))
    return sorted(places, key=lambda c: (round(float(outlook.wer[c]), 9), c != outlook.default, c))


def _explain(
    outlook: Outlook,
    candidates: list[Candidate],
    picked: int,
    why: Why,
    prompt: RouterPrompt,
    setting: Setting,
    able: NDArray[np.bool_],
) -> str:
    default = candidates[outlook.default]
    if why == "unavailable":
        return reasons.explain_stand_in(candidates[picked], default)
    if why == "predicted":
        return reasons.explain_pick(candidates[picked], default, next(iter(setting.neighbours), None))
    if why == "no signal":
        return reasons.explain_no_signal(default)
    if not setting.given:
        return reasons.explain_nothing_given(default)
    if why == "unknown ground":
        return reasons.explain_unknown_ground(default, setting.known_share, setting.prompts)
    others = [candidate for c, candidate in enumerate(candidates) if able[c] and c != outlook.default]
    best = max(others, key=lambda candidate: candidate.gain, default=None)
    said = reasons.explain_abstention(best, default, outlook.confidence)
    return f"There are no words to sing. {said}" if why == "instrumental" else said
