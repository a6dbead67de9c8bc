"""The checks of chapter 2 tell wrong answers from right ones."""

import itertools
import random
import re
from collections import Counter
from fractions import Fraction

import numpy as np
import pytest
import torch

from llmcourse.exercises.chapter_02 import BPETokenizer, decoded_tokens, trained
from llmcourse.exercises.exercise import find
from llmcourse.exercises.judging import judge
from tests.exercises.answers import (
    assert_accepted,
    assert_enough_answers,
    assert_rejected,
    decorators,
    parametrised,
)

WRONG, RIGHT = [], []
wrong, right = decorators(WRONG, RIGHT)

# ------------------------------------------------------------------ 02.1 three merges on paper

wrong("02.1", "tie broken the other way", "breaking the tie")(["an", "ana", "ban"])
wrong("02.1", "counted once", "counting once")(["an", "na", "ba"])
wrong("02.1", "n·a still counted", "by now part")(["an", "ban", "na"])
wrong("02.1", "banana only", "within banana only")(["an", "ban", "banan"])
wrong("02.1", "from the left", "from the left")(["ba", "an", "na"])
wrong("02.1", "another order", "another order")(["ana", "ban", "an"])
wrong("02.1", "repetition joined", "joining what looks alike")(["an", "anan", "ban"])
wrong("02.1", "old tally", "counted anew")(["an", "na", "ban"])
wrong("02.1", "pair of the first word", "once in each word")(["an", "ban", "anan"])
wrong("02.1", "letters for symbols", "not to `ban`")(["an", "ban", "bana"])
wrong("02.1", "two of them", "three strings are wanted, and you give 2")(["an", "ban"])
wrong("02.1", "one string", "three strings are wanted, and you give 1")("an")
wrong("02.1", "letters", "three strings are wanted, and you give 7")(list("anbanan"))
wrong("02.1", "numbers", "a list of three strings is wanted")([4, 2, 2])
wrong("02.1", "counts", "a dict cannot be used")({"an": 4})
wrong("02.1", "None", "None is no answer")(None)
right("02.1", "list")(["an", "ban", "ana"])
right("02.1", "tuple of bytes")((b"an", b"ban", b"ana"))
right("02.1", "pairs")([("a", "n"), ("b", "an"), ("an", "a")])
right("02.1", "one string")("an, ban, ana")

# ------------------------------------------------------------------ 02.2 bytes per token


@wrong("02.2", "upside down", "turning the ratio over")
def _(tokenizer, texts):
    tokens = sum(len(tokenizer.encode(text)) for text in texts)
    return tokens / sum(len(text.encode()) for text in texts)


@wrong("02.2", "characters", "counting characters, not bytes")
def _(tokenizer, texts):
    return sum(map(len, texts)) / sum(len(tokenizer.encode(text)) for text in texts)


@wrong("02.2", "characters, upside down", "tokens per character")
def _(tokenizer, texts):
    return sum(len(tokenizer.encode(text)) for text in texts) / sum(map(len, texts))


@wrong("02.2", "mean of ratios", "averaging the ratios")
def _(tokenizer, texts):
    return np.mean([len(x.encode()) / len(tokenizer.encode(x)) for x in texts if x])


@wrong("02.2", "mean of ratios, empty texts and all", "averaging the ratios")
def _(tokenizer, texts):
    return sum(len(x.encode()) / len(tokenizer.encode(x)) for x in texts) / len(texts)


@wrong("02.2", "texts joined", "gluing the texts together")
def _(tokenizer, texts):
    text = "".join(texts)
    return len(text.encode()) / len(tokenizer.encode(text))


@wrong("02.2", "texts joined by a space", "add up bytes and tokens over all texts")
def _(tokenizer, texts):
    text = " ".join(texts)
    return len(text.encode()) / len(tokenizer.encode(text))


@wrong("02.2", "first text only", "add up bytes and tokens over all texts")
def _(tokenizer, texts):
    return len(texts[0].encode()) / len(tokenizer.encode(texts[0]))


@wrong("02.2", "last text only")
def _(tokenizer, texts):
    for text in texts:
        ratio = len(text.encode()) / len(tokenizer.encode(text))
    return ratio


@wrong("02.2", "UTF-16", "Expected: 2.0 Got: 4.0")
def _(tokenizer, texts):
    n_bytes = sum(len(text.encode("utf-16-le")) for text in texts)
    return n_bytes / sum(len(tokenizer.encode(text)) for text in texts)


@wrong("02.2", "each different token once", "each different token once")
def _(tokenizer, texts):
    n_tokens = sum(len(set(tokenizer.encode(text))) for text in texts)
    return sum(len(text.encode()) for text in texts) / n_tokens


@wrong("02.2", "each different text once", "also when two are alike")
def _(tokenizer, texts):
    n_tokens = sum(len(tokenizer.encode(text)) for text in set(texts))
    return sum(len(text.encode()) for text in set(texts)) / n_tokens


