"""Calls about what was measured: sources of evidence, small evaluations, and routers fitted anew.

Maps and sounds of measured songs are fetched over HTTP, by the addresses in docs/api.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.own_routes import Call, OwnRoutes, place


def evidence_calls(routes: OwnRoutes) -> Sequence[Call]:
    """The calls of evidence, evaluations and refits."""

    async def evidence(request: gr.Request, source: str = "", judge: str | None = None) -> dict[str, Any]:
        """What was measured: the sources there are, or the summary of one.

        Args:
            source: The id of a source, such as shipped; empty for the list of them.
            judge: Who listened, where several did.
        """
        if not source:
            return await routes.get(request, "/v1/evidence")
        return await routes.get(request, place("evidence", source), judge=judge)

    async def evidence_songs(
        request: gr.Request, source: str, genre: str, composition: str, judge: str | None = None
    ) -> dict[str, Any]:
        """The measured songs of a genre by a composition, each with a request that sings it again.

        Args:
            source: The id of a source, such as shipped.
            genre: One of the genres in the summary.
            composition: One of the compositions in the summary.
            judge: Who listened, where several did.
        """
        path = place("evidence", source, "cells")
        return await routes.get(request, path, judge=judge, genre=genre, composition=composition)

    async def evaluate(
        request: gr.Request,
        compositions: list[str],
        prompts: str | None = None,
        genres: int | None = None,
        seeds: int | None = None,
    ) -> dict[str, Any]:
        """Begin to sing and judge a small grid of songs in the background; evaluation tells how it stands. The same
        one goes on where it was.

        Args:
            compositions: One to eight of adapters and their weights, such as "base" and "lyrics=1".
            prompts: test, or router for the prompts that routers are fitted on.
            genres: How many of the genres, 1 to 30.
            seeds: Songs of each prompt by each composition, 1 to 4.
        """
        wish = {"compositions": compositions, "prompts": prompts, "genres": genres, "seeds": seeds}
        return await routes.post(request, "/v1/evaluations", wish)

    async def evaluation(request: gr.Request, evaluation: str = "") -> dict[str, Any]:
        """How an evaluation stands, or all of them.

        Args:
            evaluation: The id of an evaluation; empty for the list of them.
        """
        return await routes.get(request, place("evaluations", evaluation) if evaluation else "/v1/evaluations")

    async def cancel_evaluation(request: gr.Request, evaluation: str) -> dict[str, Any]:
        """Stop an evaluation that waits or runs, which keeps what was sung; remove one that has ended, with its songs.

        Args:
            evaluation: The id of an evaluation.
        """
        return await routes.delete(request, place("evaluations", evaluation))

    async def refit(
        request: gr.Request,
        source: str,
        judge: str | None = None,
        feedback_weight: float | None = None,
        confidence: float | None = None,
    ) -> dict[str, Any]:
        """Begin to fit a router to a source of evidence in the background; refit_state tells how it stands.

        Args:
            source: The id of a source, such as shipped.
            judge: Whose word error rates count.
            feedback_weight: What a person's pick counts, beside measured songs; 0 for nothing.
            confidence: How sure a gain must be for the router not to take its default, 0.5 to below 1.
        """
        wish = {"source": source, "judge": judge, "feedback_weight": feedback_weight, "confidence": confidence}
        return await routes.post(request, "/v1/refits", wish)

    async def refit_state(request: gr.Request, refit: str = "") -> dict[str, Any]:
        """How a router that is fitted anew stands and what was found, or all of them.

        Args:
            refit: The id of a refit; empty for the list of them.
        """
        return await routes.get(request, place("refits", refit) if refit else "/v1/refits")

    async def cancel_refit(request: gr.Request, refit: str) -> dict[str, Any]:
        """Stop fitting a router, or remove one that is fitted.

        Args:
            refit: The id of a refit.
        """
        return await routes.delete(request, place("refits", refit))

    async def use_refit(request: gr.Request, refit: str) -> dict[str, Any]:
        """Route by what was fitted from now on, until the server ends.

        Args:
            refit: The id of a refit that is done; original for what the server was started with.
        """
        return await routes.post(request, place("refits", refit, "use"))

    return (
        evidence, evidence_songs, evaluate, evaluation, cancel_evaluation, refit, refit_state, cancel_refit, use_refit,
    )  # fmt: skip
