"""The learning curves of chapter 20: four ways to label reviews, with 0, 2, 20 and 200 labels.

    python benchmarks/chapter_20.py

Writes llmcourse/sentiment_runs.json, a line for each run: way, number of labels, draw, and which of
the 80 test reviews were right.  Ten minutes on one core; chapter 20 repeats the cheap runs and one
of the others.  Numbers differ a little between machines.
"""

import json
import random
from pathlib import Path

import torch

from llmcourse.finetuning import ClassifierHead
from llmcourse.generation import left_pad
from llmcourse.pretrained import from_pretrained, minilm_tokenizer, pretrained_tokenizer
from llmcourse.retrieval import SentenceEncoder, words
from llmcourse.reviews import reviews
from llmcourse.training import configure_optimizer

FILE = Path(__file__).parents[1] / "llmcourse" / "sentiment_runs.json"
TEMPLATE, ANSWERS = "Review: {}\nSentiment:", (" negative", " positive")
TRAIN, TEST = reviews("train"), reviews("test")
TRUTH = torch.tensor([review.label for review in TEST])


def draw_of(n: int, seed: int) -> list:
    """`n` reviews of the training part, half of each label."""
    draw, mixed = random.Random(seed), list(TRAIN)
    draw.shuffle(mixed)
    sides = [[review for review in mixed if review.label == label][: n // 2] for label in (0, 1)]
    chosen = sides[0] + sides[1]
    draw.shuffle(chosen)
    return chosen


@torch.no_grad()
def prompted(model, tokenizer, shots: list, texts: list[str]) -> torch.Tensor:
    """Log-probabilities of " negative" and " positive" after each text, (n, 2).

    The examples are read once, and their keys and values lent to all texts.
    """
    shown = "".join(f"{TEMPLATE.format(r.text)}{ANSWERS[r.label]}\n\n" for r in shots)
    start = torch.tensor([tokenizer.encode(shown)], dtype=torch.int64)
    prompts, mask = left_pad([tokenizer.encode(TEMPLATE.format(text)) for text in texts])
    if not shots:
        logits = model(prompts, mask=mask, n_logits=1).logits[:, -1]
    else:
        cache = model.new_cache(1, start.shape[1] + prompts.shape[1])
        model(start, cache=cache, n_logits=1)
        for layer in cache:
            layer.select(torch.zeros(len(texts), dtype=torch.int64))
        seen = torch.cat((torch.ones(len(texts), start.shape[1], dtype=torch.bool), mask), 1)
        logits = model(prompts, cache=cache, mask=seen, n_logits=1).logits[:, -1]
    ids = [tokenizer.encode(answer)[0] for answer in ANSWERS]
    return logits.log_softmax(-1)[:, ids]


def linear(vectors: torch.Tensor, labels: torch.Tensor, decay: float = 1e-3) -> torch.nn.Linear:
    """Logistic regression to its optimum, with a little weight decay."""
    torch.manual_seed(0)
    layer = torch.nn.Linear(vectors.shape[1], int(labels.max()) + 1)
    torch.nn.init.zeros_(layer.weight)
    optimizer = torch.optim.LBFGS(layer.parameters(), max_iter=200, line_search_fn="strong_wolfe")

    def loss():
        optimizer.zero_grad()
        value = torch.nn.functional.cross_entropy(layer(vectors), labels)
        value = value + decay * layer.weight.square().sum()
        value.backward()
        return value

    optimizer.step(loss)
    return layer


def naive_bayes(shown: list, texts: list[str]) -> torch.Tensor:
    """Label of each text by counting words, each once too often, (n,)."""
    vocabulary = sorted({word for review in shown for word in words(review.text)})
    place = {word: i for i, word in enumerate(vocabulary)}
    counts = torch.ones(2, len(vocabulary))
    for review in shown:
        for word in words(review.text):
            counts[review.label, place[word]] += 1
    logs = (counts / counts.sum(1, keepdim=True)).log()
    scores = torch.stack(
        [logs[:, [place[w] for w in words(text) if w in place]].sum(1) for text in texts]
    )
    return scores.argmax(1)


def fine_tuned(shown: list, texts: list[str], seed: int) -> torch.Tensor:
    """Label of each text by MiniLM, all of whose weights were trained on `shown`, (n,)."""
    torch.manual_seed(seed)
    tokenizer, body = minilm_tokenizer(), from_pretrained("minilm")
    model = ClassifierHead(body, 2)
    optimizer = configure_optimizer(model, 1e-4, 0.01)

    def batch(some):
        coded = tokenizer.encode_batch(some)
        ids = torch.tensor([text.ids for text in coded])
        return ids, torch.tensor([text.attention_mask for text in coded]).bool()

    steps, size = 60, min(16, len(shown))
    for step in range(steps):
        chosen = random.Random(seed * 1000 + step).sample(shown, size)
        for group in optimizer.param_groups:
            group["lr"] = 1e-4 * min(1, (step + 1) / 6) * (1 - step / steps)
        labels = torch.tensor([review.label for review in chosen])
        model(*batch([review.text for review in chosen]), labels).loss.backward()
        optimizer.step()
        optimizer.zero_grad()
    with torch.no_grad():
        return model.eval()(*batch(texts)).logits.argmax(1)


def main() -> None:
    torch.set_num_threads(1)
    texts, lines = [review.text for review in TEST], []

    def note(way: str, n: int, seed: int, guess: torch.Tensor) -> None:
        right = [bool(value) for value in guess == TRUTH]
        lines.append({"way": way, "labels": n, "draw": seed, "right": right})
        print(way, n, seed, sum(right) / len(right), flush=True)

    encoder = SentenceEncoder()
    known = {review.text: vector for review, vector in zip(TRAIN, encoder([r.text for r in TRAIN]))}
    vectors = encoder(texts)
    for n in (2, 20, 200):
        for seed in range(1 if n == 200 else 10):
            shown = draw_of(n, seed)
            note("words", n, seed, naive_bayes(shown, texts))
            layer = linear(
                torch.stack([known[r.text] for r in shown]), torch.tensor([r.label for r in shown])
            )
            note("embeddings", n, seed, layer(vectors).argmax(1))
    model = from_pretrained("smollm2-135m-instruct")
    tokenizer = pretrained_tokenizer("smollm2-135m-instruct")
    for n in (0, 2, 20):
        for seed in range(1 if n == 0 else 5):
            scores = prompted(model, tokenizer, draw_of(n, seed) if n else [], texts)
            note("prompt", n, seed, scores.argmax(1))
    for last in (0, 1):  # the same two examples, with the one or the other label at the end
        for seed in range(5):
            shots = sorted(draw_of(2, seed), key=lambda review: review.label == last)
            scores = prompted(model, tokenizer, shots, texts)
            note(f"prompt, label {last} last", 2, seed, scores.argmax(1))
    for n in (2, 20, 200):
        for seed in range(3):
            note("fine-tuned", n, seed, fine_tuned(draw_of(n, seed), texts, seed))
    FILE.write_text("[\n" + ",\n".join(json.dumps(line) for line in lines) + "\n]\n")


if __name__ == "__main__":
    main()
