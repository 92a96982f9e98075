"""Calls about songs that there are: show, list, follow the words, vote, cancel, delete, restore."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from ui.client_answers import brief_cascade, brief_song
from ui.own_routes import Call, OwnRoutes, Refusal, place


def list_calls(routes: OwnRoutes) -> Sequence[Call]:
    """The calls about songs, comparisons and cascades that there are."""

    async def song(request: gr.Request, song: str) -> dict[str, Any]:
        """Everything about a song: how it stands, and once it is done all that is needed to sing it again.

        Args:
            song: The id of a song.
        """
        return await routes.get(request, place("songs", song))

    async def songs(
        request: gr.Request,
        limit: int = 20,
        offset: int = 0,
        state: str | None = None,
        text: str | None = None,
        adapter: str | None = None,
        comparison: str | None = None,
        compared: bool | None = None,
        judged: bool | None = None,
        max_wer: float | None = None,
        min_wer: float | None = None,
        since: str | None = None,
        until: str | None = None,
    ) -> dict[str, Any]:
        """List songs, newest first, in short; total counts all that the filters leave.

        Args:
            limit: Songs at most, 1 to 100.
            offset: Songs to leave out first.
            state: queued, singing, decoding, done, failed or cancelled.
            text: Stands in the caption or lyrics.
            adapter: Sings along; base for songs without any.
            comparison: The id of a comparison or cascade.
            compared: Whether it is part of any.
            judged: Whether a word error rate is known.
            max_wer: The largest word error rate.
            min_wer: The smallest word error rate.
            since: Asked for or stored at this time or later, such as 2026-03-01T12:00:00Z.
            until: Asked for or stored before this time.
        """
        found = await routes.get(
            request, "/v1/songs", limit=limit, offset=offset, state=state, text=text, adapter=adapter,
            comparison=comparison, compared=compared, judged=judged, max_wer=max_wer, min_wer=min_wer, since=since,
            until=until,
        )  # fmt: skip
        return {**found, "songs": list(map(brief_song, found["songs"]))}

    async def karaoke(request: gr.Request, song: str, format: str = "json") -> dict[str, Any]:
        """When each line and word of a song is sung.

        Args:
            song: The id of a song.
            format: json, or lrc or enhanced-lrc, which are answered as text.
        """
        return await routes.get(request, place("songs", song, "karaoke"), format=format)

    async def comparison(request: gr.Request, comparison: str) -> dict[str, Any]:
        """The songs of a comparison, in short.

        Args:
            comparison: The id of a comparison.
        """
        found = await routes.get(request, place("compare", comparison))
        return {"id": found["id"], "songs": list(map(brief_song, found["songs"]))}

    async def vote(request: gr.Request, comparison: str, song: str, blind: bool = False) -> dict[str, Any]:
        """Say which song of a comparison is the best.

        Args:
            comparison: The id of a comparison whose songs are all sung.
            song: The id of the best of them.
            blind: Whether nothing told which was sung by what.
        """
        return await routes.post(request, place("compare", comparison, "vote"), {"song": song, "blind": blind})

    async def cascade_state(request: gr.Request, cascade: str) -> dict[str, Any]:
        """How a cascade stands: its takes, and once it has ended the best of them.

        Args:
            cascade: The id of a cascade.
        """
        return brief_cascade(await routes.get(request, place("cascades", cascade)))

    async def cancel_cascade(request: gr.Request, cascade: str) -> dict[str, Any]:
        """Sing no more takes of a cascade; those that are done stay.

        Args:
            cascade: The id of a cascade.
        """
        return brief_cascade(await routes.delete(request, place("cascades", cascade)))

    async def cancel(request: gr.Request, song: str) -> dict[str, Any]:
        """Stop a song that waits or is being sung.

        Args:
            song: The id of a song that is not done.
        """
        found = await routes.get(request, place("songs", song))
        if found["state"] in ("done", "failed", "cancelled"):
            raise Refusal(f"the song {song} is {found['state']}: only one that waits or is being sung can be cancelled")
        ended = await routes.delete(request, place("songs", song))
        if not ended.get("kept_for"):
            return ended
        await routes.post(request, place("songs", song, "restore"))  # it was done a moment before
        raise Refusal(f"the song {song} was done before it could be cancelled")

    async def delete(request: gr.Request, song: str) -> dict[str, Any]:
        """Delete a song, or cancel one that is not done; restore brings one that was done back for a while.

        Args:
            song: The id of a song.
        """
        return await routes.delete(request, place("songs", song))

    async def restore(request: gr.Request, song: str) -> dict[str, Any]:
        """Bring a song back that was deleted some minutes ago at most.

        Args:
            song: The id of a song that was deleted.
        """
        return await routes.post(request, place("songs", song, "restore"))

    return song, songs, karaoke, comparison, vote, cascade_state, cancel_cascade, cancel, delete, restore