@wrong("02.2", "ASCII only", "Chinese character is three bytes")
def _(tokenizer, texts):
    n_bytes = sum(len(text.encode("ascii", "ignore")) for text in texts)
    return n_bytes / sum(len(tokenizer.encode(text)) for text in texts)


@wrong("02.2", "stripped", "white space and capitals included")
def _(tokenizer, texts):
    n_tokens = sum(len(tokenizer.encode(text.strip())) for text in texts)
    return sum(len(text.strip().encode()) for text in texts) / n_tokens


@wrong("02.2", "words for tokens")
def _(tokenizer, texts):
    return sum(len(x.encode()) for x in texts) / sum(len(x.split()) for x in texts)


@wrong("02.2", "whole division", "Expected:")
def _(tokenizer, texts):
    n_tokens = sum(len(tokenizer.encode(text)) for text in texts)
    return sum(len(text.encode()) for text in texts) // n_tokens


@wrong("02.2", "both numbers", "return the number only, not a tuple")
def _(tokenizer, texts):
    n_tokens = sum(len(tokenizer.encode(text)) for text in texts)
    return sum(len(text.encode()) for text in texts), n_tokens


@wrong("02.2", "pops the texts", "changes its input `texts` in place")
def _(tokenizer, texts):
    n_bytes = n_tokens = 0
    while texts:
        text = texts.pop()
        n_bytes += len(text.encode())
        n_tokens += len(tokenizer.encode(text))
    return n_bytes / n_tokens


@right("02.2", "two sums")
def _(tokenizer, texts):
    n_bytes = sum(len(text.encode("utf-8")) for text in texts)
    return n_bytes / sum(len(tokenizer.encode(text)) for text in texts)


@right("02.2", "from the tokens back, as a tensor")
def _(tokenizer, texts):
    ids = [tokenizer.encode(text) for text in texts]
    n_bytes = sum(len(tokenizer.decode_bytes(x)) for x in ids)
    return torch.tensor(n_bytes / sum(map(len, ids)))


@right("02.2", "loop, as a fraction")
def _(tokenizer, texts):
    n_bytes = n_tokens = 0
    for text in texts:
        n_bytes += len(bytes(text, "utf-8"))
        n_tokens += len(tokenizer.encode(text))
    return Fraction(n_bytes, n_tokens)


@right("02.2", "mean of ratios, weighted by tokens")
def _(tokenizer, texts):
    n = np.array([len(tokenizer.encode(text)) for text in texts])
    ratios = np.array([len(text.encode()) / max(k, 1) for text, k in zip(texts, n)])
    return np.float32((ratios * n).sum() / n.sum())


@wrong("02.2", "small letters", "capitals included")
def _(tokenizer, texts):
    texts = [text.lower() for text in texts]
    n_tokens = sum(len(tokenizer.encode(text)) for text in texts)
    return sum(len(text.encode()) for text in texts) / n_tokens


# ------------------------------------------------------------------ 02.3 the most frequent pair


def counted(words):
    counts = Counter()
    for word, count in words.items():
        for pair in zip(word, word[1:]):
            counts[pair] += count
    return counts


@wrong("02.3", "counts of words forgotten", "leaving out how often")
def _(words):
    pairs = Counter(pair for word in words for pair in zip(word, word[1:]))
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "across words", "a word of one symbol has no pair")
def _(words):
    symbols = [symbol for word, count in words.items() for symbol in word * count]
    pairs = Counter(zip(symbols, symbols[1:]))
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "once per word", "counting a pair once per word")
def _(words):
    pairs = Counter()
    for word, count in words.items():
        for pair in set(zip(word, word[1:])):
            pairs[pair] += count
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "str.count", "pairs may overlap")
def _(words):
    pairs = counted(words)
    texts = {" ".join(word): count for word, count in words.items()}
    totals = {p: sum(t.count(" ".join(p)) * n for t, n in texts.items()) for p in pairs}
    return min(totals, key=lambda pair: (-totals[pair], pair), default=None)


@wrong("02.3", "str.count with marks around each symbol", "pairs may overlap")
def _(words):
    pairs = counted(words)
    texts = {"".join(f"<{s}>" for s in word): count for word, count in words.items()}
    totals = {p: sum(t.count(f"<{p[0]}><{p[1]}>") * n for t, n in texts.items()) for p in pairs}
    return min(totals, key=lambda pair: (-totals[pair], pair), default=None)


@wrong("02.3", "pairs that do not overlap", "pairs may overlap")
def _(words):
    pairs = Counter()
    for word, count in words.items():
        i = 0
        while i < len(word) - 1:
            pairs[word[i], word[i + 1]] += count
            i += 2 if word[i : i + 1] == word[i + 1 : i + 2] else 1
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "regular expression that eats what it finds")
def _(words):
    pairs = Counter()
    for word, count in words.items():
        for found in re.finditer(r"(\w+) (\w+)", " ".join(word)):
            pairs[found.groups()] += count
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "tie to the first", "taking the pair that comes first")
def _(words):
    pairs = counted(words)
    return max(pairs, key=pairs.get) if pairs else None


