"""Learning to hear mouths: what voices say, what the truth is, and a run that was stopped equals one that was not."""

import shutil
from typing import ClassVar

import numpy as np
import pytest
import torch

from stages.audio.network import UNITS, SpeechNetConfig
from stages.training.course import Course
from stages.training.speech_loop import (
    SpeechRecipe,
    batch_number,
    draw_batch,
    gap_of_units,
    speech_loss,
    train_speech,
    true_units,
)
from stages.training.speech_phones import from_abroad, from_ipa, from_radio
from stages.training.speech_pool import CHOSEN_BY, HELD_OUT, Programme
from stages.training.speech_sounds import draw_item
from stages.training.speech_words import made_up, numbers, sentences

JAW = UNITS.index("jawOpen")
RECIPE = SpeechRecipe(steps=6, batch=2, seconds=1.6)


def programme(seed: int = 0, seconds: float = 6.0) -> Programme:
    """Buzzing vowels between silent stops: 0.2 s of each."""
    rng = np.random.default_rng(seed)
    times = np.arange(round(seconds * 16000)) / 16000
    vowel = (times % 0.4) < 0.2
    sound = np.where(vowel, 8000 * np.sign(np.sin(2 * np.pi * (120 + 20 * seed) * times)), rng.normal(0, 5, len(times)))
    rows = [(at * 0.2, (at + 1) * 0.2, "AA" if at % 2 == 0 else "P") for at in range(round(seconds / 0.2))]
    return Programme(sound.astype(np.int16), tuple(rows), "test", f"voice {seed}")


def music() -> Programme:
    times = np.arange(16000 * 5) / 16000
    return Programme((5000 * np.sin(2 * np.pi * 440 * times)).astype(np.int16), (), "music", "")


def test_truth_is_open_in_vowels_closed_in_stops_and_at_rest_in_silence():
    units, visemes = true_units(((0.0, 0.5, "AA"), (0.5, 0.62, "P"), (0.62, 1.0, "AA"), (1.0, 2.0, "sil")), 100)
    assert units.shape == (100, len(UNITS)) and np.abs(visemes.sum(1) - 1).max() < 1e-5
    assert units[15, JAW] > 0.4 and units[28, JAW] < 0.1 and units[40, JAW] > 0.4
    assert np.abs(units[65:]).max() < 0.01
    quiet, _ = true_units((), 50)
    assert not quiet.any()


def test_the_gap_between_lips_is_that_of_the_average_head():
    gap = gap_of_units()
    units, _ = true_units(((0.0, 0.5, "AA"), (0.5, 0.62, "P"), (0.62, 1.0, "IY"), (1.0, 2.0, "sil")), 100)
    apart = torch.from_numpy(units) @ gap
    assert abs(float(apart[12]) - 1.0) < 0.15, "an aa is the unit"
    assert float(apart[28]) < 0.15 and 0.1 < float(apart[42]) < 0.5 and float(apart[70:].abs().max()) < 0.02
    assert gap[JAW] > 1 and gap[UNITS.index("mouthClose")] < -1


def test_a_miss_in_the_gap_costs_more_than_one_that_nobody_sees():
    true, visemes = torch.full((1, 60, len(UNITS)), 0.2), torch.full((1, 60, 15), 1 / 15)
    logits = torch.zeros(1, 60, 15)

    def cost(unit: str) -> float:
        said = true.clone()
        said[..., UNITS.index(unit)] += 0.2
        return float(speech_loss(said, logits, true, visemes) - speech_loss(true, logits, true, visemes))

    assert cost("mouthClose") > 3 * cost("tongueOut") > 0


