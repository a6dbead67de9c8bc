"""Checks of chapter 20: F1, labels from logits, calibration, naive Bayes, a sign test."""

import collections
import math

import torch

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# ------------------------------------------------------------------ 20.2


def f1_from_table(guesses, labels, n_classes, *, mean="macro"):
    table = torch.zeros(n_classes, n_classes)
    for guess, label in zip(guesses, labels):
        table[label, guess] += 1
    right, of_class, said = table.diagonal(), table.sum(1), table.sum(0)
    f1 = torch.where(of_class + said > 0, 2 * right / (of_class + said).clamp(min=1), 0.0)
    if mean == "weighted":
        return float((f1 * of_class).sum() / len(labels))
    if mean == "present":
        return float(f1[of_class + said > 0].mean())
    return float(f1.mean())


def of_means(guesses, labels, n_classes):
    precisions, recalls = [], []
    for c in range(n_classes):
        right = sum(g == c == y for g, y in zip(guesses, labels))
        precisions.append(right / max(1, guesses.count(c)))
        recalls.append(right / max(1, labels.count(c)))
    p, r = sum(precisions) / n_classes, sum(recalls) / n_classes
    return 2 * p * r / (p + r) if p + r else 0.0


def plain_accuracy(guesses, labels, n_classes):
    return sum(g == y for g, y in zip(guesses, labels)) / len(labels)


def recalls_alone(guesses, labels, n_classes):
    return (
        sum(
            sum(g == c == y for g, y in zip(guesses, labels)) / max(1, labels.count(c))
            for c in range(n_classes)
        )
        / n_classes
    )


# ------------------------------------------------------------------ 20.3


def by_probabilities(logits, answer_ids):
    chance = logits.double().softmax(-1)
    sums = torch.stack([chance[:, ids].sum(-1) for ids in answer_ids], -1)
    return (sums / sums.sum(-1, keepdim=True)).to(logits.dtype)


def summed_logits(logits, answer_ids):
    return torch.stack([logits[:, ids].sum(-1) for ids in answer_ids], -1).softmax(-1)


def mean_logits(logits, answer_ids):
    return torch.stack([logits[:, ids].mean(-1) for ids in answer_ids], -1).softmax(-1)


def first_name(logits, answer_ids):
    return torch.stack([logits[:, ids[0]] for ids in answer_ids], -1).softmax(-1)


def best_name(logits, answer_ids):
    return torch.stack([logits[:, ids].amax(-1) for ids in answer_ids], -1).softmax(-1)


def not_rescaled(logits, answer_ids):
    chance = logits.softmax(-1)
    return torch.stack([chance[:, ids].sum(-1) for ids in answer_ids], -1)


# ------------------------------------------------------------------ 20.4


def calibrated_by_loop(log_probs, empty, *, prior=None):
    rows = []
    if prior is None:
        chances = [[math.exp(v) for v in row] for row in empty.tolist()]
        chances = [[v / sum(row) for v in row] for row in chances]
        prior = [sum(column) / len(chances) for column in zip(*chances)]
    for row in log_probs.tolist():
        chance = [math.exp(v) / p for v, p in zip(row, prior)]
        rows.append([v / sum(chance) for v in chance])
    return torch.tensor(rows, dtype=log_probs.dtype)


def geometric(log_probs, empty):
    return calibrated_by_loop(log_probs, empty, prior=empty.mean(0).softmax(-1).tolist())


def raw_mean(log_probs, empty):
    return calibrated_by_loop(log_probs, empty, prior=empty.exp().mean(0).tolist())


def multiplied(log_probs, empty):
    weighed = log_probs.softmax(-1) * empty.softmax(-1).mean(0)
    return weighed / weighed.sum(-1, keepdim=True)


def own_prior(log_probs, empty):
    weighed = log_probs.softmax(-1) / log_probs.softmax(-1).mean(0)
    return weighed / weighed.sum(-1, keepdim=True)


