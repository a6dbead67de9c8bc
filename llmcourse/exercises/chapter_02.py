"""Checks of chapter 2: byte-pair encoding, its cost, and special tokens as plain text."""

import re
from collections import Counter

from llmcourse import tokenizers
from llmcourse.exercises.comparing import NOT_EQUAL, as_array
from llmcourse.exercises.exercise import Case, Exercise, Mistake


class BPETokenizer(tokenizers.BPETokenizer):
    """Equal to its copies, so that a check can tell whether an answer has changed it."""

    def __eq__(self, other) -> bool:
        return isinstance(other, tokenizers.BPETokenizer) and all(
            getattr(self, name) == getattr(other, name)
            for name in ("merges", "pattern", "special_tokens", "_bytes")
        )

    __hash__ = tokenizers.BPETokenizer.__hash__


def trained(texts: str | list[str], n_merges: int, special_tokens: tuple = ()) -> BPETokenizer:
    vocab_size = 256 + n_merges + len(special_tokens)
    return BPETokenizer.train(texts, vocab_size, special_tokens=special_tokens)


def three_merges(got) -> str | None:
    """`accept` of 02.1: strings, or bytes, or pairs that spell them."""
    if isinstance(got, str):
        got = re.findall(r"\w+", got)
    if not isinstance(got, list | tuple):
        raise ValueError("a list of three strings is wanted")
    merges = [as_string(merge) for merge in got]
    if len(merges) != 3:
        return f"three strings are wanted, and you give {len(merges)}"
    return None if merges == ["an", "ban", "ana"] else NOT_EQUAL


def as_string(merge) -> str:
    if isinstance(merge, list | tuple) and merge:
        return "".join(as_string(part) for part in merge)
    if isinstance(merge, bytes):
        merge = merge.decode()
    if not isinstance(merge, str):
        raise ValueError("a list of three strings is wanted")
    return merge.strip()


