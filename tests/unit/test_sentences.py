import hashlib

import pytest

from llmcourse import sentences
from llmcourse.sentences import Clause, NounPhrase, chinese, english, french, sentence_pairs

NOUN = {noun.english: noun for noun in sentences.NOUNS}
ADJECTIVE = {adjective.english: adjective for adjective in sentences.ADJECTIVES}
VERB = {verb.english: verb for verb in sentences.VERBS}
PLACE = {place[0]: place for place in sentences.PLACES}
TIME = {time[0]: time for time in sentences.TIMES}


def phrase(text):
    """`"the small dog"` as a noun phrase; without an article, as in a headline."""
    *front, noun = text.split()
    article = front.pop(0) if front and front[0] in ("the", "a", "this") else ""
    return NounPhrase(article, tuple(ADJECTIVE[word] for word in front), NOUN[noun])


def clause(subject, verb, thing=None, negative=False, place=None, time=None):
    thing, place, time = thing and phrase(thing), place and PLACE[place], time and TIME[time]
    return Clause(phrase(subject), VERB[verb], thing, negative, place, time)


# Written by hand from the grammars of the three languages.
BY_HAND = [
    (
        clause("dog", "bites", "man"),
        "dog bites man .",
        "chien mord homme .",
        "狗咬人。",
    ),
    (
        clause("a dog", "bites", "the old man"),
        "a dog bites the old man .",
        "un chien mord le vieil homme .",
        "一只狗咬老人。",
    ),
    (
        clause("the man", "sleeps"),
        "the man sleeps .",
        "l' homme dort .",
        "人睡觉。",
    ),
    (
        clause("this bird", "eats", "a cake", negative=True),
        "this bird does not eat a cake .",
        "cet oiseau ne mange pas de gâteau .",
        "这只鸟不吃蛋糕。",
    ),
    (
        clause("the woman", "buys", "a tree", negative=True),
        "the woman does not buy a tree .",
        "la femme n' achète pas d' arbre .",
        "女人不买树。",
    ),
    (
        clause("a black cat", "sees", "this white house", negative=True, time="today"),
        "a black cat does not see this white house today .",
        "un chat noir ne voit pas cette maison blanche aujourd'hui .",
        "一只黑猫今天看不见这座白房子。",
    ),
    (
        clause("the child", "reads", "a old book", False, "at school", "now"),
        "the child reads an old book at school now .",
        "l' enfant lit un vieux livre à l' école maintenant .",
        "孩子现在在学校读一本旧书。",
    ),
    (
        clause("the small hungry cow", "runs", negative=True, place="in the garden"),
        "the small hungry cow does not run in the garden .",
        "la petite vache affamée ne court pas dans le jardin .",
        "饥饿的小牛不在花园里跑。",
    ),
    (
        clause("a tired horse", "likes", "this new tree"),
        "a tired horse likes this new tree .",
        "un cheval fatigué aime ce nouvel arbre .",
        "一匹疲倦的马喜欢这棵新树。",
    ),
    (
        clause("a clever girl", "draws", "a old tree", time="every day"),
        "a clever girl draws an old tree every day .",
        "une fille intelligente dessine un vieil arbre chaque jour .",
        "一个聪明的女孩每天画一棵老树。",
    ),
]


@pytest.mark.parametrize("meaning, first, second, third", BY_HAND, ids=[b[1] for b in BY_HAND])
def test_a_meaning_is_said_as_the_languages_say_it(meaning, first, second, third):
    assert english(meaning) == first
    assert french(meaning) == second
    assert chinese(meaning) == " ".join(third)


def test_pairs_are_many_different_and_the_same_english_in_both_languages():
    in_french, in_chinese = sentence_pairs("french"), sentence_pairs("chinese")
    texts = [source for source, _ in in_french]
    assert len(set(texts)) == len(texts) == 5000
    assert texts == [source for source, _ in in_chinese]


def test_pairs_are_the_same_on_every_machine():
    text = "\n".join("\t".join(p) for name in ("french", "chinese") for p in sentence_pairs(name))
    assert hashlib.sha256(text.encode()).hexdigest() == (
        "765e95174432caa427e65b30c9a71696eeeb8bd1688f264c2f202e4f06c01bd1"
    )


def test_fewer_pairs_are_the_first_ones_and_another_seed_gives_others():
    assert sentence_pairs("french", 100) == sentence_pairs("french", 300)[:100]
    assert sentence_pairs("french", 100, seed=1) != sentence_pairs("french", 100)


def test_two_adjectives_occur_when_asked_for_and_never_otherwise():
    adjectives = set(ADJECTIVE)

    def neighbours(text):
        words = text.split()
        return any({a, b} <= adjectives for a, b in zip(words, words[1:]))

    assert not any(neighbours(source) for source, _ in sentence_pairs("french", 2000))
    assert all(neighbours(source) for source, _ in sentence_pairs("french", 200, True))


def test_french_agrees_and_elides_everywhere():
    feminine = {noun.french for noun in sentences.NOUNS if noun.feminine}
    for _, text in sentence_pairs("french", 3000):
        words = text.split()
        for word, following in zip(words, words[1:]):
            assert not (word in ("le", "la", "ce", "de", "ne") and following[0] in "aeéhiou"), text
            if following in feminine:
                assert word not in ("le", "un", "ce", "cet", "petit", "grand", "vieux"), text


def test_what_would_mean_something_else_is_not_drawn():
    pairs = sentence_pairs("chinese", 5000) + sentence_pairs("chinese", 500, two_adjectives=True)
    for source, text in pairs:
        text = text.replace(" ", "")
        # A villain, a grown-up, the trouble of old eyes, second-hand trees; not big, but great.
        assert not {"小人", "大人", "老花", "旧树", "旧花", "小教师", "大医生"} & {
            text[i : i + n] for n in (2, 3) for i in range(len(text))
        }, text
        # "Not every day", or 每天不, every day not?
        assert not ("not" in source and "every day" in source), source
        if "like" in source:
            assert not any(place in source for place in PLACE), source
            assert not any(time in source for time in TIME), source
            assert not {"a", "an"} & set(source.split()[2:]), source  # pas de? pas un?


def test_every_classifier_stands_before_its_noun():
    by_noun = {noun.chinese: noun.classifier for noun in sentences.NOUNS}
    counted = {noun.classifier for noun in sentences.NOUNS}
    for _, text in sentence_pairs("chinese", 3000):
        text = text.replace(" ", "")
        for i, character in enumerate(text[:-1]):
            if character in "一这":
                rest = text[i + 2 :]
                assert text[i + 1] in counted, text
                ends = [(rest.find(noun), -len(noun), noun) for noun in by_noun if noun in rest]
                assert text[i + 1] == by_noun[min(ends)[2]], text


def test_an_unknown_language_lists_the_known_ones():
    with pytest.raises(ValueError, match="language is 'latin': choose one of french, chinese"):
        sentence_pairs("latin")
