"""Short names of what lies in folders: another adapter, or another model, has another one.

Knows the files, not what is in them.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from adapters.errors import AdapterError
from adapters.importing import PEFT_CONFIG, PEFT_WEIGHTS
from adapters.store import AdapterStore

_DIGITS = 16
#: Files of a model folder that only describe it.
_TABLES = frozenset(
    {"coverage.json", "corpus.json", "targets.json", "targets-covered.json", "router.json", "router-test.json"}
)
_ADAPTERS = "adapters"


def fingerprint_adapter(folder: Path) -> str:
    """A short name of an adapter's weights and configuration; what its card says of it is not in it.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256()
    for name in (PEFT_WEIGHTS, PEFT_CONFIG):
        with (folder / name).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:_DIGITS]


def fingerprint_shelf(folder: Path) -> dict[str, str]:
    """The fingerprint of every adapter of a shelf by name, those left out whose files cannot be read.

    Raises:
        AdapterError: the folder cannot be listed.
    """
    found = {}
    try:
        names = AdapterStore(folder).names()
    except OSError as error:
        raise AdapterError(
            f"the shelf {folder} cannot be read ({error.strerror or error}): give another, or mend its permissions"
        ) from error
    for name in names:
        try:
            found[name] = fingerprint_adapter(folder / name)
        except OSError:  # half an adapter sings nothing
            continue
    return found


def fingerprint_model(folder: Path) -> str:
    """A short name of a model folder's content; changed weights or configuration change it. The tables, the router and
    the adapters beside its parts are not in it: what is stored there does not make another model of it.

    A model that is no folder here, a hub id, is told by its name alone.

    Raises:
        OSError: a file cannot be read.
    """
    digest = hashlib.sha256(b"" if folder.is_dir() else str(folder).encode())
    for path in sorted(path for path in folder.rglob("*") if path.suffix in {".safetensors", ".json"}):
        inside = path.relative_to(folder)
        if inside.parts[0] in (*_TABLES, _ADAPTERS):
            continue
        digest.update(str(inside).encode() + b"\0")
        with path.open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    return digest.hexdigest()[:_DIGITS]
