"""The command line, `python -m llmcourse train|generate|evaluate|export|doctor`.

`train` also runs on several processes, `torchrun --nproc-per-node 2 -m llmcourse train ...`.
"""

import argparse
import sys
from pathlib import Path

import torch

from llmcourse.checkpoints import has_checkpoint, load_checkpoint
from llmcourse.corpora import available_corpora, load_corpus
from llmcourse.data import TokenDataset, window_starts
from llmcourse.device import device, seed_everything
from llmcourse.distributed import World, processes
from llmcourse.doctor import examine
from llmcourse.evaluation import bits_per_byte, token_bits
from llmcourse.generation import generate
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer, to_huggingface
from llmcourse.tokenizers import BPETokenizer
from llmcourse.training import Trainer, TrainingConfig

TOKENIZER = "tokenizer.json"


def train(options: argparse.Namespace) -> None:
    """Train a GPT on a text, its last twentieth held out, and keep all in a folder.

    On several processes:  torchrun --standalone --nproc-per-node 2 -m llmcourse train ...
    """
    with processes() as world:
        _train(options, world)


def _train(options: argparse.Namespace, world: World) -> None:
    text = read_text(options.text)
    cut = len(text) - len(text) // 20
    kept = options.folder / TOKENIZER
    if has_checkpoint(options.folder) and not options.resume:
        raise FileExistsError(
            f"{options.folder} holds the checkpoint of another run: --resume goes on from it; for "
            "a new run choose another folder"
        )
    if options.resume and kept.exists():
        tokenizer = BPETokenizer.load(kept)
    elif options.tokenizer:
        tokenizer = tokenizer_of(options.tokenizer)
    else:
        tokenizer = BPETokenizer.train(text[:cut], options.vocab_size)
    seed_everything(options.seed)
    shape = GPTConfig(
        vocab_size=tokenizer.vocab_size,
        context_length=options.context_length,
        n_layer=options.n_layer,
        n_head=options.n_head,
        d_model=options.d_model,
    )
    config = TrainingConfig(
        steps=options.steps,
        batch_size=options.batch_size,
        context_length=options.context_length,
        accumulate=options.accumulate,
        learning_rate=options.learning_rate,
        warmup_steps=options.steps // 20,
        save_every=options.save_every,
        seed=options.seed,
    )
    learned, held_out = (
        TokenDataset(torch.tensor(tokenizer.encode(part), dtype=torch.int64))
        for part in (text[:cut], text[cut:])
    )
    window_starts(learned, 1, options.context_length)  # before anything is written
    if len(held_out) <= options.context_length:
        held_out = None  # too short for one window
    model = GPT(shape)
    trainer = Trainer(model, config, learned, held_out, options.folder, how=options.distribute)
    if world.rank == 0:
        options.folder.mkdir(parents=True, exist_ok=True)
        tokenizer.save(kept)
    history = trainer.train(options.resume)
    if history and world.rank == 0:
        print(f"step {history[-1]['step']}, loss {history[-1]['loss']:.3f} nats a token")


def write(options: argparse.Namespace) -> None:
    """Continue a prompt."""
    model, tokenizer = load(options.model)
    prompt = torch.tensor([tokenizer.encode(options.prompt)], dtype=torch.int64)
    generator = torch.Generator().manual_seed(options.seed)
    tokens = generate(
        model,
        prompt,
        options.max_new_tokens,
        options.temperature,
        options.top_k,
        options.top_p,
        generator=generator,
    )
    print(tokenizer.decode(tokens[0].tolist()))


def evaluate(options: argparse.Namespace) -> None:
    """Print how well a model guesses a text."""
    model, tokenizer = load(options.model)
    text = read_text(options.text)
    if not text:
        raise ValueError(f"{options.text} is empty: give a text of one character or more")
    bits = token_bits(model, tokenizer.encode(text))
    print(f"{bits_per_byte(bits, text):.4f} bits per byte")


def export(options: argparse.Namespace) -> None:
    """Write a model and its tokenizer as the transformers library reads them."""
    model, tokenizer = load(options.model)
    if options.folder.exists() and any(options.folder.iterdir()):
        raise FileExistsError(f"{options.folder} is not empty: choose a new folder")
    to_huggingface(model.cpu(), options.folder, tokenizer)
    print(f"written to {options.folder}")


