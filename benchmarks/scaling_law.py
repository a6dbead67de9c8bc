"""Train small GPTs of several sizes on several amounts of text, for the scaling law of chapter 15.

    python benchmarks/scaling_law.py FOLDER     # goes on where it stopped

(`scaling.py` beside it is about cost; this is about loss.)  Six sizes times five amounts of the
King James text, each point trained from scratch with a cosine that ends where the point ends.  A
rate that suits one size cheats another, so from a rule's rate on it is halved or doubled until the
best has a worse one on either side (not for the longest trainings and the dearest of the others,
which would take longer than all else).  Some points are trained with two more seeds, to know how
much of a difference is chance.  One line is added to `FOLDER/runs.jsonl` after each run; a line
that is there is not run again.  When all are done, they are written to
`llmcourse/scaling_runs.json`.

On one thread of a server, in float32: about half an hour.
"""

import argparse
import dataclasses
import itertools
import json
import math
import time
from pathlib import Path

import torch

import llmcourse
from llmcourse import seed_everything
from llmcourse.corpora import load_corpus
from llmcourse.data import TokenDataset
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.scaling import count_parameters, training_flops
from llmcourse.tokenizers import BPETokenizer
from llmcourse.training import Trainer, TrainingConfig

SHIPPED = Path(llmcourse.__file__).parent / "scaling_runs.json"
VOCABULARY, TIME, BATCH = 512, 64, 8
SIZES = {16: 2, 32: 2, 48: 2, 64: 2, 96: 3, 160: 3}  # width: layers
STEPS = (192, 384, 768, 1536, 3072)  # of 512 tokens; the last reads about the whole text once
DEAR = 3e12  # operations: above, only the rule's rate
SEEDED = list(itertools.product((192, 384, 768), (32, 64)))  # steps and widths with more seeds


def shape(width: int) -> GPTConfig:
    return GPTConfig(
        vocab_size=VOCABULARY,
        context_length=TIME,
        n_layer=SIZES[width],
        n_head=width // 16,
        d_model=width,
        norm="rms",
        position="rope",
        bias=False,
    )


def rate(width: int) -> float:
    """The rule: 0.016 at width 16, and falling with the root of the width."""
    return 0.016 * math.sqrt(16 / width)


def texts() -> tuple[TokenDataset, TokenDataset]:
    """What is trained on, and what is measured: every 25th block of the training part."""
    corpus = load_corpus("king-james")
    text = corpus.split()[0]
    train, watched = dataclasses.replace(corpus, text=text).split(every=25)
    tokenizer = BPETokenizer.train(train, VOCABULARY)
    return TokenDataset(tokenizer.encode(train)), TokenDataset(tokenizer.encode("".join(watched)))


@torch.no_grad()
def loss_of(model: GPT, data: TokenDataset) -> float:
    """The mean surprise in nats a token, over all windows of the text side by side."""
    n = (len(data) - 1) // TIME
    tokens = torch.tensor(data.tokens[: n * TIME + 1])
    inputs, targets = tokens[:-1].view(n, TIME), tokens[1:].view(n, TIME)
    model.eval()
    parts = zip(inputs.split(64), targets.split(64), strict=True)
    return sum(model(x, y).loss.item() * len(x) for x, y in parts) / n


def name_of(width: int, tokens: int, learning_rate: float, seed: int, **others) -> tuple:
    return width, tokens, learning_rate, seed


def run(width: int, steps: int, factor: float, seed: int, train, watched) -> dict:
    seed_everything(seed)
    model = GPT(shape(width))
    config = TrainingConfig(
        steps=steps,
        batch_size=BATCH,
        context_length=TIME,
        learning_rate=factor * rate(width),
        warmup_steps=steps // 10,
        mixed_precision=False,
        compile=False,
        log_every=steps,
        seed=seed,
    )
    started, tokens = time.process_time(), steps * BATCH * TIME
    Trainer(model, config, train, progress=False).train()
    embedding = VOCABULARY * width
    return {
        "width": width,
        "layers": SIZES[width],
        "parameters": count_parameters(model.config) - embedding,
        "embedding": embedding,
        "tokens": tokens,
        "flops": training_flops(model.config, tokens),
        "learning_rate": config.learning_rate,
        "seed": seed,
        "loss": round(loss_of(model, watched), 5),
        "seconds": round(time.process_time() - started, 1),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="where the runs are written down")
    folder = parser.parse_args().folder
    folder.mkdir(parents=True, exist_ok=True)
    torch.set_num_threads(1)
    log = folder / "runs.jsonl"
    lines = log.read_text(encoding="utf-8").splitlines() if log.exists() else []
    runs = [json.loads(line) for line in lines if line.endswith("}")]
    done = {name_of(**run): run for run in runs}
    train, watched = texts()

    def loss(width: int, steps: int, factor: float, seed: int = 0) -> float:
        tokens, learning_rate = steps * BATCH * TIME, factor * rate(width)
        name = name_of(width, tokens, learning_rate, seed)
        if name not in done:
            done[name] = run(width, steps, factor, seed, train, watched)
            with open(log, "a", encoding="utf-8") as file:
                file.write(json.dumps(done[name]) + "\n")
            print(done[name], flush=True)
        return done[name]["loss"]

    for steps, width in itertools.product(STEPS, SIZES):
        best, operations = 1.0, training_flops(shape(width), steps * BATCH * TIME)
        settled = steps == STEPS[-1] or operations > DEAR
        while not settled:
            by_loss = {loss(width, steps, factor): factor for factor in (best, best / 2, best * 2)}
            settled, best = by_loss[min(by_loss)] == best, by_loss[min(by_loss)]
        for seed in (0, 1, 2) if (steps, width) in SEEDED else (0,):
            loss(width, steps, best, seed)
    text = ",\n".join(json.dumps(done[name]) for name in sorted(done))
    SHIPPED.write_text(f"[\n{text}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