def test_ipa_and_the_phones_of_festival_mean_the_same_sounds():
    names = [row[2] for row in from_ipa(((0.0, 0.1, "p"), (0.1, 0.3, "ˈæ"), (0.3, 0.4, "tʃ"), (0.4, 0.6, "")))]
    assert names == ["P", "AE", "T", "SH", "sil"]
    plain = from_ipa(((0.0, 0.2, "n"), (0.2, 0.4, "o"), (0.4, 0.5, "n"), (0.5, 0.7, "ä"), (0.7, 0.9, "oʊ")))
    assert [row[2] for row in plain] == ["N", "AO", "N", "AA", "AO", "UH"], "only a diphthong glides; ä is no silence"
    rows = from_radio(((0.0, 0.2, "pau"), (0.2, 0.3, "hh"), (0.3, 0.4, "ax"), (0.4, 0.5, "ay")))
    assert [row[2] for row in rows] == ["sil", "HH", "AX", "AA", "IH"]
    assert rows[-1][1] == 0.5 and all(a[1] == b[0] for a, b in zip(rows, rows[1:], strict=False))
    with pytest.raises(ValueError, match="zz"):
        from_radio(((0.0, 0.1, "zz"),))


def test_voices_of_other_languages_are_read_in_their_own_letters():
    rows = tuple((at * 0.1, at * 0.1 + 0.1, name) for at, name in enumerate(("##", "p", "@", "y:", "t:", "D")))
    assert [row[2] for row in from_abroad(rows, "finnish")] == ["sil", "P", "AE", "UW", "T", "AO", "UH"]
    soft = ((0.0, 0.1, "mm"), (0.1, 0.2, "aa"), (0.2, 0.3, "y"), (0.3, 0.4, "r~*"), (0.4, 0.5, "E1"))
    assert [row[2] for row in from_abroad(soft, "russian")] == ["M", "AA", "IH", "ZH", "EH"]
    with pytest.raises(ValueError, match="qq9"):
        from_abroad(((0.0, 0.1, "qq9"),), "czech")


def test_made_up_words_are_plain_letters_and_many_close_the_lips():
    texts = made_up(np.random.default_rng(0), 50)
    letters = "".join(texts).lower()
    assert set(letters) <= set("pbmfvtdnsklrgaeiou ,.")
    assert all(text.endswith(".") for text in texts)
    assert 0.08 < sum(letters.count(letter) for letter in "pbm") / len(letters) < 0.25


def test_sentences_for_tests_are_of_other_words():
    rng = np.random.default_rng(0)
    seen, held = (
        {word.strip(".,?!").lower() for text in sentences(rng, 400, held_out=held) for word in text.split()}
        for held in (False, True)
    )
    assert len(seen) > 250 and len(held) > 60 and not seen & held, seen & held
    assert all(text[-1] in ".?!" for text in sentences(rng, 50))
    assert all(set(text) <= set("0123456789, .") for text in numbers(rng, 20))


def test_an_item_with_nobody_speaking_has_an_empty_timeline_and_speech_keeps_its_times():
    items = [draw_item(np.random.default_rng(seed), [programme()], [music()], 2.0) for seed in range(60)]
    alone = [not timeline for _, timeline in items]
    assert 3 <= sum(alone) <= 25
    for sound, timeline in items:
        assert sound.shape == (32000,) and sound.dtype == np.float32 and np.abs(sound).max() <= 1.0
        assert all(end >= start for start, end, _ in timeline)


def test_the_truth_of_a_batch_lies_under_its_sound():
    """Where nothing but speed and level was changed, vowels are louder than stops by their own timeline."""
    found = of = 0
    for seed in range(40):
        sound, timeline = draw_item(np.random.default_rng(seed), [programme()], [], 2.0)
        level = {"AA": [], "P": []}
        for start, end, name in timeline:
            if start > 0 and end < 2 and name in level:
                part = sound[round((start + 0.04) * 16000) : round((end - 0.04) * 16000)]
                level[name].append(float(np.abs(part).mean()))
        if level["AA"] and level["P"]:
            found += np.median(level["AA"]) > 1.2 * np.median(level["P"])
            of += 1
    assert of > 25 and found > 0.85 * of, (found, of)


