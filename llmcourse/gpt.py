"""GPT: a stack of blocks that reads tokens and says, at every position, which may come next."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.attention import KVCache, causal_mask, check_heads
from llmcourse.layers import (
    ACTIVATIONS,
    NORMS,
    Block,
    check_tokens,
    choose,
    cross_entropy,
    make_norm,
)
from llmcourse.positions import LearnedPositions, RotaryPositions, alibi_bias, sinusoidal_positions

POSITIONS = ("learned", "sinusoidal", "rope", "alibi", "none")


@dataclass(frozen=True, kw_only=True)
class GPTConfig:
    """The shape of a GPT; one class for the families of GPT-2 and of Llama.

    Args:
        vocab_size: different tokens.
        context_length: most tokens that the model reads at once.
        n_layer: blocks.
        n_head: query heads per block.
        n_kv_head: key and value heads; by default `n_head`.
        d_model: numbers per token.
        d_ff: width of the feed-forward layer; by default `4 * d_model`, and for SwiGLU, which has
            three matrices instead of two, `8 / 3 * d_model` rounded up to a multiple of 64.
        norm: `"layer"` or `"rms"`.
        position: `"learned"`, `"sinusoidal"`, `"rope"`, `"alibi"` or `"none"`.
        activation: `"gelu"`, `"gelu_tanh"`, `"relu"` or `"swiglu"`.
        bias: whether projections and layer norms add one.
        dropout: probability for embeddings, attention weights and outputs of sublayers.
        tie_embeddings: whether tokens are read and predicted by the same matrix.
        rope_theta: base of the rotary angles.
        norm_eps: what the norms add under the root.

    Raises:
        ValueError: for a shape that cannot be built; the message says what to change.
    """

    vocab_size: int
    context_length: int
    n_layer: int
    n_head: int
    n_kv_head: int | None = None
    d_model: int
    d_ff: int | None = None
    norm: str = "layer"
    position: str = "learned"
    activation: str = "gelu"
    bias: bool = True
    dropout: float = 0.0
    tie_embeddings: bool = True
    rope_theta: float = 10000.0
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.n_kv_head is None:
            object.__setattr__(self, "n_kv_head", self.n_head)
        if self.d_ff is None:
            swiglu = -(-8 * self.d_model // 3 // 64) * 64
            d_ff = swiglu if self.activation == "swiglu" else 4 * self.d_model
            object.__setattr__(self, "d_ff", d_ff)
        for name in ("vocab_size", "context_length", "n_layer", "n_head", "d_model", "d_ff"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose 1 or more")
        choose("norm", self.norm, NORMS)
        choose("position", self.position, POSITIONS)
        choose("activation", self.activation, ACTIVATIONS)
        for name in ("rope_theta", "norm_eps"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} is {getattr(self, name)}: choose a number above 0")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: it is a probability, choose 0 to below 1")
        check_heads(self.d_model, self.n_head, self.n_kv_head)
        if self.position == "rope" and self.head_dim % 2:
            raise ValueError(
                f"head_dim = d_model / n_head is {self.head_dim}, but rotary positions turn pairs "
                "of numbers: choose d_model and n_head so that it is even"
            )
        if self.position == "sinusoidal" and self.d_model % 2:
            raise ValueError(
                f"d_model is {self.d_model}, but sines and cosines come in pairs: make it even"
            )

    @property
    def head_dim(self) -> int:
        return self.d_model // self.n_head


def _gpt2(n_layer: int, n_head: int, d_model: int, context_length: int = 1024) -> GPTConfig:
    return GPTConfig(
        vocab_size=50257,
        context_length=context_length,
        n_layer=n_layer,
        n_head=n_head,
        d_model=d_model,
        activation="gelu_tanh",
    )


# Change one with dataclasses.replace(PRESETS["gpt2"], dropout=0.1).
PRESETS = {
    # Radford et al., 2019, table 2; Brown et al., 2020, table 2.1 (without its sparse attention).
    "gpt2": _gpt2(12, 12, 768),
    "gpt2_medium": _gpt2(24, 16, 1024),
    "gpt2_large": _gpt2(36, 20, 1280),
    "gpt2_xl": _gpt2(48, 25, 1600),
    "gpt3": _gpt2(96, 96, 12288, context_length=2048),
    # SmolLM2-135M (Allal et al., 2025), a small Llama.
    "smollm2": GPTConfig(
        vocab_size=49152,
        context_length=8192,
        n_layer=30,
        n_head=9,
        n_kv_head=3,
        d_model=576,
        d_ff=1536,
        norm="rms",
        position="rope",
        activation="swiglu",
        bias=False,
        rope_theta=100000.0,
    ),
    # Learns bytes in seconds.
    "tiny": GPTConfig(vocab_size=256, context_length=64, n_layer=2, n_head=4, d_model=64),
}


class GPTOutput(NamedTuple):
    """Logits of shape (batch, time, vocab_size), and the loss, a scalar in nats, or None."""

    logits: Tensor
    loss: Tensor | None


class GPT(nn.Module):
    """A decoder-only transformer, with pre-norm blocks and a last norm before the logits.

    Weights start at N(0, 0.02), biases at zero, and the projections that write into the residual
    stream `sqrt(2 * n_layer)` times smaller, because that many outputs are summed there.

    Source: Radford et al., "Language Models are Unsupervised Multitask Learners", 2019, section
    2.3; Touvron et al., "LLaMA: Open and Efficient Foundation Language Models", 2023, section 2.2.
    """

    def __init__(self, config: GPTConfig):
        super().__init__()
        self.config = config
        self.token_embedding = nn.Embedding(config.vocab_size, config.d_model)
        if config.position == "learned":
            self.positions = LearnedPositions(config.context_length, config.d_model)
        elif config.position == "rope":
            self.positions = RotaryPositions(config.head_dim, config.rope_theta)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(
                config.d_model,
                config.n_head,
                config.d_ff,
                n_kv_head=config.n_kv_head,
                norm=config.norm,
                activation=config.activation,
                bias=config.bias,
                dropout=config.dropout,
                norm_eps=config.norm_eps,
            )
            for _ in range(config.n_layer)
        )
        self.norm = make_norm(config.norm, config.d_model, config.norm_eps, config.bias)
        # A tied model has no matrix of its own here, so that no weight stands in a file twice.
        self.head = None
        if not config.tie_embeddings:
            self.head = nn.Linear(config.d_model, config.vocab_size, bias=False)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Draw all weights anew, as after `to_empty` on a model from the meta device."""
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
                if getattr(module, "bias", None) is not None:
                    nn.init.zeros_(module.bias)
            elif isinstance(module, tuple(NORMS.values())):
                nn.init.ones_(module.weight)
                if getattr(module, "bias", None) is not None:
                    nn.init.zeros_(module.bias)
        for block in self.blocks:
            for projection in (block.attention.output, block.feed_forward.down):
                nn.init.normal_(projection.weight, std=0.02 / math.sqrt(2 * self.config.n_layer))

    def forward(
        self,
        tokens: Tensor,
        targets: Tensor | None = None,
        cache: list[KVCache] | None = None,
        mask: Tensor | None = None,
        n_logits: int | None = None,
    ) -> GPTOutput:
        """Logits for the token after each of `tokens`, and the loss if `targets` are given.

        Args:
            tokens: ids, (batch, time); with a cache only the new ones.
            targets: for each position the id that comes next, (batch, time); where it is -100, the
                position does not count.
            cache: what `new_cache` made; it then holds `tokens` too.  Its buffers are written in
                place, so use it under `torch.no_grad()`.
            mask: boolean, True = a real token, False = padding, (batch, time); with a cache for all
                tokens so far and the new ones.  Positions count from the first real token.
            n_logits: give logits for the last so many positions only, which spares memory when a
                long prompt is read for its last line; by default for all.

        Raises:
            TypeError: for tokens that are no integers.
            ValueError: for tokens of another shape, none, too many, or outside the vocabulary (only
                checked on the CPU; a GPU stops with a device-side assert), and for a wrong mask.
        """
        if n_logits is not None and (n_logits < 1 or targets is not None):
            raise ValueError(
                f"n_logits is {n_logits}: choose 1 or more, and leave it out with targets, which "
                "need the logits of all positions"
            )
        x = self._stream(tokens, cache, mask)
        if n_logits is not None:
            x = x[:, -n_logits:]
        x = self.norm(x)
        tied = self.head is None
        logits = F.linear(x, self.token_embedding.weight) if tied else self.head(x)
        if targets is None:
            return GPTOutput(logits, None)
        return GPTOutput(logits, cross_entropy(logits, targets))

    def hidden(self, tokens: Tensor, mask: Tensor | None = None) -> Tensor:
        """What the logits are read from: after the last norm, (batch, time, d_model).

        Arguments and errors are those of `forward`.
        """
        return self.norm(self._stream(tokens, None, mask))

    def _stream(self, tokens: Tensor, cache: list[KVCache] | None, mask: Tensor | None) -> Tensor:
        """The residual stream after the last block."""
        past = cache[0].length if cache else 0
        self._check(tokens, past, mask)
        time, total = tokens.shape[1], past + tokens.shape[1]
        if mask is None:
            positions, causal = torch.arange(past, total, device=tokens.device), True
        else:
            positions, causal = (mask.cumsum(-1) - 1).clamp(min=0)[:, past:], False
            mask = mask[:, None, None, :] & causal_mask(time, total, tokens.device)

        x = self.token_embedding(tokens)
        rotate = score_bias = None
        if self.config.position == "learned":
            x = x + self.positions(positions)
        elif self.config.position == "sinusoidal":
            # As in the paper, section 3.4; else waves of size 1 drown embeddings of size 0.02.
            table = sinusoidal_positions(total, self.config.d_model, tokens.device).to(x.dtype)
            x = x * math.sqrt(self.config.d_model) + table[positions]
        elif self.config.position == "rope":
            rotate = self.positions.at(positions)
        elif self.config.position == "alibi":
            score_bias = alibi_bias(self.config.n_head, time, total, tokens.device)
        x = self.dropout(x)

        for block, layer_cache in zip(self.blocks, cache or [None] * len(self.blocks), strict=True):
            x = block(x, mask, causal, rotate, score_bias, layer_cache)
        return x

    def new_cache(self, batch: int, max_length: int | None = None) -> list[KVCache]:
        """An empty cache for each layer, for `max_length` tokens, by default the whole context."""
        config, weight = self.config, self.norm.weight
        device, dtype = weight.device, weight.dtype
        kind = device.type
        if torch.amp.is_autocast_available(kind) and torch.is_autocast_enabled(kind):
            dtype = torch.get_autocast_dtype(kind)
        length = config.context_length if max_length is None else max_length
        return [
            KVCache(batch, config.n_kv_head, length, config.head_dim, device, dtype)
            for _ in self.blocks
        ]

    def for_decoding(self) -> "GPT":
        """Store the matrices column by column, in place, and return the model.

        A new token multiplies each of them by a single vector, and a CPU is 1.2 to 1.4 times as
        fast at that in this order.  Names, shapes and numbers stay; a training step takes a few
        percent longer, because embeddings are looked up in columns.
        """
        for module in self.modules():
            tied = module is self.token_embedding and self.head is None
            if isinstance(module, nn.Linear) or tied:
                module.weight.data = module.weight.data.t().contiguous().t()
        return self

    def _check(self, tokens: Tensor, past: int, mask: Tensor | None) -> None:
        check_tokens(tokens, self.config.vocab_size)
        total, limit = past + tokens.shape[1], self.config.context_length
        cached = f", {past} of them in the cache," if past else ""
        if total > limit:
            raise ValueError(
                f"tokens has length {total}{cached} but context_length is {limit}: "
                "shorten the prompt or raise context_length"
            )
        if mask is not None and (mask.dtype != torch.bool or mask.shape != (len(tokens), total)):
            raise ValueError(
                f"mask has dtype {mask.dtype} and shape {tuple(mask.shape)}, but it is boolean, "
                f"True = a real token, and here ({len(tokens)}, {total}): one entry for each of "
                f"{total} tokens{cached} in each sequence"
            )
