"""The shelf of adapters over HTTP: list, show, import by upload, remove.

Songs that are being sung keep the adapters they began with, so removing one asks nobody. What an adapter is, and
whether it can be read and fits, is for ``adapters`` to say.
"""

from __future__ import annotations

import logging
import os
import shutil
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from anyio import CancelScope, CapacityLimiter, to_thread
from fastapi import APIRouter, Request, Response
from fastapi import Path as InPath
from pydantic import BaseModel, ConfigDict, Field

from adapters.base import Base
from adapters.card import AdapterCard, BaseCard, check_name
from adapters.errors import AdapterError, NoSuchAdapter
from adapters.importing import CARD, Imported, import_adapter
from adapters.store import AdapterStore
from api.adapter_form import field_of, form_document, form_parts, refuse_pickles
from api.blame import blame
from api.problems import Problem
from api.schema import errors
from api.shelf_faults import disk_problem, explain, shelf_problem
from api.uploads import Form, receive_form
from engine.hidden_folders import claim_folder, clear_abandoned

#: Uploads that are received at once; each may take ``MAX_FILE`` of the disk.
MAX_UPLOADS = 16
RETRY_AFTER = 10
#: Begins the names of folders of uploads.
_HIDDEN = ".upload-"

log = logging.getLogger(__name__)

_LOCATION = {"Location": {"schema": {"type": "string"}, "description": "Where the adapter is found."}}
_EXAMPLE = AdapterCard(
    name="my-voice",
    variant="lyrics",
    description="Trained on twelve of my own songs",
    created=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
    base=BaseCard(name="tiny", fingerprint="4257f80b444ccb14"),
    rank=8,
    alpha=16,
    layers=48,
    parameters=172_032,
    targets=("cross_attn.to_q", "self_attn.to_q"),
    source="peft: uploaded",
).model_dump(mode="json")


class AdapterShown(AdapterCard):
    """An adapter's card. ``fits``: whether it was made for the song model that this server sings with."""

    model_config = ConfigDict(json_schema_extra={"examples": [_EXAMPLE | {"fits": True}]})

    fits: bool


class DamagedAdapter(BaseModel):
    """An adapter that cannot be read. It can still be removed."""

    name: str = Field(examples=["old-voice"])
    fault: str = Field(examples=["card.json is not JSON: repair it or fetch it again"])


class Shelf(BaseModel):
    """All adapters, in the order of their names."""

    adapters: list[AdapterShown]
    damaged: list[DamagedAdapter]


class AdapterAdded(BaseModel):
    """An adapter that now stands on the shelf, and what a person should know about how it was read."""

    adapter: AdapterShown
    notes: list[str] = Field(examples=[["no card says for which song model it was made: it fits the layers of tiny"]])


class AdapterRemoved(BaseModel):
    """An adapter that is gone."""

    name: str = Field(examples=["my-voice"])
    state: str = Field(default="removed", pattern="^removed$", examples=["removed"])


Name = Annotated[str, InPath(description="Name of an adapter: 1 to 64 of a-z, 0-9 and -.", examples=["lyrics"])]


