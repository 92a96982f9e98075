"""What is known about an adapter: how it was made, for which base, and what its training measured."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, StringConstraints, ValidationError

from adapters.base import Base
from adapters.errors import AdapterError
from adapters.field_faults import say_first
from adapters.json_file import read_json_object

#: Lower-case letters, digits and hyphens: never a path.
AdapterName = Annotated[str, StringConstraints(pattern=r"^[a-z0-9-]{1,64}$")]
Variant = Literal["nolyrics", "lyrics", "nolyrics-asr", "lyrics-asr"]
VARIANTS: tuple[Variant, ...] = ("nolyrics", "lyrics", "nolyrics-asr", "lyrics-asr")


class BaseCard(BaseModel):
    """The song model an adapter was trained on, or checked against when it was imported."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(max_length=200)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")


class CorpusCard(BaseModel):
    """The corpus an adapter was trained on."""

    model_config = ConfigDict(extra="forbid", frozen=True)
    name: str = Field(max_length=200)
    fingerprint: str = Field(pattern=r"^[0-9a-f]{16}$")
    clips: int = Field(ge=1)
    hours: float = Field(ge=0)
    licence: str = Field(default="", max_length=2000)


class AdapterCard(BaseModel):
    """``card.json`` of an adapter.

    ``variant`` is None for an adapter made elsewhere; ``rank`` and ``alpha`` are the commonest where layers differ;
    ``targets`` are the kinds of layers it touches, such as ``cross_attn.to_q``; ``recipe`` are the options it was
    trained with and ``metrics`` what training measured last; ``source`` says what an imported adapter was read from.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)
    # what it is
    name: AdapterName
    variant: Variant | None = None
    description: str = Field(default="", max_length=2000)
    licence: str = Field(default="", max_length=200)
    created: AwareDatetime
    # what it fits
    base: BaseCard
    rank: int = Field(ge=1)
    alpha: float
    layers: int = Field(ge=1)
    parameters: int = Field(ge=1)
    targets: tuple[str, ...]
    # how it was made
    corpus: CorpusCard | None = None
    recipe: dict[str, Any] = Field(default_factory=dict)
    metrics: dict[str, float] = Field(default_factory=dict)
    source: str = Field(default="", max_length=500)


def check_name(name: str) -> str:
    """The name, if an adapter may have it.

    Raises:
        AdapterError: it could be a path, or is ``base`` or ``routed``, which mean something else.
    """
    if not re.fullmatch("[a-z0-9-]{1,64}", name):
        raise AdapterError(f"{name[:80]!r} is no adapter name: use 1 to 64 of a-z, 0-9 and -")
    if name == "base":
        raise AdapterError("an adapter cannot be called base, which is the song model without any: choose another name")
    if name == "routed":
        raise AdapterError("an adapter cannot be called routed, which is what the router chooses: choose another name")
    return name


def read_card(path: Path) -> AdapterCard:
    """The card in a file.

    Raises:
        AdapterError: it is not JSON, or no card of an adapter.
    """
    given = read_json_object(path)
    try:
        return AdapterCard.model_validate(given)
    except ValidationError as error:
        raise AdapterError(f"{path} is no card of an adapter: {say_first(error)}; repair or remove it") from None


def check_base(card: AdapterCard, base: Base) -> None:
    """Make sure that an adapter was made for this song model.

    Raises:
        AdapterError: names both models.
    """
    if card.base.fingerprint != base.fingerprint:
        raise AdapterError(
            f"adapter {card.name} was made for the song model {card.base.name} ({card.base.fingerprint}), this one is "
            f"{base.fingerprint}: load that model, or train an adapter for this one"
        )
