"""Calls about adapters, exports and the server. Files come and go over HTTP; nothing is uploaded through Gradio."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.own_routes import Call, OwnRoutes, place

#: Seconds between two looks at an export.
LOOK_EVERY = 0.5


def shelf_calls(routes: OwnRoutes) -> Sequence[Call]:
    """The calls of adapters, exports and limits."""

    async def presets(request: gr.Request) -> dict[str, Any]:
        """The loaded song model, how it is sampled, and what a request may hold."""
        return await routes.get(request, "/v1/presets")

    async def adapters(request: gr.Request) -> dict[str, Any]:
        """The cards of all adapters, and which of them cannot be read."""
        return await routes.get(request, "/v1/adapters")

    async def remove_adapter(request: gr.Request, name: str) -> dict[str, Any]:
        """Remove an adapter; songs that are being sung keep it.

        Args:
            name: The name of an adapter.
        """
        return await routes.delete(request, place("adapters", name))

    async def export(
        request: gr.Request,
        composition: str,
        format: str = "peft",
        merge: str | None = None,
        rank: int | None = None,
        density: float | None = None,
        seed: int | None = None,
        dtype: str | None = None,
        shard_size: str | None = None,
        wait: bool = True,
        estimate: bool = False,
    ) -> dict[str, Any]:
        """Make a file for another tool of adapters and their weights. It is fetched from /v1/exports/ID/file.

        Args:
            composition: Adapters and their weights, such as "lyrics=0.6,nolyrics=0.4".
            format: peft, diffusers, comfyui, original, full-diffusers or full-original.
            merge: concat, which is exact, or another way to blend.
            rank: To which every layer is compressed; the error of that is told.
            density: Share of values that some ways to blend keep, up to 1.
            seed: Of what dare-ties drops.
            dtype: fp32, bf16 or fp16.
            shard_size: Largest file of a whole model, such as 2GB.
            wait: Whether to answer once it is made, or at once with its id.
            estimate: Whether to make nothing, and to say how large it would be.
        """
        wish = {
            "composition": composition, "format": format, "merge": merge, "rank": rank, "density": density,
            "seed": seed, "dtype": dtype, "shard_size": shard_size,
        }  # fmt: skip
        if estimate:
            return await routes.post(request, "/v1/exports/estimate", wish)
        found = await routes.post(request, "/v1/exports", wish)
        while wait and found["state"] in ("queued", "running"):
            await asyncio.sleep(LOOK_EVERY)
            found = await routes.get(request, place("exports", found["id"]))
        return found

    async def exports(request: gr.Request) -> dict[str, Any]:
        """All exports, the newest first."""
        return await routes.get(request, "/v1/exports")

    async def remove_export(request: gr.Request, export: str) -> dict[str, Any]:
        """Cancel an export that is not done, or remove its file.

        Args:
            export: The id of an export.
        """
        return await routes.delete(request, place("exports", export))

    async def votes(
        request: gr.Request, comparison: str | None = None, limit: int = 20, offset: int = 0
    ) -> dict[str, Any]:
        """Which songs of comparisons were picked as the best, newest first.

        Args:
            comparison: The id of the only comparison to tell of.
            limit: Picks at most, 1 to 100.
            offset: Picks to leave out first.
        """
        return await routes.get(request, "/v1/votes", comparison=comparison, limit=limit, offset=offset)

    return presets, adapters, remove_adapter, export, exports, remove_export, votes
