"""Checks of chapter 21: word errors, noise, n-best lists and what to choose from them."""

import math

import numpy
import torch

from llmcourse.exercises.exercise import Case, Exercise, Mistake
from llmcourse.speech import word_errors

# ------------------------------------------------------------------ 21.2


def waves(n: int, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    return torch.randn(n, generator=g), 0.3 * torch.randn(n, generator=g) + 0.1


def spoil_by(power=lambda x: (x**2).mean(), root=math.sqrt, tens=10, sign=1, use_noise=True):
    """Noise added by its formula, in which one thing may be done wrong."""

    def spoil(speech, noise, decibels):
        speech, noise = speech.double(), noise.double()
        ratio = power(speech) / (power(noise) if use_noise else 1.0)
        return speech + noise * root(float(ratio) / 10 ** (sign * decibels / tens))

    return spoil


def by_amplitudes(speech, noise, decibels):
    """The same from root mean squares, and 20 decibels for a factor of ten."""
    speech, noise = speech.double().numpy(), noise.double().numpy()
    wanted = numpy.linalg.norm(speech) / 10 ** (decibels / 20)
    return torch.from_numpy(speech + noise * (wanted / numpy.linalg.norm(noise)))


# ------------------------------------------------------------------ 21.3


def table(reference, hypothesis, replaced=1, margins=(1, 1)):
    """Levenshtein's distance, in which a cost may be wrong."""
    n, m = len(reference), len(hypothesis)
    cost = [[0] * (m + 1) for _ in range(n + 1)]
    for i in range(n + 1):
        cost[i][0] = i * margins[0]
    for j in range(m + 1):
        cost[0][j] = j * margins[1]
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            wrong = replaced * (reference[i - 1] != hypothesis[j - 1])
            cost[i][j] = min(cost[i - 1][j - 1] + wrong, cost[i - 1][j] + 1, cost[i][j - 1] + 1)
    return cost[n][m]


def by_waves(reference, hypothesis):
    """How far along each diagonal one gets with 0, 1, 2, … edits (Ukkonen, 1985)."""
    n, m = len(reference), len(hypothesis)

    def slide(i, j):
        while i < n and j < m and reference[i] == hypothesis[j]:
            i, j = i + 1, j + 1
        return i

    reached, edits = {0: slide(0, 0)}, 0
    while reached.get(m - n) != n:
        edits += 1
        new = {}
        for d in range(-edits, edits + 1):
            ways = [
                reached[d] + 1 if d in reached else -1,
                reached[d + 1] + 1 if d + 1 in reached else -1,
                reached[d - 1] if d - 1 in reached else -1,
            ]
            i = min(max(ways), n, m - d)
            if i >= 0 and i + d >= 0:
                new[d] = slide(i, i + d)
        reached = new
    return edits


def side_by_side(reference, hypothesis):
    wrong = sum(a != b for a, b in zip(reference, hypothesis))
    return wrong + abs(len(reference) - len(hypothesis))


def bags(reference, hypothesis):
    """Words that have no partner, wherever they stand."""
    left = list(hypothesis)
    missing = 0
    for word in reference:
        if word in left:
            left.remove(word)
        else:
            missing += 1
    return max(missing, len(left))


def with_swaps(reference, hypothesis):
    """Neighbours that change places count once (Damerau, 1964)."""
    n, m = len(reference), len(hypothesis)
    cost = {(i, 0): i for i in range(n + 1)} | {(0, j): j for j in range(m + 1)}
    for i in range(1, n + 1):
        for j in range(1, m + 1):
            wrong = reference[i - 1] != hypothesis[j - 1]
            cost[i, j] = min(cost[i - 1, j - 1] + wrong, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
            if list(reference[i - 2 : i]) == list(hypothesis[j - 2 : j])[::-1] and i > 1 < j:
                cost[i, j] = min(cost[i, j], cost[i - 2, j - 2] + 1)
    return cost[n, m]


def whole(answer, *args):
    """The reader's number of edits; a table of floats has 2.0 in its corner, and that is 2."""
    got = answer(*args)
    return int(got) if isinstance(got, float) and got == int(got) else got


def letters(reference, hypothesis):
    return table(" ".join(reference), " ".join(hypothesis))


LONG = [f"w{i * i % 23}" for i in range(90)]
LONGER = LONG[3:40] + ["so"] + LONG[41:] + ["it", "is"]

# ------------------------------------------------------------------ 21.4


def n_words(sentence: str) -> int:
    return len(sentence.split())


def score_with(weight_on="expected", count=n_words, take=max, mean=False, last=False, inside=False):
    """The choice from its formula, in which one thing may be done wrong."""

    def rescore(sentences, ear, expected, weight, bonus):
        scores = []
        for s, e, x in zip(sentences, ear, expected):
            e, x = float(e), float(x)
            total = {"expected": e + weight * x, "ear": weight * e + x, "none": e + x}[weight_on]
            total = total / len(s.split()) if mean else total
            scores.append(total + bonus * count(s) * (weight if inside else 1))
        best = take(scores)
        if last:
            return sentences[len(scores) - 1 - scores[::-1].index(best)]
        return sentences[scores.index(best)]

    return rescore


def sorted_choice(sentences, ear, expected, weight, bonus):
    rows = [
        (-(float(e) + weight * float(x) + bonus * len(s.split())), i)
        for i, (s, e, x) in enumerate(zip(sentences, ear, expected))
    ]
    return sentences[sorted(rows)[0][1]]


FOUR = (
    ["the train leaves", "the train leaves now", "a train", "the rain leaves us here"],
    [-100.0, -96.0, -103.0, -95.0],
    [-12.0, -15.0, -9.0, -22.0],
)

# ------------------------------------------------------------------ 21.5


def oracle_with(choose=min, mean=False, written=False, empty=lambda said: len(said.split())):
    """An oracle's rate, in which one thing may be done wrong."""

    def rate(said, lists):
        errors, words, rates = 0, 0, []
        for text, guesses in zip(said, lists):
            each = [word_errors(text, guess) for guess in guesses]
            e = choose(each) if each else empty(text)
            n = len(text.split())
            if written and guesses:
                n = len(guesses[each.index(e)].split())
            errors, words = errors + e, words + n
            rates.append(e / max(n, 1))
        return sum(rates) / len(rates) if mean else errors / words

    return rate


def first_of(each):
    return each[0]


def whole_sentences(said, lists):
    return sum(text not in guesses for text, guesses in zip(said, lists)) / len(said)


THREE = (
    ["so be it", "wreck a nice beach", "yes"],
    [["so it", "so be it"], ["recognize speech", "wreck a nice speech"], ["guess", "yes yes yes"]],
)
GAP = (["so be it", "no", "we had bread"], [["so be it"], [], ["we have bread", "he had bred"]])

# ------------------------------------------------------------------ 21.6


def risk_with(soft=True, weigh=True, turned=False, rate=False, pick=min, log2=False, per=False):
    """Minimum Bayes risk by matrices, in which one thing may be done wrong."""

    def choose(sentences, scores):
        scores = numpy.asarray(scores, float) * (math.log(2) if log2 else 1)
        p = numpy.exp(scores - scores.max())
        p = p / p.sum() if soft else scores
        if not weigh:
            p = numpy.full(len(sentences), 1 / len(sentences))
        costs = [[word_errors(said, g) for said in sentences] for g in sentences]
        costs = numpy.array(costs, float)
        if turned:
            costs = costs * p[:, None] @ numpy.ones(len(p))
        elif rate:
            costs = costs / numpy.array([max(1, len(s.split())) for s in sentences]) @ p
        else:
            costs = costs @ p
            if per:
                costs = costs / numpy.array([max(1, len(s.split())) for s in sentences])
        costs = costs.round(9).tolist()
        return sentences[costs.index(pick(costs))]

    return choose


def most_probable(sentences, scores):
    return sentences[int(numpy.argmax(numpy.asarray(scores, float)))]


COMPROMISE = (
    ["he saw a cat", "she saw the dog", "she saw a cat", "she had a cat"],
    [math.log(0.34), math.log(0.26), math.log(0.2), math.log(0.2)],
)
STAIRS = ["go", "we go", "we go on", "we will go on"]
LENGTHS = (
    ["go", "we will go on", "we will go on now", "you will go on"],
    [math.log(0.4), math.log(0.2), math.log(0.25), math.log(0.15)],
)

# ------------------------------------------------------------------ 21.7


def judge_alignment(pairs, reference, hypothesis):
    """None, or what is wrong with an alignment."""
    if any(isinstance(pair, str) or not hasattr(pair, "__len__") for pair in pairs):
        return "each entry is a pair, (said, written)."
    pairs = [tuple(pair) for pair in pairs]
    if any(len(pair) != 2 for pair in pairs):
        return "each entry is a pair, (said, written)."
    said = [a for a, _ in pairs if a is not None]
    wrote = [b for _, b in pairs if b is not None]
    if said == list(reference)[::-1] and wrote == list(hypothesis)[::-1] and said != said[::-1]:
        return "the pairs stand in the order of the walk back: turn them round."
    if said == list(hypothesis) and wrote == list(reference) and said != wrote:
        return "the two sides are swapped: first what was said, then what was written."
    if said != list(reference):
        return f"the words said must come out whole and in order, but are {said}."
    if wrote != list(hypothesis):
        return f"the words written must come out whole and in order, but are {wrote}."
    if (None, None) in pairs:
        return "(None, None) aligns nothing with nothing."
    cost, least = sum(a != b for a, b in pairs), by_waves(list(reference), list(hypothesis))
    if cost != least:
        return f"this alignment has {cost} edits, and {least} would do."
    return None


def align_by(prefer=("both", "down", "right"), replaced=1, reverse=True, margins=(1, 1)):
    """An alignment by tracing back, in which one thing may be done wrong."""

    def align(reference, hypothesis):
        n, m = len(reference), len(hypothesis)
        cost = {(i, 0): i * margins[0] for i in range(n + 1)}
        cost |= {(0, j): j * margins[1] for j in range(m + 1)}
        for i in range(1, n + 1):
            for j in range(1, m + 1):
                wrong = replaced * (reference[i - 1] != hypothesis[j - 1])
                cost[i, j] = min(cost[i - 1, j - 1] + wrong, cost[i - 1, j] + 1, cost[i, j - 1] + 1)
        i, j, pairs = n, m, []
        while i or j:
            ways = {}
            if i and j:
                wrong = replaced * (reference[i - 1] != hypothesis[j - 1])
                if cost[i, j] == cost[i - 1, j - 1] + wrong:
                    ways["both"] = (i - 1, j - 1, (reference[i - 1], hypothesis[j - 1]))
            if i and (j == 0 or cost[i, j] == cost[i - 1, j] + 1):
                ways["down"] = (i - 1, j, (reference[i - 1], None))
            if j and (i == 0 or cost[i, j] == cost[i, j - 1] + 1):
                ways["right"] = (i, j - 1, (None, hypothesis[j - 1]))
            way = next((ways[name] for name in prefer if name in ways), None)
            if way is None:
                break
            i, j, pair = way
            pairs.append(pair)
        return pairs[::-1] if reverse else pairs

    return align


SAID = "it is hard to wreck a nice beach".split()
WROTE = "it is hard to recognize speech".split()

EXERCISES = (
    Exercise(
        id="21.1",
        title="Count",
        level="easy",
        minutes=6,
        hints=(
            "Write the two sentences below each other, so that as many words as can be stand under "
            "themselves.",
            "we, bread, cheese, for and lunch stay. What happened to had, and, a, today?",
            "One word was replaced, one left out, two put in. By which number of words does one "
            "divide?",
        ),
        cases=(Case((), "four numbers are wanted.", [1, 1, 2, 4 / 7], rtol=6e-3),),
        mistakes=(
            Mistake([1, 1, 2, 4 / 8], "dividing by the words that were written. It is those that "
                    "were said."),
            Mistake([1, 2, 1, 4 / 7], "mixing up deletions and insertions: what was said and is "
                    "missing is a deletion."),
            Mistake([0, 2, 3, 5 / 7], "counting had → have twice: one substitution is cheaper than "
                    "a deletion and an insertion."),
            Mistake([1, 1, 2, 3 / 7], "forgetting an edit in the rate: all three kinds count."),
            Mistake([1, 1, 1, 3 / 7], "overlooking an insertion."),
            Mistake([1, 1, 2, 5 / 7], "counting words that stayed: 5 of them did."),
            Mistake([1, 1, 2, 400 / 7], "giving a percentage. A fraction of 1 is wanted."),
        ),
    ),
    Exercise(
        id="21.2",
        title="How much noise",
        level="easy",
        minutes=8,
        call="spoil(speech, noise, decibels)",
        hints=(
            "What is the power of s * noise, if that of noise is P?",
            "s² times the noise's power must be the speech's power over 10 ** (decibels / 10). "
            "Solve for s.",
            "speech + noise * torch.sqrt(ratio / 10 ** (decibels / 10)). Which ratio?",
        ),
        reference=by_amplitudes,
        cases=(
            Case((torch.tensor([2.0, -2.0]), torch.tensor([1.0, 1.0]), 0.0), "0 dB: the noise gets "
                 "the power of the speech, which is 4.", torch.tensor([4.0, 0.0])),
            Case((torch.tensor([2.0, -2.0]), torch.tensor([4.0, 4.0]), 0.0), "louder noise to "
                 "begin with: it is scaled down.", torch.tensor([4.0, 0.0])),
            Case((torch.tensor([10.0, -10.0]), torch.tensor([1.0, -1.0]), 20.0), "20 dB are a "
                 "factor of 100 in power, of 10 in amplitude.", torch.tensor([11.0, -11.0])),
            Case((torch.tensor([1.0, -1.0]), torch.tensor([1.0, 1.0]), -20.0), "negative decibels: "
                 "more noise than speech.", torch.tensor([11.0, 9.0])),
            Case((*waves(50), 13.0), "fifty samples at 13 dB, the noise with a mean.", rtol=1e-3,
                 atol=1e-4),
            Case((*waves(400, 1), 3.0), "four hundred samples at 3 dB.", rtol=1e-3, atol=1e-4),
        ),
        mistakes=(
            Mistake(spoil_by(root=lambda x: x), "scaling the amplitude by a ratio of powers: take "
                    "the root."),
            Mistake(spoil_by(tens=20), "dividing decibels by 20 and taking the root as well."),
            Mistake(spoil_by(sign=-1), "turning the ratio round: more decibels, less noise."),
            Mistake(spoil_by(use_noise=False), "not dividing by the power that the noise has."),
            Mistake(spoil_by(power=lambda x: (x**2).sum() ** 0.5), "taking the amplitudes for "
                    "powers."),
            Mistake(spoil_by(power=lambda x: x.abs().mean() ** 2), "taking the mean size for the "
                    "power, which is the mean of the squares."),
            Mistake(spoil_by(power=lambda x: x.var()), "taking the variance for the power: they "
                    "differ where the mean is not 0."),
            Mistake(lambda s, n, d: spoil_by()(s, n, d) - s, "returning the noise alone."),
            Mistake(lambda s, n, d: s + n / 10 ** (d / 20), "leaving the two powers out of it."),
        ),
    ),
    Exercise(
        id="21.3",
        title="Edits",
        level="medium",
        minutes=12,
        call="distance(reference, hypothesis)",
        use=whole,
        hints=(
            "What does it cost to make nothing of the first i words, and the first j words of "
            "nothing?",
            "Each cell is the least of three: from above + 1, from the left + 1, from the diagonal "
            "+ (the words differ).",
            "row.append(min(above[j - 1] + (word != other), above[j] + 1, row[-1] + 1)). What does "
            "each row begin with?",
        ),
        reference=by_waves,
        cases=(
            Case((["a", "b"], ["a", "b"]), "nothing differs.", 0),
            Case((["a", "b"], ["a", "c"]), "one word replaced: one edit.", 1),
            Case((["a", "b", "c"], []), "nothing was written.", 3),
            Case(([], ["a", "b"]), "nothing was said.", 2),
            Case((["a", "b", "c", "d"], ["b", "c", "d"]), "one left out in front; the others only "
                 "move up.", 1),
            Case((["b", "c", "d"], ["a", "b", "c", "d"]), "one put in in front.", 1),
            Case((["dog", "bites", "man"], ["man", "bites", "dog"]), "the same words in another "
                 "order.", 2),
            Case((["so", "be", "it"], ["so", "it", "be"]), "two neighbours have changed places: "
                 "that is no edit of its own.", 2),
            Case((["beach"], ["beaches"]), "words are compared whole.", 1),
            Case((SAID, WROTE), "the beach.", 4),
            Case((["a", "b", "c", "a", "b"], ["c", "a", "b", "b"]), "words that occur twice.", 3),
            Case((LONG, LONGER), "ninety words.", seconds=3),
        ),
        mistakes=(
            Mistake(side_by_side, "comparing word by word: one word left out shifts all others."),
            Mistake(lambda r, h: table(r, h, replaced=2), "counting a substitution as two edits."),
            Mistake(bags, "ignoring the order."),
            Mistake(with_swaps, "counting neighbours that change places as one edit. There are "
                    "three kinds of edits, and that is none of them."),
            Mistake(letters, "counting letters. The items are words."),
            Mistake(lambda r, h: table(r, h, margins=(0, 1)), "letting the first words be dropped "
                    "for nothing: the left margin counts up."),
            Mistake(lambda r, h: table(r, h, margins=(1, 0)), "letting the first words be put in "
                    "for nothing: the top margin counts up."),
            Mistake(lambda r, h: table(r, h) / max(1, len(r)), "dividing: the number of edits is "
                    "wanted, not the rate."),
            Mistake(lambda r, h: table(r, h, replaced=0), "letting words be replaced for nothing."),
        ),
    ),
    Exercise(
        id="21.4",
        title="Rescore",
        level="medium",
        minutes=10,
        call="rescore(sentences, ear, expected, weight, bonus)",
        hints=(
            "One score for each entry; then the entry with the largest.",
            "The weight belongs to the expectation, the bonus to the number of words.",
            "ear[i] + weight * expected[i] + bonus * len(...). What is counted, and what does max "
            "go over?",
        ),
        reference=sorted_choice,
        cases=(
            Case((*FOUR, 0.0, 0.0), "weight 0: the ear decides.", "the rain leaves us here"),
            Case((*FOUR, 100.0, 0.0), "a large weight: the expectation decides.", "a train"),
            Case((*FOUR, 1.0, 0.0), "weight 1."),
            Case((*FOUR, 0.5, 0.0), "weight 0.5."),
            Case((*FOUR, 1.0, 6.0), "a bonus of 6 for each word."),
            Case((*FOUR, 2.0, -1.0), "a bonus may be a charge."),
            Case((*FOUR, 0.5, 5.0), "half a weight, and a bonus: the weight is the expectation's "
                 "alone."),
            Case((["no no no no", "so be it"], [-5.0, -5.0], [-3.0, -2.5], 1.0, 1.0), "words that "
                 "repeat are paid each time.", "no no no no"),
            Case((["a b", "c d"], [-1.0, -2.0], [-2.0, -1.0], 1.0, 0.0), "equal scores: the "
                 "first.", "a b"),
            Case((["extraordinarily", "so be it"], [-5.0, -5.0], [-3.0, -3.0], 1.0, 0.5), "the "
                 "bonus is for words, not for letters.", "so be it"),
            Case((["only"], [-9.0], [-2.0], 3.0, 1.0), "a list of one.", "only"),
        ),
        mistakes=(
            Mistake(score_with(weight_on="ear"), "weighting the ear."),
            Mistake(score_with(weight_on="none"), "leaving out the weight."),
            Mistake(score_with(take=min), "taking the smallest score. These are "
                    "log-probabilities: larger is better."),
            Mistake(score_with(count=len), "paying the bonus for letters."),
            Mistake(score_with(count=lambda s: 0), "leaving out the bonus."),
            Mistake(score_with(count=lambda s: -len(s.split())), "charging for words that should "
                    "be paid."),
            Mistake(score_with(mean=True), "dividing by the words: ear and expectation are sums."),
            Mistake(score_with(last=True), "taking the last of equals."),
            Mistake(score_with(inside=True), "weighting the bonus too: the weight is for the "
                    "expectation."),
            Mistake(score_with(count=lambda s: len(set(s.split()))), "paying for different words "
                    "only: each word counts, also one that came before."),
        ),
    ),
    Exercise(
        id="21.5",
        title="The oracle",
        level="medium",
        minutes=10,
        call="oracle_rate(said, lists)",
        hints=(
            "For each sentence the fewest errors in its list; then all errors over all words.",
            "Errors and words are added up first, and divided once, at the end.",
            "min(word_errors(text, guess) for guess in guesses or [...]). What was written when "
            "the list is empty?",
        ),
        reference=oracle_with(),
        cases=(
            Case((["so be it"], [["so it", "so be it"]]), "the right sentence is there.", 0.0),
            Case((["so be it"], [["so it", "sow beet"]]), "the best guess has one error of three "
                 "words.", 1 / 3),
            Case(THREE, "three sentences with 0, 1 and 1 errors, of 8 words.", 2 / 8),
            Case((["no"], [["no no no"]]), "one word said, two put in.", 2.0),
            Case(GAP, "an empty list: all words are lost. 0, 1 and 1 errors of 7 words.", 2 / 7),
            Case((["a b c d e f g h", "x"], [["a b c d e f g h"], ["y"]]), "long and short "
                 "sentences count by their words.", 1 / 9),
        ),
        mistakes=(
            Mistake(oracle_with(mean=True), "taking a mean of rates: add up errors and words, "
                    "then divide once."),
            Mistake(oracle_with(choose=first_of), "taking the first guess."),
            Mistake(oracle_with(choose=max), "taking the worst guess."),
            Mistake(oracle_with(written=True), "dividing by the words written. It is those said."),
            Mistake(oracle_with(empty=lambda said: 0), "counting no errors for an empty list: all "
                    "words of that sentence are lost."),
            Mistake(whole_sentences, "counting sentences, not words."),
            Mistake(oracle_with(choose=lambda each: sum(each) / len(each)), "averaging over the "
                    "list."),
        ),
    ),
    Exercise(
        id="21.6",
        title="The least to regret",
        level="hard",
        minutes=18,
        call="least_risk(sentences, scores)",
        hints=(
            "For one guess: if that sentence was said, how many errors has it? And how likely is "
            "that?",
            "The risk of a guess is the sum over all sentences of their probability times the "
            "errors. Then the guess with the least.",
            "sum(p_i * word_errors(said, guess) for ...), with p the softmax of the scores. Over "
            "what does the sum go, and over what the min?",
        ),
        reference=risk_with(),
        cases=(
            Case((["a b"], [-4.0]), "one sentence.", "a b"),
            Case((["a b", "c d"], [math.log(0.7), math.log(0.3)]), "two: the likelier has the "
                 "smaller risk.", "a b"),
            Case(COMPROMISE, "the likeliest is *he saw a cat*; *she saw a cat* is nearer to the "
                 "others.", "she saw a cat"),
            Case((COMPROMISE[0], [s - 500 for s in COMPROMISE[1]]), "log-probabilities that are "
                 "far down.", "she saw a cat"),
            Case((COMPROMISE[0], [s + 800 for s in COMPROMISE[1]]), "scores are known up to a "
                 "constant, which may be large.", "she saw a cat"),
            Case((COMPROMISE[0], [math.log(0.9), math.log(0.05), math.log(0.03), math.log(0.02)]),
                 "one that is nearly sure.", "he saw a cat"),
            Case((COMPROMISE[0], [math.log(0.55)] + 3 * [math.log(0.15)]), "one that is likelier "
                 "than all others together.", "he saw a cat"),
            Case((STAIRS, [math.log(0.6), math.log(0.1), math.log(0.1), math.log(0.2)]), "a short "
                 "guess: its errors count as they are, not by its words.", "go"),
            Case(LENGTHS, "of different lengths; errors count, not rates.", "we will go on"),
            Case((["a b", "b a"], [0.0, 0.0]), "equal risks: the first.", "a b"),
        ),
        mistakes=(
            Mistake(most_probable, "taking the most probable sentence: the compromise has fewer "
                    "expected errors."),
            Mistake(risk_with(weigh=False), "giving all sentences the same probability."),
            Mistake(risk_with(pick=max), "taking the largest risk."),
            Mistake(risk_with(turned=True), "weighting by the guess's probability: it is that of "
                    "what was said."),
            Mistake(risk_with(soft=False), "multiplying by scores. They are logarithms: softmax "
                    "first."),
            Mistake(risk_with(rate=True), "averaging rates. The errors are what is to be few."),
            Mistake(risk_with(per=True), "dividing by the words of the guess. The errors are what "
                    "is to be few."),
            Mistake(risk_with(log2=True), "taking powers of 2. The scores are natural logarithms, "
                    "and softmax takes powers of e."),
            Mistake(lambda s, x: s.index(risk_with()(s, x)), "returning the place in the list: the "
                    "sentence is wanted."),
        ),
    ),
    Exercise(
        id="21.7",
        title="Who became whom",
        level="hard",
        minutes=20,
        call="align(reference, hypothesis)",
        hints=(
            "The table of edits knows the way: which of its three neighbours explains the number "
            "in the last corner?",
            "Walk from the last corner to the first. A step along the diagonal is a pair, up is "
            "(said, None), left is (None, written).",
            "while i or j: if i and j and D[i, j] == D[i - 1, j - 1] + (the words differ): ... In "
            "which order do the pairs come out?",
        ),
        accept=judge_alignment,
        cases=(
            Case((["a"], ["a"]), "one word, the same."),
            Case((["a", "b"], ["a", "c"]), "the second was replaced."),
            Case((["a", "b"], []), "nothing was written: two were left out."),
            Case(([], ["a"]), "nothing was said: one was put in."),
            Case((["a", "b", "c"], ["b", "c"]), "the first was left out."),
            Case((["b", "c"], ["a", "b", "c"]), "one was put in in front."),
            Case((SAID, WROTE), "the beach: four edits."),
            Case((WROTE, SAID), "and the other way."),
            Case((["a", "b", "c", "a", "b"], ["c", "a", "b", "b"]), "words that occur twice."),
            Case((["dog", "bites", "man"], ["man", "bites", "dog"]), "the word in the middle "
                 "stays: two edits, where keeping the dog costs four."),
            Case((["a", "a", "b"], ["a", "a"]), "the last was left out, of words that repeat."),
            Case((["a", "a"], ["a", "a", "b"]), "and put in."),
            Case(([], []), "nothing at all."),
        ),
        mistakes=(),
    ),
)  # fmt: skip
