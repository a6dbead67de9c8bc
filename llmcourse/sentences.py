"""Small sentences in English, French and Chinese, from a grammar of our own, free to use (CC0).

It covers what a beginner meets in the first weeks: articles, one adjective, negation, a place, a
time.  Each sentence is made as a meaning (`Clause`) and then said in each language by that
language's own rules, so that a pair says the same thing.  A grammar is not a language: whoever
translates all of these has learned a few hundred rules and words, and no more.
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Noun(NamedTuple):
    english: str
    french: str
    feminine: bool
    chinese: str
    classifier: str  # the Chinese measure word: 一 只 狗, one piece-of dog
    kind: str


class Adjective(NamedTuple):
    english: str
    masculine: str
    before_vowel: str
    feminine: str
    follows: bool  # whether French puts it behind the noun
    chinese: str
    chinese_things: str  # what Chinese says of things: 老 of the living and of trees, 旧 of them
    kinds: Sequence[str]


class Verb(NamedTuple):
    english: str
    base: str
    french: str
    chinese: str
    negative: str | None  # 看见 holds its negation inside: 看不见
    subjects: Sequence[str]
    objects: Sequence[str]
    state: bool = False  # liking does not happen somewhere, or now, nor to just any dog


PEOPLE = ("adult", "young")
ALIVE = (*PEOPLE, "animal")
PLANTS = ("tree", "flower")
THINGS = ("thing", "text", *PLANTS)
ANYTHING = (*ALIVE, *THINGS, "food")

NOUNS = [
    Noun("man", "homme", False, "人", "个", "adult"),
    Noun("woman", "femme", True, "女人", "个", "adult"),
    Noun("teacher", "professeur", False, "教师", "位", "adult"),
    Noun("doctor", "médecin", False, "医生", "位", "adult"),
    Noun("child", "enfant", False, "孩子", "个", "young"),
    Noun("girl", "fille", True, "女孩", "个", "young"),
    Noun("dog", "chien", False, "狗", "只", "animal"),
    Noun("cat", "chat", False, "猫", "只", "animal"),
    Noun("bird", "oiseau", False, "鸟", "只", "animal"),
    Noun("horse", "cheval", False, "马", "匹", "animal"),
    Noun("cow", "vache", True, "牛", "头", "animal"),
    Noun("house", "maison", True, "房子", "座", "thing"),
    Noun("car", "voiture", True, "车", "辆", "thing"),
    Noun("tree", "arbre", False, "树", "棵", "tree"),
    Noun("flower", "fleur", True, "花", "朵", "flower"),
    Noun("chair", "chaise", True, "椅子", "把", "thing"),
    Noun("book", "livre", False, "书", "本", "text"),
    Noun("letter", "lettre", True, "信", "封", "text"),
    Noun("apple", "pomme", True, "苹果", "个", "food"),
    Noun("fish", "poisson", False, "鱼", "条", "food"),
    Noun("cake", "gâteau", False, "蛋糕", "个", "food"),
]

# Of adults neither small nor big is said: 小人 is a villain, 大人 a grown-up, `un grand homme` a
# great man.  And 老花 is not an old flower, but what old eyes have.
SIZED = ("young", "animal", *THINGS, "food")
AGED = ("adult", "animal", "tree", "thing", "text")

ADJECTIVES = [
    Adjective("small", "petit", "petit", "petite", False, "小", "小", SIZED),
    Adjective("big", "grand", "grand", "grande", False, "大", "大", SIZED),
    Adjective("old", "vieux", "vieil", "vieille", False, "老", "旧", AGED),
    Adjective("new", "nouveau", "nouvel", "nouvelle", False, "新", "新", THINGS),
    Adjective("black", "noir", "noir", "noire", True, "黑", "黑", ("animal", "thing", *PLANTS)),
    Adjective("white", "blanc", "blanc", "blanche", True, "白", "白", ("animal", "thing", *PLANTS)),
    Adjective("red", "rouge", "rouge", "rouge", True, "红", "红", ("thing", *PLANTS, "food")),
    Adjective("clever", "intelligent", "intelligent", "intelligente", True, "聪明的", "", ALIVE),
    Adjective("hungry", "affamé", "affamé", "affamée", True, "饥饿的", "", ALIVE),
    Adjective("tired", "fatigué", "fatigué", "fatiguée", True, "疲倦的", "", ALIVE),
]

VERBS = [
    Verb("bites", "bite", "mord", "咬", None, ALIVE, ALIVE),
    Verb("sees", "see", "voit", "看见", "看不见", ALIVE, ANYTHING),
    Verb("hears", "hear", "entend", "听见", "听不见", ALIVE, ALIVE),
    Verb("finds", "find", "trouve", "找到", "找不到", ALIVE, ANYTHING),
    Verb("chases", "chase", "poursuit", "追", None, ALIVE, ALIVE),
    Verb("likes", "like", "aime", "喜欢", None, ALIVE, ANYTHING, state=True),
    Verb("eats", "eat", "mange", "吃", None, ALIVE, ("food",)),
    Verb("buys", "buy", "achète", "买", None, PEOPLE, ("animal", *THINGS, "food")),
    Verb("sells", "sell", "vend", "卖", None, ("adult",), ("animal", *THINGS, "food")),
    Verb("draws", "draw", "dessine", "画", None, PEOPLE, ANYTHING),
    Verb("reads", "read", "lit", "读", None, PEOPLE, ("text",)),
    Verb("writes", "write", "écrit", "写", None, PEOPLE, ("text",)),
    Verb("sleeps", "sleep", "dort", "睡觉", None, ALIVE, ()),
    Verb("runs", "run", "court", "跑", None, ALIVE, ()),
    Verb("waits", "wait", "attend", "等", None, ALIVE, ()),
    Verb("works", "work", "travaille", "工作", None, ("adult",), ()),
]

PLACES = [
    ("in the garden", "dans le jardin", "在花园里"),
    ("in the house", "dans la maison", "在房子里"),
    ("in the kitchen", "dans la cuisine", "在厨房里"),
    ("in the park", "dans le parc", "在公园里"),
    ("in the street", "dans la rue", "在街上"),
    ("at school", "à l' école", "在学校"),
    ("under the tree", "sous l' arbre", "在树下"),
]

TIMES = [
    ("today", "aujourd'hui", "今天"),
    ("now", "maintenant", "现在"),
    ("every day", "chaque jour", "每天"),
]


@dataclass(frozen=True)
class NounPhrase:
    """A noun with its article (`"the"`, `"a"`, `"this"`, or `""` in headlines) and adjectives."""

    article: str
    adjectives: tuple[Adjective, ...]
    noun: Noun


@dataclass(frozen=True)
class Clause:
    """Who does what to whom, where and when, or does not; places and times in all languages."""

    subject: NounPhrase
    verb: Verb
    object: NounPhrase | None = None
    negative: bool = False
    place: tuple[str, str, str] | None = None
    time: tuple[str, str, str] | None = None


def english(clause: Clause) -> str:
    """`the dog does not sleep in the garden today .`"""
    words = _english_phrase(clause.subject)
    words += ["does", "not", clause.verb.base] if clause.negative else [clause.verb.english]
    if clause.object:
        words += _english_phrase(clause.object)
    return _sentence(words, clause.place, clause.time, language=0)


def french(clause: Clause) -> str:
    """`le chien ne dort pas dans le jardin aujourd'hui .`"""
    words = _french_phrase(clause.subject)
    if clause.negative:
        words += ["n'" if _elides(clause.verb.french) else "ne", clause.verb.french, "pas"]
    else:
        words.append(clause.verb.french)
    if clause.object:
        words += _french_phrase(clause.object, denied=clause.negative)
    return _sentence(words, clause.place, clause.time, language=1)


def chinese(clause: Clause) -> str:
    """`狗 今 天 不 在 花 园 里 睡 觉 。`: time and place before the verb, one character a token."""
    verb = clause.verb
    text = _chinese_phrase(clause.subject)
    text += clause.time[2] if clause.time else ""
    text += "不" if clause.negative and not verb.negative else ""
    text += clause.place[2] if clause.place else ""
    text += verb.negative if clause.negative and verb.negative else verb.chinese
    text += _chinese_phrase(clause.object, denied=clause.negative) if clause.object else ""
    return " ".join(text + "。")


LANGUAGES: dict[str, Callable[[Clause], str]] = {"french": french, "chinese": chinese}


def sentence_pairs(
    language: str, n: int = 5000, two_adjectives: bool = False, seed: int = 0
) -> list[tuple[str, str]]:
    """Different English sentences, each with its translation, tokens separated by spaces.

    The same arguments give the same list on every machine, and the same English sentences in both
    languages.  The order is random: any slice is a fair sample.

    Args:
        language: `"french"` or `"chinese"`.
        n: how many pairs.
        two_adjectives: whether the subject has two adjectives, which otherwise no noun has.
        seed: of the sentences that are drawn.

    Raises:
        ValueError: for another language.
    """
    if language not in LANGUAGES:
        raise ValueError(f"language is {language!r}: choose one of {', '.join(LANGUAGES)}")
    draw, pairs = random.Random(seed), {}
    while len(pairs) < n:
        clause = _draw_clause(draw, two_adjectives)
        pairs[english(clause)] = LANGUAGES[language](clause)
    return list(pairs.items())


def _draw_clause(draw: random.Random, two_adjectives: bool) -> Clause:
    verb = _choose(VERBS, draw)
    headline = draw.random() < 0.15
    articles = ("",) if headline else ("the", "a", "this")
    n = 2 if two_adjectives else int(draw.random() < 0.5)
    subject = _draw_phrase(draw, verb.subjects, articles, n)
    if verb.state:
        articles = tuple(article for article in articles if article != "a")
    thing = verb.objects and _draw_phrase(draw, verb.objects, articles, int(draw.random() < 0.4))
    negative, placed, timed = (draw.random() < chance for chance in (0.3, 0.4, 0.3))
    # `Not every day` and 每天不, every day not, are two things: we say neither.
    place, time = _choose(PLACES, draw), _choose(TIMES[:2] if negative else TIMES, draw)
    if headline:
        return Clause(subject, verb, thing or None)
    place, time = place if placed else None, time if timed else None
    if verb.state:
        place = time = None
    return Clause(subject, verb, thing or None, negative, place, time)


def _draw_phrase(
    draw: random.Random, kinds: Sequence[str], articles: Sequence[str], n_adjectives: int
) -> NounPhrase:
    noun = _choose([noun for noun in NOUNS if noun.kind in kinds], draw)
    article = _choose(articles, draw)
    fitting = [adjective for adjective in ADJECTIVES if noun.kind in adjective.kinds]
    if n_adjectives == 2:  # one that French puts in front, and one that it puts behind
        front = _choose([adjective for adjective in fitting if not adjective.follows], draw)
        behind = _choose([adjective for adjective in fitting if adjective.follows], draw)
        return NounPhrase(article, (front, behind), noun)
    return NounPhrase(article, (_choose(fitting, draw),) * n_adjectives, noun)


def _choose(items: Sequence, draw: random.Random):
    """One of `items`; unlike `choice`, `random()` is promised to stay the same in every Python."""
    return items[int(draw.random() * len(items))]


def _sentence(words: list[str], place, time, language: int) -> str:
    ending = [phrase[language] for phrase in (place, time) if phrase]
    return " ".join([*words, *ending, "."])


def _english_phrase(phrase: NounPhrase) -> list[str]:
    words = [*(adjective.english for adjective in phrase.adjectives), phrase.noun.english]
    article = "an" if phrase.article == "a" and words[0][0] in "aeiou" else phrase.article
    return [article, *words] if article else words


def _french_phrase(phrase: NounPhrase, denied: bool = False) -> list[str]:
    """The noun phrase; what is denied is not `un gâteau` but `de gâteau`."""
    noun, words = phrase.noun, [phrase.noun.french]
    for adjective in phrase.adjectives:
        if adjective.follows:
            words.append(adjective.feminine if noun.feminine else adjective.masculine)
    for adjective in reversed(phrase.adjectives):
        if not adjective.follows:
            vowel = adjective.before_vowel if _elides(words[0]) else adjective.masculine
            words.insert(0, adjective.feminine if noun.feminine else vowel)
    vowel = _elides(words[0])
    if not phrase.article:
        return words
    if phrase.article == "the":
        article = "l'" if vowel else "la" if noun.feminine else "le"
    elif phrase.article == "this":
        article = "cette" if noun.feminine else "cet" if vowel else "ce"
    elif denied:
        article = "d'" if vowel else "de"
    else:
        article = "une" if noun.feminine else "un"
    return [article, *words]


def _elides(word: str) -> bool:
    """Whether `le` becomes `l'` before it: a vowel, or the mute h of `homme`."""
    return word[0] in "aeéiouh"


def _chinese_phrase(phrase: NounPhrase, denied: bool = False) -> str:
    """The noun phrase; 的 joins long adjectives and puts them first, `a` counts with a classifier,
    and what is denied is not counted."""
    noun = phrase.noun
    alive = noun.kind in (*ALIVE, "tree")
    said = [a.chinese if alive else a.chinese_things for a in phrase.adjectives]
    said.sort(key=lambda adjective: not adjective.endswith("的"))
    counted = {"a": "" if denied else "一", "this": "这"}.get(phrase.article, "")
    classifier = noun.classifier if counted else ""
    return counted + classifier + "".join(said) + noun.chinese
