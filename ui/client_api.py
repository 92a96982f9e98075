"""Everything that programs can call by ``gradio_client``, and the three tools among it that MCP lists.

Each call asks the application's own routes; docs/api.md tells of both. Knows no service, and nothing of the page.
"""

from __future__ import annotations

import json
from functools import wraps
from typing import Any, get_type_hints

import gradio as gr
from gradio.events import api

from ui.client_evidence import evidence_calls
from ui.client_lists import list_calls
from ui.client_shelf import shelf_calls
from ui.client_songs import song_calls
from ui.own_routes import Call, OwnRoutes

#: What MCP lists, of all the calls.
TOOLS = ("sing", "route", "compare")
_MCP = "/gradio_api/mcp"


def offer_calls(routes: OwnRoutes) -> None:
    """Add the calls to the Blocks that are being built.

    None waits in Gradio's queue: a song takes its place in the engine's, where others are looked at meanwhile.
    """
    for call in (*song_calls(routes), *list_calls(routes), *shelf_calls(routes), *evidence_calls(routes)):
        api(
            _told(call),
            api_name=call.__name__,
            api_visibility="public",
            queue=False,
            concurrency_limit=None,
        )


def keep_tools(page: gr.Blocks) -> None:
    """Leave the three tools of MCP, once the Blocks are mounted: Gradio makes one of every call that has a description,
    and one that has none takes no arguments by name."""
    tools = page.mcp_server_obj
    assert tools is not None, page.mcp_error
    tools.tool_to_endpoint = {name: call for name, call in tools.tool_to_endpoint.items() if name in TOOLS}


def _told(call: Call) -> Call:
    """The call, answering tools with JSON: Gradio would write a dictionary as Python does."""

    @wraps(call)
    async def answered(request: gr.Request, *given: Any) -> Any:
        answer = await call(request, *given)
        return json.dumps(answer, ensure_ascii=False) if request.url.path.startswith(_MCP) else answer

    answered.__annotations__ = get_type_hints(call)  # Gradio reads the types themselves, not their names
    return answered