def adapter_routes(shelf: AdapterStore, base: Base, base_name: str, work: Path) -> APIRouter:
    """Routes over the adapters on ``shelf`` for the song model ``base``; uploads wait in ``work``, hidden."""
    router = APIRouter(tags=["adapters"])
    clear_abandoned(work, _HIDDEN)
    places = {shelf.folder: "the shelf", work: "the upload"}
    # An adapter is read whole to be checked: one at a time, so that many uploads take no more memory than one.
    importing = CapacityLimiter(1)
    receiving = 0

    def shown(card: AdapterCard) -> AdapterShown:
        found = AdapterShown(**dict(card), fits=card.base.fingerprint == base.fingerprint)
        try:
            found.model_dump_json()
        except (ValueError, RecursionError):  # lone surrogates, or nested without end
            raise AdapterError(
                f"the recipe in the card of {card.name} cannot be written as JSON: repair its {CARD}"
            ) from None
        return found

    @router.get("/v1/adapters", summary="List the adapters", responses=errors())
    def browse() -> Shelf:
        listed = Shelf(adapters=[], damaged=[])
        for name in shelf.names():
            try:
                listed.adapters.append(shown(shelf.card(name)))
            except NoSuchAdapter:  # removed meanwhile
                continue
            except AdapterError as error:
                listed.damaged.append(DamagedAdapter(name=name, fault=explain(str(error), places)))
        return listed

    @router.get(
        "/v1/adapters/{name}",
        summary="Show an adapter's card",
        responses=errors(404, 409, 422),
    )
    def show(name: Name) -> AdapterShown:
        check_there(name)
        try:
            return shown(shelf.card(name))
        except NoSuchAdapter as error:
            raise shelf_problem(error, places) from error
        except AdapterError as error:
            said = explain(str(error), places)
            raise Problem(409, f"adapter {name} is damaged ({said}): remove it and import it again") from error

    @router.delete(
        "/v1/adapters/{name}",
        summary="Remove an adapter",
        description="Songs that are being sung keep it until they are done.",
        responses=errors(404, 422, 507, changing=True),
    )
    def remove(name: Name) -> AdapterRemoved:
        check_there(name)
        try:
            shelf.remove(name)
        except AdapterError as error:
            raise shelf_problem(error, places) from error
        return AdapterRemoved(name=name)

    def check_there(name: str) -> None:
        try:
            check_name(name)
        except AdapterError as error:  # a name that none can have is a place where nothing is
            raise Problem(404, str(error)) from None
        try:
            shelf.check_there(name)
        except AdapterError as error:
            raise shelf_problem(error, places) from error

    @router.post(
        "/v1/adapters",
        status_code=201,
        summary="Import an adapter",
        description="Reads what `choirmaster adapters import` reads: LoRA of PEFT, diffusers, ComfyUI, LyCORIS and "
        "ACE-Step's trainer, and LoKr, as safetensors. The kind is told by the file's keys. With `card`, the adapter "
        "keeps what it says; it must name this song model.",
        openapi_extra={"requestBody": form_document()},
        responses={201: {"headers": _LOCATION}, **errors(409, 415, 422, 429, 507, changing=True)},
    )
    async def add(request: Request, response: Response) -> AdapterAdded:
        nonlocal receiving
        if receiving >= MAX_UPLOADS:
            raise Problem(
                429,
                f"{receiving} adapters are being uploaded, which is the limit: send it again in {RETRY_AFTER} s",
                headers={"Retry-After": str(RETRY_AFTER)},
            )
        receiving += 1
        claimed = None
        try:
            claimed = await to_thread.run_sync(_claim, work)
            folder = claimed[0]
            form = await receive_form(request, folder, form_parts(), refuse_pickles)
            added = await to_thread.run_sync(shelve, form, folder, limiter=importing)
        except OSError as error:
            raise disk_problem(error) from error
        finally:
            receiving -= 1
            if claimed is not None:
                with CancelScope(shield=True):
                    await to_thread.run_sync(_leave, *claimed)
        response.headers["Location"] = f"/v1/adapters/{added.adapter.name}"
        return added

    def shelve(form: Form, folder: Path) -> AdapterAdded:
        for field, given in (("name", form.texts), ("weights", form.files)):
            if field not in given:
                said = f"{field} is missing or empty: send name and weights, and config, card and description if any"
                raise blame(Problem(422, said), field)
        name, files = (
            form.texts["name"],
            {folder / part.stored: key for key, part in form_parts().items() if part.stored},
        )
        try:
            shelf.check_free(name)
        except AdapterError as error:
            raise blame(shelf_problem(error, places), "name") from error
        try:
            found = import_adapter(
                form.files["weights"], name, base, base_name, description=form.texts.get("description", "")
            )
            card = found.card if "card" in form.files else _without_path(found)
            card = shown(shelf.add(name, found.weights, shown_card(card), base=base))
        except AdapterError as error:
            raise blame(shelf_problem(error, {**files, **places, folder: "the upload"}), field_of(error)) from error
        except MemoryError:
            said = f"weights of {form.files['weights'].stat().st_size:,} bytes do not fit into this machine's memory"
            raise blame(Problem(413, f"{said}: send less"), "weights") from None
        log.info("adapter %s was imported", name)
        return AdapterAdded(adapter=card, notes=found.notes)

    def shown_card(card: AdapterCard) -> AdapterCard:
        """The card, once it is certain that it can be written."""
        shown(card)
        return card

    return router


def _claim(work: Path) -> tuple[Path, int]:
    work.mkdir(parents=True, exist_ok=True)
    return claim_folder(work, _HIDDEN)


def _leave(folder: Path, held: int) -> None:
    shutil.rmtree(folder, ignore_errors=True)
    os.close(held)


def _without_path(found: Imported) -> AdapterCard:
    """A new card names the kind of file, and not where it lay for a moment."""
    form = found.card.source.partition(":")[0]
    return found.card.model_copy(update={"source": f"{form}: uploaded"})
