"""Whether a router can be fitted to what was asked for, found out before anything is begun.

Knows results tables and what fitting wants of them; not how a refit is run.
"""

from __future__ import annotations

from engine.errors import ChoirmasterError, Fault, RequestError
from router.errors import RouterError
from router.fit_table import FitOptions, pick_judge, read_fittable
from ui.refit_records import RefitRequest
from ui.sources import SourceError, Sources


def check_refit(request: RefitRequest, sources: Sources) -> None:
    """See that a router can be fitted at all.

    Raises:
        RequestError: there is no such table or judge, or no router can be fitted to it; told of the field.
    """
    try:
        table = sources.table(request.source)
    except SourceError as error:
        raise RequestError.of([Fault("source", str(error))]) from error
    try:
        pick_judge(request.judge, table.judges)
    except RouterError as error:
        raise RequestError.of([Fault("judge", str(error))]) from error
    try:
        seeds = read_fittable(table, fit_options(request)).examples.lattice.seeds
    except ChoirmasterError as error:
        raise RequestError.of([Fault("source", str(error))]) from error
    if seeds < 2:
        said = (
            "every prompt of this table was sung from one seed, so that nothing parts luck from what a prompt "
            "needs: start an evaluation with 2 seeds or more"
        )
        raise RequestError.of([Fault("source", said)])


def fit_options(request: RefitRequest) -> FitOptions:
    """How to fit, in the words of ``choirmaster fit``."""
    return FitOptions(request.judge, None, request.feedback_weight, request.confidence)
