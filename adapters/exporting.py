"""Export: a composition of adapters on a shelf becomes a folder, or one file, that other tools load.

Brings together the shelf, the rules of merging, and the formats; knows nothing of the command line.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import torch

from adapters.base import Base
from adapters.blending import Compression, compress
from adapters.composition import Composition, checked_composition, format_composition
from adapters.errors import AdapterError
from adapters.folders import MARKER, check_free, new_file, new_folder
from adapters.full_export import FULL_FORMATS, SHARD_SIZE, FullFormat, write_full
from adapters.json_file import read_json_object
from adapters.lora_export import LORA_FORMATS, LoraFormat, write_lora
from adapters.merging import DENSITY, MERGE_METHODS, MergeMethod, merge
from adapters.store import AdapterStore
from adapters.weights import AdapterWeights, check_fit

#: One choice, so that a wrong one is told once.
ExportFormat = Literal[LoraFormat, FullFormat]
FORMATS: tuple[ExportFormat, ...] = (*LORA_FORMATS, *FULL_FORMATS)
DTYPES: dict[str, torch.dtype] = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}


@dataclass(frozen=True)
class ExportOptions:
    """How to export. ``dtype``: by default fp32 for a LoRA, and the song model's own for a whole model."""

    form: ExportFormat
    # the blend
    merge: MergeMethod = "concat"
    rank: int | None = None
    density: float = DENSITY
    seed: int = 0
    # the files
    dtype: str | None = None
    shard_size: int = SHARD_SIZE
    overwrite: bool = False


@dataclass(frozen=True)
class Exported:
    """What stands where now. ``ranks``: of each layer; ``compression``: what ``--rank`` lost, where it was given."""

    files: list[Path]
    ranks: Mapping[str, int] = field(default_factory=dict)
    compression: Compression | None = None
    notes: list[str] = field(default_factory=list)


def export_composition(
    composition: Composition,
    out: Path,
    options: ExportOptions,
    *,
    store: AdapterStore,
    model: Path,
    start: Callable[[int], Callable[[int], None]] = lambda _: lambda _: None,
) -> Exported:
    """Write the composition to ``out``: a folder, or one file where the format is ``comfyui`` and it ends so.

    ``start`` gets the total of bytes of a full export and gives back what is told the bytes of each tensor written.

    Raises:
        AdapterError: an option, an adapter, the song model or ``out`` cannot be used; nothing is written then.
    """
    composition = checked_composition(composition)
    dtype = _checked_dtype(options, composition)
    lone = out.suffix == ".safetensors"
    if lone and options.form != "comfyui":
        raise AdapterError(f"{out} names a file, but {options.form} is a folder: give a folder as --out")
    check_free(out, overwrite=options.overwrite, file=lone)  # before an hour of work, not after
    base, base_name = read_base(model)
    weights: AdapterWeights = {}
    compression = None
    if composition:
        parts = [(weight, store.load(name, base)) for name, weight in composition.items()]
        weights = merge(parts, options.merge, density=options.density, seed=options.seed)
        if options.rank is not None:
            weights, compression = compress(weights, options.rank)
    about = {
        "composition": format_composition(composition),
        "format": options.form,
        "merge": {"method": options.merge, **_merge_settings(options)},
        "rank": options.rank,
        "error": compression.overall if compression else 0.0,
        "dtype": options.dtype or ("fp32" if options.form in LORA_FORMATS else "that of the song model"),
        "base": {"name": base_name, "fingerprint": base.fingerprint},
    }
    ranks: dict[str, int] = {}
    notes: list[str] = []
    place = new_file if lone else new_folder
    with place(out, overwrite=options.overwrite) as folder:
        if options.form == "full-diffusers" or options.form == "full-original":
            done = write_full(model, weights, folder, options.form, dtype, options.shard_size, about, start)
            files, notes = done.files, done.notes
        else:
            weights = dict(weights)  # computed once from here on
            check_fit(weights, base, f"the blend {format_composition(composition)}")
            ranks = {name: layer.rank for name, layer in weights.items()}
            if options.merge in ("ties", "dare-ties") and options.rank is None:
                notes.append(
                    f"{options.merge} without --rank is exact and of full rank, up to {max(ranks.values())}: most of a "
                    "model's size; --rank 32 makes it small and says what that loses"
                )
            files = [write_lora(weights, folder, options.form, dtype or torch.float32, about, out.stem)]
        errors = compression.errors if compression else {}
        record = {**about, "ranks": ranks, "errors": errors, "notes": notes}
        (folder / MARKER).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return Exported([out if lone else out / file.name for file in files], ranks, compression, notes)


def read_base(model: Path) -> tuple[Base, str]:
    """The base in a song model's folder, and the name it goes by.

    Raises:
        AdapterError: the folder holds no transformer in diffusers layout.
    """
    config = model / "song_model.json"
    name = read_json_object(config).get("name") if config.is_file() else None
    return Base.of_folder(model / "transformer"), str(name or model.resolve().name)


def _checked_dtype(options: ExportOptions, composition: Composition) -> torch.dtype | None:
    if options.form not in FORMATS:
        raise AdapterError(f"there is no format {options.form!r}: choose one of {', '.join(FORMATS)}")
    if not composition and options.form in LORA_FORMATS:
        raise AdapterError(
            "the composition is the base model, of which there is no LoRA: name an adapter in --composition, or export "
            f"the model itself with --format {' or '.join(FULL_FORMATS)}"
        )
    if options.merge not in MERGE_METHODS:
        raise AdapterError(f"there is no merge method {options.merge!r}: choose one of {', '.join(MERGE_METHODS)}")
    if options.dtype is not None and options.dtype not in DTYPES:
        raise AdapterError(f"there is no dtype {options.dtype!r}: choose one of {', '.join(DTYPES)}")
    return DTYPES[options.dtype] if options.dtype else None


def _merge_settings(options: ExportOptions) -> dict[str, float]:
    if options.merge == "concat":
        return {}
    return {"density": options.density} | ({"seed": options.seed} if options.merge == "dare-ties" else {})
