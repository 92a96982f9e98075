"""The form by which a blend is exported, as HTML; ``browser/export.js`` sends it to ``POST /v1/exports``.

Knows the fields of that route in a person's words, not how files are made.
"""

from __future__ import annotations

from html import escape

from adapters.composition import MAX_WEIGHT
from adapters.exporting import ExportFormat
from adapters.full_export import SHARD_SIZE
from adapters.lora_export import LORA_FORMATS
from adapters.merging import DENSITY, MergeMethod
from adapters.peft_config import MAX_RANK
from ui.fields import make_fault, make_field, make_select
from ui.hints import TERMS

#: Format -> what it is called, and what it is for.
FORMATS: dict[ExportFormat, tuple[str, str]] = {
    "peft": ("PEFT", "A folder for Python’s peft, and for importing here again. The blend exactly."),
    "diffusers": ("diffusers", "One file for pipeline.load_lora_weights of Hugging Face’s diffusers."),
    "comfyui": ("ComfyUI", "One file for ComfyUI’s LoRA loader."),
    "original": ("ACE-Step", "A PEFT folder in the names of ACE-Step’s own code and trainer."),
    "full-diffusers": (
        "Whole model for diffusers",
        "The song model’s transformer with the blend folded in. As large as the model; needs no adapter any more.",
    ),
    "full-original": (
        "Whole model for ACE-Step",
        "The same as a checkpoint of ACE-Step’s own code, with the parts that belong to it.",
    ),
}
MERGES: dict[MergeMethod, str] = {
    "concat": "Exact weighted sum",
    "ties": "TIES: the largest changes, where the adapters agree",
    "dare-ties": "DARE-TIES: changes drawn at random, where they agree",
    "knots": "KnOTS: TIES in the directions that they share",
}
_DTYPES = (
    ("", "As usual: 32 bits, a whole model as it is"),
    ("fp32", "32 bits (fp32)"),
    ("bf16", "16 bits (bf16)"),
    ("fp16", "16 bits, finer but narrower (fp16)"),
)
_NUMBER = (
    '<input type="number" id="{{id}}" name="{name}" min="{low}" max="{high}" step="{step}" placeholder="{shown}" '
    "{{about}}>"
)


def show_export_form() -> str:
    """The form, and the exports there are below it."""
    return (
        f'<adapter-export class="card sends" data-most="{MAX_WEIGHT:g}" data-loras="{" ".join(LORA_FORMATS)}" '
        f'data-size-hint="{escape(TERMS["export_size"])}">'
        '<h2>Blend and export</h2><p class="faint">One adapter, or several weighed against each other, as a file that '
        "other tools load.</p>"
        f'<form novalidate aria-label="Blend and export">{_blend()}{_formats()}{_more()}'
        '<p class="estimate" role="status"></p><p class="fault general" role="alert" hidden></p>'
        '<div class="actions"><button type="submit" class="button primary">Export</button></div></form>'
        f'<h3>Exports</h3><export-list data-loss-hint="{escape(TERMS["compression_loss"])}"></export-list>'
        "</adapter-export>"
    )


def _blend() -> str:
    control = (
        '<input type="text" id="{id}" name="composition" autocomplete="off" spellcheck="false" '
        'placeholder="lyrics=0.6,nolyrics=0.4" {about}>'
    )
    return (
        '<fieldset><legend>Adapters</legend><div class="rows"></div>'
        '<div class="field adding"><div class="label"><label for="export-add">Add an adapter</label></div>'
        '<span class="pair"><select id="export-add"></select>'
        '<button type="button" class="button" data-add>Add</button></span></div>'
        + make_field(
            "export",
            "composition",
            "The same as text",
            control,
            helps="Names and weights. Nothing is the song model alone, which only whole models can be.",
            term="composition",
        )
        + "</fieldset>"
    )


def _formats() -> str:
    radios = "".join(
        f'<label class="choice"><input type="radio" name="format" value="{name}"'
        f"{' checked' if name == 'peft' else ''}><span><b>{escape(label)}</b> "
        f'<span class="faint">{escape(about)}</span></span></label>'
        for name, (label, about) in FORMATS.items()
    )
    return (
        f'<fieldset data-field="format" class="formats"><legend>Format</legend>{radios}'
        f"{make_fault('export-format')}</fieldset>"
    )


def _more() -> str:
    numbers = {
        "rank": (1, MAX_RANK, 1, "as it comes"),
        "density": (0, 1, "any", f"{DENSITY:g}"),
        "seed": (0, 2**31 - 1, 1, "0"),
    }
    control = {
        name: _NUMBER.format(name=name, low=low, high=high, step=step, shown=shown)
        for name, (low, high, step, shown) in numbers.items()
    }
    shard = (
        '<input type="text" id="{id}" name="shard_size" autocomplete="off" '
        f'placeholder="{SHARD_SIZE // 10**9}GB" {{about}}>'
    )
    merges = tuple((str(name), label) for name, label in MERGES.items())
    fields = (
        make_field("export", "merge", "How they become one", make_select("merge", merges), term="merge"),
        make_field("export", "density", "Share that is kept", control["density"], term="density"),
        make_field("export", "seed", "Seed of what is dropped", control["seed"], term="seed"),
        make_field("export", "rank", "Compress to rank", control["rank"], term="compress"),
        make_field("export", "dtype", "Precision", make_select("dtype", _DTYPES), term="dtype"),
        make_field("export", "shard_size", "Largest file", shard, helps="Such as 500MB or 2GB.", term="shard_size"),
    )
    return f'<details class="more"><summary>More choices</summary><div class="grid">{"".join(fields)}</div></details>'