def not_to_one(log_probs, empty):
    return log_probs.softmax(-1) / empty.softmax(-1).mean(0)


def subtracted(log_probs, empty):
    return log_probs.softmax(-1) - empty.softmax(-1).mean(0)


def scored(n: int, n_classes: int, seed: int) -> torch.Tensor:
    """Log-probabilities of a few names in a vocabulary of twenty."""
    return normal(n, 20, seed=seed).mul(2).log_softmax(-1)[:, :n_classes]


# ------------------------------------------------------------------ 20.5


def losses_of(logits, labels, temperatures):
    rows = torch.arange(len(labels))
    return [
        float(-(logits.double() / t).log_softmax(-1)[rows, labels].mean()) for t in temperatures
    ]


def coolest(logits, labels, temperatures):
    losses = losses_of(logits, labels, temperatures)
    return temperatures[losses.index(min(losses))]


def multiplied_by(logits, labels, temperatures):
    losses = losses_of(logits, labels, [1 / t for t in temperatures])
    return temperatures[losses.index(min(losses))]


def hottest(logits, labels, temperatures):
    losses = losses_of(logits, labels, temperatures)
    return temperatures[losses.index(max(losses))]


def by_accuracy(logits, labels, temperatures):
    return temperatures[0]


def by_brier(logits, labels, temperatures):
    truth = torch.nn.functional.one_hot(labels, logits.shape[-1])
    scores = [float(((logits / t).softmax(-1) - truth).square().mean()) for t in temperatures]
    return temperatures[scores.index(min(scores))]


def a_smaller_loss_itself(logits, labels, temperatures):
    return min(losses_of(logits, labels, temperatures))


def boasting(n: int, n_classes: int, seed: int, scale: float) -> tuple:
    """Logits that are `scale` times as sure as they should be, and labels drawn as they should."""
    logits = normal(n, n_classes, seed=seed) * 1.5
    generator = torch.Generator().manual_seed(seed + 100)
    labels = torch.multinomial(logits.softmax(-1), 1, generator=generator)[:, 0]
    return scale * logits, labels


# ------------------------------------------------------------------ 20.6


def bayes(
    texts, labels, question, *,
    add=1, prior=True, own_vocabulary=False, all_words=False, once=False, swapped=False, k=0,
):  # fmt: skip
    counts = [collections.Counter(), collections.Counter()]
    for text, label in zip(texts, labels):
        counts[label].update(set(text) if once else text)
    known = set(counts[0]) | set(counts[1])
    n_texts = [labels.count(0), labels.count(1)]
    score = math.log(n_texts[1] / n_texts[0]) if prior else 0.0
    for word in question:
        if word in known or all_words:
            logs = []
            for c in (0, 1):
                size = len(counts[c]) if own_vocabulary else len(known) + k
                logs.append(math.log((counts[c][word] + add) / (sum(counts[c].values()) + size)))
            score += logs[1] - logs[0]
    return -score if swapped else score


SHOP = (
    [["good", "kettle"], ["good", "good", "lamp"], ["bad", "kettle"]],
    [1, 1, 0],
)
CINEMA = (
    [["a", "fine", "film"], ["a", "dull", "film", "a", "dull", "plot"], ["fine"], ["no", "plot"]],
    [1, 0, 1, 0],
)


