"""Checks of chapter 19: BLEU, runs of characters, ROUGE-L, numbers that were made up."""

import collections
import difflib
import functools
import math
import random
import re

from llmcourse.exercises.exercise import Case, Exercise, Mistake


def run_counts(items, n):
    return collections.Counter(tuple(items[i : i + n]) for i in range(len(items) - n + 1))


def split(*texts: str) -> list[list[str]]:
    return [text.split() for text in texts]


def mixed(n: int, seed: int, words: str = "a b c d e f") -> list[str]:
    draw = random.Random(seed)
    return [draw.choice(words.split()) for _ in range(n)]


# ------------------------------------------------------------------ 19.2


def clipped_by_crossing_out(text, reference, n):
    left = [tuple(reference[i : i + n]) for i in range(len(reference) - n + 1)]
    matches = 0
    for i in range(len(text) - n + 1):
        run = tuple(text[i : i + n])
        if run in left:
            left.remove(run)
            matches += 1
    return matches, max(0, len(text) - n + 1)


def not_clipped(text, reference, n):
    theirs = run_counts(reference, n)
    ours = [tuple(text[i : i + n]) for i in range(len(text) - n + 1)]
    return sum(run in theirs for run in ours), len(ours)


def different_runs(text, reference, n):
    ours, theirs = set(run_counts(text, n)), set(run_counts(reference, n))
    return len(ours & theirs), len(ours)


def of_the_reference(text, reference, n):
    return clipped_by_crossing_out(text, reference, n)[0], max(0, len(reference) - n + 1)


def one_run_short(text, reference, n):
    return clipped_by_crossing_out(text[:-1], reference, n)


# ------------------------------------------------------------------ 19.3


def bleu(texts, references, *, order=4, penalty=True, clip=True, per_sentence=False, swap=False):
    if per_sentence:
        return sum(bleu([t], [r]) for t, r in zip(texts, references)) / len(texts)
    log_mean = 0.0
    for n in range(1, order + 1):
        count = clipped_by_crossing_out if clip else not_clipped
        pairs = [count(t, r, n) for t, r in zip(texts, references)]
        matches, total = (sum(column) for column in zip(*pairs))
        if matches == 0:
            return 0.0
        log_mean += math.log(matches / total) / order
    c, r = sum(map(len, texts)), sum(map(len, references))
    c, r = (r, c) if swap else (c, r)
    return (min(1.0, math.exp(1 - r / c)) if penalty else 1.0) * math.exp(log_mean)


def arithmetic(texts, references):
    shares = []
    for n in (1, 2, 3, 4):
        pairs = [clipped_by_crossing_out(t, r, n) for t, r in zip(texts, references)]
        matches, total = (sum(column) for column in zip(*pairs))
        shares.append(matches / max(1, total))
    c, r = sum(map(len, texts)), sum(map(len, references))
    return min(1.0, math.exp(1 - r / c)) * sum(shares) / 4


PENALTY = (
    split("a b c d e", "a b c d e f g h"),
    split("a b c d e f", "a b c d e f"),
)
TWO = (
    split("the small dog sleeps in the old garden", "he reads"),
    split("the small dog sleeps in the garden today", "he reads a book"),
)


# ------------------------------------------------------------------ 19.4


def by_fractions(text, reference, n, beta, *, blanks=False, clip=True, swap=False, square=True):
    if not blanks:
        text, reference = text.replace(" ", ""), reference.replace(" ", "")
    count = clipped_by_crossing_out if clip else not_clipped
    matches, total = count(text, reference, n)
    if matches == 0:
        return 0.0
    p, r = matches / total, matches / (len(reference) - n + 1)
    p, r = (r, p) if swap else (p, r)
    weight = beta * beta if square else beta
    return (1 + weight) / (1 / p + weight / r)


# ------------------------------------------------------------------ 19.5


def by_recursion(text, reference):
    @functools.cache
    def longest(i, j):
        if i == len(text) or j == len(reference):
            return 0
        if text[i] == reference[j]:
            return 1 + longest(i + 1, j + 1)
        return max(longest(i + 1, j), longest(i, j + 1))

    if not text and not reference:
        return 0.0
    return 2 * longest(0, 0) / (len(text) + len(reference))


def longest_block(text, reference):
    matcher = difflib.SequenceMatcher(None, text, reference, autojunk=False)
    size = matcher.find_longest_match(0, len(text), 0, len(reference)).size
    return 2 * size / max(1, len(text) + len(reference))


def bag(text, reference):
    shared = collections.Counter(text) & collections.Counter(reference)
    return 2 * sum(shared.values()) / max(1, len(text) + len(reference))


