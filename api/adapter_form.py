"""The form by which an adapter is uploaded: its fields and their limits, and which of them an error is about.

Knows no route and no shelf.
"""

from __future__ import annotations

from pathlib import PurePath
from typing import Any

from adapters.errors import AdapterError, NameTaken
from adapters.importing import CARD, PEFT_CONFIG, PEFT_WEIGHTS
from adapters.json_file import MAX_JSON
from adapters.safetensors_file import MAX_FILE, PICKLES
from api.blame import blame
from api.problems import Problem
from api.uploads import Part

_MAX_TEXT = 16_384


def form_parts() -> dict[str, Part]:
    """The fields and their limits."""
    return {
        "name": Part(_MAX_TEXT),
        "weights": Part(MAX_FILE, PEFT_WEIGHTS),
        "config": Part(MAX_JSON, PEFT_CONFIG),
        "card": Part(MAX_JSON, CARD),
        "description": Part(_MAX_TEXT),
    }


def refuse_pickles(field: str, client_name: str) -> None:
    """Refuse a pickle by its name before it is received; one that hides its name is refused by its first bytes."""
    ending = PurePath(client_name.replace("\\", "/")).suffix.lower()
    if field == "weights" and ending in PICKLES:
        said = f"weights are a pickle ({ending}), which can run any code when it is read: convert them to safetensors"
        raise blame(Problem(415, f"{said} where you trust them"), field)


def field_of(error: AdapterError) -> str:
    """The part of the form that is to blame: messages name the file that they are about, and else the weights are."""
    said = str(error)
    if isinstance(error, NameTaken):
        return "name"
    if said.startswith("the description "):
        return "description"
    if CARD in said or "was made for the song model" in said:
        return "card"
    return "config" if PEFT_CONFIG in said else "weights"


def form_document() -> dict[str, Any]:
    """The form as OpenAPI tells it."""
    file = {"type": "string", "format": "binary", "contentMediaType": "application/octet-stream"}
    fields = {
        "name": {
            "type": "string",
            "pattern": "^[a-z0-9-]{1,64}$",
            "not": {"const": "base"},
            "description": "The name it gets; must be free.",
            "examples": ["my-voice"],
        },
        "weights": {**file, "description": f"The safetensors file, at most {MAX_FILE:,} bytes."},
        "config": {**file, "description": f"adapter_config.json of a PEFT adapter, at most {MAX_JSON:,} bytes."},
        "card": {**file, "description": "card.json of an adapter that Choirmaster trained or kept."},
        "description": {"type": "string", "maxLength": 2000, "description": "A sentence for its card."},
    }
    schema = {
        "type": "object",
        "properties": fields,
        "required": ["name", "weights"],
        "additionalProperties": False,
    }
    return {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