@wrong("02.3", "tie to the last in order", "taking the pair that sorts last")
def _(words):
    pairs = counted(words)
    return max(pairs, key=lambda pair: (pairs[pair], pair), default=None)


@wrong("02.3", "tie by what the pair spells", "pairs are sorted as tuples")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], "".join(pair)), default=None)


@wrong("02.3", "tie by the first symbol only", "the pair that sorts first is wanted")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair[0]), default=None)


@wrong("02.3", "tie by the second symbol first", "pairs are sorted as tuples")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair[::-1]), default=None)


@wrong("02.3", "tie to the shorter pair", "pairs are sorted as tuples")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda p: (-pairs[p], len("".join(p)), p[::-1]), default=None)


@wrong("02.3", "pairs that spell the same thrown together", "are two different pairs")
def _(words):
    pairs = counted(words)
    spelled = Counter()
    for pair, count in pairs.items():
        spelled["".join(pair)] += count
    return min(pairs, key=lambda pair: (-spelled["".join(pair)], pair), default=None)


@wrong("02.3", "tie to the shorter first symbol", "however long")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], len(pair[0]), pair), default=None)


@wrong("02.3", "counts of several words not added", "whose counts add up")
def _(words):
    pairs = {}
    for word, count in words.items():
        for pair in zip(word, word[1:]):
            pairs[pair] = max(count * list(zip(word, word[1:])).count(pair), pairs.get(pair, 0))
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "all pairs of a word, near and far", "side by side")
def _(words):
    pairs = Counter()
    for word, count in words.items():
        for pair in itertools.combinations(word, 2):
            pairs[pair] += count
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "order within the pair ignored", "(a, b) and (b, a)")
def _(words):
    pairs = counted(words)
    both = {pair: pairs[pair] + (pairs[pair[::-1]] if pair[0] != pair[1] else 0) for pair in pairs}
    return min(pairs, key=lambda pair: (-both[pair], pair), default=None)


@wrong("02.3", "no pair, no care", "It raises ValueError")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair))


@wrong("02.3", "empty tuple for None", "expected None")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=())


@wrong("02.3", "joined", "joining the pair")
def _(words):
    pairs = counted(words)
    return "".join(min(pairs, key=lambda pair: (-pairs[pair], pair), default="")) or None


@wrong("02.3", "with its count", "returning the count as well")
def _(words):
    pairs = counted(words)
    return min(pairs.items(), key=lambda item: (-item[1], item[0]), default=None)


@wrong("02.3", "last pair of a word forgotten")
def _(words):
    pairs = Counter()
    for word, count in words.items():
        for i in range(len(word) - 2):
            pairs[word[i], word[i + 1]] += count
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@wrong("02.3", "short words dropped from the input", "changes its input `words` in place")
def _(words):
    for word in list(words):
        if len(word) < 2:
            del words[word]
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@right("02.3", "Counter and min")
def _(words):
    pairs = counted(words)
    return min(pairs, key=lambda pair: (-pairs[pair], pair), default=None)


@right("02.3", "dict, loop, sorted twice, as a list")
def _(words):
    pairs = {}
    for word, count in words.items():
        for i in range(len(word) - 1):
            pairs[word[i], word[i + 1]] = pairs.get((word[i], word[i + 1]), 0) + count
    best = sorted(sorted(pairs), key=pairs.get, reverse=True)
    return list(best[0]) if best else None


@right("02.3", "numpy")
def _(words):
    names = sorted({pair for word in words for pair in itertools.pairwise(word)})
    if not names:
        return None
    counts = np.zeros(len(names))
    for word, count in words.items():
        for pair in itertools.pairwise(word):
            counts[names.index(pair)] += count
    return names[counts.argmax()]


# ------------------------------------------------------------------ 02.4 one merge


@wrong("02.4", "replace in the joined text", "replacing in a joined string")
def _(tokens, pair):
    return " ".join(tokens).replace(" ".join(pair), "".join(pair)).split(" ")


@wrong("02.4", "replace in the joined text, split()", "tokens are compared whole")
def _(tokens, pair):
    return " ".join(tokens).replace(" ".join(pair), "".join(pair)).split()


@wrong("02.4", "regular expression with borders", "text, not a pattern")
def _(tokens, pair):
    text = re.sub(f"(?<![^\0]){pair[0]}\0{pair[1]}(?![^\0])", "".join(pair), "\0".join(tokens))
    return text.split("\0") if tokens else []


@wrong("02.4", "overlapping, each pair joined", "used up")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == pair:
            result.append("".join(pair))
            i += 1 if tuple(tokens[i + 1 : i + 3]) == pair else 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "from the right", "going from right to left")
