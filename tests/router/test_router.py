"""A router fitted to a planted world sends quiet songs to one adapter and loud ones to the other, and says why."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from router.blends import make_mixer
from router.choosing import choose
from router.deciding import Outlook, Setting, decide
from router.decision import Decision
from router.errors import RouterError
from router.evidence import VoteRows
from router.examples import find_default, make_examples, pair
from router.features import Featuriser
from router.fitting import Evidence, read_training
from router.policies import POLICIES, Prediction
from router.prompt import RouterPrompt, read_prompt
from router.router import NEAREST, Router
from router.router_file import PolicyPart
from tests.router.planted_router import ADAPTERS, JUDGE, MODEL, Words, plant_router, plant_table

QUIET = RouterPrompt(caption="a very quiet quiet song with harp", tags=("quiet", "harp"), lyrics="sing me a line")
LOUD = RouterPrompt(caption="a very loud loud song with fiddle", tags=("loud", "fiddle"), lyrics="sing me a line")
LEARNING = sorted(set(POLICIES) - {"best single"})


@pytest.fixture(scope="module")
def router() -> Router:
    return plant_router()


@pytest.mark.parametrize("policy", LEARNING)
def test_each_kind_gets_the_adapter_that_repairs_it(policy: str) -> None:
    router = plant_router(policy=policy)
    for prompt, name in ((QUIET, "a=1"), (LOUD, "b=1")):
        decision = router.route(prompt)
        assert (decision.name, decision.why, decision.policy) == (name, "predicted", policy)
        assert decision.composition == {name[0]: 1.0}
        assert decision.wer == pytest.approx(0.1, abs=0.12)
        assert not decision.abstained


def test_candidates_tell_what_is_expected_of_each(router: Router) -> None:
    decision = router.route(QUIET)
    assert decision.candidates[0].name == "a=1"
    assert sorted(c.name for c in decision.candidates) == ["a=1", "b=1", "base"]
    rates = [c.wer for c in decision.candidates]
    assert rates == sorted(rates)
    by_name = {c.name: c for c in decision.candidates}
    default = by_name[decision.default]
    for c in decision.candidates:
        assert c.gain == pytest.approx(default.wer - c.wer)
        assert c.low == pytest.approx(max(0, c.wer - 0.1)) and c.high == pytest.approx(c.wer + 0.1)
        assert c.available and not c.reason
    assert default.chance == 0 and by_name["a=1"].chance > 0.9
    assert decision.order[0] == "a=1" and sorted(decision.order) == sorted(by_name)
    assert (decision.wer, decision.low, decision.high) == (by_name["a=1"].wer, by_name["a=1"].low, by_name["a=1"].high)


def test_neighbours_are_those_of_the_highest_cosine(router: Router) -> None:
    table, words = plant_table(), Words()
    songs = table.songs.drop_duplicates("prompt")
    texts = [RouterPrompt(caption=c, tags=tuple(t.split(", "))) for c, t in zip(songs.caption, songs.tags, strict=True)]
    cosines = words.encode([t.description for t in texts]) @ words.encode([QUIET.description])[0]
    nearest = songs.prompt.to_numpy()[np.argsort(-cosines, kind="stable")]
    decision = router.route(QUIET)
    assert len(decision.neighbours) == NEAREST
    np.testing.assert_allclose([n.distance for n in decision.neighbours], 1 - np.sort(cosines)[::-1][:5], atol=1e-3)
    first = decision.neighbours[0]
    assert first.prompt == nearest[0] and first.genre == "harp" and first.songs == 2
    one = table.of_judge("planted int8 beam 5").query("prompt == @first.prompt")
    assert first.wer == pytest.approx(one.groupby("composition").wer.mean().to_dict())
    assert decision.distance == first.distance


def test_a_decision_is_plain_json(router: Router) -> None:
    found = json.loads(json.dumps(router.route(QUIET).as_json(), allow_nan=False))
    assert (
        found["name"] == "a=1" and found["candidates"][0]["composition"] == {"a": 1.0} and found["abstained"] is False
    )


def test_a_saved_router_answers_the_same(router: Router, tmp_path: Path) -> None:
    router.save(tmp_path / "router.json")
    for policy in POLICIES:
        made = plant_router(policy=policy)
        made.save(tmp_path / "router.json")
        found = Router.load(tmp_path / "router.json", Words())
        assert found.file == made.file
        for prompt in (QUIET, LOUD, RouterPrompt()):
            assert found.route(prompt) == made.route(prompt)


def test_the_sentence_model_is_loaded_with_the_first_prompt(
    router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    router.save(tmp_path / "router.json")
    loaded: list[str] = []

    def load(name: str) -> Words:
        loaded.append(name)
        return Words()

    monkeypatch.setattr("router.router.load_sentence_model", load)
    found = Router.load(tmp_path / "router.json")
    assert not loaded
    found.warm()
    assert found.route(QUIET) == router.route(QUIET)
    assert loaded == ["words"]


def test_another_sentence_model_is_refused(router: Router, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    router.save(tmp_path / "router.json")
    with pytest.raises(
        RouterError, match=r"sentence model words of fingerprint fake0, and words has other: .*fit again"
    ):
        Router.load(tmp_path / "router.json", Words(fingerprint="other"))
    monkeypatch.setattr("router.router.load_sentence_model", lambda name: Words(fingerprint="other"))
    with pytest.raises(RouterError, match="fake0, and words has other"):
        Router.load(tmp_path / "router.json").route(QUIET)


def test_another_song_model_is_refused(router: Router) -> None:
    router.check(MODEL)
    with pytest.raises(RouterError, match=f"planted with fingerprint {MODEL}, this one has feed: .*fit again"):
        router.check("feed")


def test_without_a_signal_the_default_sings_whatever_is_predicted() -> None:
    router = plant_router(signal=False)
    decision = router.route(QUIET)
    assert (decision.name, decision.why) == (router.file.default, "no signal")
    assert "nothing in captions or lyrics" in decision.reason
    assert decision.order[0] == router.file.default and len(decision.order) == 3


def test_the_best_single_policy_always_takes_the_default() -> None:
    router = plant_router(policy="best single")
    for prompt in (QUIET, LOUD):
        assert router.route(prompt).name == router.file.default


def test_where_adapters_do_nothing_it_abstains() -> None:
    router = plant_router(table=plant_table(repaired=0.0), confidence=0.95)
    decision = router.route(QUIET)
    assert (decision.name, decision.why) == (decision.default, "abstained")
    assert decision.abstained and "the best over all measured songs" in decision.reason


@pytest.mark.parametrize("caption", ["zzz qqq xxx", "🎻🎸🔥", "悲伤的钢琴曲", "Ein frohes Lied"])
def test_unlike_all_measured_prompts_the_default_sings(router: Router, caption: str) -> None:
    decision = router.route(RouterPrompt(caption=caption, lyrics="some words"))
    assert (decision.name, decision.why) == (decision.default, "unknown ground")
    assert decision.known_share == 0 and decision.distance > 0.6
    assert "unlike all 36 measured prompts" in decision.reason


def test_known_ground_is_told_by_how_lonely_measured_prompts_are(router: Router) -> None:
    decision = router.route(QUIET)
    assert decision.known_share > 0.5
    again = router.route(RouterPrompt(caption=router.file.prompts[0].caption, tags=router.file.prompts[0].tags))
    assert again.distance == pytest.approx(0, abs=1e-3) and again.known_share == 1


def test_without_a_caption_the_lyrics_alone_decide(router: Router) -> None:
    decision = router.route(RouterPrompt(lyrics="some words to sing"))
    assert decision.why in ("predicted", "abstained")
    assert not decision.neighbours and decision.distance == 1 and decision.known_share == 0
    assert any("without a caption or tags the lyrics alone" in note for note in decision.notes)


def test_instrumentals_are_routed_by_caption_and_cannot_be_judged(router: Router) -> None:
    decision = router.route(RouterPrompt(caption=QUIET.caption, tags=QUIET.tags, lyrics="[instrumental]"))
    assert (decision.name, decision.why) == ("a=1", "predicted")
    assert any("no words" in note and "cascade" in note for note in decision.notes)
    assert decision == router.route(RouterPrompt(caption=QUIET.caption, tags=QUIET.tags, lyrics=""))
    alike = plant_router(table=plant_table(repaired=0.0), confidence=0.95)
    decision = alike.route(RouterPrompt(caption=QUIET.caption, tags=QUIET.tags))
    assert (decision.name, decision.why) == (decision.default, "instrumental")
    assert decision.reason.startswith("There are no words to sing. ")


def test_nothing_at_all_gets_the_default(router: Router) -> None:
    decision = router.route(RouterPrompt())
    assert (decision.name, decision.why) == (decision.default, "unknown ground")
    assert decision.reason.startswith("Neither a caption nor words")


def test_too_long_a_caption_is_refused_at_the_edge() -> None:
    with pytest.raises(RouterError, match=r"caption has 100,000 characters, at most 1,000 are allowed; describe"):
        read_prompt("x" * 100_000)


def test_an_adapter_that_is_gone_is_passed_over(router: Router) -> None:
    shelf = {name: mark for name, mark in ADAPTERS.items() if name != "a"}
    decision = router.route(QUIET, shelf)
    by_name = {c.name: c for c in decision.candidates}
    assert not by_name["a=1"].available and by_name["a=1"].reason == "the adapter a is not on the shelf"
    assert decision.name != "a=1" and "a=1" not in decision.order
    assert any("a was predicted to do best, but cannot sing: the adapter a is not" in note for note in decision.notes)
    assert router.route(LOUD, shelf).name == "b=1"
    assert router.route(QUIET, ADAPTERS) == router.route(QUIET)


def test_only_what_is_asked_for_is_chosen(router: Router) -> None:
    decision = router.route(QUIET, only=("base", "b=1"))
    assert decision.name == "base" and set(decision.order) == {"base", "b=1"}
    assert {c.name: c.reason for c in decision.candidates}["a=1"] == "it is not among those to choose from here"
    assert router.route(QUIET, only=router.file.compositions) == router.route(QUIET)


def test_a_mix_is_asked_for_where_mixing_is_on() -> None:
    table = plant_table(names=("base", "a=1", "b=1", "a=0.7"))
    plain, mixed = plant_router(table=table), plant_router(table=table, mixing=0.5)
    picked, decision = plain.route(QUIET), mixed.route(QUIET)
    assert (plain.file.mixing, mixed.file.mixing, picked.name) == (None, 0.5, "a=1")
    by_name = {c.name: c for c in picked.candidates}
    # A softmax over what is pure; what b would get is too little, and the base model's share is missing to 1.
    shares = {name: np.exp(by_name[name].gain / 0.5) for name in ("base", "a=1", "b=1")}
    assert shares["b=1"] < 0.15 * sum(shares.values())
    weight = round(shares["a=1"] / (shares["a=1"] + shares["base"]), 2)
    assert 0.5 < weight < 0.95 and weight != 0.7
    assert (decision.name, decision.composition, decision.why) == (f"a={weight}", {"a": weight}, "predicted")
    near = by_name["a=0.7"]
    assert (decision.wer, decision.low, decision.high) == (near.wer, near.low, near.high)
    assert decision.reason.startswith(f"A mix sings, a at {weight}, ") and "as with a at 0.7" in decision.reason
    assert decision.order[0] == decision.name and set(decision.order[1:]) == {"base", "a=1", "b=1"}
    assert decision.candidates == picked.candidates
    assert mixed.route(QUIET, only=table.compositions) == picked, "what is to be measured is not mixed"
    # Of loud ones no measured composition is near the mix, and nothing surely helps an unknown one.
    assert mixed.route(LOUD).name == plain.route(LOUD).name == "b=1"
    lost = RouterPrompt(caption="zzz qqq", lyrics="words")
    assert mixed.route(lost) == plain.route(lost) and mixed.route(lost).name == "base"
    assert mixed.route(QUIET, {"b": "bbbb"}).composition == {}


def test_a_mix_of_two_has_their_weights_and_may_be_one_that_was_measured() -> None:
    rates = {"base": 0.5, "a=1": 0.2, "b=1": 0.24, "a=0.5,b=0.5": 0.3}
    names, wer = tuple(rates), np.array(list(rates.values()))
    gains = Prediction(wer[None, :1] - wer, np.full((1, 4), 0.01), np.array([0.5]))
    setting = Setting(True, True, True, 10, "ridge", 0.1, 0.5, ())

    def ask(temperature: float | None, gains: Prediction = gains) -> Decision:
        mixer = None if temperature is None else make_mixer(names, temperature)
        outlook = Outlook(names, 0, wer, wer - 0.1, wer + 0.1, gains, 0.8, mixer)
        return decide(outlook, QUIET, setting, {})

    assert ask(None).name == "a=1" and "mix" not in ask(None).reason
    share = round(1 / (1 + np.exp(-0.04 / 0.1)), 2)
    assert ask(0.1).composition == {"a": share, "b": 1 - share} == {"a": 0.6, "b": 0.4}
    assert ask(0.1).name == "a=0.6,b=0.4" and ask(0.1).wer == 0.3 and "a 0.6 + b 0.4" in ask(0.1).reason
    assert ask(0.01) == ask(None), "one gets nearly all"
    even = Prediction(np.array([[0, 0.3, 0.3, 0.2]]), gains.sd, gains.level)
    assert ask(0.05, even).name == "a=0.5,b=0.5" and "a mix sings" not in ask(0.05, even).reason.lower()
    unsure = Prediction(gains.mean, gains.sd * 100, gains.level)
    assert ask(0.1, unsure) == ask(None, unsure) and ask(0.1, unsure).why == "abstained"
    doubtful = Prediction(gains.mean, np.array([[0.01, 0.01, 0.01, 0.9]]), gains.level)
    assert ask(0.1, doubtful) == ask(None, doubtful), "the blend nearest to the mix is not likely to gain itself"


def test_an_adapter_that_has_changed_is_passed_over(router: Router) -> None:
    decision = router.route(QUIET, ADAPTERS | {"a": "other"})
    by_name = {c.name: c for c in decision.candidates}
    assert "has changed since fitting; measure it and fit again" in by_name["a=1"].reason
    assert decision.name != "a=1"


def test_where_the_default_is_gone_base_stands_in() -> None:
    table = plant_table(names=("base", "a=1", "b=1", "c=1"))
    songs = table.songs
    songs.loc[songs.composition == "c=1", ["deletions", "wer"]] = (8, 0.2)  # the best over all
    router = plant_router(table=table)
    assert router.file.default == "c=1"
    lost = RouterPrompt(caption="zzz qqq", lyrics="words")
    decision = router.route(lost, {"a": "aaaa", "b": "bbbb"})
    assert (decision.name, decision.why) == ("base", "unavailable")
    assert (
        "c, cannot sing (the adapter c is not on the shelf), so the base model does, the model as it is"
        in decision.reason
    )
    # a prediction that is credible stands all the same
    assert router.route(QUIET, {"a": "aaaa", "b": "bbbb"}).name in ("a=1", "base")


def test_where_base_was_not_measured_the_best_that_is_left_stands_in() -> None:
    table = plant_table(names=("a=1", "b=1"), genres=11)  # more quiet genres than loud ones
    router = plant_router(table=table)
    assert router.file.default == "a=1"
    decision = router.route(QUIET, {"b": "bbbb"})
    assert (decision.name, decision.why, decision.order) == ("b=1", "unavailable", ("b=1",))
    with pytest.raises(RouterError, match=r"none of the router's compositions can sing \(the adapter a is not on"):
        router.route(QUIET, {})


def test_votes_move_predictions_and_are_told() -> None:
    text = QUIET
    names = ("base", "a=1", "b=1")
    gains, noise = np.full((2, 50, 3), np.nan)
    gains[:, 2], noise[:, 2] = 0.9, 0.01
    rows = VoteRows((text,) * 50, gains, noise, Counter({"sung without words": 2}))
    plain, voted = plant_router(), plant_router(evidence=Evidence(rows, 4.0))
    assert plain.file.default == "base"
    before, after = ({c.name: c.wer for c in router.route(QUIET).candidates} for router in (plain, voted))
    assert after["b=1"] < before["b=1"] - 0.1
    assert not any("picks" in note for note in plain.route(QUIET).notes)
    assert any("50 picks of listeners took part in fitting, at a weight of 4" in n for n in voted.route(QUIET).notes)
    assert voted.file.votes is not None and voted.file.votes.skipped == {"sung without words": 2}
    assert len(voted.route(QUIET).neighbours) == NEAREST and names == voted.file.compositions
    assert {n.songs for n in voted.route(QUIET).neighbours} == {2}  # measured prompts only


def test_words_of_votes_are_not_what_is_usual_for_a_song_without_words() -> None:
    """What an instrumental's lyrics are taken to be is the mean over measured prompts."""
    gains, noise = np.full((2, 50, 3), np.nan)
    gains[:, 2], noise[:, 2] = 0.05, 1e9  # of no weight
    odd = RouterPrompt(caption="opera", lyrics="\n".join(["incomprehensibilities notwithstanding"] * 40))
    settings = PolicyPart(name="ridge", settings={"signal": 0.8, "lyrics": 1.0})
    plain, voted = (
        Router(plant_router(evidence=given).file.model_copy(update={"policy": settings}), Words())
        for given in (None, Evidence(VoteRows((odd,) * 50, gains, noise, Counter()), 1.0))
    )
    quiet = RouterPrompt(caption=QUIET.caption)
    expected, found = ({c.name: c.wer for c in router.route(quiet).candidates} for router in (plain, voted))
    assert found == pytest.approx(expected, abs=1e-6)


def test_a_router_knows_the_genres_that_it_was_fitted_to() -> None:
    """Else its chances would be those of prompts that have nothing in common."""
    table = plant_table()
    examples = make_examples(table, JUDGE)
    found, features = plant_router(table=table), Featuriser(Words()).describe(examples.texts)
    targets = pair(examples, find_default(examples))
    assert read_training(found.file)[1].groups == targets.groups == examples.genres
    policy = POLICIES["ridge"].with_settings(found.file.policy.settings).fit(features, targets)
    chance = choose(policy.predict(Featuriser(Words()).describe([QUIET])), 0)[1][0, 1]
    told = {c.name: c.chance for c in found.route(QUIET).candidates}
    assert told["a=1"] == pytest.approx(chance, abs=2e-3)
