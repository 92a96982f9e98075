"""What turns texts into vectors, given a sentence model's folder: CTranslate2 in int8, or else sentence-transformers.

Knows neither names nor checksums. Asking for a route should cost nothing beside a song, nor wait for one that is being
sung: a BERT whose token vectors are averaged (all-MiniLM-L6-v2 is one) is converted once for CTranslate2, with weights
in int8 (Jacob et al. 2018) and one thread of its own, and kept in the cache by its fingerprint. It is then there in
half a second without torch, and takes about a quarter of the time; cosines between captions differ from those in
float32 by up to .03 and correlate with them by .997. Any other model is run by sentence-transformers as it is.
"""

from __future__ import annotations

import json
import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from adapters.places import cache_folder
from router.errors import RouterError
from router.sentence_files import DEFAULT

#: n texts to [n, width] vectors, of any length.
Encoder = Callable[[Sequence[str]], NDArray[np.float32]]
#: Texts of one batch.
TOGETHER = 32


def open_encoder(folder: Path, fingerprint: str) -> tuple[int, Encoder]:
    """Width of the vectors of the sentence model in ``folder``, and what makes them; the same everywhere, as nothing
    but the processor is used.

    Raises:
        RouterError: its files are damaged, or the cache cannot be written.
    """
    try:
        if is_averaging_bert(folder):
            return _open_int8(folder, convert(folder, fingerprint))
        return _open_as_saved(folder)
    except RouterError:
        raise
    except Exception as error:  # the many of transformers, tokenizers, safetensors and CTranslate2
        raise RouterError(
            f"the sentence model in {folder} cannot be loaded ({error}); download it anew, or use {DEFAULT!r}"
        ) from error


def is_averaging_bert(folder: Path) -> bool:
    """Whether CTranslate2 gives the vectors of this model: a BERT, the mean over its tokens, and nothing more."""
    kinds = [str(module["type"]).rsplit(".", 1)[-1] for module in _read(folder / "modules.json")]
    if kinds not in (["Transformer", "Pooling"], ["Transformer", "Pooling", "Normalize"]):
        return False
    pooling = _read(folder / "1_Pooling" / "config.json")
    modes = {mode for mode, on in pooling.items() if mode.startswith("pooling_mode") and on}
    return (
        modes == {"pooling_mode_mean_tokens"}
        and _read(folder / "config.json").get("model_type") == "bert"
        and not _read(folder / "config_sentence_transformers.json").get("prompts")
        and (folder / "tokenizer.json").is_file()
        and any(folder.glob("*.safetensors"))
    )


def convert(folder: Path, fingerprint: str) -> Path:
    """The model's folder in the cache, for CTranslate2 in int8; made if no earlier run did, which takes some 5 s.

    Two processes may do so at once: each works in a folder of its own and the first to rename wins.
    """
    target = cache_folder() / "sentences" / f"{fingerprint}-int8"
    if (target / "model.bin").is_file():
        return target
    scratch: Path | None = None
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix=f".{target.name}.", dir=target.parent))
        _write_int8(folder, scratch)
        scratch.chmod(0o755)  # mkdtemp keeps others out; a cache may be shared
        os.replace(scratch, target)
    except OSError as error:
        if not (target / "model.bin").is_file():  # unless another process was first
            raise RouterError(
                f"the sentence model could not be converted in {target.parent}: {error}. It takes a quarter of "
                f"the room of {folder}; set CHOIRMASTER_CACHE to a folder with room"
            ) from error
    finally:
        if scratch is not None:
            shutil.rmtree(scratch, ignore_errors=True)
    return target


def _write_int8(folder: Path, target: Path) -> None:
    from ctranslate2.converters import TransformersConverter

    with _quiet_transformers():
        TransformersConverter(str(folder)).convert(str(target), quantization="int8", force=True)


@contextmanager
def _quiet_transformers() -> Iterator[None]:
    """No bar for loading in a tenth of a second, nor advice on how the libraries between us call each other."""
    from transformers.utils import logging

    bars, level = logging.is_progress_bar_enabled(), logging.get_verbosity()
    logging.disable_progress_bar()
    logging.set_verbosity_error()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)
            yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _open_int8(folder: Path, converted: Path) -> tuple[int, Encoder]:
    import ctranslate2
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    tokenizer.enable_truncation(int(_read(folder / "sentence_bert_config.json").get("max_seq_length") or 512))
    try:
        model = ctranslate2.Encoder(str(converted), device="cpu", compute_type="int8", inter_threads=1, intra_threads=1)
    except (RuntimeError, ValueError) as error:
        raise RouterError(f"{converted} is damaged ({error}): remove it, and it is made anew") from error

    def embed(texts: Sequence[str]) -> NDArray[np.float32]:
        tokens = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
        vectors: list[NDArray[np.float32]] = []
        for first in range(0, len(tokens), TOGETHER):
            batch = tokens[first : first + TOGETHER]
            states = np.asarray(model.forward_batch(batch).last_hidden_state)  # [texts, most tokens, width]
            vectors += [state[: len(ids)].mean(0) for state, ids in zip(states, batch, strict=True)]
        return np.array(vectors, np.float32)

    return int(_read(folder / "config.json")["hidden_size"]), embed


def _open_as_saved(folder: Path) -> tuple[int, Encoder]:
    from sentence_transformers import SentenceTransformer

    with _quiet_transformers():
        model = SentenceTransformer(str(folder), device="cpu", model_kwargs={"use_safetensors": True})
    width = model.get_embedding_dimension()
    if width is None:
        raise ValueError("it does not tell how wide its vectors are")
    model.eval()
    return width, lambda texts: np.asarray(model.encode(list(texts), batch_size=TOGETHER, show_progress_bar=False))


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8")) if path.is_file() else {}