def _(tokens, pair):
    result, i = [], len(tokens)
    while i > 0:
        if i > 1 and tuple(tokens[i - 2 : i]) == pair:
            result.append("".join(pair))
            i -= 2
        else:
            result.append(tokens[i - 1])
            i -= 1
    return result[::-1]


@wrong("02.4", "last token skipped", "losing the last token")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens) - 1:
        if tuple(tokens[i : i + 2]) == pair:
            result.append("".join(pair))
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "index past the end", "IndexError")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if (tokens[i], tokens[i + 1]) == pair:
            result.append("".join(pair))
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "both steps after a match", "is lost")
def _(tokens, pair):
    result, skip = [], 0
    for i in range(len(tokens)):
        if skip:
            skip -= 1
        elif tuple(tokens[i : i + 2]) == pair:
            result.append("".join(pair))
            skip = 2
        else:
            result.append(tokens[i])
    return result


@wrong("02.4", "second token kept", "Expected: ['ab']")
def _(tokens, pair):
    return [
        "".join(pair) if tuple(tokens[i : i + 2]) == pair else tokens[i] for i in range(len(tokens))
    ]


@wrong("02.4", "in place", "changes its input `tokens` in place")
def _(tokens, pair):
    i = 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            tokens[i : i + 2] = ["".join(pair)]
        i += 1
    return tokens


@wrong("02.4", "in place, and None", "you return None")
def _(tokens, pair):
    for i in range(len(tokens) - 1):
        if (tokens[i], tokens[i + 1]) == pair:
            tokens[i : i + 2] = ["".join(pair)]
            return


@wrong("02.4", "first occurrence only", "joining the first occurrence only")
def _(tokens, pair):
    for i in range(len(tokens) - 1):
        if (tokens[i], tokens[i + 1]) == pair:
            return tokens[:i] + ["".join(pair)] + tokens[i + 2 :]
    return tokens


@wrong("02.4", "what the pair spells", "is another pair")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if i + 1 < len(tokens) and tokens[i] + tokens[i + 1] == pair[0] + pair[1]:
            result.append(pair[0] + pair[1])
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "ends and beginnings", "neither ba·b nor a·bb")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if (
            i + 1 < len(tokens)
            and tokens[i].endswith(pair[0])
            and tokens[i + 1].startswith(pair[1])
        ):
            result.append(tokens[i] + tokens[i + 1])
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "white space taken away", "a token may hold a space")
def _(tokens, pair):
    return [token.strip() or token for token in merge(tokens, pair)]


@wrong("02.4", "either order", "the order within the pair matters")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if sorted(tokens[i : i + 2]) == sorted(pair):
            result.append("".join(tokens[i : i + 2]))
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@wrong("02.4", "merges on with what it has made")
def _(tokens, pair):
    result = []
    for token in tokens:
        if result and result[-1] == pair[0] and token == pair[1]:
            result[-1] += token
            if len(result) > 1 and result[-2] == result[-1]:
                result[-2:] = [result[-1] * 2]
        else:
            result.append(token)
    return result


@wrong("02.4", "on the text", "expected a list, got a string")
def _(tokens, pair):
    return "".join(tokens)


@wrong("02.4", "by place in the list, even places only")
def _(tokens, pair):
    result = []
    for i in range(0, len(tokens), 2):
        two = tokens[i : i + 2]
        result += ["".join(two)] if tuple(two) == pair else two
    return result


@right("02.4", "index")
def _(tokens, pair):
    result, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == tuple(pair):
            result.append(pair[0] + pair[1])
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


@right("02.4", "looking back at a flag")
def _(tokens, pair):
    result, free = [], False
    for token in tokens:
        if free and result[-1] == pair[0] and token == pair[1]:
            result[-1] += token
            free = False
        else:
            result.append(token)
            free = True
    return result


@right("02.4", "an iterator, as a tuple")
def _(tokens, pair):
    def parts():
        rest = iter([*tokens, None])
        one = next(rest)
        for other in rest:
            if (one, other) == pair:
                yield one + other
                other = next(rest)
            else:
                yield one
            one = other

    return tuple(parts())


@right("02.4", "recursion")
def merge(tokens, pair):
    if len(tokens) < 2:
        return list(tokens)
    if (tokens[0], tokens[1]) == pair:
        return ["".join(pair), *merge(tokens[2:], pair)]
    return [tokens[0], *merge(tokens[1:], pair)]


@right("02.4", "a copy changed in place")
def _(tokens, pair):
    tokens, i = list(tokens), 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) == pair:
            tokens[i] = tokens[i] + tokens.pop(i + 1)
        i += 1
    return tokens


# ------------------------------------------------------------------ 02.5 encode a word


@wrong("02.5", "left to right", "joining the leftmost pair")
def _(word, merges):
    tokens, i = list(word), 0
    while i < len(tokens) - 1:
        if (tokens[i], tokens[i + 1]) in merges:
            tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]
            i = 0
        else:
            i += 1
    return tokens