def test_batches_are_seen_again_and_always_the_same(tmp_path):
    numbers_ = [batch_number(0, step, 3) for step in range(300)]
    assert numbers_ == [batch_number(0, step, 3) for step in range(300)]
    assert set(numbers_) == set(range(100)) and all(n <= s // 3 for s, n in enumerate(numbers_))
    first, again = (draw_batch(np.random.default_rng(9), [programme(), music()], RECIPE) for _ in range(2))
    assert all(torch.equal(a, b) for a, b in zip(first, again, strict=True))


def test_a_stopped_run_gives_the_weights_of_one_that_was_not(tmp_path):
    voices, config = [programme(), programme(1), music()], SpeechNetConfig(width=8)

    def train(name: str, stop_at: int | None = None):
        asked = iter(range(10_000))
        return train_speech(
            tmp_path / name, voices, voices[:1], RECIPE, Course(RECIPE.steps),
            lambda: stop_at is not None and next(asked) >= stop_at, config=config,
        )  # fmt: skip

    whole = train("whole")
    assert train("cut", 2) is None
    resumed = train("cut")
    for name, value in whole.state_dict().items():
        assert torch.equal(value, resumed.state_dict()[name]), name


def test_it_learns_what_opens_a_mouth(tmp_path):
    recipe = SpeechRecipe(steps=60, batch=4, seconds=2.0)
    said: list[dict] = []
    train_speech(
        tmp_path / "state", [programme(), programme(1)], [programme(2)], recipe, Course(recipe.steps), lambda: False,
        config=SpeechNetConfig(width=16), say=lambda **values: said.append(values),
    )  # fmt: skip
    assert said[-1]["r"] > 0.6, said[-1]


def test_no_voice_that_is_held_out_is_trained_on():
    from stages.training.speech_pool import ESPEAK_VARIANTS, FESTIVAL_ABROAD, FESTIVAL_VOICES, FLITE_VOICES, _voice

    festival = (*FESTIVAL_VOICES, *FESTIVAL_ABROAD)
    for engine, names in (("flite", FLITE_VOICES), ("espeak", ESPEAK_VARIANTS), ("festival", festival)):
        trained = {_voice(engine, "train", at, None, {}) for at in range(200)}
        tested, chosen = ({_voice(engine, part, at, None, {}) for at in range(20)} for part in ("test", "choose"))
        assert tested == set(HELD_OUT[engine]) and not trained & tested and not chosen & tested
        if engine != "flite":
            assert chosen == set(CHOSEN_BY[engine]) and not trained & chosen
            assert trained | tested | chosen == set(names)


def test_blends_to_train_on_hold_no_other_voice_and_tests_are_no_blends():
    from stages.training.speech_pool import _neural
    from stages.training.speech_voices import Said

    class Speaker:
        names = ("af_bella", "am_adam", "ff_siwis", *CHOSEN_BY["neural"], *HELD_OUT["neural"])
        heard: ClassVar[list] = []

        def say(self, text, voice, *, language, speed, blend):
            self.heard.append((voice, blend))
            return Said(np.zeros(16000, np.int16), ((0.0, 1.0, "sil"),))

    _neural(np.random.default_rng(0), "af_bella", "train", {"neural": Speaker()}, 40.0)
    assert Speaker.heard[0] == ("af_bella", None) and len(Speaker.heard) == 40
    assert {other for _, (other, _) in Speaker.heard[1:]} == {"af_bella", "am_adam", "ff_siwis"}
    for part, voice in (("test", "af_nova"), ("choose", "am_puck")):
        Speaker.heard.clear()
        _neural(np.random.default_rng(0), voice, part, {"neural": Speaker()}, 4.0)
        assert Speaker.heard == [(voice, None)] * 4


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed")
def test_flite_knows_when_it_closes_its_lips():
    from stages.training.speech_voices import say_flite

    said = say_flite("Papa, papa, papa.", "kal16")
    stops = [(a, b) for a, b, name in said.timeline if name == "P" and a > 0.2]
    vowels = [(a, b) for a, b, name in said.timeline if name == "AA"]
    assert len(stops) >= 4 and len(vowels) >= 3

    def level(spans) -> float:
        parts = [said.sound[round(a * 16000) : round(b * 16000)].astype(float) for a, b in spans]
        return float(np.median([np.sqrt((part**2).mean()) for part in parts]))

    assert level([(a + 0.01, a + 0.04) for a, _ in stops]) < 0.3 * level(vowels)
    assert abs(said.timeline[-1][1] - len(said.sound) / 16000) < 0.15, "the last pause is cut"