def greedy_thread(text, reference):
    place = length = 0
    for word in text:
        if word in reference[place:]:
            place += reference[place:].index(word) + 1
            length += 1
    return 2 * length / max(1, len(text) + len(reference))


def recall_of_thread(text, reference):
    if not reference:
        return 0.0
    return by_recursion(text, reference) * (len(text) + len(reference)) / 2 / len(reference)


# ------------------------------------------------------------------ 19.6


def by_scanning(text: str) -> set[str]:
    found, i = set(), 0
    digits = "0123456789"
    while i < len(text):
        if text[i] not in digits:
            i += 1
            continue
        number = ""
        while i < len(text) and (
            text[i] in digits or (text[i] in ",." and i + 1 < len(text) and text[i + 1] in digits)
        ):
            number += text[i] if text[i] != "," else ""
            i += 1
        found.add(number)
    return found


def scanned(summary, article):
    return sorted(by_scanning(summary) - by_scanning(article))


def as_substring(summary, article):
    plain = article.replace(",", "")
    return sorted(number for number in by_scanning(summary) if number not in plain)


def digits_alone(summary, article):
    return sorted(set(re.findall(r"\d+", summary)) - set(re.findall(r"\d+", article)))


def with_full_stop(summary, article):
    def numbers(text):
        return {n.replace(",", "") for n in re.findall(r"\d[\d.,]*", text)}

    return sorted(numbers(summary) - numbers(article))


def commas_matter(summary, article):
    def numbers(text):
        return set(re.findall(r"\d+(?:[.,]\d+)*", text))

    return sorted(number.replace(",", "") for number in numbers(summary) - numbers(article))


def missing_ones(summary, article):
    return scanned(article, summary)


