"""Train the neural model of chapter 3 for longer than a notebook can, and ship it.

    python benchmarks/chapter_03.py FOLDER     # goes on from FOLDER's checkpoint, if it has one

It reads the training part of the King James text in bytes.  Of this part every twentieth block is
set aside to watch the run; the held-out passages of the ladder are not touched.  When all steps are
done, weights and log are written to `llmcourse/weights/course-mlp/`, from where the chapter loads
them.
"""

import argparse
import dataclasses
import shutil
from pathlib import Path

import llmcourse
from llmcourse import seed_everything
from llmcourse.checkpoints import save_checkpoint
from llmcourse.corpora import load_corpus
from llmcourse.data import TokenDataset
from llmcourse.mlp import MLPConfig, MLPLanguageModel
from llmcourse.training import LOG, Trainer, TrainingConfig

SHIPPED = Path(llmcourse.__file__).parent / "weights" / "course-mlp"
CONFIG = TrainingConfig(
    steps=8000,
    batch_size=16,
    context_length=256,
    learning_rate=3e-3,
    warmup_steps=100,
    weight_decay=0.01,
    log_every=100,
    evaluate_every=500,
    evaluation_batches=25,
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="for the log and the checkpoint of the run")
    folder = parser.parse_args().folder
    corpus = load_corpus("king-james")
    train, watched = dataclasses.replace(corpus, text=corpus.split()[0]).split()
    train, watched = (TokenDataset(list(t.encode())) for t in (train, "".join(watched)))
    seed_everything(0)
    model = MLPLanguageModel(MLPConfig())
    trainer = Trainer(model, CONFIG, train, watched, folder=folder)
    trainer.train(resume=True)
    SHIPPED.mkdir(parents=True, exist_ok=True)
    save_checkpoint(SHIPPED, model.cpu(), step=trainer.step)
    shutil.copyfile(folder / LOG, SHIPPED / LOG)


if __name__ == "__main__":
    main()
