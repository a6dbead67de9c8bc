"""Measure every rung of the ladder and write `llmcourse/ladder.json`.

    python benchmarks/ladder.py                # all rungs
    python benchmarks/ladder.py Kneser-Ney     # only those whose name holds this; others are kept

A rung is a model's surprise on the held-out passages of one text (`Corpus.split`), in bits per
byte, with a bootstrap interval over passages.
"""

import json
import math
import os
import sys
from collections.abc import Callable
from dataclasses import asdict

import numpy
import torch
import torch.nn.functional as F

from llmcourse.corpora import load_corpus
from llmcourse.evaluation import LADDER_FILE, Rung, measure_rung, token_bits
from llmcourse.ngram import NGramModel
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.tokenizers import BPETokenizer


def ngram_bits(order: int, smoothing: str = "kneser-ney") -> Callable[[str, list[str]], list]:
    def bits(train: str, held_out: list[str]) -> list[float]:
        model = NGramModel(train.encode(), order, smoothing)
        return [model.bits(passage.encode()).sum() for passage in held_out]

    return bits


def bpe_ngram_bits(train: str, held_out: list[str]) -> list[float]:
    tokenizer = BPETokenizer.train(train, 2048)
    model = NGramModel(tokenizer.encode(train), 5, vocabulary=range(tokenizer.vocab_size))
    return [model.bits(tokenizer.encode(passage)).sum() for passage in held_out]


@torch.no_grad()
def mlp_bits(train: str, held_out: list[str]) -> list[float]:
    model, bits = from_pretrained("course-mlp"), []
    for passage in held_out:
        tokens = torch.tensor(list(passage.encode()))
        nats = F.cross_entropy(model(tokens[None, :-1]).logits[0], tokens[1:], reduction="sum")
        bits.append(8 + nats.item() / math.log(2))  # before the first byte it has nothing to read
    return bits


def gpt_bits(train: str, held_out: list[str]) -> list[float]:
    model, tokenizer = from_pretrained("course-gpt"), pretrained_tokenizer("course-gpt")
    return [token_bits(model, tokenizer.encode(passage)).sum() for passage in held_out]


def uniform_bits(train: str, held_out: list[str]) -> list[float]:
    return [8.0 * len(passage.encode()) for passage in held_out]


# name, chapter, function from the training text and the held-out passages to bits per passage
MODELS = [
    ("uniform bytes", "01", uniform_bits),
    ("unigram", "01", ngram_bits(1)),
    ("bigram", "01", ngram_bits(2)),
    ("Kneser-Ney, 5 bytes", "01", ngram_bits(5)),
    ("Kneser-Ney, 9 bytes", "01", ngram_bits(9)),
    ("Kneser-Ney, 5 BPE tokens", "02", bpe_ngram_bits),
    ("neural, 16 bytes", "03", mlp_bits),
    ("course-gpt", "09", gpt_bits),
]


def measure(name: str) -> Rung:
    """The rung called `name`, measured afresh."""
    chapter, bits = next((chapter, bits) for n, chapter, bits in MODELS if n == name)
    train, held_out = load_corpus("king-james").split()
    n_bytes = [len(passage.encode()) for passage in held_out]
    return measure_rung(name, chapter, numpy.array(bits(train, held_out)), n_bytes)


def main(wanted: str = "") -> None:
    known = {}
    if LADDER_FILE.exists():
        known = {r["name"]: Rung(**r) for r in json.loads(LADDER_FILE.read_text())}
    rungs = []
    for name, chapter, _ in MODELS:
        rung = measure(name) if wanted in name or name not in known else known[name]
        print(f"{chapter}  {name:24} {rung.bits_per_byte:.3f}  [{rung.low:.3f}, {rung.high:.3f}]")
        rungs.append(asdict(rung))
    temporary = LADDER_FILE.with_suffix(".tmp")
    temporary.write_text(json.dumps(rungs, indent=1) + "\n")
    os.replace(temporary, LADDER_FILE)


if __name__ == "__main__":
    main(*sys.argv[1:])