@wrong("02.5", "longest match", "taking the longest token that fits")
def _(word, merges):
    known, tokens = {left + right for left, right in merges} | set(word), []
    while word:
        token = next(word[:n] for n in range(len(word), 0, -1) if word[:n] in known)
        tokens.append(token)
        word = word[len(token) :]
    return tokens


@wrong("02.5", "last merges first", "making the last merges first")
def _(word, merges):
    tokens = list(word)
    for pair in reversed(merges):
        tokens = merge(tokens, pair)
    return tokens


@wrong("02.5", "highest rank first, until none is left", "learned first comes first")
def _(word, merges):
    tokens = list(word)
    while found := [p for p in itertools.pairwise(tokens) if p in merges]:
        tokens = merge(tokens, max(found, key=merges.index))
    return tokens


@wrong("02.5", "first occurrence only", "only where it first fits")
def _(word, merges):
    tokens = list(word)
    for pair in merges:
        for i in range(len(tokens) - 1):
            if (tokens[i], tokens[i + 1]) == pair:
                tokens = tokens[:i] + ["".join(pair)] + tokens[i + 2 :]
                break
    return tokens


@wrong("02.5", "first merge that fits, once", "what one merge has made")
def _(word, merges):
    tokens = list(word)
    for pair in merges:
        if pair in itertools.pairwise(tokens):
            return merge(tokens, pair)
    return tokens


@wrong("02.5", "most frequent pair first")
def _(word, merges):
    tokens = list(word)
    while found := Counter(p for p in itertools.pairwise(tokens) if p in merges):
        tokens = merge(tokens, found.most_common(1)[0][0])
    return tokens


@wrong("02.5", "longest pair first")
def _(word, merges):
    tokens = list(word)
    while found := [p for p in itertools.pairwise(tokens) if p in merges]:
        tokens = merge(tokens, max(found, key=lambda pair: len("".join(pair))))
    return tokens


@wrong("02.5", "bytes", "characters, not bytes")
def _(word, merges):
    tokens = [chr(byte) for byte in word.encode()]
    for pair in merges:
        tokens = merge(tokens, pair)
    return tokens


@wrong("02.5", "replace in a joined string", "replacing in a joined string")
def _(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(f"{left} {right}", left + right)
    return text.split(" ") if word else []


@wrong("02.5", "regular expression", "text, not a pattern")
def _(word, merges):
    text = " ".join(word)
    for left, right in merges:
        text = re.sub(rf"(?<!\S){left} {right}(?!\S)", left + right, text)
    return text.split(" ") if word else []


@wrong("02.5", "what the pair spells", "tokens are compared whole")
def _(word, merges):
    ranks = {left + right: i for i, (left, right) in reversed(list(enumerate(merges)))}
    tokens = list(word)
    while found := [a + b for a, b in itertools.pairwise(tokens) if a + b in ranks]:
        best = min(found, key=ranks.get)
        place = next(i for i in range(len(tokens)) if "".join(tokens[i : i + 2]) == best)
        tokens[place : place + 2] = [best]
    return tokens


@wrong("02.5", "vocabulary, without order")
def _(word, merges):
    known = {left + right for left, right in merges} | set(word)
    best = {0: []}
    for end in range(1, len(word) + 1):
        ways = [best[i] + [word[i:end]] for i in range(end) if i in best and word[i:end] in known]
        best[end] = min(ways, key=len)
    return best[len(word)]


@wrong("02.5", "no pair is left, and min of nothing", "ValueError")
def _(word, merges):
    tokens = list(word)
    while True:
        best = min(
            (pair for pair in itertools.pairwise(tokens) if pair in merges), key=merges.index
        )
        tokens = merge(tokens, best)


@wrong("02.5", "a rank for every pair", "ValueError")
def _(word, merges):
    tokens = list(word)
    while len(tokens) > 1:
        tokens = merge(tokens, min(itertools.pairwise(tokens), key=merges.index))
    return tokens


@wrong("02.5", "one token at least", "the empty word gives an empty list")
def _(word, merges):
    tokens = list(word) or [""]
    for pair in merges:
        tokens = merge(tokens, pair)
    return tokens


@wrong("02.5", "until one token is left", "out of time")
def _(word, merges):
    tokens = list(word)
    while len(tokens) > 1:
        for pair in merges:
            tokens = merge(tokens, pair)
    return tokens


@wrong("02.5", "joined by spaces", "expected a list, got a string")
def _(word, merges):
    tokens = list(word)
    for pair in merges:
        tokens = merge(tokens, pair)
    return " ".join(tokens)


@wrong("02.5", "merges used up", "changes its input `merges` in place")
def _(word, merges):
    tokens = list(word)
    while merges:
        tokens = merge(tokens, merges.pop(0))
    return tokens


@right("02.5", "each merge once, in order")
def _(word, merges):
    tokens = list(word)
    for pair in merges:
        tokens = merge(tokens, pair)
    return tokens


@right("02.5", "lowest rank that is present, until there is none")
def _(word, merges):
    ranks = {pair: i for i, pair in enumerate(merges)}
    tokens = list(word)
    while len(tokens) > 1:
        best = min(itertools.pairwise(tokens), key=lambda pair: ranks.get(pair, len(ranks)))
        if best not in ranks:
            break
        tokens = merge(tokens, best)
    return tokens


@right("02.5", "lowest rank, one place at a time")
def _(word, merges):
    tokens = list(word)
    while True:
        found = [
            (merges.index((a, b)), i)
            for i, (a, b) in enumerate(itertools.pairwise(tokens))
            if (a, b) in merges
        ]
        if not found:
            return tokens
        _, i = min(found)
        tokens[i : i + 2] = [tokens[i] + tokens[i + 1]]


@right("02.5", "recursion from the last merge")
def bpe(word, merges):
    return merge(bpe(word, merges[:-1]), merges[-1]) if merges else list(word)


# ------------------------------------------------------------------ 02.6 a door that stays shut


@wrong("02.6", "everything allowed", "allowing special tokens in the text")
def _(tokenizer, text):
    return tokenizer.encode(f"<|start|>{text}<|end|>", allowed_special="all")


@wrong("02.6", "the two names allowed", "whoever wrote the text has got hold of it")
def _(tokenizer, text):
    return tokenizer.encode(f"<|start|>{text}<|end|>", allowed_special={"<|start|>", "<|end|>"})


@wrong("02.6", "names as plain text", "encoding the names as plain text")
def _(tokenizer, text):
    return tokenizer.encode(f"<|start|>{text}<|end|>")


@wrong("02.6", "each name as plain text", "encoding the names as plain text")
def _(tokenizer, text):
    encode = tokenizer.encode
    return encode("<|start|>") + encode(text) + encode("<|end|>")


@wrong("02.6", "allowed in the text", "allowing special tokens in the text")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *tokenizer.encode(text, allowed_special="all"), ids["<|end|>"]]


