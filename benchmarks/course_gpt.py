"""Train `course-gpt`, the model that the book's later chapters use, and ship it.

    python benchmarks/course_gpt.py FOLDER     # goes on from FOLDER's checkpoint, if it has one

It reads the training part of the King James text in tokens, of which 2,048 are learnt from that
part.  Of this part every fiftieth block is set aside to watch the run; the held-out passages of the
ladder are not touched.  On the way it writes a few lines at the steps of `SAMPLED`.  When all steps
are done, weights (in 16 bits), tokenizer, log and samples are written to
`llmcourse/weights/course-gpt/`, from where `from_pretrained("course-gpt")` loads them.
"""

import argparse
import dataclasses
import json
import shutil
from pathlib import Path

import torch

import llmcourse
from llmcourse import seed_everything
from llmcourse.checkpoints import replacing, save_checkpoint
from llmcourse.corpora import load_corpus
from llmcourse.data import TokenDataset
from llmcourse.generation import generate
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.tokenizers import BPETokenizer
from llmcourse.training import LOG, Trainer, TrainingConfig

SHIPPED = Path(llmcourse.__file__).parent / "weights" / "course-gpt"
TOKENIZER, SAMPLES = "tokenizer.json", "samples.json"
MODEL = GPTConfig(
    vocab_size=2048,
    context_length=256,
    n_layer=6,
    n_head=8,
    d_model=256,
    d_ff=576,
    norm="rms",
    position="rope",
    activation="swiglu",
    bias=False,
    dropout=0.1,
)
CONFIG = TrainingConfig(
    steps=5000,
    batch_size=8,
    context_length=256,
    learning_rate=2e-3,
    min_learning_rate=2e-5,
    warmup_steps=200,
    weight_decay=0.1,
    log_every=50,
    evaluate_every=250,
    save_every=250,
    evaluation_batches=20,
)
SAMPLED = (0, 10, 30, 100, 300, 1000, 2000, 3000, 4000, 5000)
PROMPT = "And it came to pass"


def tokenizer_of(text: str, folder: Path) -> BPETokenizer:
    file = folder / TOKENIZER
    if not file.exists():
        folder.mkdir(parents=True, exist_ok=True)
        BPETokenizer.train(text, MODEL.vocab_size).save(file)
    return BPETokenizer.load(file)


def sample(model: GPT, tokenizer: BPETokenizer) -> str:
    """The prompt and forty more tokens, always drawn with the same random numbers."""
    weight, generator = model.norm.weight, torch.Generator().manual_seed(0)
    prompt = torch.tensor([tokenizer.encode(PROMPT)], device=weight.device)
    written = generate(model, prompt, 40, temperature=0.8, generator=generator)
    return tokenizer.decode(written[0].tolist())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the log and the checkpoint of the run")
    folder = parser.parse_args().folder
    corpus = load_corpus("king-james")
    text = corpus.split()[0]
    train, watched = dataclasses.replace(corpus, text=text).split(every=50)
    tokenizer = tokenizer_of(text, folder)
    train, watched = (TokenDataset(tokenizer.encode(t)) for t in (train, "".join(watched)))

    seed_everything(0)
    model = GPT(MODEL)
    for block in model.blocks:  # dropping attention weights costs a CPU as much as all else
        block.attention.attention_dropout = 0.0
    trainer = Trainer(model, CONFIG, train, watched, folder=folder)
    samples = {}
    if (folder / SAMPLES).exists():
        samples = json.loads((folder / SAMPLES).read_text(encoding="utf-8"))
    for step in SAMPLED:
        if step:
            trainer.train(resume=True, until=step)
        if trainer.step == step:  # else the run went on from a later one
            samples[str(step)] = sample(model, tokenizer)
            folder.mkdir(parents=True, exist_ok=True)
            with replacing(folder / SAMPLES) as partial:
                partial.write_text(json.dumps(samples, indent=1) + "\n", encoding="utf-8")

    SHIPPED.mkdir(parents=True, exist_ok=True)
    save_checkpoint(SHIPPED, model.cpu().half(), step=trainer.step)
    for name in (TOKENIZER, SAMPLES, LOG):
        shutil.copyfile(folder / name, SHIPPED / name)


if __name__ == "__main__":
    main()
