"""What an export is asked for with, and what is told and kept of it; knows no files and no routes."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema

from adapters.blending import Compression
from adapters.composition import MAX_ADAPTERS, MAX_WEIGHT, checked_composition, format_composition, parse_composition
from adapters.errors import AdapterError
from adapters.exporting import ExportFormat, ExportOptions
from adapters.full_export import SHARD_SIZE
from adapters.lora_export import LORA_FORMATS
from adapters.merging import DENSITY, MergeMethod
from adapters.peft_config import MAX_RANK
from adapters.shards import parse_size

EXPORT_ID = r"^[0-9a-f]{16}$"
_MAX_TEXT = 2000

State = Literal["queued", "running", "done", "failed"]


def _from_text(value: Any) -> Any:
    if not isinstance(value, str):
        return value
    if len(value) > _MAX_TEXT:
        raise ValueError(f"the text has {len(value):,} characters, at most {_MAX_TEXT:,} are allowed")
    try:
        return parse_composition(value)
    except AdapterError as error:
        raise ValueError(str(error)) from None


def _checked(value: dict[str, float]) -> dict[str, float]:
    try:
        return checked_composition(value)
    except AdapterError as error:
        raise ValueError(str(error)) from None


def _shard_size(value: str) -> str:
    try:
        parse_size(value)
    except AdapterError as error:
        raise ValueError(str(error)) from None
    return value


_COMPOSITION_SCHEMA = {
    "anyOf": [
        {
            "type": "object",
            "additionalProperties": {"type": "number", "minimum": -MAX_WEIGHT, "maximum": MAX_WEIGHT},
            "propertyNames": {"pattern": "^[a-z0-9-]{1,64}$", "not": {"const": "base"}},
            "maxProperties": MAX_ADAPTERS,
        },
        {"type": "string", "maxLength": _MAX_TEXT},
    ],
    "description": "Weights of adapters by name, or text such as `lyrics=0.6,nolyrics=0.4`; `base` is the model alone.",
    "examples": [{"lyrics": 0.6, "nolyrics": 0.4}],
}


class ExportRequest(BaseModel):
    """What to export, and how. What is left out is chosen as on the command line."""

    model_config = ConfigDict(
        extra="forbid",
        frozen=True,
        strict=True,
        allow_inf_nan=False,
        json_schema_extra={"examples": [{"composition": {"lyrics": 0.6, "nolyrics": 0.4}, "format": "comfyui"}]},
    )

    composition: Annotated[
        dict[str, float], BeforeValidator(_from_text), AfterValidator(_checked), WithJsonSchema(_COMPOSITION_SCHEMA)
    ]
    format: ExportFormat = Field(description="What reads it; `full-…` is the whole model, the rest a LoRA.")
    # the blend
    merge: MergeMethod = Field(default="concat", description="`concat` is the exact weighted sum.")
    rank: int | None = Field(default=None, ge=1, le=MAX_RANK, description="Compress every layer to this rank.")
    density: float = Field(
        default=DENSITY, gt=0, le=1, description="Share of values that ties, dare-ties and knots keep."
    )
    seed: int = Field(default=0, ge=0, lt=2**31, description="Of what dare-ties drops.")
    # the files
    dtype: Literal["fp32", "bf16", "fp16"] | None = Field(
        default=None, description="Of the values; by default fp32 for a LoRA, the model's own for `full-…`."
    )
    shard_size: Annotated[str, AfterValidator(_shard_size)] = Field(
        default=f"{SHARD_SIZE // 10**9}GB",
        pattern=r"^[1-9][0-9]{0,8}(\.[0-9]{1,9})?[KMG]?B$",
        description="Largest file of a whole model.",
        examples=["500MB"],
    )

    @property
    def options(self) -> ExportOptions:
        return ExportOptions(
            form=self.format,
            merge=self.merge,
            rank=self.rank,
            density=self.density,
            seed=self.seed,
            dtype=self.dtype,
            shard_size=parse_size(self.shard_size),
        )

    @property
    def lora(self) -> bool:
        """Whether a LoRA is asked for, and not a whole model."""
        return self.format in LORA_FORMATS

    @property
    def stem(self) -> str:
        """What its file is called, without an ending."""
        blend = format_composition(self.composition).replace("=", "-").replace(",", "-")
        return f"{blend[:80].strip('.-')}-{self.format}"


class Loss(BaseModel):
    """What compressing to ``rank`` lost, as shares of the norm of the change: of all layers, and of the worst."""

    rank: int = Field(examples=[8])
    overall: float = Field(examples=[0.031])
    worst: float = Field(examples=[0.094])
    worst_layer: str = Field(examples=["layers.0.cross_attn.to_q"])

    @classmethod
    def of(cls, compression: Compression) -> Loss:
        layer = max(compression.errors, key=lambda name: compression.errors[name])
        return cls(
            rank=compression.rank,
            overall=compression.overall,
            worst=compression.errors[layer],
            worst_layer=layer,
        )


class ExportedFile(BaseModel):
    """The file to fetch; several are packed into one ZIP, uncompressed."""

    name: str = Field(examples=["lyrics-0.6-nolyrics-0.4-peft.zip"])
    size: int = Field(ge=0, description="Bytes.", examples=[1_234_567])


class ExportShown(BaseModel):
    """An export. ``progress``: share of the bytes written; a LoRA's goes from 0 to 1 in one step."""

    id: str = Field(pattern=EXPORT_ID, examples=["9f86d081884c7d65"])
    state: State
    progress: float = Field(ge=0, le=1)
    created: AwareDatetime
    request: ExportRequest
    file: ExportedFile | None = Field(default=None, description="Once it is done.")
    error: str | None = Field(default=None, description="Why it failed.")
    notes: list[str] = Field(default_factory=list, description="What a person should know about the files.")
    loss: Loss | None = Field(default=None, description="What compression to the rank lost.")


class ExportEstimate(BaseModel):
    """How large an export would be, from shapes and ranks alone; nothing was made."""

    size: int = Field(ge=0, description="Bytes of the file to fetch, within a few percent.", examples=[1_234_567])
    files: int = Field(ge=1, description="Files of weights in it.", examples=[1])
    rank: int | None = Field(
        default=None, description="The largest rank of a layer; none of a whole model.", examples=[16]
    )
