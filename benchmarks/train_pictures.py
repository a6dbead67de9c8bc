"""Train `course-pictures`, the PictureGPT of chapter 23, and write it into the package.

    python benchmarks/train_pictures.py

A minute on one core.  The log holds the loss every 50 steps; the numbers differ a little between
machines.
"""

import json
from pathlib import Path

import torch
import torch.nn.functional as F

from llmcourse.checkpoints import save_checkpoint
from llmcourse.pictures import PictureGPT, caption_ids, pictures
from llmcourse.pretrained import WEIGHTS
from llmcourse.training import configure_optimizer, cosine_schedule

STEPS, BATCH, RATE, SEED = 1500, 64, 3e-3, 0


def main(folder: Path = WEIGHTS / "course-pictures") -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    model, log = PictureGPT(), []
    optimizer = configure_optimizer(model, RATE, 0.01)
    shown = pictures(400 * BATCH, seed=SEED)
    pixels = torch.stack([picture.pixels for picture in shown])
    words = caption_ids([picture.caption for picture in shown])
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = cosine_schedule(step, STEPS, RATE, 30)
        rows = torch.arange(step * BATCH, (step + 1) * BATCH) % len(shown)
        logits = model(pixels[rows], words[rows, :-1])
        loss = F.cross_entropy(logits.flatten(0, 1), words[rows, 1:].flatten())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        if step % 50 == 49:
            log.append({"step": step + 1, "loss": round(loss.item(), 5)})
            print(log[-1], flush=True)
    save_checkpoint(folder, model, step=STEPS, config=model.config)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))


if __name__ == "__main__":
    main()
