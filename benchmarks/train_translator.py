"""Train `course-translator` of chapter 19, and write it into the package.

    python benchmarks/train_translator.py

Some fifteen minutes on one core.  The log holds loss and exact translations of held-out sentences;
the numbers differ a little between machines.
"""

import json
import math

import torch
from torch.nn.utils import clip_grad_norm_

from llmcourse.checkpoints import save_checkpoint
from llmcourse.pretrained import WEIGHTS
from llmcourse.training import cosine_schedule
from llmcourse.translator import LANGUAGES, Translator, translation_pairs

STEPS, BATCH, RATE, WARMUP, SEED = 3500, 64, 2e-3, 200, 0


def main() -> None:
    torch.set_num_threads(1)
    torch.manual_seed(SEED)
    translator, log = Translator(), []
    rows = [(e, t, lang) for lang in LANGUAGES for e, t in translation_pairs(lang)]
    source = torch.nn.utils.rnn.pad_sequence(
        [translator.sources([e], lang)[0] for e, _, lang in rows], batch_first=True
    )
    target, labels = translator.targets([t for _, t, _ in rows])
    optimizer = torch.optim.AdamW(translator.parameters(), RATE, betas=(0.9, 0.98))
    generator = torch.Generator().manual_seed(SEED)
    total = 0.0
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = cosine_schedule(step, STEPS, RATE, WARMUP)
        b = torch.randint(len(rows), (BATCH,), generator=generator)
        width = [(table[b] != empty).any(0).sum() for table, empty in ((source, 0), (labels, -100))]
        s, t, y = source[b, : width[0]], target[b, : width[1]], labels[b, : width[1]]
        loss = translator.model(s, t, s != 0, y).loss
        loss.backward()
        clip_grad_norm_(translator.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        total += loss.item()
        if step % 100 == 99:
            line = {"step": step + 1, "loss": round(total / 100, 4)}
            if step % 500 == 499:
                translator.eval()
                for lang in LANGUAGES:
                    pairs = translation_pairs(lang, "test")[:100]
                    said = translator.translate([e for e, _ in pairs], lang)
                    line[lang] = sum(a == t for a, (_, t) in zip(said, pairs)) / len(pairs)
                translator.train()
            assert math.isfinite(total)
            log.append(line)
            print(line, flush=True)
            total = 0.0
    folder = WEIGHTS / "course-translator"
    save_checkpoint(folder, translator, step=STEPS, config=translator.config)
    (folder / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in log))


if __name__ == "__main__":
    main()