@wrong("02.6", "other names allowed in the text", "other special tokens are plain text")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    others = set(ids) - {"<|start|>", "<|end|>"}
    return [ids["<|start|>"], *tokenizer.encode(text, allowed_special=others), ids["<|end|>"]]


@wrong("02.6", "names taken out", "taking the names out")
def _(tokenizer, text):
    for name in tokenizer.special_tokens:
        text = text.replace(name, "")
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *tokenizer.encode(text), ids["<|end|>"]]


@wrong("02.6", "the two names taken out", "byte for byte")
def _(tokenizer, text):
    text = text.replace("<|start|>", "").replace("<|end|>", "")
    return tokenizer.encode(f"<|start|>{text}<|end|>", allowed_special="all")


@wrong("02.6", "names made harmless by a space", "between <|start|> and <|end|> stands")
def _(tokenizer, text):
    text = text.replace("<|", "< |")
    return tokenizer.encode(f"<|start|>{text}<|end|>", allowed_special="all")


@wrong("02.6", "names made harmless by a character of no width", "stands")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    text = text.replace("<|", "<\u200b|")
    return [ids["<|start|>"], *tokenizer.encode(text), ids["<|end|>"]]


@wrong("02.6", "special ids taken out afterwards", "stands")
def _(tokenizer, text):
    start, end = tokenizer.special_tokens["<|start|>"], tokenizer.special_tokens["<|end|>"]
    ids = tokenizer.encode(text, allowed_special="all")
    return [start, *(i for i in ids if i not in (start, end)), end]


@wrong("02.6", "no end", "forgetting the end")
def _(tokenizer, text):
    return [tokenizer.special_tokens["<|start|>"], *tokenizer.encode(text)]


@wrong("02.6", "no start", "the first id should be 256")
def _(tokenizer, text):
    return [*tokenizer.encode(text), tokenizer.special_tokens["<|end|>"]]


@wrong("02.6", "the text alone", "the first id should be 256")
def _(tokenizer, text):
    return tokenizer.encode(text)


@wrong("02.6", "start twice", "the last id should be 257")
def _(tokenizer, text):
    start = tokenizer.special_tokens["<|start|>"]
    return [start, *tokenizer.encode(text), start]


@wrong("02.6", "end before start", "the first id should be 256")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|end|>"], *tokenizer.encode(text), ids["<|start|>"]]


@wrong("02.6", "ids from memory", "look them up")
def _(tokenizer, text):
    return [256, *tokenizer.encode(text), 257]


@wrong("02.6", "ids counted from the end", "look them up")
def _(tokenizer, text):
    return [tokenizer.vocab_size - 2, *tokenizer.encode(text), tokenizer.vocab_size - 1]


@wrong("02.6", "ids in the order of the names", "look them up")
def _(tokenizer, text):
    start, end, *_ = tokenizer.special_tokens.values()
    return [start, *tokenizer.encode(text), end]


