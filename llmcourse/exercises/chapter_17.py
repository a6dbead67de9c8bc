"""Checks of chapter 17: windows, stops, keystrokes, replies, a threshold with a price, streams."""

import math

import numpy

from llmcourse.exercises.exercise import Case, Exercise, Mistake

# ------------------------------------------------------------------ 17.2


def first_stop(text, stops):
    """The text before the earliest stop, found by trying every position."""
    for i in range(len(text)):
        if any(text.startswith(stop, i) for stop in stops):
            return text[:i]
    return text


# ------------------------------------------------------------------ 17.3


def window_with(
    lengths, budget, *, system=True, order="latest", user_first=True, holes=False, strict=False
):
    """The places of the messages that stay, in which one thing may be done wrong."""
    left = budget - lengths[0] * system
    places = range(len(lengths) - 1, 0, -1) if order == "latest" else range(1, len(lengths))
    kept = []
    for i in places:
        if lengths[i] < left or (lengths[i] == left and not strict):
            kept.append(i)
            left -= lengths[i]
        elif not holes:
            break
    kept.sort()
    while user_first and not holes and kept and kept[0] % 2 == 0:
        kept.pop(0)
    return [0, *kept] if system else kept


# ------------------------------------------------------------------ 17.4


def saved_with(words, suggestions, *, accept=1, space=1, whole=True, first=True):
    """The share of keys saved, in which one thing may be done wrong."""
    shares, keys, letters = [], 0, 0
    for word, offers in zip(words, suggestions, strict=True):
        need = len(word) + space
        hits = [k for k, offer in enumerate(offers) if offer == word]
        if hits:
            need = (hits[0] if first else hits[-1]) + accept
        keys += need
        letters += len(word) + space
        shares.append(1 - need / (len(word) + space))
    return 1 - keys / letters if whole else float(numpy.mean(shares))


def typing(words, suggestions):
    """Types it, key by key."""
    keys = []
    for word, offers in zip(words, suggestions, strict=True):
        for k in range(len(word) + 1):
            if k < len(offers) and offers[k] == word:
                keys.append("accept")
                break
            keys.append(word[k : k + 1] or " ")
    return 1 - len(keys) / len(" ".join(words) + " ")


# ------------------------------------------------------------------ 17.5


def corrected(scores, dev_scores):
    chosen = []
    for row in scores:
        gains = [
            float(row[j]) - sum(float(dev[j]) for dev in dev_scores) / len(dev_scores)
            for j in range(len(row))
        ]
        chosen.append(gains.index(max(gains)))
    return numpy.array(chosen)


SCORES = numpy.array([[-3.0, -9.0, -6.0], [-4.0, -8.0, -9.0], [-3.5, -9.5, -8.0]])
DEV = numpy.array([[-2.0, -9.0, -8.0], [-4.0, -11.0, -8.0]])


def many(n, m, seed):
    draw = numpy.random.default_rng(seed)
    liked = draw.normal(0, 4, m)
    return draw.normal(-9, 2, (n, m)) + liked, draw.normal(-9, 2, (7, m)) + liked


# ------------------------------------------------------------------ 17.6


def threshold_with(
    scores, right, price, *, never=True, over=False, ties=max, swap=False, plain=False
):
    """The cheapest threshold by trying all, in which one thing may be done wrong."""
    candidates = [float(s) for s in scores] + ([math.inf] if never else [])
    costs = {}
    for t in candidates:
        answered = [(s > t) if over else (s >= t) for s in scores]
        wrong = sum(a and not r for a, r in zip(answered, right, strict=True))
        idle = sum(r and not a for a, r in zip(answered, right, strict=True))
        if plain:
            price = 1
        costs[t] = wrong + price * idle if swap else price * wrong + idle
    least = min(costs.values())
    return ties(t for t, cost in costs.items() if cost == least), least


FIVE = ([0.2, 0.3, 0.4, 0.5, 0.6], [False, True, False, True, True])

# ------------------------------------------------------------------ 17.7


