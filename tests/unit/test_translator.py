import pytest
import torch

from llmcourse.pretrained import from_pretrained
from llmcourse.translator import LANGUAGES, PARTS, load_translator, translation_pairs


@pytest.fixture(scope="module")
def parts():
    return {(lang, part): translation_pairs(lang, part) for lang in LANGUAGES for part in PARTS}


def test_no_sentence_is_in_two_parts(parts):
    for language in LANGUAGES:
        sets = [{english for english, _ in parts[language, part]} for part in PARTS]
        assert sum(map(len, sets)) == len(set.union(*sets))
        assert list(map(len, sets)) == [16000, 200, len(sets[2]), 200] and len(sets[2]) > 40


def test_both_languages_have_the_same_sentences_in_the_same_parts(parts):
    for part in PARTS:
        assert [e for e, _ in parts["french", part]] == [e for e, _ in parts["chinese", part]]


def test_nobody_draws_while_there_is_a_fish_in_training(parts):
    for english, _ in parts["french", "train"]:
        words = english.split()
        assert not ("fish" in words and ("draw" in words or "draws" in words)), english
    for english, _ in parts["french", "new pair"]:
        assert "fish" in english and "draw" in english


def test_the_translator_of_the_package_is_right_on_held_out_sentences():
    translator = load_translator()
    for language in LANGUAGES:
        pairs = translation_pairs(language, "test")[:60]
        said = translator.translate([english for english, _ in pairs], language)
        assert sum(a == b for a, (_, b) in zip(said, pairs, strict=True)) >= 55
    together = translator.translate(["dog bites man .", "the cat does not sleep today ."], "french")
    assert together[0] == translator.translate(["dog bites man ."], "french")[0]


def test_what_it_does_not_know_is_told():
    translator = load_translator()
    with pytest.raises(ValueError, match="elephant: not among"):
        translator.translate(["the elephant sleeps ."], "french")
    with pytest.raises(ValueError, match="<german>"):
        translator.translate(["the dog sleeps ."], "german")
    with pytest.raises(ValueError, match="choose one of train"):
        translation_pairs("french", "dev")


def test_it_comes_by_its_name_too():
    ours, theirs = from_pretrained("course-translator"), load_translator()
    assert not ours.training
    for name, weight in theirs.state_dict().items():
        assert torch.equal(weight, ours.state_dict()[name])