def encode_by_ids(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """`word` (ASCII) as the package's own tokenizer cuts it, with these merges."""
    ids = {chr(byte): i for i, byte in enumerate(tokenizers.BYTES) if byte < 128}
    pairs = []
    for i, (left, right) in enumerate(merges, start=256):
        pairs.append((ids[left], ids[right]))
        ids[left + right] = i
    tokenizer = tokenizers.BPETokenizer(pairs, pattern=r"(?s).+")
    return [tokenizer.decode([i]) for i in tokenizer.encode(word)]


def merge_from_the_left(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The mistake of 02.5: the leftmost pair that can be joined, whatever its rank."""
    tokens = list(word)
    while places := [i for i in range(len(tokens) - 1) if tuple(tokens[i : i + 2]) in merges]:
        tokens[places[0] : places[0] + 2] = ["".join(tokens[places[0] : places[0] + 2])]
    return tokens


def longest_match(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The mistake of 02.5: from the left, the longest token that fits."""
    known, tokens = {"".join(pair) for pair in merges} | set(word), []
    while word:
        end = max(i for i in range(1, len(word) + 1) if word[:i] in known)
        tokens.append(word[:end])
        word = word[end:]
    return tokens


def replaced(word: str, merges: list[tuple[str, str]]) -> list[str]:
    """The mistake of 02.5: str.replace, which also finds a pair in parts of longer tokens."""
    text = " ".join(word)
    for left, right in merges:
        text = text.replace(f"{left} {right}", left + right)
    return text.split(" ") if word else []


def wrapped_message(got, tokenizer: BPETokenizer, text: str) -> str | None:
    """`accept` of 02.6, which says what part is wrong."""
    ids = as_array(got)
    if ids is None or ids.ndim != 1 or ids.size and ids.dtype.kind != "i":
        raise ValueError("a list of ids is wanted")
    ids = ids.tolist()
    start, end = tokenizer.special_tokens["<|start|>"], tokenizer.special_tokens["<|end|>"]
    if ids[:1] != [start]:
        return f"the first id should be {start}, that of <|start|>"
    if len(ids) < 2 or ids[-1] != end:
        return f"the last id should be {end}, that of <|end|>"
    names = {i: name for name, i in tokenizer.special_tokens.items()}
    for place, i in enumerate(ids[1:-1], start=1):
        if i in names:
            return (
                f"id {i} at index {place} is the special token {names[i]}: whoever wrote the text "
                "has got hold of it"
            )
        if not 0 <= i < tokenizer.vocab_size:
            return f"id {i} at index {place} is not in the vocabulary"
    if (back := tokenizer.decode(ids[1:-1])) != text:
        return f"between <|start|> and <|end|> stands {back!r}, and the text is {text!r}"
    if ids[1:-1] != tokenizer.encode(text):
        return f"the text alone is encoded as {tokenizer.encode(text)}"
    return None


def costs_large_more(got, small: BPETokenizer, large: BPETokenizer) -> str | None:
    """`accept` of 02.7."""
    if not isinstance(got, str):
        raise ValueError("a str is wanted")
    if not got:
        return "an empty text costs nothing, whoever cuts it"
    if "\ufffd" in got:
        return "it holds U+FFFD, which stands for bytes that are no whole character"
    few, many = len(small.encode(got)), len(large.encode(got))
    return None if many > few else f"small cuts it into {few}, large into {many}"


def decoded_tokens(tokenizer: BPETokenizer) -> list[str]:
    """What each merge of the tokenizer spells."""
    return [tokenizer.decode([256 + i]) for i in range(len(tokenizer.merges))]


TALE = (
    "A dog bites a man. The man shouts, the dog barks, and the neighbours open their windows. "
    "The next day the man comes back with a bone, and the dog bites the bone. "
)
NEWS = (
    "Prices fell again last month, the office of statistics reported this morning. Food became "
    "cheaper, while rents and electricity went up. Experts expect lower interest rates. "
)
CODE = (
    "for i in range(len(tokens) - 1):\n    pair = tokens[i], tokens[i + 1]\n    counts[pair] += 1\n"
    "    if counts[pair] > best:\n        best = counts[pair]\n"
)
BYTES_ONLY = trained("", 0)
START_END = ("<|start|>", "<|end|>")

EXERCISES = (
    Exercise(
        id="02.1",
        title="Three merges on paper",
        level="easy",
        minutes=5,
        hints=(
            "Write both words as letters with gaps, and make a list of neighbours with a tally.",
            "`an` stands twice in each word, more often than any other pair. Join it everywhere, "
            "then count again from the beginning: the old tally is worth nothing.",
            "You are left with b·an·an·a and b·an·d·an·a. Two pairs stand there twice each: which "
            "of them comes first in the text, and how often is the other left after that merge?",
        ),
        accept=three_merges,
        cases=(
            Case(pointer="after each merge the pairs are counted anew, over both words, with what "
                 "was merged as one symbol."),
        ),
        mistakes=(
            Mistake(["an", "ana", "ban"], "breaking the tie the other way: the pair that comes "
                    "first in the text is b·an."),
            Mistake(["an", "na", "ba"], "counting once, and taking the three most frequent pairs. "
                    "After each merge, count anew."),
            Mistake(["an", "ban", "na"], "leaving n·a in the count: each of these n is by now part "
                    "of `an`."),
            Mistake(["an", "ban", "anan"], "missing that an·a stands once in each word."),
            Mistake(["an", "ban", "banan"], "counting within banana only: an·a stands in both "
                    "words."),
            Mistake(["an", "anan", "ban"], "joining what looks alike. Only the count decides: "
                    "an·an stands there once."),
            Mistake(["an", "ban", "bana"], "reading the words, not the symbols: a stands next to "
                    "`an`, not to `ban`."),
            Mistake(["ba", "an", "na"], "going through the text from the left. The most frequent "
                    "pair comes first."),
            Mistake(["ana", "ban", "an"], "listing the three in another order than they are "
                    "learned in."),
        ),
    ),
    Exercise(
        id="02.2",
        title="Bytes per token",
        level="easy",
        minutes=8,
        call="bytes_per_token(tokenizer, texts)",
        hints=(
            "Two totals and one division.",
            "The bytes of a text are those of its UTF-8 encoding; its tokens are what "
            "tokenizer.encode returns. Add up both over all texts before you divide.",
            'sum(len(text.encode("utf-8")) for text in texts), and the same with '
            "tokenizer.encode(text). Which of the two is divided by which?",
        ),
        cases=(
            Case((trained(["aa"], 1), ["aa"]), "two bytes in one token make 2. Is the ratio upside "
                 "down?", 2.0),
            Case((BYTES_ONLY, ["狗"]), "this tokenizer has a token for each byte, and nothing "
                 "more. A Chinese character is three bytes.", 1.0),
            Case((trained(["aa"], 1), ["aaaa", "bbb"]), "add up bytes and tokens over all texts, "
                 "and divide once: a mean of ratios lets every text count the same.", 7 / 5),
            Case((trained(["aa"], 1), ["a", "a"]), "texts are encoded one by one: glued together, "
                 "they merge where one ends and the next begins.", 1.0),
            Case((trained(["aa"], 1), ["aa", "aa", "b"]), "every text counts, also when two are "
                 "alike.", 5 / 3),
            Case((trained(["aa"], 1), ["", "aab"]), "an empty text has no bytes and no tokens, and "
                 "changes nothing.", 3 / 2),
            Case((trained([" a"], 1), [" a ", "\n a", " A"]), "a text is taken as it is, white "
                 "space and capitals included.", 8 / 6),
            Case((trained(["狗狗", "é"], 3), ["狗咬人 🙂", "café", "dog"]),
                 "bytes or tokens are counted wrongly in a mixed text.", 22 / 19),
        ),
        mistakes=(
            Mistake(lambda t, texts: n_tokens(t, texts) / n_bytes(texts), "turning the ratio "
                    "over: that is tokens per byte."),
            Mistake(lambda t, texts: sum(map(len, texts)) / n_tokens(t, texts), "counting "
                    "characters, not bytes."),
            Mistake(lambda t, texts: sum(n_bytes([x]) / n_tokens(t, [x]) for x in texts)
                    / len(texts), "averaging the ratios of the texts. Add up bytes and tokens "
                    "first."),
            Mistake(lambda t, texts: n_bytes(texts) / n_tokens(t, ["".join(texts)]), "gluing the "
                    "texts together before they are encoded."),
            Mistake(lambda t, texts: n_bytes(texts) / sum(len(set(t.encode(x))) for x in texts),
                    "counting each different token once."),
            Mistake(lambda t, texts: n_tokens(t, texts) / sum(map(len, texts)), "computing tokens "
                    "per character."),
        ),
    ),
    Exercise(
        id="02.3",
        title="The most frequent pair",
        level="medium",
        minutes=12,
        call="most_frequent_pair(words)",
        hints=(
            "Within a word, zip(word, word[1:]) gives its pairs. How much is one of them worth?",
            "A Counter of pairs: each pair in a word adds the word's count, as often as it stands "
            "there. The best has the largest count, and of several, the one that sorts first.",
            "min(pairs, key=lambda pair: (..., pair)) sorts by two things at once. What stands for "
            "the dots so that the largest count comes first, and what if there are no pairs?",
        ),
        cases=(
            Case(({("a", "b"): 1},), "one pair: return it as a tuple of its two symbols.",
                 ("a", "b")),
            Case(({("a",): 5},), "a word of one symbol has no pair, so there is none to return.",
                 None),
            Case(({},), "without words there is no pair.", None),
            Case(({("a",): 5, ("b",): 5, ("c", "d"): 1},), "a pair lies within one word: the last "
                 "symbol of a word has no neighbour in the next.", ("c", "d")),
            Case(({("a", "b"): 1, ("a", "b", "c"): 1, ("x", "y"): 3},), "a pair counts as often as "
                 "its word does: (x, y) 3 times, (a, b) 1 + 1.", ("x", "y")),
            Case(({("a", "b"): 2, ("a", "b", "c"): 2, ("x", "y"): 3},), "a pair may stand in "
                 "several words, whose counts add up: (a, b) 2 + 2.", ("a", "b")),
            Case(({("a", "x", "b"): 2, ("a", "y", "b"): 2, ("c", "d"): 3},), "the symbols of a "
                 "pair stand side by side: a and b are no pair here.", ("c", "d")),
            Case(({("a", "b"): 3, ("x", "y", "x", "y"): 2},), "a pair that stands in a word twice "
                 "counts twice: (x, y) 2 · 2 times.", ("x", "y")),
            Case(({("b", "c"): 3, ("a", "a", "a"): 2},), "pairs may overlap: a a a holds (a, a) "
                 "twice, as zip(word, word[1:]) shows.", ("a", "a")),
            Case(({("z", "y"): 2, ("a", "d"): 2, ("a", "c"): 2},), "equally frequent: the pair "
                 "that sorts first is wanted, not the one that comes first.", ("a", "c")),
            Case(({("b", "c"): 1, ("ab", "c"): 1, ("a", "zz"): 1},), "pairs are sorted as tuples, "
                 "symbol by symbol: ('a', 'zz') before ('ab', 'c').", ("a", "zz")),
            Case(({("b", "c"): 1, ("ab", "z"): 1},), "pairs are sorted as tuples, however long "
                 "their symbols.", ("ab", "z")),
            Case(({("a", "bc"): 2, ("ab", "c"): 2, ("x", "y"): 3},), "('a', 'bc') and ('ab', 'c') "
                 "spell the same, and are two different pairs.", ("x", "y")),
            Case(({("a", "b"): 1, ("ba", "b"): 2, ("bba", "b"): 2},), "symbols are compared whole: "
                 "'ba' is not 'a'.", ("ba", "b")),
            Case(({("b", "a"): 2, ("a", "b"): 2, ("c", "d"): 3},), "(a, b) and (b, a) are two "
                 "different pairs.", ("c", "d")),
            Case(({("l", "o", "w"): 5, ("l", "o", "w", "er"): 2, ("n", "e", "w", "e", "s", "t"): 6,
                   ("w", "i", "d", "e", "s", "t"): 3},), "something is counted wrongly: (e, s) and "
                 "(s, t) stand there 9 times each.", ("e", "s")),
        ),
        mistakes=(
            Mistake(lambda words: best_pair({word: 1 for word in words}), "leaving out how often "
                    "each word occurs."),
            Mistake(lambda words: best_pair(words, once=True), "counting a pair once per word."),
            Mistake(lambda words: max(pair_counts(words), key=lambda p: (pair_counts(words)[p], p)),
                    "taking the pair that sorts last, where several are equally frequent."),
            Mistake(lambda words: pair_counts(words).most_common(1)[0][0], "taking the pair that "
                    "comes first, where several are equally frequent: the first in sorted order "
                    "is wanted."),
            Mistake(lambda words: "".join(best_pair(words)), "joining the pair. Return its two "
                    "symbols."),
            Mistake(lambda words: (best_pair(words), pair_counts(words)[best_pair(words)]),
                    "returning the count as well: the pair alone is wanted."),
        ),
    ),
    Exercise(
        id="02.4",
        title="One merge",
        level="medium",
        minutes=12,
        call="merge(tokens, pair)",
        hints=(
            "Walk along the list with an index, and build a new list as you go.",
            "At each place either both tokens of the pair stand there: then append them joined and "
            "go on two places. Or not: then append one token and go on one.",
            "while i < len(tokens): if (tokens[i], tokens[i + 1]) == pair ... How do you keep "
            "i + 1 inside the list and still keep the last token?",
        ),
        cases=(
            Case((["a", "b"], ("a", "b")), "the pair is joined to one token, within a list.",
                 ["ab"]),
            Case((["a", "b", "c"], ("a", "b")), "the last token is lost, or an index runs past the "
                 "end.", ["ab", "c"]),
            Case((["a", "b", "c"], ("b", "c")), "the pair may stand at the very end.", ["a", "bc"]),
            Case((["a"], ("a", "b")), "a single token has no neighbour, and stays.", ["a"]),
            Case(([], ("a", "b")), "of an empty list an empty list is left.", []),
            Case((["b", "a"], ("a", "b")), "the order within the pair matters.", ["b", "a"]),
            Case((["a", "b", "a", "b", "c", "a", "b"], ("a", "b")), "every occurrence is joined, "
                 "not just the first.", ["ab", "ab", "c", "ab"]),
            Case((["a", "a", "a"], ("a", "a")), "a token belongs to one pair only: once joined, it "
                 "is used up, so go on behind it, from left to right.", ["aa", "a"]),
            Case((["a", "a", "a", "a", "a"], ("a", "a")), "each token is joined once, from left "
                 "to right.", ["aa", "aa", "a"]),
            Case((["ab", "ab", "a", "b"], ("a", "b")), "one merge only: what it has made is not "
                 "merged on.", ["ab", "ab", "ab"]),
            Case((["ba", "b", "a", "bb"], ("a", "b")), "tokens are compared whole: neither ba·b "
                 "nor a·bb is the pair (a, b).", ["ba", "b", "a", "bb"]),
            Case((["aa", "b", "a", "ab"], ("a", "ab")), "aa·b spells the same as a·ab, and is "
                 "another pair.", ["aa", "b", "aab"]),
            Case((["a b", "a", " b", " ", " c", "a", "b"], ("a", " b")), "a token may hold a "
                 "space.", ["a b", "a b", " ", " c", "a", "b"]),
            Case((["a", "ab", "b", "aab", "b"], ("ab", "b")), "longer tokens are merged too, and "
                 "compared whole.", ["a", "abb", "aab", "b"]),
            Case((["+", "(", ".", ".", ".", "|"], (".", ".")), "a token is text, not a pattern.",
                 ["+", "(", "..", ".", "|"]),
        ),
        mistakes=(
            Mistake(lambda tokens, pair: " ".join(tokens).replace(" ".join(pair), "".join(pair))
                    .split(" "), "replacing in a joined string, where the end of one token and the "
                    "beginning of the next look like the pair."),
            Mistake(lambda tokens, pair: merged(tokens[::-1], pair[::-1], "{1}{0}")[::-1],
                    "going from right to left."),
            Mistake(lambda tokens, pair: merged(tokens, pair, limit=1), "joining the first "
                    "occurrence only."),
            Mistake(lambda tokens, pair: merged(tokens, pair)[: -1 if merged(tokens, pair)[-1:]
                    == tokens[-1:] else None], "losing the last token, if it is in no pair."),
            Mistake(lambda tokens, pair: "".join(tokens), "joining everything."),
        ),
    ),
    Exercise(
        id="02.5",
        title="Encode a word",
        level="hard",
        minutes=20,
        call="bpe_encode(word, merges)",
        hints=(
            "Start from the single characters. Which merge may come first, and how do you know "
            "that you are done?",
            "The pair that was learned earliest wins, wherever in the word it stands. Joining it "
            "makes a new token, which may form pairs of its own.",
            "for left, right in merges: join that pair everywhere in tokens, before you go on to "
            "the next. Why need you never go back to an earlier merge?",
        ),
        cases=(
            Case(("ab", [("a", "b")]), "one merge, one token.", ["ab"]),
            Case(("ab", []), "without merges the single characters are left.", ["a", "b"]),
            Case(("a", [("a", "b")]), "a word of one character has no pair.", ["a"]),
            Case(("", [("a", "b")]), "the empty word gives an empty list.", []),
            Case(("abab", [("a", "b")]), "a merge is made everywhere in the word, not just where "
                 "it first fits.", ["ab", "ab"]),
            Case(("aaa", [("a", "a")]), "a token belongs to one pair only, from left to right.",
                 ["aa", "a"]),
            Case(("abc", [("b", "c"), ("a", "b")]), "the merge that was learned first comes first, "
                 "wherever in the word it stands.", ["a", "bc"]),
            Case(("abc", [("a", "b"), ("b", "c")]), "the merge that was learned first comes first, "
                 "not the last one.", ["ab", "c"]),
            Case(("abc", [("a", "b"), ("ab", "c")]), "what one merge has made, a later one joins.",
                 ["abc"]),
            Case(("bcabc", [("a", "b"), ("b", "c"), ("ab", "c")]), "bc has been learned, "
                 "but in abc the earlier merge has used up the b.", ["bc", "abc"]),
            Case(("abcd", [("b", "c"), ("a", "b"), ("ab", "d"), ("c", "d"), ("ab", "cd")]),
                 "a token that exists need not be reached: only merges, in their order, lead to "
                 "one. Here b·c comes first, and then nothing fits.", ["a", "bc", "d"]),
            Case(("bab", [("b", "a"), ("a", "b")]), "tokens are compared whole: ba·b is not the "
                 "pair (a, b).", ["ba", "b"]),
            Case(("aab", [("a", "b"), ("a", "a"), ("aa", "b")]), "tokens are compared whole: a·ab "
                 "spells the same as aa·b, and is another pair.", ["a", "ab"]),
            Case(("aaaaaaa", [("a", "a"), ("aa", "aa")]), "after a merge, go on with what it made.",
                 ["aaaa", "aa", "a"]),
            Case(("狗咬狗", [("咬", "狗")]), "the word is cut into characters, not bytes.",
                 ["狗", "咬狗"]),
            Case(("bandana", [("a", "n"), ("b", "an"), ("an", "a")]), "the merges of exercise 02.1 "
                 "cut a word otherwise than they should.", ["ban", "d", "ana"]),
            Case(("a.a*", [("a", "."), ("a", "*")]), "a character is text, not a pattern.",
                 ["a.", "a*"]),
            Case(("mississippi", [("s", "s"), ("i", "s"), ("i", "p"), ("i", "ss"), ("m", "iss"),
                                  ("iss", "ip"), ("p", "i"), ("iss", "iss"), ("miss", "iss")]),
                 "the ranks are mixed up in a longer word."),
        ),
        reference=encode_by_ids,
        mistakes=(
            Mistake(merge_from_the_left, "joining the leftmost pair that fits. The merge that was "
                    "learned first comes first."),
            Mistake(longest_match, "taking the longest token that fits, from the left. Only "
                    "merges, in their order, lead to a token."),
            Mistake(lambda word, merges: encode_in_order(word, merges[::-1]), "making the last "
                    "merges first."),
            Mistake(lambda word, merges: encode_in_order(word, merges, limit=1), "joining each "
                    "pair only where it first fits."),
            Mistake(replaced, "replacing in a joined string, where the end of one token and the "
                    "beginning of the next look like the pair."),
        ),
    ),
    Exercise(
        id="02.6",
        title="A door that stays shut",
        level="medium",
        minutes=12,
        call="wrap_message(tokenizer, text)",
        hints=(
            "Which of the ids may come from the text, and which only from you?",
            "tokenizer.encode(text) reads names such as <|end|> as plain text, unless it is "
            "allowed to do otherwise. The two ids around it are looked up, not encoded.",
            'tokenizer.special_tokens["<|start|>"] is the first id, and tokenizer.encode(text) is '
            "a list to add. How do you make a list of one id, and what comes last?",
        ),
        accept=wrapped_message,
        cases=(
            Case((trained("", 0, START_END), "a"), "[id of <|start|>] + ids of the text + [id of "
                 "<|end|>]: the names are looked up in special_tokens."),
            Case((trained("", 0, START_END), ""), "an empty text still has a start and an end."),
            Case((trained(["hi"], 1, START_END[::-1]), "hi"), "the ids are another tokenizer's "
                 "here: look them up, do not count on them."),
            Case((trained("", 0, START_END), "a<|end|>b"), "the text says <|end|>, and must not "
                 "end the message: it is plain text, byte for byte."),
            Case((trained("", 0, START_END), "<|start|>"), "the text says <|start|>, and must not "
                 "start a message."),
            Case((trained("", 0, (*START_END, "<|user|>")), "a<|user|>b"), "other special tokens "
                 "are plain text as well, if they stand in the text."),
            Case((trained("", 0, START_END), "<|<|end|>end|>"), "taking a name out of the text can "
                 "make a new one. Take nothing out: the text comes back exactly."),
            Case((trained(TALE, 40, START_END), " The dog bites the man. \n"), "the text comes "
                 "back exactly, white space included, in the tokenizer's own tokens."),
            Case((trained(TALE + CODE, 60, START_END), CODE + CODE), "the text is encoded as a "
                 "whole, not line by line, and none of it is cut off."),
            Case((trained(TALE, 40, START_END), "狗咬人 🙂 <|start|>the<|end|>"), "the text comes "
                 "back exactly, in whatever writing."),
        ),
        mistakes=(
            Mistake(lambda t, text: t.encode(f"<|start|>{text}<|end|>", allowed_special="all"),
                    "allowing special tokens in the text: a name that stands there counts, too."),
            Mistake(lambda t, text: t.encode(f"<|start|>{text}<|end|>"), "encoding the names as "
                    "plain text. Look their ids up in special_tokens."),
            Mistake(lambda t, text: wrap_ids(t, without_names(t, text)), "taking the names out of "
                    "the text: what was said is lost."),
            Mistake(lambda t, text: wrap_ids(t, text)[:-1], "forgetting the end."),
            Mistake(lambda t, text: wrap_ids(t, text.strip()), "taking white space away."),
        ),
    ),
    Exercise(
        id="02.7",
        title="More words, more tokens",
        level="hard",
        minutes=20,
        call="costlier(small, large)",
        hints=(
            "What does small have that large has not, for all its size?",
            "Decode the tokens of small one by one: each spells a string that costs it one token. "
            "Large may have to piece it together. Some tokens are parts of a character, and no "
            "string at all.",
            "for i in range(small.vocab_size): text = small.decode([i]), and return it as soon as "
            "it costs large more. How do you count what it costs, and what of U+FFFD?",
        ),
        accept=costs_large_more,
        cases=(
            Case((trained(["ab"], 1), trained(["cd", "cd", "zq"], 2)), "small has joined "
                 "a·b, large has not; large has joined c·d and z·q."),
            Case((trained(["cd"], 1), trained(["ab", "ab", "zq"], 2)), "the string has to follow "
                 "from the two tokenizers: here small has joined c·d, large a·b and z·q."),
            Case((trained(["abc", "abc", "xy"], 3), trained(["abc", "abc", "pqr", "pqr"], 4)),
                 "the longest token of small is known to large as well. Count before you return."),
            Case((trained(["ab", "ab", "cd"], 2), trained(["abcd", "abc", "abc"], 3)), "large "
                 "knows ab, abc and abcd, and not cd. Count before you return."),
            Case((trained(["狗", "狗", "咬"], 3), trained(["abcd", "abc", "pq"], 4)), "some tokens "
                 "of small are pieces of a character, which decode to U+FFFD; 狗 is a whole one."),
            Case((trained([" ab", " ab"], 2), trained(["ab", "ab", "cd", "cd", "abcd"], 3)),
                 "a token may begin with a space, and large has it without: do not strip."),
            Case((trained(CODE, 30), trained(NEWS, 100)), "tokens may be white space or "
                 "punctuation; count them before you return."),
            Case((trained(NEWS, 60), trained(TALE, 120)), "both know English: many tokens of small "
                 "are known to large as well."),
            Case((trained("狗咬人。人咬狗。" * 3 + TALE, 50), trained(NEWS + CODE, 150)),
                 "two large tokenizers: count before you return."),
        ),
        mistakes=(
            Mistake(lambda small, large: max(decoded_tokens(small), key=len), "taking the longest "
                    "token of small, which large may know as well. Count before you return."),
            Mistake(lambda small, large: decoded_tokens(small)[-1], "taking the last token of "
                    "small, whatever it costs large. Count before you return."),
            Mistake(lambda small, large: decoded_tokens(small)[0], "taking the first merge of "
                    "small, whatever it costs large. Count before you return."),
            Mistake(lambda small, large: max(decoded_tokens(large), key=len), "taking a token of "
                    "large: that one costs large little."),
        ),
    ),
)


def n_bytes(texts: list[str]) -> int:
    return sum(len(text.encode()) for text in texts)


def n_tokens(tokenizer: BPETokenizer, texts: list[str]) -> int:
    return sum(len(tokenizer.encode(text)) for text in texts)


def pair_counts(words: dict[tuple, int], once: bool = False) -> Counter:
    counts = Counter()
    for word, count in words.items():
        pairs = list(zip(word, word[1:], strict=False))
        for pair in dict.fromkeys(pairs) if once else pairs:
            counts[pair] += count
    return counts


def best_pair(words: dict[tuple, int], once: bool = False) -> tuple:
    counts = pair_counts(words, once)
    return min(counts, key=lambda pair: (-counts[pair], pair))


def merged(tokens, pair, form: str = "{0}{1}", limit: int | None = None) -> list[str]:
    result, i = [], 0
    while i < len(tokens):
        if tuple(tokens[i : i + 2]) == tuple(pair) and limit != 0:
            limit = None if limit is None else limit - 1
            result.append(form.format(*pair))
            i += 2
        else:
            result.append(tokens[i])
            i += 1
    return result


def encode_in_order(word: str, merges, limit: int | None = None) -> list[str]:
    tokens = list(word)
    for pair in merges:
        tokens = merged(tokens, pair, limit=limit)
    return tokens


def wrap_ids(tokenizer: BPETokenizer, text: str) -> list[int]:
    start, end = (tokenizer.special_tokens[name] for name in START_END)
    return [start, *tokenizer.encode(text), end]


def without_names(tokenizer: BPETokenizer, text: str) -> str:
    for name in tokenizer.special_tokens:
        text = text.replace(name, "")
    return text