def doctor(options: argparse.Namespace) -> int:
    """Say what this machine has, and what is wrong with it; the status is 1 if anything is."""
    lines, problems = examine()
    print("\n".join([*lines, "", *(problems or ["All is well."])]))
    return int(bool(problems))


def read_text(name: str) -> str:
    """A corpus of that name, or else a file in UTF-8."""
    if name in available_corpora():
        return load_corpus(name).text
    if not Path(name).is_file():
        corpora = ", ".join(available_corpora())
        raise FileNotFoundError(f"there is no file {name}: give a text file, or one of {corpora}")
    try:
        return Path(name).read_text(encoding="utf-8")
    except UnicodeDecodeError as error:
        raise ValueError(f"{name} is not a text in UTF-8 ({error}): convert it first") from error


def tokenizer_of(name: str) -> BPETokenizer:
    """A file that `BPETokenizer.save` wrote, or the tokenizer of a pretrained model."""
    return BPETokenizer.load(name) if Path(name).is_file() else pretrained_tokenizer(name)


def load(name: str) -> tuple[GPT, BPETokenizer]:
    """The model and tokenizer in a folder that `train` wrote, or of a pretrained name."""
    folder = Path(name)
    if not folder.is_dir():
        tokenizer, model = pretrained_tokenizer(name), from_pretrained(name)
    else:
        model = GPT(GPTConfig(**(load_checkpoint(folder).config or {})))
        load_checkpoint(folder, model)
        tokenizer = BPETokenizer.load(folder / TOKENIZER)
    return model.to(device()).eval(), tokenizer


def parser() -> argparse.ArgumentParser:
    main = argparse.ArgumentParser(prog="python -m llmcourse", description="The course's models.")
    commands = main.add_subparsers(required=True, metavar="COMMAND")

    def command(name: str, action) -> argparse.ArgumentParser:
        first = action.__doc__.splitlines()[0]
        added = commands.add_parser(name, help=first, description=action.__doc__)
        added.set_defaults(action=action)
        return added

    c = command("train", train)
    c.add_argument("text", help="a text file in UTF-8, or the name of a corpus")
    c.add_argument("--folder", type=Path, required=True, help="for checkpoint, log and tokenizer")
    c.add_argument("--tokenizer", help="a file, or a pretrained name; otherwise one is trained")
    c.add_argument("--resume", action="store_true", help="go on from the folder's checkpoint")
    for name, default in [
        *(("vocab-size", 1024), ("n-layer", 4), ("n-head", 4), ("d-model", 128)),
        *(("context-length", 128), ("steps", 1000), ("batch-size", 16), ("save-every", 100)),
        *(("seed", 0), ("accumulate", 1)),
    ]:
        c.add_argument(f"--{name}", type=int, default=default, help=f"default {default}")
    c.add_argument(
        "--distribute",
        choices=("ddp", "fsdp"),
        default="ddp",
        help="under torchrun: a copy of the model on each process, or slices of one; default ddp",
    )
    c.add_argument("--learning-rate", type=float, default=1e-3, help="default 0.001")

    c = command("generate", write)
    c.add_argument("model", help="a folder that train wrote, or a pretrained name")
    c.add_argument("prompt")
    c.add_argument("--max-new-tokens", type=int, default=50, help="default 50")
    c.add_argument("--temperature", type=float, default=1.0, help="default 1; 0 is greedy")
    c.add_argument("--top-k", type=int)
    c.add_argument("--top-p", type=float)
    c.add_argument("--seed", type=int, default=0, help="default 0")

    c = command("evaluate", evaluate)
    c.add_argument("model", help="a folder that train wrote, or a pretrained name")
    c.add_argument("text", help="a text file in UTF-8, or the name of a corpus")

    c = command("export", export)
    c.add_argument("model", help="a folder that train wrote, or a pretrained name")
    c.add_argument("--folder", type=Path, required=True, help="a new one")

    command("doctor", doctor)
    return main


def main(arguments: list[str] | None = None) -> int:
    """Run a command; what a person can put right is told in one line, with status 2."""
    options = parser().parse_args(arguments)
    try:
        return options.action(options) or 0
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    except (ValueError, OSError, ArithmeticError, ImportError, RuntimeError) as error:
        print(f"llmcourse: {' '.join(str(error).split())}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
