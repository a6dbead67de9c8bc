"""The checks of chapter 20 tell wrong answers from right ones."""

import math

import torch
import torch.nn.functional as F

from llmcourse.exercises.chapter_20 import (
    bayes,
    by_probabilities,
    calibrated_by_loop,
    coolest,
    f1_from_table,
)
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 20.1 four numbers

wrong("20.1", "swapped", "swapping precision and recall")([0.75, 0.6, 0.667, 0.85, 0.8])
wrong("20.1", "plain mean", "the harmonic mean")([0.6, 0.75, 0.675, 0.85, 0.8])
wrong("20.1", "missed ones forgotten", "the ten that were missed")([0.6, 0.75, 0.667, 0.9, 0.8])
wrong("20.1", "false alarms forgotten", "marked in error")([0.6, 0.75, 0.667, 0.95, 0.8])
wrong("20.1", "all against", "The last model marks none")([0.6, 0.75, 0.667, 0.85, 0.2])
wrong("20.1", "of all", "the 50 that were marked")([0.15, 0.75, 0.25, 0.85, 0.8])
wrong("20.1", "four numbers", "5 numbers are wanted, and you give 4")([0.6, 0.75, 0.667, 0.85])
right("20.1", "fractions")([30 / 50, 30 / 40, 2 / 3, 170 / 200, 160 / 200])
right("20.1", "rounded")([0.6, 0.75, 0.667, 0.85, 0.8])

# ------------------------------------------------------------------ 20.2 macro F1


def counts(guesses, labels, c):
    tp = sum(g == c and y == c for g, y in zip(guesses, labels))
    fp = sum(g == c and y != c for g, y in zip(guesses, labels))
    fn = sum(g != c and y == c for g, y in zip(guesses, labels))
    return tp, fp, fn


wrong("20.2", "accuracy", "computing the accuracy")(
    lambda g, y, n: sum(a == b for a, b in zip(g, y)) / len(y)
)


@wrong("20.2", "micro", "computing the accuracy")
def _(guesses, labels, n_classes):
    tp, fp, fn = (sum(x) for x in zip(*(counts(guesses, labels, c) for c in range(n_classes))))
    return 2 * tp / (2 * tp + fp + fn)


@wrong("20.2", "weighted", "weighing the classes by their size")
def _(guesses, labels, n_classes):
    total = 0.0
    for c in range(n_classes):
        tp, fp, fn = counts(guesses, labels, c)
        total += labels.count(c) * (2 * tp / (2 * tp + fp + fn) if tp else 0.0)
    return total / len(labels)


@wrong("20.2", "classes that occur", "it counts with 0")
def _(guesses, labels, n_classes):
    scores = []
    for c in sorted(set(guesses) | set(labels)):
        tp, fp, fn = counts(guesses, labels, c)
        scores.append(2 * tp / (2 * tp + fp + fn))
    return sum(scores) / len(scores)


@wrong("20.2", "F1 of means", "the mean comes last")
def _(guesses, labels, n_classes):
    table = [counts(guesses, labels, c) for c in range(n_classes)]
    p = sum(tp / max(1, tp + fp) for tp, fp, _ in table) / n_classes
    r = sum(tp / max(1, tp + fn) for tp, _, fn in table) / n_classes
    return 2 * p * r / (p + r)


@wrong("20.2", "one for a class that occurs nowhere", "or giving it 1")
def _(guesses, labels, n_classes):
    table = [counts(guesses, labels, c) for c in range(n_classes)]
    scores = [2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0 for tp, fp, fn in table]
    return sum(scores) / n_classes


wrong("20.2", "recall", "averaging recalls")(
    lambda g, y, n: sum(counts(g, y, c)[0] / max(1, y.count(c)) for c in range(n)) / n
)


@wrong("20.2", "dividing by zero", "ZeroDivisionError")
def _(guesses, labels, n_classes):
    scores = [counts(guesses, labels, c) for c in range(n_classes)]
    return sum(2 * tp / (2 * tp + fp + fn) for tp, fp, fn in scores) / n_classes


right("20.2", "a table")(f1_from_table)