EXERCISES = (
    Exercise(
        id="19.1",
        title="Four numbers",
        level="easy",
        minutes=8,
        hints=(
            "How many of the four words may be counted, if each may be used up only once?",
            "the (once) and cat; and of the three pairs only the last. The text is longer than the "
            "reference.",
            "[2/4, 1/3, 1, the root of ...]: of which product?",
        ),
        cases=(
            Case((), "count the words, then the pairs, then compare the lengths.",
                 [0.5, 1 / 3, 1.0, math.sqrt(1 / 6)], rtol=5e-3),
        ),
        mistakes=(
            Mistake([1.0, 1 / 3, 1.0, math.sqrt(1 / 3)], "counting every *the*: the reference has "
                    "one, so one counts."),
            Mistake([2 / 3, 0.5, 1.0, math.sqrt(1 / 3)], "dividing by the reference's words and "
                    "pairs. Precision is a share of the text."),
            Mistake([0.5, 1 / 3, math.exp(1 - 4 / 3), math.exp(-1 / 3) * math.sqrt(1 / 6)],
                    "swapping the lengths: only a text that is too short pays."),
            Mistake([0.5, 1 / 3, 1.0, 5 / 12], "taking the plain mean; it is the root of the "
                    "product."),
            Mistake([0.5, 1 / 3, 1.0, 1 / 6], "leaving out the root."),
            Mistake([0.5, 0.5, 1.0, 0.5], "counting *the the* once among the text's pairs: the "
                    "total has every run."),
        ),
    ),
    Exercise(
        id="19.2",
        title="Clip",
        level="easy",
        minutes=10,
        call="clipped(text, reference, n)",
        hints=(
            "Count the runs of both in a Counter each.",
            "The & of two Counters keeps the smaller count of each key. A run has to be a tuple "
            "to be a key.",
            "range(len(words) - n + 1) gives the places where a run begins. Which two sums do you "
            "return?",
        ),
        cases=(
            Case((split("the cat")[0], split("the cat sat")[0], 1), "two words, both there.",
                 (2, 2)),
            Case((split("the the the cat")[0], split("the cat sat")[0], 1), "*the* may be used up "
                 "once.", (2, 4)),
            Case((split("the the the cat")[0], split("the cat sat")[0], 2), "pairs.", (1, 3)),
            Case((["ab", "c"], ["a", "bc"], 2), "words glued together are other words: ab c is not "
                 "a bc.", (0, 1)),
            Case((split("a b")[0], split("a b c d")[0], 4), "shorter than the run.", (0, 0)),
            Case((mixed(12, 1), mixed(9, 2), 1), "many words."),
            Case((mixed(30, 3, "a b"), mixed(25, 4, "a b"), 3), "runs of three."),
        ),
        reference=clipped_by_crossing_out,
        mistakes=(
            Mistake(not_clipped, "counting every run that occurs in the reference, however often."),
            Mistake(different_runs, "counting different runs; each counts as often as it occurs, "
                    "up to the reference's number."),
            Mistake(of_the_reference, "giving the reference's number of runs as the total."),
            Mistake(one_run_short, "leaving out the last run."),
            Mistake(lambda t, r, n: clipped_by_crossing_out(t, r, 1), "counting single words, "
                    "whatever n is."),
        ),
    ),
    Exercise(
        id="19.3",
        title="BLEU of a test set",
        level="hard",
        minutes=20,
        call="corpus_bleu(texts, references)",
        hints=(
            "Sum over sentences first, divide last.",
            "For each n sum matches and totals, take the log of their quotient, a quarter of each. "
            "Lengths are summed too.",
            "min(1, exp(1 - r / c)) * exp(mean of logs): which of r and c is the references' "
            "length?",
        ),
        cases=(
            Case((split("a b c d e"), split("a b c d e")), "equal: 1.", 1.0),
            Case((split("a b c d"), split("a b c d e f")), "all right and too short: the penalty "
                 "alone.", math.exp(1 - 6 / 4)),
            Case((split("a b c d e f"), split("a b c d")), "too long: no penalty, but runs that "
                 "are wrong."),
            Case(PENALTY, "one sentence too short, one too long: lengths are summed first."),
            Case((split("a x c y e"), split("a b c d e")), "no pair matches: 0.", 0.0),
            Case(TWO, "two sentences, one without any run of four."),
            Case(([mixed(15, s) for s in (1, 2, 3)], [mixed(14, s) for s in (1, 2, 4)]),
                 "three sentences."),
            Case((split("a b c d a b c d a b c d"), split("a b c d e f g h i j k l")), "what "
                 "repeats is clipped."),
        ),
        reference=bleu,
        mistakes=(
            Mistake(lambda t, r: bleu(t, r, per_sentence=True), "averaging the BLEU of sentences: "
                    "sums come first."),
            Mistake(lambda t, r: bleu(t, r, penalty=False), "leaving out the brevity penalty."),
            Mistake(lambda t, r: bleu(t, r, swap=True), "swapping the two lengths: short texts "
                    "pay, long ones do not."),
            Mistake(lambda t, r: bleu(t, r, clip=False), "leaving runs unclipped."),
            Mistake(lambda t, r: bleu(t, r, order=2), "stopping at pairs."),
            Mistake(arithmetic, "taking the plain mean of the four shares; it is a geometric "
                    "one."),
            Mistake(lambda t, r: 100 * bleu(t, r), "giving percent; a number from 0 to 1 is "
                    "wanted."),
        ),
    ),
    Exercise(
        id="19.4",
        title="Runs of characters",
        level="medium",
        minutes=15,
        call="character_f(text, reference, n, beta)",
        hints=(
            "As clipping in 19.2, with characters for words.",
            "Precision divides by the runs in text, recall by those in reference; a string's "
            "slices are strings and can be counted.",
            "(1 + beta ** 2) * p * r / (... * p + r): what stands before p?",
        ),
        cases=(
            Case(("abc", "abc", 2, 2), "equal: 1.", 1.0),
            Case(("abcd", "ab", 1, 1), "precision 1/2 and recall 1, balanced.", 2 / 3),
            Case(("abcd", "ab", 1, 2), "the same with beta 2: recall weighs more.", 5 / 6),
            Case(("ab", "abcd", 1, 3), "the other way round."),
            Case(("a b c", "ab c", 2, 2), "blanks are taken out first.", 1.0),
            Case(("xyz", "abc", 1, 2), "nothing in common.", 0.0),
            Case(("ab", "abcdef", 4, 2), "shorter than the run.", 0.0),
            Case(("le chien noir dort", "le chat noir ne dort pas", 3, 2), "a sentence."),
            Case(("aaaaaa", "aa aab", 1, 2), "runs are clipped."),
            Case(("Abc", "abc", 1, 1), "a capital is another character.", 2 / 3),
        ),
        reference=by_fractions,
        mistakes=(
            Mistake(lambda t, r, n, b: by_fractions(t, r, n, b, blanks=True), "leaving the blanks "
                    "in."),
            Mistake(lambda t, r, n, b: by_fractions(t, r, n, b, swap=True), "swapping precision "
                    "and recall: a large beta should lead to the recall."),
            Mistake(lambda t, r, n, b: by_fractions(t, r, n, 1), "leaving out beta."),
            Mistake(lambda t, r, n, b: by_fractions(t, r, n, b, square=False), "forgetting to "
                    "square beta."),
            Mistake(lambda t, r, n, b: by_fractions(t, r, n, b, clip=False), "leaving runs "
                    "unclipped."),
        ),
    ),
    Exercise(
        id="19.5",
        title="The longest common thread",
        level="medium",
        minutes=20,
        call="rouge_l(text, reference)",
        hints=(
            "Think of the first i words of one and the first j of the other. From which smaller "
            "cases does the best come?",
            "If the last words are equal, it is one more than without both; else the better of "
            "dropping one or the other.",
            "One row of the table at a time is enough. Its first entry is 0. And what does the "
            "last entry of the last row give, over m + n?",
        ),
        cases=(
            Case((split("a b c")[0], split("a b c")[0]), "equal: 1.", 1.0),
            Case((split("a x b y c")[0], split("a b c")[0]), "gaps are allowed.", 6 / 8),
            Case((split("c b a")[0], split("a b c")[0]), "the order counts: one word is left.",
                 2 / 6),
            Case((split("c a b")[0], split("a b c")[0]), "taking the first match of each word "
                 "leads astray.", 4 / 6),
            Case(([], []), "two empty lists.", 0.0),
            Case(([], split("a b")[0]), "one empty list.", 0.0),
            Case((split("a a a")[0], split("a")[0]), "a word may be used once.", 2 / 4),
            Case((mixed(20, 1), mixed(17, 2)), "many words."),
            Case((mixed(200, 3), mixed(180, 4)), "two hundred words: not by trying everything."),
        ),
        reference=by_recursion,
        mistakes=(
            Mistake(longest_block, "taking the longest run without gaps."),
            Mistake(bag, "counting shared words in any order: that is ROUGE-1."),
            Mistake(greedy_thread, "going from word to word and taking the first place that fits: "
                    "a better thread may begin later."),
            Mistake(recall_of_thread, "dividing by the reference alone: that is the recall."),
        ),
    ),
    Exercise(
        id="19.6",
        title="Whom does the check accuse?",
        level="medium",
        minutes=12,
        call="new_numbers(summary, article)",
        hints=(
            "First a function that finds the numbers of one text, as a set.",
            "A pattern: digits, and then, any number of times, a comma or full stop that is "
            "followed by digits.",
            r"re.findall(r'[0-9]+(?:[.,][0-9]+)*', text): and what do you do with commas before "
            "you compare?",
        ),
        cases=(
            Case(("It cost 30.", "It cost 20."), "one number, and a full stop that is none of "
                 "it.", ["30"]),
            Case(("In 12 days.", "In 2012."), "12 is not in 2012.", ["12"]),
            Case(("About 3000 came.", "There were 3,000."), "with or without commas they are the "
                 "same.", []),
            Case(("It rose by 2.4 to 7.", "It rose by 2.5, to 7."), "decimals are one number.",
                 ["2.4"]),
            Case(("9 of 100, 9 times, and 1,200,000.", "None."), "each once, sorted as strings.",
                 ["100", "1200000", "9"]),
            Case(("Flat 6b for 2.50.", "Flat 5 for 2.5."), "2.50 and 2.5 are other strings, and a "
                 "letter may follow a digit.", ["2.50", "6"]),
            Case(("On page 3..4.", "On page 3 and 5."), "two full stops do not join numbers.",
                 ["4"]),
            Case(("Nothing here.", "12 and 13."), "none in the summary.", []),
            Case(("", ""), "empty texts.", []),
        ),
        reference=scanned,
        mistakes=(
            Mistake(as_substring, "looking for the digits anywhere: 12 is not in 2012."),
            Mistake(digits_alone, "taking numbers apart at commas and full stops."),
            Mistake(with_full_stop, "taking the full stop of the sentence along."),
            Mistake(commas_matter, "comparing with commas: 3,000 and 3000 are the same."),
            Mistake(missing_ones, "giving what the article has and the summary has not."),
        ),
    ),
    Exercise(
        id="19.7",
        title="How many models?",
        level="hard",
        minutes=8,
        hints=(
            "Each of 24 with each of the 23 others.",
            "Through English: into it from each of the others, and out of it to each.",
            "[24 * 23, 2 * 23, 0.95 ** k, n]: how many steps, and how many names?",
        ),
        cases=(
            Case((), "ordered pairs first; both directions count.", [552, 46, 0.9025, 24],
                 rtol=4e-3),
        ),
        mistakes=(
            Mistake([276, 46, 0.9025, 24], "counting unordered pairs: both directions are "
                    "needed."),
            Mistake([576, 46, 0.9025, 24], "translating a language into itself."),
            Mistake([552, 23, 0.9025, 24], "counting one direction; one also has to get out of "
                    "English."),
            Mistake([552, 48, 0.9025, 24], "translating English into English."),
            Mistake([552, 46, 0.95, 24], "counting one step; there are two."),
            Mistake([552, 46, 0.9, 24], "subtracting the errors twice; independent shares "
                    "multiply."),
            Mistake([552, 46, 0.9025, 552], "naming every pair; the source need not be named."),
        ),
    ),
)  # fmt: skip