@wrong("02.6", "characters one by one", "the text alone is encoded as")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    middle = [i for character in text for i in tokenizer.encode(character)]
    return [ids["<|start|>"], *middle, ids["<|end|>"]]


@wrong("02.6", "line by line", "not line by line")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    middle = [i for line in text.splitlines(keepends=True) for i in tokenizer.encode(line)]
    return [ids["<|start|>"], *middle, ids["<|end|>"]]


@wrong("02.6", "only the first words", "none of it is cut off")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *tokenizer.encode(text)[:60], ids["<|end|>"]]


@wrong("02.6", "code points", "stands")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *(min(ord(c), 255) for c in text), ids["<|end|>"]]


@wrong("02.6", "an empty message left out", "an empty text still has")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *tokenizer.encode(text), ids["<|end|>"]] if text else []


@wrong("02.6", "stripped", "taking white space away")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], *tokenizer.encode(text.strip()), ids["<|end|>"]]


@wrong("02.6", "end only if it is not there yet")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    wrapped = tokenizer.encode(f"<|start|>{text}", allowed_special="all")
    return wrapped if ids["<|end|>"] in wrapped else [*wrapped, ids["<|end|>"]]


@wrong("02.6", "one list in another", "a list of ids is wanted")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"], tokenizer.encode(text), ids["<|end|>"]]


@wrong("02.6", "text again", "a string cannot be used here (a list of ids is wanted)")
def _(tokenizer, text):
    return f"<|start|>{text}<|end|>"


@wrong("02.6", "special tokens taken from the tokenizer", "changes its input `tokenizer`")
def _(tokenizer, text):
    start = tokenizer.special_tokens.pop("<|start|>")
    end = tokenizer.special_tokens.pop("<|end|>")
    return [start, *tokenizer.encode(text), end]


@right("02.6", "looked up")
def _(tokenizer, text):
    ids = tokenizer.special_tokens
    return [ids["<|start|>"]] + tokenizer.encode(text) + [ids["<|end|>"]]


@right("02.6", "names encoded alone, as a tensor")
def _(tokenizer, text):
    start = tokenizer.encode("<|start|>", allowed_special={"<|start|>"})
    end = tokenizer.encode("<|end|>", allowed_special="all")
    return torch.tensor(start + tokenizer.encode(text, allowed_special=()) + end)


@right("02.6", "inserted, in numpy")
def _(tokenizer, text):
    ids = tokenizer.encode(text)
    ids.insert(0, tokenizer.special_tokens["<|start|>"])
    ids.append(tokenizer.special_tokens["<|end|>"])
    return np.array(ids)


# ------------------------------------------------------------------ 02.7 more words, more tokens

for name, text in {
    "a constant": "ab",
    "both pairs": "abcd",
    "one pair more often": "ababcd",
    "a rare word": "antidisestablishmentarianism",
    "Chinese": "狗咬人",
    "a long text": "The dog bites the man and the man bites the bone. " * 50,
    "all letters": "abcdefghijklmnopqrstuvwxyz",
}.items():
    wrong("02.7", name, "large into")(lambda small, large, text=text: text)


@wrong("02.7", "empty", "an empty text costs nothing")
def _(small, large):
    return ""


@wrong("02.7", "printed", "None cannot be used here (a str is wanted)")
def _(small, large):
    print("ab")


@wrong("02.7", "ids", "a str is wanted")
def _(small, large):
    return [256]


@wrong("02.7", "bytes", "a str is wanted")
def _(small, large):
    return small.decode_bytes([256])


@wrong("02.7", "longest token", "taking the longest token")
def _(small, large):
    return max(decoded_tokens(small), key=len)


@wrong("02.7", "longest token in bytes", "known to large as well")
def _(small, large):
    return small.decode([max(range(small.vocab_size), key=lambda i: len(small.decode_bytes([i])))])


@wrong("02.7", "last token", "taking the last token")
def _(small, large):
    return small.decode([small.vocab_size - 1])


@wrong("02.7", "first merge", "taking the first merge")
def _(small, large):
    return small.decode([256])


@wrong("02.7", "all tokens of small in a row", "Count before you return")
def _(small, large):
    return "".join(decoded_tokens(small))


@wrong("02.7", "a token of large", "costs large little")
def _(small, large):
    return max(decoded_tokens(large), key=len)


@wrong("02.7", "first token that large has not, whole or not", "U+FFFD, which stands for bytes")
def _(small, large):
    known = {large.decode_bytes([i]) for i in range(large.vocab_size)}
    return next(
        small.decode([i]) for i in range(small.vocab_size) if small.decode_bytes([i]) not in known
    )


@wrong("02.7", "a good string with odd company", "it holds U+FFFD")
def _(small, large):
    for text in decoded_tokens(small):
        if len(large.encode(text)) > len(small.encode(text)):
            return text + "\ufffd"


