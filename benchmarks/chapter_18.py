"""What chapter 18 has no minute for: a reader trained for longer, and what SmolLM2 answers.

    python benchmarks/chapter_18.py reader     # seven minutes of one core
    python benchmarks/chapter_18.py answers    # five minutes of one core

`reader` writes `llmcourse/weights/course-reader/`: low-rank updates to MiniLM and a head, trained
as in the chapter, on texts that are made from templates.  `answers` writes what SmolLM2 says to
the test questions about Ellmoor, with and without the passage found for it, to
`llmcourse/reading_runs.json`; the chapter runs some rows again, and compares.
"""

import json
import sys
import time
from pathlib import Path

import torch
import transformers

import llmcourse
from llmcourse import seed_everything
from llmcourse.assistant import encode_chat
from llmcourse.checkpoints import replacing
from llmcourse.device import autocast
from llmcourse.ellmoor import PASSAGES, QUESTIONS
from llmcourse.generation import generate, left_pad
from llmcourse.households import readings
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer
from llmcourse.reading import (
    ALPHA,
    RANK,
    chat_prompt,
    encode_pairs,
    new_reader,
    save_reader,
    span_labels,
    span_loss,
)
from llmcourse.retrieval import SentenceEncoder, VectorIndex

PACKAGE = Path(llmcourse.__file__).parent
SHIPPED, ANSWERS = PACKAGE / "weights" / "course-reader", PACKAGE / "reading_runs.json"
STEPS, BATCH, RATE, WARMUP = 400, 16, 2e-3, 10
SMOL = "smollm2-135m-instruct"

torch.set_num_threads(1)


def reader() -> None:
    seed_everything(0)
    model = new_reader()
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.01)
    data, log, started = readings(STEPS * BATCH, seed=1), [], time.perf_counter()
    model.train()
    for step in range(STEPS):
        rows = data[BATCH * step : BATCH * (step + 1)]
        pairs = encode_pairs([r.question for r in rows], [r.text for r in rows])
        labels = span_labels(pairs, [(r.start, r.end) for r in rows])
        optimizer.param_groups[0]["lr"] = RATE * min(1, (step + 1) / WARMUP) * (1 - step / STEPS)
        with autocast():
            logits = model(pairs)
        loss = span_loss(logits.float(), labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds = round(time.perf_counter() - started)
        log.append({"step": step + 1, "loss": round(loss.item(), 4), "seconds": seconds})
        if step % 20 == 19:
            print(log[-1], flush=True)
    save_reader(model, SHIPPED)
    with replacing(SHIPPED / "log.jsonl") as partial:
        partial.write_text("".join(json.dumps(line) + "\n" for line in log), encoding="utf-8")
    print(RANK, ALPHA)


def answers() -> None:
    model, tokenizer = from_pretrained(SMOL), pretrained_tokenizer(SMOL)
    end = tokenizer.special_tokens["<|im_end|>"]
    encoder, names = SentenceEncoder(), list(PASSAGES)
    questions = QUESTIONS["test"]
    index = VectorIndex(encoder(list(PASSAGES.values())))
    found = index.search(encoder([q.text for q in questions]), k=1)[1][:, 0].tolist()
    runs = {
        "made by": "python benchmarks/chapter_18.py answers",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
        "found": [names[i] for i in found],
    }
    for kind in ("from memory", "from the passage"):
        texts = [PASSAGES[names[i]] if kind == "from the passage" else None for i in found]
        prompts = [encode_chat(tokenizer, chat_prompt(q.text, t)) for q, t in zip(questions, texts)]
        runs[kind] = []
        for at in range(0, len(prompts), 16):
            rows, mask = left_pad(prompts[at : at + 16], end)
            out = generate(model, rows, 16, temperature=0.0, mask=mask, stop_token=end)
            for row in out[:, rows.shape[1] :].tolist():
                said = tokenizer.decode(row[: row.index(end)] if end in row else row)
                runs[kind].append(said.strip())
            print(kind, at, runs[kind][-1], flush=True)
    with replacing(ANSWERS) as partial:
        partial.write_text(json.dumps(runs, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    for name in sys.argv[1:] or ("reader", "answers"):
        {"reader": reader, "answers": answers}[name]()