@right("20.2", "a loop")
def _(guesses, labels, n_classes):
    total = 0.0
    for c in range(n_classes):
        tp, fp, fn = counts(guesses, labels, c)
        total += 2 * tp / (2 * tp + fp + fn) if tp else 0.0
    return total / n_classes


# ------------------------------------------------------------------ 20.3 from logits to labels


@wrong("20.3", "logits added", "adding logits")
def _(logits, answer_ids):
    return torch.stack([logits[:, ids].sum(-1) for ids in answer_ids], -1).softmax(-1)


@wrong("20.3", "logits averaged", "averaging logits")
def _(logits, answer_ids):
    return torch.stack([logits[:, ids].mean(-1) for ids in answer_ids], -1).softmax(-1)


@wrong("20.3", "the first name", "the first name alone")
def _(logits, answer_ids):
    return logits[:, [ids[0] for ids in answer_ids]].softmax(-1)


@wrong("20.3", "the likeliest name", "the likeliest name alone")
def _(logits, answer_ids):
    return torch.stack([logits[:, ids].amax(-1) for ids in answer_ids], -1).softmax(-1)


@wrong("20.3", "not rescaled", "rows should sum to 1")
def _(logits, answer_ids):
    chance = logits.softmax(-1)
    return torch.stack([chance[:, ids].sum(-1) for ids in answer_ids], -1)


@wrong("20.3", "tiny probabilities", "very unlikely")
def _(logits, answer_ids):
    chance = logits.softmax(-1)
    sums = torch.stack([chance[:, ids].sum(-1) for ids in answer_ids], -1)
    return sums / sums.sum(-1, keepdim=True)


@wrong("20.3", "tiny probabilities made equal", "very unlikely")
def _(logits, answer_ids):
    chance = logits.log_softmax(-1).clamp(min=-80).exp()
    sums = torch.stack([chance[:, ids].sum(-1) for ids in answer_ids], -1)
    return sums / sums.sum(-1, keepdim=True)


right("20.3", "doubles, as probabilities far from zero allow")(
    lambda logits, ids: by_probabilities(logits, ids)
)


@right("20.3", "logs")
def _(logits, answer_ids):
    return torch.stack([logits[:, ids].logsumexp(-1) for ids in answer_ids], -1).softmax(-1)


# ------------------------------------------------------------------ 20.4 contextual calibration


@wrong("20.4", "mean of logs", "a geometric mean")
def _(log_probs, empty):
    weighed = log_probs.softmax(-1) / empty.mean(0).softmax(-1)
    return weighed / weighed.sum(-1, keepdim=True)


@wrong("20.4", "no softmax", "averaging without a softmax")
def _(log_probs, empty):
    weighed = log_probs.exp() / empty.exp().mean(0)
    return weighed / weighed.sum(-1, keepdim=True)


@wrong("20.4", "multiplied", "doubles the fondness")
def _(log_probs, empty):
    weighed = log_probs.softmax(-1) * empty.softmax(-1).mean(0)
    return weighed / weighed.sum(-1, keepdim=True)


@wrong("20.4", "not to one", "rows should sum to 1")
def _(log_probs, empty):
    return log_probs.softmax(-1) / empty.softmax(-1).mean(0)


@wrong("20.4", "subtracted", "subtracting probabilities")
def _(log_probs, empty):
    return log_probs.softmax(-1) - empty.softmax(-1).mean(0)


@wrong("20.4", "their own average", "the texts themselves")
def _(log_probs, empty):
    weighed = log_probs.softmax(-1) / log_probs.softmax(-1).mean(0)
    return weighed / weighed.sum(-1, keepdim=True)


right("20.4", "a loop")(calibrated_by_loop)


@right("20.4", "logs")
def _(log_probs, empty):
    return (log_probs - empty.softmax(-1).mean(0).log()).softmax(-1)


# ------------------------------------------------------------------ 20.5 temperature


def loss(logits, labels, t):
    return F.cross_entropy(logits / t, labels).item()