EXERCISES = (
    Exercise(
        id="20.1",
        title="Four numbers from four counts",
        level="easy",
        minutes=8,
        hints=(
            "Draw the two by two table: marked or not, against or not.",
            "Precision: of the marked, how many are right. Recall: of those that are against, how "
            "many were marked. F1 is 2 p r / (p + r).",
            "Wrong are 20 marked ones and 10 that were missed. Of how many is the accuracy?",
        ),
        cases=(
            Case((), "fill the table first: 30, 20, 10 and what is left.",
                 [0.6, 0.75, 2 / 3, 0.85, 0.8], rtol=2e-3),
        ),
        mistakes=(
            Mistake([0.75, 0.6, 2 / 3, 0.85, 0.8], "swapping precision and recall: precision is "
                    "among the marked ones."),
            Mistake([0.6, 0.75, 0.675, 0.85, 0.8], "taking the plain mean of precision and "
                    "recall; F1 is the harmonic mean."),
            Mistake([0.6, 0.75, 2 / 3, 0.9, 0.8], "forgetting the ten that were missed: they are "
                    "wrong as well."),
            Mistake([0.6, 0.75, 2 / 3, 0.95, 0.8], "forgetting the twenty that were marked in "
                    "error."),
            Mistake([0.6, 0.75, 2 / 3, 0.85, 0.2], "marking all as against. The last model marks "
                    "none."),
            Mistake([0.15, 0.75, 0.25, 0.85, 0.8], "dividing by all 200. Precision is among the "
                    "50 that were marked."),
        ),
    ),
    Exercise(
        id="20.2",
        title="Macro F1",
        level="medium",
        minutes=12,
        call="macro_f1(guesses, labels, n_classes)",
        hints=(
            "One class at a time: count the three things, and only then think of the mean.",
            "fp + fn together are the texts for which (guess == c) differs from (label == c).",
            "2 * tp / (2 * tp + wrong), and when is that 0 / 0?",
        ),
        cases=(
            Case(([0, 1], [0, 1], 2), "all right: 1.", 1.0),
            Case(([0, 0, 1, 1], [0, 1, 1, 1], 2), "F1 of 2/3 and of 4/5.", (2 / 3 + 4 / 5) / 2),
            Case(([0, 0, 0, 0], [0, 0, 0, 1], 2), "a class that is never guessed has 0.",
                 (6 / 7) / 2),
            Case(([0, 1], [0, 1], 3), "a class that occurs nowhere has 0, and still counts.",
                 2 / 3),
            Case(([0, 2, 2, 1, 0, 2, 1], [0, 2, 1, 1, 1, 0, 2], 3), "three classes."),
            Case(([1] * 9 + [0], [1] * 8 + [0] * 2, 2), "classes of unequal size count alike."),
        ),
        reference=f1_from_table,
        mistakes=(
            Mistake(plain_accuracy, "computing the accuracy, which is what F1 over all texts "
                    "together comes to."),
            Mistake(lambda g, y, n: f1_from_table(g, y, n, mean="weighted"), "weighing the classes "
                    "by their size; each counts once."),
            Mistake(lambda g, y, n: f1_from_table(g, y, n, mean="present"), "leaving out a class "
                    "that occurs nowhere, or giving it 1; it counts with 0."),
            Mistake(of_means, "taking F1 of mean precision and mean recall; the mean comes last."),
            Mistake(recalls_alone, "averaging recalls: what was given to a class in error is not "
                    "counted."),
        ),
    ),
    Exercise(
        id="20.3",
        title="From logits to labels",
        level="easy",
        minutes=10,
        call="class_probabilities(logits, answer_ids)",
        hints=(
            "Probabilities of different tokens can be added; logits cannot.",
            "Softmax over the vocabulary, add up the names of each class, then divide by the sum "
            "over classes: all of it in logarithms, or tiny probabilities become 0.",
            "In logs: logsumexp over a class's names, then one more step over classes. Which?",
        ),
        cases=(
            Case((torch.tensor([[0.0, 0.0, 0.0, 0.0]]), [[0], [1]]), "equal logits, one name "
                 "each.", torch.tensor([[0.5, 0.5]])),
            Case((torch.tensor([[0.0, 0.0, 0.0, 0.0]]), [[0, 2], [1]]), "equal logits, two names "
                 "against one.", torch.tensor([[2 / 3, 1 / 3]])),
            Case((normal(4, 9, seed=1) * 2, [[3], [0, 8, 5], [1, 2]]), "four texts, three "
                 "classes."),
            Case((normal(3, 6, seed=2) + 500, [[0, 1], [2, 3]]), "large logits do not overflow."),
            Case((normal(3, 6, seed=3) - torch.tensor([0, 0, 0, 0, 300.0, 300]), [[4], [5]]),
                 "names that are both very unlikely: still a probability each."),
        ),
        reference=by_probabilities,
        mistakes=(
            Mistake(summed_logits, "adding logits, which multiplies probabilities: a second name "
                    "should help a class."),
            Mistake(mean_logits, "averaging logits: a second name should help a class."),
            Mistake(first_name, "taking the first name alone."),
            Mistake(best_name, "taking the likeliest name alone; they all count."),
            Mistake(not_rescaled, "leaving out the last division: rows should sum to 1."),
        ),
    ),
    Exercise(
        id="20.4",
        title="Subtract what it is fond of",
        level="medium",
        minutes=12,
        call="contextual_calibration(log_probs, empty)",
        hints=(
            "Two tables of probabilities: one tells what the model says of nothing.",
            "Softmax the rows of both over the classes. Average the rows of `empty`. Divide.",
            "After log_probs.softmax(-1) / prior the rows no longer sum to 1. What do you divide "
            "by?",
        ),
        cases=(
            Case((torch.tensor([[0.8, 0.2]]).log(), torch.tensor([[0.8, 0.2]]).log()), "what it "
                 "also says of nothing becomes even odds.", torch.tensor([[0.5, 0.5]])),
            Case((torch.tensor([[0.6, 0.4]]).log(), torch.tensor([[0.9, 0.1]]).log()), "0.6 with "
                 "a prior of 0.9 speaks for the other class.",
                 torch.tensor([[1 / 7, 6 / 7]])),
            Case((torch.tensor([[0.5, 0.5]]).log(), torch.tensor([[0.9, 0.1], [0.3, 0.7]]).log()),
                 "two empty texts: the average of their probabilities.",
                 torch.tensor([[0.4, 0.6]])),
            Case((scored(5, 3, seed=1), scored(2, 3, seed=2)), "names that are a part of the "
                 "vocabulary: softmax over the classes first, in both."),
            Case((scored(3, 4, seed=3), scored(3, 4, seed=4)), "as many empty texts as texts."),
        ),
        reference=calibrated_by_loop,
        mistakes=(
            Mistake(geometric, "averaging logarithms, a geometric mean; the rows are to be "
                    "averaged after the softmax."),
            Mistake(raw_mean, "averaging without a softmax over the classes: an empty text that "
                    "gives the names more of the vocabulary then counts for more."),
            Mistake(multiplied, "multiplying by the prior: that doubles the fondness."),
            Mistake(own_prior, "taking the average of the texts themselves for the prior."),
            Mistake(not_to_one, "leaving out the last division: rows should sum to 1."),
            Mistake(subtracted, "subtracting probabilities; divide them."),
        ),
    ),
    Exercise(
        id="20.5",
        title="One number for honest confidence",
        level="medium",
        minutes=12,
        call="best_temperature(logits, labels, temperatures)",
        hints=(
            "Try them all; what do you measure for each?",
            "F.cross_entropy(logits / t, labels), smaller is better.",
            "min(temperatures, key=lambda t: ...): what stands for the dots?",
        ),
        cases=(
            Case((*boasting(60, 2, 5, 3.0), [1.0, 0.1, 0.3, 3.0, 9.0]), "logits about three times "
                 "too large."),
            Case((torch.tensor([[4.0, 0.0], [4.0, 0.0]]), torch.tensor([0, 1]), [1.0, 4.0]),
                 "right once in two: the less sure the better.", 4.0),
            Case((torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([0, 1]), [2.0, 1.0, 0.5]),
                 "always right: the surer the better.", 0.5),
            Case((*boasting(300, 3, 1, 3.0), [0.5, 1.0, 2.0, 3.0, 4.0, 8.0]), "logits three times "
                 "too large."),
            Case((*boasting(300, 4, 2, 0.4), [4.0, 2.0, 1.0, 0.7, 0.4, 0.2]), "logits that are too "
                 "small."),
            Case((torch.tensor([[3.0, 0.0]] * 8 + [[0.0, 8.0]]), torch.zeros(9, dtype=torch.long),
                  [0.5, 1.0, 2.0, 4.0, 8.0]), "one sure mistake of nine weighs much."),
            Case((torch.zeros(3, 2), torch.tensor([0, 1, 1]), [3.0, 1.0, 2.0]), "all alike: the "
                 "first.", 3.0),
        ),
        reference=coolest,
        mistakes=(
            Mistake(multiplied_by, "multiplying by the temperature; logits are divided by it."),
            Mistake(hottest, "taking the largest loss."),
            Mistake(by_accuracy, "choosing by accuracy: no temperature changes an answer, so all "
                    "tie, and the first wins."),
            Mistake(by_brier, "measuring squared errors; cross-entropy was asked for."),
            Mistake(a_smaller_loss_itself, "returning the loss; the temperature is wanted."),
        ),
    ),
    Exercise(
        id="20.6",
        title="Naive Bayes in ten lines",
        level="hard",
        minutes=20,
        call="naive_bayes(texts, labels, question)",
        hints=(
            "Two Counters, one for each class.",
            "Known words are those of both classes together, and their number is what the "
            "denominator gets on top in either class.",
            "Per word: log((count_1 + 1) / (total_1 + n)) minus the same for class 0. What is "
            "added once, before the words?",
        ),
        cases=(
            Case((*SHOP, []), "no word: what is left is how common the classes are.",
                 math.log(2)),
            Case((*SHOP, ["good"]), "one word.",
                 math.log(2) + math.log((3 + 1) / (5 + 4)) - math.log((0 + 1) / (2 + 4))),
            Case((*SHOP, ["good", "good"]), "a word that occurs twice in the question counts "
                 "twice."),
            Case((*SHOP, ["teapot", "bad"]), "a word that stands in no text is skipped."),
            Case((*CINEMA, ["a", "dull", "film"]), "words that occur several times in a text."),
            Case((*CINEMA, ["fine", "plot", "zebra", "no"]), "both classes."),
        ),
        reference=bayes,
        mistakes=(
            Mistake(lambda *a: bayes(*a, prior=False), "leaving out log P(c): a common class is "
                    "likelier before a word is read."),
            Mistake(lambda *a: bayes(*a, own_vocabulary=True), "counting the different words of "
                    "each class alone; those of all texts are meant."),
            Mistake(lambda *a: bayes(*a, all_words=True), "letting unknown words count; skip "
                    "them."),
            Mistake(lambda *a: bayes(*a, once=True), "counting a word once a text; count it as "
                    "often as it occurs."),
            Mistake(lambda *a: bayes(*a, swapped=True), "taking class 0 minus class 1."),
            Mistake(lambda texts, labels, q: bayes(texts, labels, list(dict.fromkeys(q))),
                    "counting each word of the question once."),
        ),
    ),
    Exercise(
        id="20.7",
        title="Better, or luck?",
        level="hard",
        minutes=15,
        hints=(
            "Twelve coins. How many ways are there for at most two heads?",
            "1 + 12 + 66 of 4,096, and the same at the other end.",
            "2 * (1 + 12 + 66 + 220 + 495) / 4096 is the second. And the first?",
        ),
        cases=(
            Case((), "of twelve coins, both ends.", [0.0386, 0.3877], rtol=0.02, atol=1e-3),
        ),
        mistakes=(
            Mistake([0.0193, 0.1938], "taking one end alone; uneven in either direction was "
                    "asked."),
            Mistake([0.0322, 0.2417], "counting exactly 10 to 2, and 8 to 4; at least as uneven "
                    "was asked."),
            Mistake([0.0161, 0.1208], "counting one split on one side; at least as uneven, in "
                    "either direction, was asked."),
            Mistake([0.0063, 0.146], "leaving out the split itself; *at least* as uneven includes "
                    "it."),
        ),
    ),
)  # fmt: skip
