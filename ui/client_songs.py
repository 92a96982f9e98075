"""Calls that sing: a song, a comparison, a cascade; and what a prompt would be sung with.

Functions over the routes they ask. Their docstrings, of one line for each argument, are what MCP tells of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.client_answers import brief_cascade, brief_song
from ui.own_routes import Call, OwnRoutes, place

#: Seconds between two looks at a cascade.
LOOK_EVERY = 0.3


def song_calls(routes: OwnRoutes) -> Sequence[Call]:
    """The calls that sing, or tell what would be sung."""

    async def sing(
        request: gr.Request,
        caption: str = "",
        lyrics: str = "",
        composition: str = "",
        seed: int | None = None,
        steps: int | None = None,
        duration: float | None = None,
        tempo: float | None = None,
        guidance: float | None = None,
        melody_seed: int | None = None,
        wait: bool = True,
    ) -> dict[str, Any]:
        """Sing a song of the given words. Answers with its id, its word error rate and transcript as the judge heard
        them, and links to its sound, which are paths on this server.

        Args:
            caption: The style, such as "gentle folk song, acoustic guitar"; empty for any.
            lyrics: The words, in English, line by line; empty for an instrumental.
            composition: Adapters with weights, as "lyrics=0.6,nolyrics=0.4"; or "routed", by the router; empty: none.
            seed: Number that the noise is drawn from; the same one gives the same song.
            steps: Denoising steps, 1 to 200; the model's own number if left out.
            duration: Length in seconds; planned from the words if left out. Only one of duration and tempo.
            tempo: Beats per minute.
            guidance: How strictly words and style are followed, 1 to 10.
            melody_seed: Number that the melody is drawn from.
            wait: Whether to answer once the song is sung and judged, or at once with its id.
        """
        wish = {
            "caption": caption, "lyrics": lyrics, "composition": composition or None, "seed": seed, "steps": steps,
            "duration": duration, "tempo": tempo, "guidance": guidance, "melody_seed": melody_seed,
        }  # fmt: skip
        asked = await routes.post(request, "/v1/songs", wish, wait=True if wait else None)
        return await _settled(routes, request, asked) if wait else brief_song(asked)

    async def compare(
        request: gr.Request,
        compositions: list[str],
        caption: str = "",
        lyrics: str = "",
        seed: int | None = None,
        steps: int | None = None,
        duration: float | None = None,
        tempo: float | None = None,
        guidance: float | None = None,
        wait: bool = True,
    ) -> dict[str, Any]:
        """Sing the same words several times, each by other adapters and all from the same noise, so that they can be
        compared: a word error rate, a transcript and a link to the sound of each.

        Args:
            compositions: One to eight, each "base" (no adapter), "routed", or as "lyrics=0.6,nolyrics=0.4".
            caption: The style, such as "gentle folk song, acoustic guitar".
            lyrics: The words, in English, line by line.
            seed: Number that the noise of all of them is drawn from.
            steps: Denoising steps, 1 to 200; the model's own number if left out.
            duration: Length in seconds; planned from the words if left out. Only one of duration and tempo.
            tempo: Beats per minute.
            guidance: How strictly words and style are followed, 1 to 10.
            wait: Whether to answer once all songs are sung and judged, or at once with their ids.
        """
        wish = {
            "compositions": compositions, "caption": caption, "lyrics": lyrics, "seed": seed, "steps": steps,
            "duration": duration, "tempo": tempo, "guidance": guidance,
        }  # fmt: skip
        asked = await routes.post(request, "/v1/compare", wish)
        if not wait:
            return {"id": asked["id"], "songs": list(map(brief_song, asked["songs"]))}
        songs = await asyncio.gather(*(_settled(routes, request, song) for song in asked["songs"]))
        return {"id": asked["id"], "songs": list(songs)}

    async def route(
        request: gr.Request, caption: str = "", lyrics: str = "", tags: list[str] | None = None
    ) -> dict[str, Any]:
        """Tell which adapters would be chosen for a prompt, and why: predicted word error rates of every composition
        with their intervals, and the nearest prompts that were measured. Nothing is sung.

        Args:
            caption: The style, such as "gentle folk song, acoustic guitar".
            lyrics: The words, in English, line by line.
            tags: Further words about the style, such as "slow".
        """
        return await routes.post(request, "/v1/route", {"caption": caption, "lyrics": lyrics, "tags": tags})

    async def cascade(
        request: gr.Request,
        caption: str = "",
        lyrics: str = "",
        budget: int | None = None,
        stop_wer: float | None = None,
        retry: str | None = None,
        together: int | None = None,
        seed: int | None = None,
        steps: int | None = None,
        duration: float | None = None,
        tempo: float | None = None,
        wait: bool = True,
    ) -> dict[str, Any]:
        """Sing what the router expects to be best, listen, and try again until the words come through.

        Args:
            caption: The style.
            lyrics: The words, in English, line by line.
            budget: Songs at most, 1 to 16.
            stop_wer: A word error rate that is good enough, 0 to 1.
            retry: What another take changes: adapters, seeds or both.
            together: Takes that are sung at once.
            seed: Number that the noise of the first take is drawn from.
            steps: Denoising steps, 1 to 200.
            duration: Length in seconds. Only one of duration and tempo.
            tempo: Beats per minute.
            wait: Whether to answer once it has ended, or at once with its id.
        """
        wish = {
            "caption": caption, "lyrics": lyrics, "budget": budget, "stop_wer": stop_wer, "retry": retry,
            "together": together, "seed": seed, "steps": steps, "duration": duration, "tempo": tempo,
        }  # fmt: skip
        found = await routes.post(request, "/v1/cascades", wish)
        while wait and found["state"] == "going":
            await asyncio.sleep(LOOK_EVERY)
            found = await routes.get(request, place("cascades", found["id"]))
        return brief_cascade(found)

    return sing, compare, route, cascade


async def _settled(routes: OwnRoutes, caller: gr.Request, song: dict[str, Any]) -> dict[str, Any]:
    """A song in short, once it is sung and judged, or has ended otherwise."""
    path = place("songs", song["id"])
    await routes.get(caller, f"{path}/events")  # which ends with the last thing that happens to it
    return brief_song(await routes.get(caller, path))
