"""The form by which an adapter is imported, as HTML; ``browser/import.js`` sends it to ``POST /v1/adapters``.

Knows the fields of that route, not what becomes of them.
"""

from __future__ import annotations

from adapters.safetensors_file import MAX_FILE
from ui.fields import make_field

_FILE = '<input type="file" id="{{id}}" name="{name}" accept="{ending}" {{about}}>'


def show_import_form() -> str:
    """The form."""
    name = '<input type="text" id="{id}" name="name" autocomplete="off" spellcheck="false" {about}>'
    text = '<textarea id="{id}" name="description" rows="2" maxlength="2000" {about}></textarea>'
    fields = (
        make_field("import", "name", "Name", name, helps="1 to 64 of a–z, 0–9 and -."),
        make_field(
            "import",
            "weights",
            "Weights",
            _FILE.format(name="weights", ending=".safetensors"),
            helps="A .safetensors file of PEFT, diffusers, ComfyUI, LyCORIS or ACE-Step’s trainer. Drop files anywhere "
            f"on this form. At most {MAX_FILE >> 30} GiB.",
        ),
        make_field(
            "import",
            "config",
            "Configuration, if there is one",
            _FILE.format(name="config", ending=".json"),
            helps="adapter_config.json: PEFT’s files need it, since it says how strongly the weights count.",
        ),
        make_field(
            "import",
            "card",
            "Card, if there is one",
            _FILE.format(name="card", ending=".json"),
            helps="card.json of an adapter that Choirmaster trained or kept.",
        ),
        make_field("import", "description", "Description, if you like", text),
    )
    return (
        f'<adapter-import class="card sends" data-limit="{MAX_FILE}"><h2>Import an adapter</h2>'
        '<p class="faint">Its file is checked before it stands on the shelf: what kind it is, and whether it fits the '
        "loaded song model. Pickles are refused.</p>"
        f'<form novalidate aria-label="Import an adapter">{"".join(fields)}'
        '<p class="fault general" role="alert" hidden></p>'
        '<div class="sending" hidden><progress max="1" aria-label="Upload"></progress><p role="status"></p></div>'
        '<div class="actions"><button type="submit" class="button primary">Import</button>'
        '<button type="button" class="button" data-cancel hidden>Cancel</button></div></form>'
        '<div class="outcome" role="status" tabindex="-1"></div></adapter-import>'
    )
