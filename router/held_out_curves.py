"""What cascades come to on the songs a router was fitted to, every prompt's order predicted without its genre."""

from __future__ import annotations

import numpy as np

from eval.table import Table
from router.examples import Examples
from router.findings import Curve
from router.gaps import keep_compositions
from router.replay import draw_curves, order_by_mean, order_by_prediction, pair_judges
from router.validation import Validation


def draw_held_out(table: Table, learnt: Examples, validation: Validation, seed: int = 0) -> tuple[Curve, ...]:
    """Curves of the router's order, of the order of means over other genres, and of their rivals.

    What the router would pick comes first, the others follow by predicted WER, the default before its equals. The judge
    fitted by stops; the table's other judge, if there is one, scores.

    Args:
        learnt: examples of the compositions that may be chosen, which ``validation`` is of.

    Raises:
        RouterError: the judges heard no song in common.
        LatticeError: a judge lacks a composition.
    """
    picked = {point.prompt: learnt.compositions.index(point.name) for point in validation.findings.map}
    unseen = validation.out_of_fold
    independent = next((judge for judge in table.judges if judge != learnt.judge), None)
    songs = keep_compositions(table, learnt.compositions)
    heard = pair_judges(songs, learnt.judge, independent).select(learnt.compositions)
    rows = [learnt.prompts.index(prompt) for prompt in heard.selecting.prompts]
    first = np.array([picked[prompt] for prompt in heard.selecting.prompts])
    orders = order_by_prediction(unseen.predicted[rows], first, unseen.default[rows])
    return draw_curves(heard, orders, order_by_mean(heard.selecting), seed=seed)