def shown_with(pieces, stop, *, hold="suffix", flush=True, end=True):
    """What is shown after each piece, in which one thing may be done wrong."""
    text, shown, result, stopped = "", 0, [], False
    for piece in pieces:
        if stopped and end:
            result.append("")
            continue
        text += piece
        at = text.find(stop)
        if at >= 0:
            upto, stopped = at, True
        elif hold == "suffix":
            n = max(k for k in range(len(stop)) if text.endswith(stop[:k]))
            upto = len(text) - n
        elif hold == "always":
            upto = len(text) - len(stop) + 1
        else:
            upto = len(text)
        upto = max(upto, shown)
        result.append(text[shown:upto])
        shown = upto
    result.append(text[shown:] if flush and not stopped else "")
    return result


def held_back(pieces, stop):
    """By what may still become the stop: safe is what no continuation could take away."""
    result, shown = [], 0
    whole = ""
    for piece in pieces:
        whole += piece
        cut = whole.split(stop)[0]
        safe = len(cut)
        if cut == whole:
            for start in range(max(0, len(whole) - len(stop) + 1), len(whole)):
                if stop.startswith(whole[start:]):
                    safe = start
                    break
        result.append(cut[shown:safe])
        shown = max(shown, safe)
    return [*result, whole.split(stop)[0][shown:]]


