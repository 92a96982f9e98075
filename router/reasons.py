"""Why a composition was chosen, in sentences that a musician can read. Decides nothing.

A rate of 0.31 is told as "31 of 100 words go wrong", a probability as "a chance of 92 %".
"""

from __future__ import annotations

from adapters.composition import parse_composition
from router.decision import Candidate, Neighbour
from router.prompt import RouterPrompt

NO_JUDGING = (
    "the song has no words, so nobody can tell how well they come through: a cascade would sing one song and stop"
)
NOT_ASKED = "it is not among those to choose from here"
NO_CAPTION = "without a caption or tags the lyrics alone were looked at, and no measured song is nearest"


def say_composition(name: str) -> str:
    """``base`` as "the base model", ``lyrics=1`` as "lyrics", ``a=0.6,b=0.4`` as "a 0.6 + b 0.4"."""
    parts = parse_composition(name)
    if not parts:
        return "the base model"
    if len(parts) == 1:
        ((adapter, weight),) = parts.items()
        return adapter if weight == 1 else f"{adapter} at {weight:g}"
    return " + ".join(f"{adapter} {weight:g}" for adapter, weight in parts.items())


def say_rate(wer: float) -> str:
    """``31 of 100 words``."""
    return f"{100 * wer:.0f} of 100 words"


def say_share(share: float) -> str:
    """``92 %``, and never quite none or all."""
    if share > 0.995:
        return "over 99 %"
    return "under 1 %" if share < 0.005 else f"{100 * share:.0f} %"


def explain_pick(picked: Candidate, default: Candidate, nearest: Neighbour | None) -> str:
    """Why not the default."""
    said = (
        f"With {say_composition(picked.name)} about {say_rate(picked.wer)} should go wrong, and "
        f"{100 * default.wer:.0f} with {say_composition(default.name)}, the best over all measured "
        f"songs; that it does better here has a chance of {say_share(picked.chance)}"
    )
    return f"{said}{_compare_nearest(picked, default, nearest)}."


def explain_mix(mix: Candidate, measured: Candidate, default: Candidate) -> str:
    """Why a mix. ``measured``: what was measured and is nearest to it, by which its figures go."""
    return (
        f"A mix sings, {say_composition(mix.name)}, each adapter by what it should gain here: about "
        f"{say_rate(measured.wer)} should go wrong, as with {say_composition(measured.name)}, the nearest to it that "
        f"was measured, and {100 * default.wer:.0f} with {say_composition(default.name)}, the best over all "
        f"measured songs; that it does better here has a chance of {say_share(measured.chance)}."
    )


def _compare_nearest(picked: Candidate, default: Candidate, nearest: Neighbour | None) -> str:
    if nearest is None:
        return ""
    mine, others = nearest.wer[picked.name], nearest.wer[default.name]
    if abs(mine - others) < 0.005:
        return ""
    link = "as" if mine < others else "although"
    return (
        f", {link} in the nearest measured song ({nearest.genre}, {shorten(nearest.caption)}) it was "
        f"{100 * mine:.0f} against {100 * others:.0f}"
    )


def explain_abstention(best: Candidate | None, default: Candidate, confidence: float) -> str:
    """Why the default: nothing is surely enough better. ``best``: what comes nearest to it, where anything does."""
    name = say_composition(default.name)
    if best is None or best.gain <= 0:
        return f"Nothing at hand is expected to sing more of these words than {name}, the best over all measured songs."
    return (
        f"{_capital(say_composition(best.name))} might do better here, but that has a chance of only "
        f"{say_share(best.chance)}, and {100 * confidence:.0f} % is asked for: so {name} sings, the best over all "
        "measured songs."
    )


def explain_unknown_ground(default: Candidate, share: float, prompts: int) -> str:
    """Why the default: no measured song is like this one."""
    lonely = f"only {say_share(share)} of them stand" if share else "none of them stands"
    return (
        f"This is unlike all {prompts} measured prompts ({lonely} so far from the others), so "
        f"{say_composition(default.name)} sings, the best over all measured songs."
    )


def explain_nothing_given(default: Candidate) -> str:
    """Why the default: there is no caption, no tag and no word."""
    return (
        f"Neither a caption nor words say what kind of song this is, so {say_composition(default.name)} sings, the "
        "best over all measured songs."
    )


def explain_no_signal(default: Candidate) -> str:
    """Why the default: fitting found nothing to choose by."""
    return (
        f"Fitting found nothing in captions or lyrics that tells which composition a prompt needs, so "
        f"{say_composition(default.name)} sings, the best over all measured songs."
    )


def explain_stand_in(stand_in: Candidate, default: Candidate) -> str:
    """Why neither the default nor anything surely better."""
    found = "the model as it is" if not stand_in.composition else "the best predicted of what is left"
    return (
        f"The best over all measured songs, {say_composition(default.name)}, cannot sing ({default.reason}), so "
        f"{say_composition(stand_in.name)} does, {found}."
    )


def note_passed_over(wanted: Candidate) -> str:
    """That a better composition could not be had."""
    return f"{say_composition(wanted.name)} was predicted to do best, but cannot sing: {wanted.reason}"


def note_prompt(prompt: RouterPrompt) -> tuple[str, ...]:
    """What the prompt lacks and what follows from it."""
    notes = [NO_JUDGING] if prompt.instrumental else []
    if not prompt.description and not prompt.instrumental:
        notes.append(NO_CAPTION)
    return tuple(notes)


def note_votes(used: int, weight: float) -> str:
    """That people's picks took part in fitting."""
    votes = "1 pick" if used == 1 else f"{used} picks"
    return f"{votes} of listeners took part in fitting, at a weight of {weight:g}"


def missing(adapter: str) -> str:
    """Why a candidate cannot sing: an adapter is gone."""
    return f"the adapter {adapter} is not on the shelf"


def changed(adapter: str) -> str:
    """Why a candidate cannot sing: an adapter is another one now."""
    return f"the adapter {adapter} has changed since fitting; measure it and fit again"


def shorten(text: str, most: int = 60) -> str:
    """At most ``most`` characters on one line, in quotation marks."""
    text = " ".join(text.split())
    return f"“{text if len(text) <= most else text[: most - 1].rstrip() + '…'}”"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]
