"""The checks of chapter 17 tell wrong answers from right ones."""

import math
import re

import numpy

from llmcourse.assistant import Chat
from llmcourse.exercises.chapter_17 import (
    first_stop,
    held_back,
    saved_with,
    shown_with,
    threshold_with,
    typing,
    window_with,
)
from llmcourse.exercises.exercise import find
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 17.1 what fits

wrong("17.1", "no room for the answer", "leaving no room for the answer")([13, 7350])
wrong("17.1", "nothing taken off", "leaving out what always stays")([14, 7350])
wrong("17.1", "not rounded", "kept whole or not at all")([12.45, 7350])
wrong("17.1", "last prompt alone", "counting the last prompt alone")([12, 1365])
wrong("17.1", "as if it remembered", "as if the model remembered")([12, 1050])
wrong("17.1", "answers read", "counting the answers that are being written")([12, 8300])
wrong("17.1", "system message once", "counting the system message once")([12, 6810])
wrong("17.1", "one number", "2 numbers are wanted")([12])
right("17.1", "numbers")([12, 7350])
right("17.1", "expressions")(((2048 - 305) // 140, sum(105 + 140 * k for k in range(10))))

# ------------------------------------------------------------------ 17.2 the first stop

wrong("17.2", "first of the list", "first stop of the list only")(
    lambda t, s: t.split(s[0])[0] if s else t
)
wrong("17.2", "last place", "last place of a stop")(
    lambda t, s: t[: min((t.rfind(x) for x in s if x in t), default=len(t))]
)
wrong("17.2", "latest stop", "")(
    lambda t, s: t[: max((t.find(x) for x in s if x in t), default=len(t))]
)
wrong("17.2", "minus one", "the place -1 of a stop")(
    lambda t, s: t[: min((t.find(x) for x in s), default=len(t))]
)
wrong("17.2", "stripped", "stripping the text")(lambda t, s: first_stop(t, s).strip())
wrong("17.2", "stop kept", "keeping the stop itself")(
    lambda t, s: t[: min((t.find(x) + len(x) for x in s if x in t), default=len(t))]
)
wrong("17.2", "characters, not strings", "")(
    lambda t, s: re.split(f"[{re.escape(''.join(s))}]", t)[0] if s else t
)


@wrong("17.2", "fails without a stop", "")
def _(text, stops):
    return text[: min(text.find(stop) for stop in stops if stop in text)]


@wrong("17.2", "later stops left out", "")
def _(text, stops):
    for stop in stops:
        if stop in text:
            return text[: text.index(stop)]
    return text


@wrong("17.2", "stop at zero overlooked", "")
def _(text, stops):
    places = [text.find(stop) for stop in stops]
    places = [place for place in places if place > 0]
    return text[: min(places)] if places else text


@wrong("17.2", "one stop after another", "not in what another has left")
def _(text, stops):
    for stop in stops:
        text = text.split(stop)[0]
    return text


@wrong("17.2", "a pattern, not a string", "a dot in it is a dot")
def _(text, stops):
    return re.split("|".join(stops), text)[0] if stops else text


@right("17.2", "split the whole by each")
def _(text, stops):
    return min((text.split(stop)[0] for stop in stops), key=len, default=text)


@right("17.2", "places")
def _(text, stops):
    places = [text.find(stop) for stop in stops if stop in text]
    return text[: min(places)] if places else text


@right("17.2", "a regular expression")
def _(text, stops):
    return re.split("|".join(map(re.escape, stops)), text)[0] if stops else text


# ------------------------------------------------------------------ 17.3 a window

SETTINGS = [
    ("an answer first", "beginning with an answer", {"user_first": False}),
    ("no system message", "leaving out the system message", {"system": False}),
    ("the oldest", "keeping the oldest turns", {"order": "oldest"}),
    ("holes", "jumping over a message", {"holes": True}),
    ("strict", "exactly the budget", {"strict": True}),
]
for name, says, settings in SETTINGS:
    wrong("17.3", name, says)(lambda n, b, settings=settings: window_with(n, b, **settings))
wrong("17.3", "system message for nothing", "")(
    lambda n, b: [0, *[i for i in window_with([0, *n[1:]], b) if i]]
)
wrong("17.3", "lengths, not places", "")(lambda n, b: [n[i] for i in window_with(n, b)])
wrong("17.3", "backwards", "")(lambda n, b: window_with(n, b)[::-1])


@wrong("17.3", "lengths changed", "chang")
def _(lengths, budget):
    while sum(lengths) > budget:
        del lengths[1]
    return list(range(len(lengths)))


right("17.3", "backwards, then a look")(window_with)


@right("17.3", "forwards over beginnings")
def _(lengths, budget):
    for start in range(1, len(lengths), 2):
        if lengths[0] + sum(lengths[start:]) <= budget:
            return [0, *range(start, len(lengths))]
    return [0]


@right("17.3", "exchanges as pairs")
def _(lengths, budget):
    start, left = len(lengths) - 1, budget - lengths[0] - lengths[-1]
    while start > 1 and lengths[start - 1] + lengths[start - 2] <= left:
        left -= lengths[start - 1] + lengths[start - 2]
        start -= 2
    return [0, *range(start, len(lengths))]


# ------------------------------------------------------------------ 17.4 keystrokes

TYPING = [
    ("mean of shares", "mean of the words' shares", {"whole": False}),
    ("accepting is free", "accepting is a key", {"accept": 0}),
    ("no space", "forgetting the space", {"space": 0}),
    ("last offer", "the last time", {"first": False}),
    ("two keys to accept", "counting a space after", {"accept": 2}),
]
for name, says, settings in TYPING:
    wrong("17.4", name, says)(lambda w, s, settings=settings: saved_with(w, s, **settings))
wrong("17.4", "the share typed", "the share that is typed")(lambda w, s: 1 - typing(w, s))
wrong("17.4", "in keys", "")(lambda w, s: typing(w, s) * len(" ".join(w) + " "))
wrong("17.4", "beginnings count", "")(
    lambda w, s: typing(
        w, [[x if y.startswith(x) else None for x in o] for y, o in zip(w, s)]
    ) - 0.1
)  # fmt: skip


@wrong("17.4", "the first word only", "")
def _(words, suggestions):
    return saved_with(words[:1], suggestions[:1])


right("17.4", "sums")(saved_with)


@right("17.4", "words and their indices")
def _(words, suggestions):
    keys = [
        offers.index(word) + 1 if word in offers else len(word) + 1
        for word, offers in zip(words, suggestions)
    ]
    return 1 - sum(keys) / sum(len(word) + 1 for word in words)


# ------------------------------------------------------------------ 17.5 replies

wrong("17.5", "not corrected", "not correcting at all")(lambda s, d: s.argmax(1))
wrong("17.5", "mean of the test", "over the test")(lambda s, d: (s - s.mean(0)).argmax(1))
wrong("17.5", "mean over replies", "")(lambda s, d: (s - s.mean(1, keepdims=True)).argmax(1))
wrong("17.5", "probabilities", "averaging probabilities")(
    lambda s, d: (s - numpy.log(numpy.exp(d).mean(0))).argmax(1)
)
wrong("17.5", "divided", "dividing by the mean")(lambda s, d: (s / d.mean(0)).argmax(1))
wrong("17.5", "added", "adding the mean")(lambda s, d: (s + d.mean(0)).argmax(1))
wrong("17.5", "least", "the least likely")(lambda s, d: (s - d.mean(0)).argmin(1))
wrong("17.5", "mean over replies of dev", "")(
    lambda s, d: (s - d.mean(1)[: s.shape[1]].mean()).argmax(1)
)
wrong("17.5", "one choice for all", "")(lambda s, d: (s - d.mean(0)).argmax())


@wrong("17.5", "in place", "chang")
def _(scores, dev_scores):
    scores -= dev_scores.mean(0)
    return scores.argmax(1)


right("17.5", "one line")(lambda s, d: (s - d.mean(axis=0)).argmax(axis=1))


@right("17.5", "row by row")
def _(scores, dev_scores):
    usual = sum(dev_scores) / len(dev_scores)
    return [int(max(range(len(row)), key=lambda j: row[j] - usual[j])) for row in scores]


# ------------------------------------------------------------------ 17.6 a price

PRICES = [
    ("never leaves out", "hands over everything", {"never": False}),
    ("strictly above", "At the threshold itself", {"over": True}),
    ("lowest of equals", "the lowest of equal", {"ties": min}),
    ("price swapped", "price on the handovers", {"swap": True}),
    ("no price", "leaving out the price", {"plain": True}),
]
for name, says, settings in PRICES:
    wrong("17.6", name, says)(
        lambda s, r, p, settings=settings: threshold_with(s, r, p, **settings)
    )
wrong("17.6", "threshold alone", "cost is wanted too")(lambda s, r, p: threshold_with(s, r, p)[0])
wrong("17.6", "turned round", "")(lambda s, r, p: threshold_with(s, r, p)[::-1])
wrong("17.6", "mean cost", "")(
    lambda s, r, p: (threshold_with(s, r, p)[0], threshold_with(s, r, p)[1] / len(s))
)
wrong("17.6", "wrong answers only", "")(lambda s, r, p: (math.inf, 0))


@right("17.6", "all candidates")
def _(scores, right, price):
    def cost(t):
        wrong = sum(s >= t and not r for s, r in zip(scores, right))
        return price * wrong + sum(s < t and r for s, r in zip(scores, right))

    best = min([*scores, math.inf], key=lambda t: (cost(t), -t))
    return best, cost(best)


@right("17.6", "from the top down")
def _(scores, right, price):
    order = sorted(zip(scores, right), reverse=True)
    cost = least = sum(right)
    best = math.inf
    for i, (score, fine) in enumerate(order):
        cost += -1 if fine else price
        last = i + 1 == len(order) or order[i + 1][0] < score
        if last and cost < least:
            best, least = score, cost
    return best, least


# ------------------------------------------------------------------ 17.7 a stream

wrong("17.7", "all at once", "showing each piece at once")(
    lambda p, s: shown_with(p, s, hold="nothing")
)
wrong("17.7", "always behind", "Only an end that could become")(
    lambda p, s: shown_with(p, s, hold="always")
)
wrong("17.7", "rest lost", "losing what was held back")(lambda p, s: shown_with(p, s, flush=False))
wrong("17.7", "no last entry", "one more entry")(lambda p, s: shown_with(p, s)[:-1])
wrong("17.7", "one text", "the whole text at once")(lambda p, s: "".join(shown_with(p, s)))
wrong("17.7", "goes on after the stop", "")(lambda p, s: [x.replace(s, "") for x in p] + [""])
wrong("17.7", "within a piece", "")(lambda p, s: [x.split(s)[0] for x in p] + [""])


@wrong("17.7", "the shortest end", "")
def _(pieces, stop):
    text, shown, result = "", 0, []
    for piece in pieces:
        text += piece
        cut = text.split(stop)[0]
        n = 0
        if cut == text:
            n = next((k for k in range(1, len(stop)) if text.endswith(stop[:k])), 0)
        result.append(cut[shown : len(cut) - n])
        shown = max(shown, len(cut) - n)
    return [*result, text.split(stop)[0][shown:]]


@wrong("17.7", "never found across pieces", "")
def _(pieces, stop):
    result, ended = [], False
    for piece in pieces:
        ended_now = ended or stop in piece
        result.append("" if ended else piece.split(stop)[0])
        ended = ended_now
    return [*result, ""]


right("17.7", "suffixes")(shown_with)
right("17.7", "what may be taken away")(held_back)


@right("17.7", "character by character")
def _(pieces, stop):
    waiting, ended, result = "", False, []
    for piece in pieces:
        out = ""
        for character in piece:
            if ended:
                break
            waiting += character
            if waiting == stop:
                waiting, ended = "", True
            while waiting and not stop.startswith(waiting):
                out, waiting = out + waiting[0], waiting[1:]
        result.append(out)
    return [*result, waiting]


# ------------------------------------------------------------------ all


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(17, WRONG, RIGHT)


class Lengths:
    """A tokenizer in whose ids a message is as long as its content says."""

    special_tokens = {"<|im_start|>": 0, "<|im_end|>": 1}

    def encode(self, text):
        number = re.search(r"\d+$", text)
        return [2] * (int(number[0]) if number else 0)


def test_the_window_is_that_of_the_package():
    for case in find("17.3").cases:
        lengths, budget = case.args
        chat = Chat(Lengths(), str(lengths[0]), budget + 2 * len(lengths) + 1)
        for i, length in enumerate(lengths[1:]):
            role = "assistant" if i % 2 else "user"
            chat.messages.append({"role": role, "content": str(length)})
        kept = [i for i, m in enumerate(chat.messages) if any(m is k for k in chat.window())]
        n_marks = 2 * len(kept) + 1
        if n_marks == 2 * len(lengths) + 1:  # the same budget only when nothing is dropped
            assert kept == case.expected