EXERCISES = (
    Exercise(
        id="17.1",
        title="What fits",
        level="easy",
        minutes=8,
        hints=(
            "First take off what always has to be there. What is left for old exchanges?",
            "The system message, the new question and the room for the answer stay. An old "
            "exchange is a question and an answer, 140 tokens.",
            "2048 - 60 - 45 - 200, divided by 140 and rounded down; for (b) the k-th prompt has "
            "60 + 45 + 140 (k - 1) tokens. What is the sum over ten?",
        ),
        cases=(Case((), "two numbers are wanted.", [12, 7350]),),
        mistakes=(
            Mistake([13, 7350], "leaving no room for the answer: it is written in the same "
                    "window."),
            Mistake([14, 7350], "leaving out what always stays, in (a)."),
            Mistake([12.45, 7350], "not rounding. An exchange is kept whole or not at all: round "
                    "down."),
            Mistake([12, 1365], "counting the last prompt alone in (b). Each turn reads all that "
                    "went before it again."),
            Mistake([12, 1050], "counting in (b) as if the model remembered: each prompt holds all "
                    "the earlier turns again."),
            Mistake([12, 8300], "counting the answers that are being written, too. (b) asks for "
                    "what is read."),
            Mistake([12, 6810], "counting the system message once in (b). Each prompt has it."),
        ),
    ),
    Exercise(
        id="17.2",
        title="The first stop",
        level="easy",
        minutes=8,
        call="before_stop(text, stops)",
        hints=(
            "Where does each stop begin, if it occurs at all? Which of these places counts?",
            "`text.find(stop)` is -1 if there is none: leave those out.",
            "places = [text.find(s) for s in stops if s in text]; then text[:min(places)]. And if "
            "places is empty?",
        ),
        reference=first_stop,
        cases=(
            Case(("one\ntwo\nthree", ["\n"]), "that is one stop; the text before its first place "
                 "is wanted.", "one"),
            Case(("no stop here", ["\n", "END"]), "without a stop the whole text is wanted.",
                 "no stop here"),
            Case(("a B: b A: c", ["A:", "B:"]), "the stop that comes first *in the text* counts, "
                 "not the first of the list.", "a "),
            Case(("  yes  <|im_end|>", ["<|im_end|>"]), "the text is not to be changed otherwise; "
                 "the spaces are part of it.", "  yes  "),
            Case(("END and more", ["END"]), "a stop at the very beginning leaves nothing.", ""),
            Case(("x\n\ny", ["\ny", "\n\n"]), "stops that overlap: look for each of them in the "
                 "whole text, not in what another has left.", "x"),
            Case(("Mr X said so. Then", [". "]), "a stop is a string, not a pattern: a dot in it "
                 "is a dot.", "Mr X said so"),
            Case(("plain", []), "with no stops at all, the text stays.", "plain"),
        ),
        mistakes=(
            Mistake(lambda t, s: t.split(s[0])[0] if s else t, "looking for the first stop of the "
                    "list only."),
            Mistake(lambda t, s: t[: min((t.rfind(x) for x in s if x in t), default=len(t))],
                    "taking the last place of a stop. After the first one nothing may come."),
            Mistake(lambda t, s: t[: max((t.find(x) for x in s if x in t), default=len(t))],
                    "taking the stop that comes last. The earliest one counts."),
            Mistake(lambda t, s: t[: min((t.find(x) for x in s), default=len(t))],
                    "using the place -1 of a stop that does not occur: it cuts off the last "
                    "character."),
            Mistake(lambda t, s: first_stop(t, s).strip(), "stripping the text: what stands before "
                    "the stop is wanted as it is."),
            Mistake(lambda t, s: t[: min((t.find(x) + len(x) for x in s if x in t),
                    default=len(t))], "keeping the stop itself."),
            Mistake(lambda t, s: "".join(t.replace(x, "") for x in s[:1]) or t, "taking the stops "
                    "out and keeping what comes after them."),
        ),
    ),
    Exercise(
        id="17.3",
        title="The latest that fit",
        level="medium",
        minutes=12,
        call="window(lengths, budget)",
        hints=(
            "Pay for the system message first. From which end of the chat do you then go on?",
            "Go backwards and stop at the first message that does not fit. Then look at whose turn "
            "comes first.",
            "Users speak at the odd places 1, 3, 5, … While the first kept place is even, drop it. "
            "Why is it never needed to do so twice?",
        ),
        reference=window_with,
        cases=(
            Case(([5, 3, 4, 3], 100), "all fit, so all stay.", [0, 1, 2, 3]),
            Case(([5, 3, 4, 3], 15), "exactly the budget still fits.", [0, 1, 2, 3]),
            Case(([5, 3, 4, 3], 14), "the first question does not fit, and then its answer must "
                 "not stay either: a chat begins with the user.", [0, 3]),
            Case(([5, 2, 2, 2, 2, 6], 15), "the latest turns stay, and the system message.",
                 [0, 3, 4, 5]),
            Case(([5, 1, 30, 1, 2, 3], 14), "a long message in between ends the memory: no holes.",
                 [0, 3, 4, 5]),
            Case(([9, 2, 2, 4], 13), "the system message is always there, and costs.", [0, 3]),
            Case(([2, 8, 8, 8, 8, 8, 8, 8], 35), "a longer chat.", [0, 5, 6, 7]),
        ),
        mistakes=(
            Mistake(lambda n, b: window_with(n, b, user_first=False), "beginning with an answer "
                    "whose question is gone. Start at a turn of the user (an odd place)."),
            Mistake(lambda n, b: window_with(n, b, system=False), "leaving out the system message. "
                    "It is at place 0 and always stays."),
            Mistake(lambda n, b: window_with(n, b, order="oldest"), "keeping the oldest turns. The "
                    "model has to answer the last one."),
            Mistake(lambda n, b: window_with(n, b, holes=True), "jumping over a message that is "
                    "too long. What is left has to hang together."),
            Mistake(lambda n, b: window_with(n, b, strict=True), "a chat of exactly the budget "
                    "fits."),
            Mistake(lambda n, b: [0, *[i for i in window_with([0, *n[1:]], b) if i]], "not paying "
                    "for the system message."),
        ),
    ),
    Exercise(
        id="17.4",
        title="Keystrokes saved",
        level="medium",
        minutes=12,
        call="saved(words, suggestions)",
        hints=(
            "How many keys does one word need? Look for the first k at which the right word is "
            "offered.",
            "k letters and one key to accept; else all letters and the space. Add up over all "
            "words before you divide.",
            "keys += k + 1 or len(word) + 1; then 1 - keys / letters, with letters the sum of "
            "len(word) + 1. Which words have no k?",
        ),
        reference=typing,
        cases=(
            Case((["dear"], [["the", "dear", "dear", "dear"]]), "one letter and one key to accept, "
                 "in place of five keys (the space counts).", 1 - 2 / 5),
            Case((["dear"], [["the", "do", "den", "deal"]]), "it was never offered, so nothing is "
                 "saved.", 0.0),
            Case((["thank", "you"], [["thank"] * 5, ["you"] * 3]), "accepting costs one key for "
                 "each word, before any letter.", 1 - 2 / 10),
            Case((["a", "wonderful"], [["a"], ["a"] * 2 + ["wonderful"] * 7]), "the share is taken "
                 "over the whole text: one long word may save more than all others.", 1 - 4 / 12),
            Case((["no", "notes"], [["yes", "not"], ["no", "no", "notes", "no", "notes"]]),
                 "the first time that it is offered counts.", 1 - 6 / 9),
            Case((["I", "see", "it"], [["you"], ["see", "saw", "see"], ["in", "it"]]),
                 "three words.", 1 - 5 / 9),
        ),
        mistakes=(
            Mistake(lambda w, s: saved_with(w, s, whole=False), "taking the mean of the words' "
                    "shares. Keys are what you save: add them up over the text, then divide."),
            Mistake(lambda w, s: saved_with(w, s, accept=0), "forgetting that accepting is a key."),
            Mistake(lambda w, s: saved_with(w, s, space=0), "forgetting the space after a word: it "
                    "is typed as well, and comes for nothing with an accepted word."),
            Mistake(lambda w, s: saved_with(w, s, first=False), "accepting the last time that the "
                    "word is offered. The first time is enough."),
            Mistake(lambda w, s: 1 - saved_with(w, s), "returning the share that is typed."),
            Mistake(lambda w, s: saved_with(w, s, accept=2), "counting a space after an accepted "
                    "word: it comes with the word."),
        ),
    ),
    Exercise(
        id="17.5",
        title="Not what it always says",
        level="medium",
        minutes=10,
        call="choose(scores, dev_scores)",
        hints=(
            "What does a reply get on average, whatever was asked? Which messages say so without "
            "looking at the test?",
            "Take off, from each column, the mean of that column over the dev messages.",
            "(scores - dev_scores.mean(axis=?)).argmax(axis=1). Which axis runs over the messages?",
        ),
        reference=corrected,
        cases=(
            Case((SCORES[:1], DEV), "the third reply is 2 nats likelier here than on average, the "
                 "first none.", numpy.array([2])),
            Case((SCORES, DEV), "each message has its own choice.", corrected(SCORES, DEV)),
            Case((SCORES - 100, DEV), "a message in which everything is unlikely changes nothing.",
                 corrected(SCORES, DEV)),
            Case(many(9, 4, 0), "nine messages, four replies."),
            Case(many(12, 7, 1), "as many replies as dev messages: mind the axis."),
            Case(many(30, 8, 2), "thirty messages, eight replies."),
        ),
        mistakes=(
            Mistake(lambda s, d: s.argmax(1), "not correcting at all: that is the reply which it "
                    "likes always."),
            Mistake(lambda s, d: (s - s.mean(0)).argmax(1), "taking the mean over the test "
                    "messages. It has to come from the dev part, or an answer depends on which "
                    "other messages are in the test."),
            Mistake(lambda s, d: (s - s.mean(1, keepdims=True)).argmax(1), "taking the mean over "
                    "the replies: that shifts a whole row and changes no choice."),
            Mistake(lambda s, d: (s - numpy.log(numpy.exp(d).mean(0))).argmax(1), "averaging "
                    "probabilities. The mean of the logarithms was asked for."),
            Mistake(lambda s, d: (s / d.mean(0)).argmax(1), "dividing by the mean. A "
                    "log-probability is corrected by a difference."),
            Mistake(lambda s, d: (s + d.mean(0)).argmax(1), "adding the mean: that doubles the "
                    "liking."),
            Mistake(lambda s, d: (s - d.mean(0)).argmin(1), "taking the least likely one."),
        ),
    ),
    Exercise(
        id="17.6",
        title="A threshold with a price",
        level="hard",
        minutes=18,
        call="cheapest(scores, right, price)",
        hints=(
            "Only at the scores themselves does anything change. Which further threshold hands "
            "over everything?",
            "For each candidate: price times the answers that are not right, plus the right ones "
            "that are handed over.",
            "candidates = [*scores, math.inf]; cost(t) = price * sum(s >= t and not r) + sum(s < t "
            "and r). How do you let the highest win among equals?",
        ),
        reference=threshold_with,
        cases=(
            Case((*FIVE, 1), "at 0.3, 0.4 and above: count both kinds of mistakes.", (0.5, 1)),
            Case(([0.1, 0.9], [False, True], 1), "a threshold that makes no mistake costs "
                 "nothing, and the score itself is still answered.", (0.9, 0)),
            Case((*FIVE, 0.25), "where a wrong answer costs little, answer more.",
                 (0.3, 0.25)),
            Case(([0.5, 0.6], [True, False], 5), "where it costs much, hand over everything: the "
                 "threshold is math.inf.", (math.inf, 1)),
            Case(([0.4, 0.2, 0.3], [True, False, True], 2), "the scores are not sorted.", (0.3, 0)),
            Case(([0.2, 0.4, 0.4, 0.7], [True, True, False, True], 1), "equal scores are answered "
                 "together; and of equal costs take the highest threshold.", (0.2, 1)),
            Case(([0.3, 0.5, 0.8], [False, False, False], 3), "nothing can be answered.",
                 (math.inf, 0)),
            Case(([0.3, 0.5, 0.8], [True, False, True], 1), "a tie between 0.3 and 0.8.", (0.8, 1)),
        ),
        mistakes=(
            Mistake(lambda s, r, p: threshold_with(s, r, p, never=False), "leaving out the "
                    "threshold that hands over everything, math.inf."),
            Mistake(lambda s, r, p: threshold_with(s, r, p, over=True), "answering only above the "
                    "threshold. At the threshold itself, too, it answers."),
            Mistake(lambda s, r, p: threshold_with(s, r, p, ties=min), "taking the lowest of equal "
                    "thresholds. Handing over is the safer side."),
            Mistake(lambda s, r, p: threshold_with(s, r, p, swap=True), "putting the price on the "
                    "handovers. It is the wrong answers that are dear."),
            Mistake(lambda s, r, p: threshold_with(s, r, p, plain=True), "leaving out the price."),
            Mistake(lambda s, r, p: threshold_with(s, r, p)[0], "the cost is wanted too: return a "
                    "pair."),
        ),
    ),
    Exercise(
        id="17.7",
        title="Nothing shown too early",
        level="hard",
        minutes=20,
        call="shown(pieces, stop)",
        hints=(
            "After a piece has come: could the end of the text be the beginning of the stop?",
            "Hold back the longest end of the text that is a beginning of the stop. When the stop "
            "is complete, show what stands before it, and then nothing more.",
            "n = max(k for k in range(len(stop)) if text.endswith(stop[:k])); show up to "
            "len(text) - n. What is shown when no more pieces come?",
        ),
        reference=held_back,
        cases=(
            Case((["one ", "two"], "END"), "without a stop, each piece is shown as it comes, and "
                 "nothing is left for the end.", ["one ", "two", ""]),
            Case((["yes", "END", "no"], "END"), "after the stop nothing is shown any more.",
                 ["yes", "", "", ""]),
            Case((["yes E", "N", "D no"], "END"), "the stop comes in pieces: hold back what may "
                 "be its beginning.", ["yes ", "", "", ""]),
            Case((["yes E", "N", "ds"], "END"), "it was not the stop after all: then show what was "
                 "held back.", ["yes ", "", "ENds", ""]),
            Case((["the E"], "END"), "the text ends while something is held back: show it last.",
                 ["the ", "E"]),
            Case((["a\n", "\n", "b"], "\n\n"), "a stop of two equal characters.",
                 ["a", "", "", ""]),
            Case((["aa", "b!"], "aab"), "two ends could be a beginning: hold back the longer one.",
                 ["", "", ""]),
            Case((["EEN", "D"], "END"), "hold back from the second E on.", ["E", "", ""]),
            Case((["ab", "ab", "ac", "x"], "abac"), "part of what was held back may be a new "
                 "beginning.", ["", "ab", "", "", ""]),
            Case((["", "x", ""], "END"), "empty pieces.", ["", "x", "", ""]),
        ),
        mistakes=(
            Mistake(lambda p, s: shown_with(p, s, hold="nothing"), "showing each piece at once. "
                    "Its end may be the beginning of the stop."),
            Mistake(lambda p, s: shown_with(p, s, hold="always"), "always holding back so many "
                    "characters. Only an end that could become the stop is held back."),
            Mistake(lambda p, s: shown_with(p, s, flush=False), "losing what was held back, when "
                    "no more pieces come."),
            Mistake(lambda p, s: shown_with(p, s)[:-1], "one more entry is wanted: what is shown "
                    "when no more pieces come."),
            Mistake(lambda p, s: "".join(shown_with(p, s)), "the whole text at once: one entry for "
                    "each piece is wanted."),
            Mistake(lambda p, s: [x.split(s)[0] for x in p] + [""], "looking for the stop within "
                    "each piece. It may come in two."),
        ),
    ),
)  # fmt: skip
