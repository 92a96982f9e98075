"""From a path someone gave to an adapter: find its files, read them, check that they fit, and write its card.

Understands the folders of ACE-Step's trainer (``final/adapter``, ``checkpoints/epoch_N/adapter``), of Side-Step
(``final``), of PEFT, diffusers and of Choirmaster itself, and single files. Changes nothing on disk.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from adapters.base import Base
from adapters.card import AdapterCard, BaseCard, check_base, check_name, read_card
from adapters.errors import AdapterError
from adapters.formats import read_weights
from adapters.json_file import read_json_object
from adapters.safetensors_file import PICKLES, read_safetensors
from adapters.weights import LowRank, check_fit, describe_weights

PEFT_WEIGHTS = "adapter_model.safetensors"
PEFT_CONFIG = "adapter_config.json"
CARD = "card.json"

#: The state of a run of `choirmaster train`, which stands beside the finished adapter.
_RUN_STATE = "checkpoint.safetensors"
_MAX_DESCRIPTION = 2000

#: How deep below a given folder adapters are looked for, how many entries are looked at, how many named in an error.
_DEPTH, _ENTRIES, _NAMED = 3, 5000, 8


class Imported(NamedTuple):
    """An adapter ready for the store; ``notes`` are what a person should know about how it was found and read."""

    weights: dict[str, LowRank]
    card: AdapterCard
    notes: list[str]


def import_adapter(
    path: Path, name: str, base: Base, base_name: str, *, source: str | None = None, description: str = ""
) -> Imported:
    """Read the adapter at ``path``, a folder or a ``.safetensors`` file, as ``name`` for the song model ``base``.

    A card beside the weights is kept; else one is made, which says ``source``, by default the path's last parts.

    Raises:
        AdapterError: nothing or too much is found there, it cannot be read exactly, or it does not fit the base.
    """
    check_name(name)
    _check_description(description)
    found, notes = find_adapter(path)
    config_path, card_path = found.with_name(PEFT_CONFIG), found.with_name(CARD)
    config = read_json_object(config_path) if found.name == PEFT_WEIGHTS and config_path.exists() else None
    given = read_card(card_path) if found.name == PEFT_WEIGHTS and card_path.exists() else None
    reading = read_weights(read_safetensors(found), base, config)
    if given is not None:
        check_base(given, base)
    check_fit(reading.weights, base, f"the adapter in {found}")
    if given is None:
        notes.append(f"no card says for which song model it was made: it fits the layers of {base_name}")
        shown = source if source is not None else f"{reading.form}: {'/'.join(found.parts[-4:])}"
        given = AdapterCard(
            name=name,
            description=description,
            created=datetime.now(UTC).replace(microsecond=0),
            base=BaseCard(name=base_name[:200], fingerprint=base.fingerprint),
            source=shown.encode(errors="replace").decode()[:500],  # a path may hold bytes that are no text
            **describe_weights(reading.weights),
        )
    update = {
        "name": name,
        **describe_weights(reading.weights),
        **({"description": description} if description else {}),
    }
    return Imported(reading.weights, given.model_copy(update=update), [*notes, *reading.notes])


def _check_description(text: str) -> None:
    if len(text) > _MAX_DESCRIPTION:
        raise AdapterError(f"the description has {len(text)} characters, the limit is {_MAX_DESCRIPTION}: shorten it")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise AdapterError(f"the description {text[:40]!r} is not text in UTF-8: write it anew") from None


def find_adapter(path: Path) -> tuple[Path, list[str]]:
    """The one adapter file at ``path`` and notes on the choice: a trained run's final state goes before checkpoints.

    Raises:
        AdapterError: there is none, or several with no reason to prefer one.
    """
    if not path.is_dir():
        if not path.exists():
            raise AdapterError(f"{path} does not exist: give a folder or a .safetensors file")
        return path, []
    files = list(_walk(path))
    found = sorted(file for file in files if file.suffix.lower() == ".safetensors")
    found = [file for file in found if file.name != _RUN_STATE] or found
    final = [file for file in found if file.relative_to(path).parts[0] == "final"]
    nearest = [file for file in found if file.parent == path] or final or found
    if not nearest:
        if pickles := [file for file in files if file.suffix.lower() in PICKLES]:
            raise AdapterError(
                f"{path} holds only pickles ({pickles[0].name}), which can run any code when they are read: convert "
                "them to safetensors where you trust them"
            )
        raise AdapterError(f"{path} holds no .safetensors file: give the folder or file of an adapter")
    if len(nearest) > 1:
        more = f" and {len(nearest) - _NAMED} more" if len(nearest) > _NAMED else ""
        listed = ", ".join(str(file.relative_to(path)) for file in nearest[:_NAMED])
        raise AdapterError(f"{path} holds {len(nearest)} adapters ({listed}{more}): give the path of one of them")
    others = len(found) - 1
    notes = [f"took {nearest[0].relative_to(path)}; {others} more in {path.name} left alone"] if others else []
    return nearest[0], notes


def _walk(folder: Path) -> Iterator[Path]:
    """Files below a folder, no deeper than a trainer puts them; linked folders are not entered."""
    seen = 0
    for where, folders, names in os.walk(folder):
        depth = len(Path(where).relative_to(folder).parts)
        folders[:] = sorted(name for name in folders if depth < _DEPTH and not name.startswith("."))
        seen += len(folders) + len(names)
        if seen > _ENTRIES:
            raise AdapterError(f"{folder} holds more than {_ENTRIES} files: give the path of the adapter in it")
        yield from (Path(where) / name for name in names if not name.startswith("."))