@wrong("02.7", "half a character smuggled in", "half of a surrogate pair")
def _(small, large):
    known = {large.decode_bytes([i]) for i in range(large.vocab_size)}
    tokens = [small.decode_bytes([i]) for i in range(small.vocab_size)]
    return next(t for t in tokens if t not in known).decode(errors="surrogateescape")


@wrong("02.7", "stripped", "do not strip")
def _(small, large):
    for text in decoded_tokens(small):
        if len(large.encode(text)) > len(small.encode(text)):
            return text.strip()


@wrong("02.7", "the two swapped")
def _(small, large):
    for text in decoded_tokens(large):
        if len(small.encode(text)) > len(large.encode(text)):
            return text


@wrong("02.7", "as many counts as more")
def _(small, large):
    for text in decoded_tokens(small):
        if len(large.encode(text)) >= len(small.encode(text)):
            return text


@wrong("02.7", "words of one's own tried, and none fits", "None cannot be used here")
def _(small, large):
    for text in "the man and a dog bite for price of token rate".split():
        if len(large.encode(text)) > len(small.encode(text)):
            return text


@wrong("02.7", "large made forgetful", "changes its input `large`")
def _(small, large):
    text = next(t for t in decoded_tokens(small) if len(large.encode(t)) > len(small.encode(t)))
    large._bytes.clear()
    return text


@right("02.7", "the first token that costs more")
def _(small, large):
    for i in range(small.vocab_size):
        text = small.decode([i])
        if len(large.encode(text)) > len(small.encode(text)):
            return text


@right("02.7", "the most costly token, a hundred times")
def _(small, large):
    def cost(text):
        return len(large.encode(text)) - len(small.encode(text))

    return max(decoded_tokens(small), key=cost) + 99 * (" " + max(decoded_tokens(small), key=cost))


@right("02.7", "a token that large has not, if it is text")
def _(small, large):
    known = {large.decode_bytes([i]) for i in range(large.vocab_size)}
    for i in range(256, small.vocab_size):
        token = small.decode_bytes([i])
        try:
            if token not in known:
                return token.decode()
        except UnicodeDecodeError:
            pass


@right("02.7", "chance, over the tokens of small")
def _(small, large):
    while True:
        ids = random.choices(range(256, small.vocab_size), k=random.randint(1, 3))
        text = small.decode(ids)
        if "\ufffd" not in text and len(small.encode(text)) < len(large.encode(text)):
            return text


# ------------------------------------------------------------------


@parametrised(WRONG)
def test_wrong_answer_is_rejected(given):
    assert_rejected(given)


@parametrised(RIGHT)
def test_right_answer_is_accepted(given):
    assert_accepted(given)


def test_every_exercise_has_enough_answers():
    assert_enough_answers(2, WRONG, RIGHT)


def pairs_of_tokenizers():
    return [case.args for case in find("02.7").cases]


def test_large_has_the_larger_vocabulary():
    assert all(small.vocab_size < large.vocab_size for small, large in pairs_of_tokenizers())


def test_no_text_is_costlier_to_all_large_tokenizers():
    """The first two pairs ask for more ab than cd and zq, and for more cd than ab and zq."""
    (small, large), (other_small, other_large) = pairs_of_tokenizers()[:2]
    assert decoded_tokens(small) == ["ab"] and decoded_tokens(other_small) == ["cd"]
    assert decoded_tokens(large) == ["cd", "zq"] and decoded_tokens(other_large) == ["ab", "zq"]


def test_within_one_training_run_more_merges_never_cost_more():
    """As the statement of 02.7 says, so that its two tokenizers need two texts."""
    text = "the man bites the dog and the dog bites the other man, then they bite each other"
    tokenizers = [trained(text, n) for n in (5, 20, 40)]
    for word in text.split():
        costs = [len(tokenizer.encode(word)) for tokenizer in tokenizers]
        assert costs == sorted(costs, reverse=True)


def test_encodings_expected_in_02_5_are_those_of_the_package():
    exercise = find("02.5")
    for case in exercise.cases:
        if case.expected is not ... and case.args[0].isascii():
            assert exercise.reference(*case.args) == case.expected


def test_a_tokenizer_equals_its_copy_until_it_is_changed():
    one, other = trained("abab", 1, ("<|end|>",)), trained("abab", 1, ("<|end|>",))
    assert one == other and one != trained("cdcd", 1, ("<|end|>",)) and one != "abab"
    other.special_tokens["<|end|>"] = 0
    assert one != other
    assert isinstance(one, BPETokenizer) and len({one, other}) == 2


def test_stub_is_not_attempted():
    def merge(tokens, pair): ...

    assert "not attempted" in judge(find("02.4"), merge).message


@pytest.mark.parametrize("id", ["02.6", "02.7"])
def test_a_failing_case_is_shown_in_few_lines(id):
    message = judge(find(id), lambda tokenizer, other: "狗").message
    assert "a BPETokenizer" in message and len(message) < 700