wrong("20.5", "multiplied", "logits are divided by it")(
    lambda x, y, ts: min(ts, key=lambda t: loss(x, y, 1 / t))
)
wrong("20.5", "largest loss", "the largest loss")(
    lambda x, y, ts: max(ts, key=lambda t: loss(x, y, t))
)
wrong("20.5", "accuracy", "no temperature changes an answer")(
    lambda x, y, ts: max(ts, key=lambda t: ((x / t).argmax(-1) == y).float().mean().item())
)
wrong("20.5", "the loss", "the temperature is wanted")(
    lambda x, y, ts: min(loss(x, y, t) for t in ts)
)


@wrong("20.5", "squared errors", "cross-entropy was asked for")
def _(logits, labels, temperatures):
    truth = F.one_hot(labels, logits.shape[-1])
    return min(
        temperatures, key=lambda t: ((logits / t).softmax(-1) - truth).square().mean().item()
    )


wrong("20.5", "the index", "")(
    lambda x, y, ts: min(range(len(ts)), key=lambda i: loss(x, y, ts[i]))
)
wrong("20.5", "the last of equals", "all alike")(
    lambda x, y, ts: min(reversed(ts), key=lambda t: round(loss(x, y, t), 9))
)
right("20.5", "min")(lambda x, y, ts: min(ts, key=lambda t: loss(x, y, t)))
right("20.5", "a list of losses")(coolest)

# ------------------------------------------------------------------ 20.6 naive Bayes


@wrong("20.6", "no prior", "a common class is likelier")
def _(texts, labels, question):
    return bayes(texts, labels, question, prior=False)


wrong("20.6", "own vocabulary", "those of all texts are meant")(
    lambda t, y, q: bayes(t, y, q, own_vocabulary=True)
)
wrong("20.6", "unknown words", "skip them")(lambda t, y, q: bayes(t, y, q, all_words=True))
wrong("20.6", "once a text", "as often as it occurs")(lambda t, y, q: bayes(t, y, q, once=True))
wrong("20.6", "swapped", "class 0 minus class 1")(lambda t, y, q: bayes(t, y, q, swapped=True))
wrong("20.6", "once a question", "each word of the question once")(
    lambda t, y, q: bayes(t, y, list(dict.fromkeys(q)))
)
wrong("20.6", "no smoothing", "ValueError")(lambda t, y, q: bayes(t, y, q, add=0))
wrong("20.6", "one more word", "")(lambda t, y, q: bayes(t, y, q, k=1))
right("20.6", "counters")(bayes)


@right("20.6", "lists")
def _(texts, labels, question):
    words = [[w for t, y in zip(texts, labels) if y == c for w in t] for c in (0, 1)]
    n = len(set(words[0] + words[1]))
    score = math.log(labels.count(1)) - math.log(labels.count(0))
    for word in question:
        if word in words[0] or word in words[1]:
            score += math.log((words[1].count(word) + 1) / (len(words[1]) + n))
            score -= math.log((words[0].count(word) + 1) / (len(words[0]) + n))
    return score


# ------------------------------------------------------------------ 20.7 a sign test


def tails(k):
    return 2 * sum(math.comb(12, i) for i in range(k + 1)) / 2**12


wrong("20.7", "one end", "taking one end alone")([tails(2) / 2, tails(4) / 2])
wrong("20.7", "exactly", "at least as uneven was asked")([132 / 4096, 990 / 4096])
wrong("20.7", "exactly, one side", "one split on one side")([66 / 4096, 495 / 4096])
wrong("20.7", "without itself", "includes it")([tails(1), tails(3)])
wrong("20.7", "one number", "2 numbers are wanted")(0.039)
right("20.7", "rounded")([0.039, 0.388])
right("20.7", "computed")([tails(2), tails(4)])


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_naive_bayes_by_hand():
    """Class 1: b, c, c, c; class 0: a, b, a, d; four different words; as many texts of either."""
    texts, labels = [["a", "b"], ["b", "c", "c"], ["a", "d"], ["c"]], [0, 1, 0, 1]
    assert math.isclose(bayes(texts, labels, ["c"]), math.log(4 / 8) - math.log(1 / 8))
    assert math.isclose(bayes(texts, labels, ["a", "b"]), math.log(1 / 8 * 2 / 8 / (3 / 8 * 2 / 8)))


def test_every_exercise_has_enough_answers():
    assert_enough_answers(20, WRONG, RIGHT)
