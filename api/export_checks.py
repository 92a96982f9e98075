"""What is wrong with a request for an export before anything is made: adapters that are not there, a LoRA of nothing.

Knows the shelf, and no export.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from adapters.errors import AdapterError, NoSuchAdapter
from adapters.store import AdapterStore
from api.blame import blame
from api.bodies import read_fields
from api.export_records import ExportRequest
from api.problems import Problem
from api.shelf_faults import shelf_problem

_HINT = 'send an object such as {"composition": "lyrics=0.6", "format": "peft"}'
_WHAT = "an export"


def read_export(body: bytes) -> ExportRequest:
    """The request in a body.

    Raises:
        Problem: the body is no JSON, no object, or fields of it are wrong, which it tells by field.
    """
    return read_fields(ExportRequest, body, _WHAT, _HINT)


def check_request(request: ExportRequest, shelf: AdapterStore, places: Mapping[Path, str]) -> None:
    """Make sure that there is something to export.

    Raises:
        Problem: an adapter does not exist, or the composition is the base model, of which there is no LoRA.
    """
    for name in request.composition:
        try:
            shelf.check_there(name)
        except NoSuchAdapter as error:
            there = ", ".join(shelf.names()) or "none, since the shelf is empty"
            said = f"there is no adapter {name}: choose from {there}"
            raise blame(Problem(404, said, extra={"adapter": name}), "composition") from error
        except AdapterError as error:
            raise blame(shelf_problem(error, places), "composition") from error
    if request.lora and not request.composition:
        raise blame(
            Problem(
                422,
                "the composition is the base model, of which there is no LoRA: name an adapter, or ask for the model "
                "itself with the format full-diffusers or full-original",
            ),
            "composition",
        )
