"""What choosing and trying again come to on the published study: thirty genres, one song each by five variants.

A table of one song per genre is the hardest case for a router: its genre names are all there is to go by, and luck is
not to be told from kind. So this says how far the code agrees with figures known from elsewhere, and what a router
fitted honestly makes of such a table. Knows nothing of singing.

Choosing is by capped WER throughout. By the uncapped one, a single song of 2.32 (a loop) decides which variant is the
best on average: leaving out a genre changes it in 12 cases of 30, and every time for the worse (0.65 instead of 0.47).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from adapters.composition import format_composition
from eval.figures import show_estimate
from eval.lattice import Lattice
from eval.oracle import find_oracle
from eval.resampling import Estimate
from eval.study import BASE, JUDGE, read_study
from router.choosing import CONFIDENCE
from router.examples import Examples
from router.features import Featuriser
from router.findings import CurvePoint, Findings
from router.held_out import Progress
from router.prompt import RouterPrompt
from router.replay import Heard, Way, draw_curves, make_curve, order_by_mean, order_by_prediction, replay
from router.scoring import estimate_by_genre
from router.validation import validate

#: The cascade of the study's figures: without lyrics, with lyrics, base, and both again with the sharpness term.
ORDER = ("lora", "lora_with_lyrics", "baseline", "lora_with_lyrics_asr", "lora_asr")
STOP_WER = 0.3
WAYS: tuple[tuple[str, Way], ...] = (("fixed", "adapters"), ("random", "random"))


@dataclass(frozen=True)
class Reference:
    """What needs no router. ``single``: macro WER of the best single variant, chosen without the genre it is scored
    on; ``picks``: how often each variant was that, by name. ``oracle``: the lowest of every genre's songs, which luck
    flatters. ``cascade``: the one in :data:`ORDER` that stops at :data:`STOP_WER`; ``shuffled``: the same variants in
    random order."""

    single: Estimate
    picks: dict[str, int]
    oracle: Estimate
    cascade: CurvePoint
    shuffled: CurvePoint


def measure_reference(lattice: Lattice) -> Reference:
    """The study's figures, from its table.

    Raises:
        LatticeError: the table lacks one of the variants.
    """
    order = np.array([lattice.index(name) for name in ORDER])
    chosen = order_by_mean(lattice)[:, 0]
    rates = lattice.prompt_rates[chosen, np.arange(len(chosen))]
    names = [lattice.compositions[c] for c in chosen]
    heard = Heard(lattice, None)
    fixed, shuffled = (
        make_curve(name, replay(heard, order, way, thresholds=(STOP_WER,)), lattice.genres, (STOP_WER,))
        for name, way in WAYS
    )
    return Reference(
        single=estimate_by_genre(rates[None], lattice.genres)[0],
        picks={name: names.count(name) for name in lattice.compositions if name in names},
        oracle=find_oracle(lattice).optimistic.oracle,
        cascade=fixed.points[-1],
        shuffled=shuffled.points[-1],
    )


def make_study_examples(lattice: Lattice | None = None) -> Examples:
    """The study's songs to learn from, its variants named as compositions; a genre's name is its whole prompt."""
    lattice = read_study() if lattice is None else lattice
    names = (format_composition({} if name == BASE else {name.replace("_", "-"): 1.0}) for name in lattice.compositions)
    texts = tuple(RouterPrompt(caption=genre) for genre in lattice.genres)
    return Examples(JUDGE, texts, replace(lattice, compositions=tuple(names)))


def fit_study(
    featuriser: Featuriser,
    lattice: Lattice | None = None,
    *,
    confidence: float = CONFIDENCE,
    seed: int = 0,
    progress: Progress | None = None,
) -> Findings:
    """What a router that reads the genres' names is worth on genres it never saw, cascades in its order included.

    One song a genre leaves no honest oracle, hence no headroom, regret or gap.

    Raises:
        RouterError: the confidence is out of range.
    """
    examples = make_study_examples(lattice)
    features = featuriser.describe(examples.texts)
    found = validate(examples, features, confidence=confidence, seed=seed, progress=progress)
    unseen = found.out_of_fold
    picked = np.array([examples.lattice.index(point.name) for point in found.findings.map])
    curves = draw_curves(
        Heard(examples.lattice, None),
        order_by_prediction(unseen.predicted, picked, unseen.default),
        order_by_mean(examples.lattice),
        thresholds=(0.2, STOP_WER),
        seed=seed,
    )
    return replace(found.findings, curves=curves)


def tell_reference(reference: Reference) -> tuple[str, ...]:
    """The same for a terminal, a line for each figure."""
    picks = ", ".join(
        f"{name} {count} of {sum(reference.picks.values())} times" for name, count in reference.picks.items()
    )
    at, shuffled = reference.cascade, reference.shuffled
    return (
        f"best single variant, leave-one-genre-out: WER {show_estimate(reference.single, digits=4)} ({picks})",
        f"cascade {', '.join(ORDER)}, stop at {STOP_WER:g}: "
        f"WER {show_estimate(at.selecting, digits=4)} after {at.songs:.2f} songs on average",
        f"the same in random order: WER {show_estimate(shuffled.selecting, digits=4)} after {shuffled.songs:.2f}",
        f"oracle that knows each genre's song: WER {show_estimate(reference.oracle, digits=4)}, which luck flatters",
    )
