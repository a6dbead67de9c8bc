"""Teach SmolLM2 to file mails, by low-rank updates, for longer than chapter 14 does; ship them.

    python benchmarks/chapter_14.py

The task, the form of a prompt and the loss are those of the chapter.  The updates and their log go
to `llmcourse/weights/course-clerk/`; the chapter measures them on held-out mails.
"""

import json
import time
from pathlib import Path

import torch

import llmcourse
from llmcourse import seed_everything
from llmcourse.checkpoints import replacing
from llmcourse.device import autocast
from llmcourse.finetuning import answer_labels, apply_lora, save_adapter, sft_loss
from llmcourse.mails import mails
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer

SHIPPED = Path(llmcourse.__file__).parent / "weights" / "course-clerk"
STEPS, BATCH, RANK, ALPHA, RATE, WARMUP = 240, 8, 8, 16, 1e-3, 10


def main() -> None:
    tokenizer = pretrained_tokenizer("smollm2-135m-instruct")
    end = tokenizer.special_tokens["<|im_end|>"]
    seed_everything(0)
    model = apply_lora(from_pretrained("smollm2-135m-instruct"), RANK, ALPHA)
    trained = [weight for weight in model.parameters() if weight.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=RATE, weight_decay=0.0)
    data, log, started = mails(STEPS * BATCH, "train", seed=1), [], time.perf_counter()
    model.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1, (step + 1) / WARMUP) * (1 - step / STEPS)
        prompts, rows = [], []
        for mail in data[BATCH * step : BATCH * (step + 1)]:
            text = f"<|im_start|>user\n{mail.text}<|im_end|>\n<|im_start|>assistant\n"
            prompts.append(tokenizer.encode(text, "all"))
            rows.append(prompts[-1] + tokenizer.encode(mail.answer) + [end])
        longest = max(map(len, rows))
        tokens = torch.tensor([row + [end] * (longest - len(row)) for row in rows])
        real = torch.tensor([[True] * len(r) + [False] * (longest - len(r)) for r in rows])
        labels = answer_labels(tokens, [len(prompt) for prompt in prompts], real)
        with autocast():
            loss = sft_loss(model(tokens).logits, labels)
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        seconds = round(time.perf_counter() - started)
        log.append({"step": step + 1, "loss": round(loss.item(), 4), "seconds": seconds})
        if step % 10 == 9:
            print(log[-1], flush=True)
    SHIPPED.mkdir(parents=True, exist_ok=True)
    save_adapter(model.half(), SHIPPED / "adapter.safetensors")
    with replacing(SHIPPED / "log.jsonl") as partial:
        partial.write_text("".join(json.dumps(line) + "\n" for line in log), encoding="utf-8")


if __name__ == "__main__":
    main()
