"""Time and memory of one training step: ours, a plain GPT and libraries, in the same run.

    python benchmarks/training_step.py
    python benchmarks/training_step.py --repeats 3 --precision float32
    python benchmarks/training_step.py --layers 12 --heads 12 --width 768 --vocabulary 50257

A step is forward, backward, clipping and a fused AdamW update.  Speed is relative to the plain GPT
of the first precision; the share of the limit is the step's floating-point operations
(`llmcourse.scaling.training_flops`) over what one large matrix product of the same precision
reaches, timed in every repeat too.  Peak memory is that of a process which does nothing else, over
what it held before the model was made.  litgpt and x-transformers take part where installed.
"""

import argparse
import contextlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy
import torch
import torch.nn.functional as F
from peers import PEERS, interleaved, spread

from llmcourse.device import device
from llmcourse.gpt import GPTConfig
from llmcourse.scaling import count_parameters, training_flops

SIDE = 2048  # of the matrices that measure the limit
TINY = GPTConfig(vocab_size=8, context_length=8, n_layer=1, n_head=1, d_model=8)


def litgpt(config: GPTConfig):
    """With rotary positions, since it has no others, and the loss that its own training takes."""
    from litgpt.config import Config
    from litgpt.model import GPT
    from litgpt.utils import chunked_cross_entropy

    model = GPT(
        Config(
            vocab_size=config.vocab_size,
            padded_vocab_size=config.vocab_size,
            block_size=config.context_length,
            n_layer=config.n_layer,
            n_head=config.n_head,
            n_embd=config.d_model,
            attn_bias=True,
            parallel_residual=False,
            rotary_percentage=1.0,
        )
    )
    model.apply(model._init_weights)
    model.transformer.wte.weight = model.lm_head.weight
    return model, lambda tokens, targets: chunked_cross_entropy(model(tokens), targets)


def x_transformers(config: GPTConfig):
    from x_transformers import Decoder, TransformerWrapper

    model = TransformerWrapper(
        num_tokens=config.vocab_size,
        max_seq_len=config.context_length,
        tie_embedding=True,
        attn_layers=Decoder(
            dim=config.d_model,
            depth=config.n_layer,
            heads=config.n_head,
            attn_dim_head=config.head_dim,
            attn_flash=True,
        ),
    )
    return model, lambda tokens, targets: F.cross_entropy(model(tokens).transpose(1, 2), targets)


OPTIONAL = {"litgpt": litgpt, "x-transformers": x_transformers}
MODELS = PEERS | OPTIONAL


def precision_context(precision: str):
    if precision == "float32":
        return contextlib.nullcontext()
    return torch.autocast(device().type, dtype=torch.bfloat16)


def make_step(name: str, config: GPTConfig, batch: int, precision: str):
    """A function that does one training step on the same random tokens each time."""
    torch.manual_seed(0)
    model, loss_of = MODELS[name](config)
    model.to(device()).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-4, fused=True)
    tokens = torch.randint(config.vocab_size, (batch, config.context_length + 1), device=device())
    tokens, targets = tokens[:, :-1].contiguous(), tokens[:, 1:].contiguous()

    def step() -> None:
        with precision_context(precision):
            loss = loss_of(tokens, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad(set_to_none=True)

    return step


def memory(name: str, config: GPTConfig, batch: int, precision: str) -> float:
    """Peak MiB of three steps in this process, over what it held before."""
    if device().type == "cuda":
        step = make_step(name, config, batch, precision)
        for _ in range(3):
            step()
        return torch.cuda.max_memory_allocated() / 2**20
    make_step(name, TINY, 1, precision)()  # what is imported on the way is not the model's
    before = status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak so far
    step = make_step(name, config, batch, precision)
    for _ in range(3):
        step()
    return (status("VmHWM") - before) / 1024


def memory_of(name: str, precision: str) -> str:
    """`memory` in a process of its own."""
    command = [sys.executable, *sys.argv, "--memory-of", name, "--precision", precision]
    output = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout
    return f"{float(output.split()[-1]):.0f}"


def status(field: str) -> int:
    """Resident memory of this process in KiB: VmRSS now, VmHWM at its peak (Linux)."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return int(next(line for line in lines if line.startswith(field)).split()[1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in dict(
        repeats=15, batch=8, context=256, layers=6, heads=6, width=384, vocabulary=4096
    ).items():
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"])
    parser.add_argument("--peers", nargs="+", default=list(MODELS), choices=list(MODELS))
    parser.add_argument("--cpu-seconds", action="store_true", help="see peers.interleaved")
    parser.add_argument("--skip-memory", action="store_true", help="do not measure peak memory")
    parser.add_argument("--memory-of", help=argparse.SUPPRESS)
    given = parser.parse_args()
    config = GPTConfig(
        vocab_size=given.vocabulary,
        context_length=given.context,
        n_layer=given.layers,
        n_head=given.heads,
        d_model=given.width,
    )
    if given.memory_of:
        print(memory(given.memory_of, config, given.batch, given.precision[0]))
        return

    for name in OPTIONAL:
        if name in given.peers and importlib.util.find_spec(name.replace("-", "_")) is None:
            print(f"{name} is not installed, so it does not take part: pip install {name}")
            given.peers.remove(name)
    contestants = {}
    for precision in given.precision:
        for name in given.peers:
            contestants[name, precision] = make_step(name, config, given.batch, precision)
        matrix = torch.randn(SIDE, SIDE, device=device(), dtype=getattr(torch, precision))
        contestants["limit", precision] = lambda matrix=matrix: matrix @ matrix
    seconds = interleaved(contestants, given.repeats, device(), given.cpu_seconds)

    flops = training_flops(config, given.batch * given.context)
    first = seconds[given.peers[0], given.precision[0]]
    print(
        f"{count_parameters(config) / 1e6:.1f}M parameters, {given.batch} x {given.context} tokens"
    )
    print(
        f"{flops / 1e9:.0f} GFLOP a step, on {device()}, medians of {given.repeats} (quartiles)\n"
    )
    print(f"{'':20} {'precision':9} {'ms':>7} {'speed':>18} {'of limit':>9} {'peak MiB':>9}")
    for precision in given.precision:
        limit = 2 * SIDE**3 / seconds["limit", precision]
        for name in given.peers:
            times = seconds[name, precision]
            share = numpy.median(flops / times / limit)
            peak = "" if given.skip_memory else memory_of(name, precision)
            print(
                f"{name:20} {precision:9} {1e3 * numpy.median(times):7.0f} "
                f"{spread(first / times):>18} {share:9.0%} {peak:>9}"
            )
        print(f"{'limit':20} {precision:9} {numpy.median(limit) / 1e9:7.0f} GFLOP/s")


if __name__ == "__main__":
    main()
