"""The models that ours are measured beside, and how: interleaved, paired, by medians.

On a shared machine the speed of everything drifts.  So every repeat times all contestants one after
the other, in an order that rotates, and what counts is the median over repeats of the ratio between
two of them.
"""

import time
from collections.abc import Callable

import numpy
import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.gpt import GPT, GPTConfig


class PlainBlock(nn.Module):
    def __init__(self, d_model: int, n_head: int):
        super().__init__()
        self.n_head = n_head
        self.norm_1, self.norm_2 = nn.LayerNorm(d_model), nn.LayerNorm(d_model)
        self.qkv, self.out = nn.Linear(d_model, 3 * d_model), nn.Linear(d_model, d_model)
        self.up, self.down = nn.Linear(d_model, 4 * d_model), nn.Linear(4 * d_model, d_model)

    def forward(self, x):
        batch, time, d_model = x.shape
        q, k, v = (
            t.view(batch, time, self.n_head, -1).transpose(1, 2)
            for t in self.qkv(self.norm_1(x)).split(d_model, dim=2)
        )
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(y.transpose(1, 2).contiguous().view(batch, time, d_model))
        return x + self.down(F.gelu(self.up(self.norm_2(x))))


class PlainGPT(nn.Module):
    """GPT-2 as most people write it after nanoGPT: short, SDPA, no cache."""

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.token = nn.Embedding(config.vocab_size, config.d_model)
        self.position = nn.Embedding(config.context_length, config.d_model)
        self.blocks = nn.Sequential(
            *(PlainBlock(config.d_model, config.n_head) for _ in range(config.n_layer))
        )
        self.norm = nn.LayerNorm(config.d_model)
        self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.head.weight = self.token.weight
        self.apply(lambda m: hasattr(m, "weight") and m.weight.data.normal_(std=0.02))

    def forward(self, tokens, targets=None):
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.norm(self.blocks(self.token(tokens) + self.position(positions)))
        if targets is None:
            return self.head(x[:, -1:])  # as nanoGPT: only the last position when it writes
        logits = self.head(x)
        return F.cross_entropy(logits.view(-1, logits.shape[-1]), targets.view(-1))


def plain_gpt(config: GPTConfig):
    model = PlainGPT(config)
    return model, model


def ours(config: GPTConfig):
    model = GPT(config)
    return model, lambda tokens, targets: model(tokens, targets).loss


def huggingface(config: GPTConfig, activation: str = "gelu_new"):
    """transformers' GPT-2; "gelu_new" is its own default, a tanh written out in four operations."""
    from transformers import GPT2Config, GPT2LMHeadModel

    model = GPT2LMHeadModel(
        GPT2Config(
            vocab_size=config.vocab_size,
            n_positions=config.context_length,
            n_embd=config.d_model,
            n_layer=config.n_layer,
            n_head=config.n_head,
            activation_function=activation,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            attn_implementation="sdpa",
            bos_token_id=None,
            eos_token_id=None,
        )
    )
    return model, lambda tokens, targets: model(tokens, labels=tokens, use_cache=False).loss


# name: function of a config, giving the model, and its loss as a function of tokens and targets
PEERS = {
    "plain GPT": plain_gpt,
    "llmcourse": ours,
    "transformers": huggingface,
    "transformers, gelu": lambda config: huggingface(config, "gelu"),
}


def interleaved(
    contestants: dict[str, Callable[[], object]],
    repeats: int,
    on: torch.device,
    cpu_seconds: bool = False,
) -> dict[str, numpy.ndarray]:
    """Seconds of each contestant in each repeat, after one that is not counted.

    With `cpu_seconds`, those that this process was given: with one thread (OMP_NUM_THREADS=1) they
    hardly depend on what else the machine does, and with several they count waiting as work.
    """
    clock = time.process_time if cpu_seconds else time.perf_counter
    names = list(contestants)
    seconds = {name: [] for name in names}
    for repeat in range(repeats + 1):
        shift = repeat % len(names)
        for name in names[shift:] + names[:shift]:
            synchronize(on)
            start = clock()
            contestants[name]()
            synchronize(on)
            seconds[name].append(clock() - start)
    return {name: numpy.array(times[1:]) for name, times in seconds.items()}


def synchronize(on: torch.device) -> None:
    if on.type == "cuda":
        torch.cuda.synchronize()
    elif on.type == "mps":
        torch.mps.synchronize()


def spread(ratios: numpy.ndarray) -> str:
    """A median with its quartiles: 1.23 (1.20-1.25)."""
    low, middle, high = numpy.percentile(ratios, [25, 50, 75])
    return f"{middle:5.2f} ({low:.2f}-{high:.2f})"
