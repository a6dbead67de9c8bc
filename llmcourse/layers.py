"""The parts of a transformer around attention: norm, feed-forward, the block; checks of input."""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.attention import KVCache, MultiHeadAttention


class LayerNorm(nn.Module):
    """Every token's numbers, shifted to mean 0 and scaled to variance 1, then to learned ones.

    Source: Ba, Kiros and Hinton, "Layer Normalization", 2016, section 3.

    Args:
        d_model: numbers per token; input and output are (..., d_model).
        eps: added to the variance, so that a constant token divides by something.
        bias: whether a learned mean is added; the scale is always learned.
    """

    def __init__(self, d_model: int, eps: float = 1e-5, bias: bool = True):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))
        self.bias = nn.Parameter(torch.zeros(d_model)) if bias else None

    def forward(self, x: Tensor) -> Tensor:
        return F.layer_norm(x, self.weight.shape, self.weight, self.bias, self.eps)


class RMSNorm(nn.Module):
    """Every token's numbers, scaled to a mean square of 1, then by learned factors.

    Source: Zhang and Sennrich, "Root Mean Square Layer Normalization", 2019, section 3.

    Args:
        d_model: numbers per token; input and output are (..., d_model).
        eps: added to the mean square.
    """

    def __init__(self, d_model: int, eps: float = 1e-5):
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(d_model))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.weight.shape, self.weight, self.eps)


NORMS = {"layer": LayerNorm, "rms": RMSNorm}


def _gelu_tanh(x: Tensor) -> Tensor:
    return F.gelu(x, approximate="tanh")


ACTIVATIONS = {"relu": F.relu, "gelu": F.gelu, "gelu_tanh": _gelu_tanh, "swiglu": F.silu}


class FeedForward(nn.Module):
    """Widens every token for itself, bends it, and narrows it again.

    `down(activation(up(x)))`, or with `"swiglu"` `down(silu(gate(x)) * up(x))`.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.3; Shazeer, "GLU Variants
    Improve Transformer", 2020, equation 6; Hendrycks and Gimpel, "Gaussian Error Linear Units",
    2016, section 2, which gives both GELU and the tanh that GPT-2 has in its place.

    Args:
        d_model: numbers per token; input and output are (..., d_model).
        d_ff: numbers in between.
        activation: `"relu"`, `"gelu"`, `"gelu_tanh"` or `"swiglu"`.
        bias: whether the projections add one.
        dropout: probability with which a number of the output is dropped in training.

    Raises:
        ValueError: for an unknown activation.
    """

    def __init__(
        self,
        d_model: int,
        d_ff: int,
        activation: str = "gelu",
        bias: bool = True,
        dropout: float = 0.0,
    ):
        super().__init__()
        choose("activation", activation, ACTIVATIONS)
        self.activation, self.gated = ACTIVATIONS[activation], activation == "swiglu"
        # Gate and up are one product: first the rows of the gate, then those of up.
        self.up = nn.Linear(d_model, 2 * d_ff if self.gated else d_ff, bias=bias)
        self.down = nn.Linear(d_ff, d_model, bias=bias)
        self.dropout = nn.Dropout(dropout)

    def forward(self, x: Tensor) -> Tensor:
        if self.gated:
            gate, up = self.up(x).chunk(2, dim=-1)
            hidden = self.activation(gate) * up
        else:
            hidden = self.activation(self.up(x))
        return self.dropout(self.down(hidden))


class Block(nn.Module):
    """One layer of a transformer: attention, then feed-forward, each added to what came in.

    Pre-norm normalises what a sublayer reads, `x + sublayer(norm(x))`; post-norm what it leaves,
    `norm(x + sublayer(x))`.  With `cross_attention`, a second attention over `context` stands
    between the two, as in a decoder that has an encoder.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.1 (post-norm); Radford et
    al., "Language Models are Unsupervised Multitask Learners", 2019, section 2.3 (pre-norm).

    Args:
        d_model, n_head, n_kv_head, bias, dropout: as in `MultiHeadAttention`.
        d_ff, activation: as in `FeedForward`.
        norm: `"layer"` or `"rms"`.
        norm_eps: the norm's `eps`.
        pre_norm: whether to normalise before a sublayer, or after its sum.
        cross_attention: whether the block also attends to a `context`.

    Raises:
        ValueError: for an unknown norm or activation, and as in `MultiHeadAttention`.
    """

    def __init__(
        self,
        d_model: int,
        n_head: int,
        d_ff: int,
        n_kv_head: int | None = None,
        norm: str = "layer",
        activation: str = "gelu",
        bias: bool = True,
        dropout: float = 0.0,
        norm_eps: float = 1e-5,
        pre_norm: bool = True,
        cross_attention: bool = False,
    ):
        super().__init__()
        self.pre_norm = pre_norm
        self.attention_norm = make_norm(norm, d_model, norm_eps, bias)
        self.attention = MultiHeadAttention(d_model, n_head, n_kv_head, bias, dropout)
        if cross_attention:
            self.cross_attention_norm = make_norm(norm, d_model, norm_eps, bias)
            self.cross_attention = MultiHeadAttention(d_model, n_head, n_kv_head, bias, dropout)
        else:
            self.cross_attention = None
        self.feed_forward_norm = make_norm(norm, d_model, norm_eps, bias)
        self.feed_forward = FeedForward(d_model, d_ff, activation, bias, dropout)

    def forward(
        self,
        x: Tensor,
        mask: Tensor | None = None,
        causal: bool = False,
        rotate: Callable[[Tensor], Tensor] | None = None,
        score_bias: Tensor | None = None,
        cache: KVCache | None = None,
        context: Tensor | None = None,
        context_mask: Tensor | None = None,
    ) -> Tensor:
        """(batch, time, d_model) in and out.

        `mask`, `causal`, `rotate`, `score_bias` and `cache` go to the self-attention, as in
        `MultiHeadAttention`; `context` (batch, n_key, d_model) and `context_mask` to the cross one.

        Raises:
            ValueError: for a context without cross-attention, or the other way round.
        """
        if (context is None) != (self.cross_attention is None):
            raise ValueError(
                "cross_attention and context go together: this block has "
                f"{'no ' if self.cross_attention is None else ''}cross-attention, and was given "
                f"{'no ' if context is None else 'a '}context"
            )

        def attend(x: Tensor) -> Tensor:
            return self.attention(
                x, mask=mask, causal=causal, rotate=rotate, score_bias=score_bias, cache=cache
            )

        def cross(x: Tensor) -> Tensor:
            return self.cross_attention(x, context=context, mask=context_mask)

        x = self._add(x, self.attention_norm, attend)
        if self.cross_attention is not None:
            x = self._add(x, self.cross_attention_norm, cross)
        return self._add(x, self.feed_forward_norm, self.feed_forward)

    def _add(self, x: Tensor, norm: nn.Module, sublayer: Callable[[Tensor], Tensor]) -> Tensor:
        return x + sublayer(norm(x)) if self.pre_norm else norm(x + sublayer(x))


def make_norm(kind: str, d_model: int, eps: float, bias: bool) -> LayerNorm | RMSNorm:
    """The norm called `kind`; an RMS norm has no bias to leave out."""
    choose("norm", kind, NORMS)
    return LayerNorm(d_model, eps, bias) if kind == "layer" else RMSNorm(d_model, eps)


def choose(name: str, given: str, known) -> None:
    """Raise a ValueError that lists the `known` values, unless `given` is one of them."""
    if given not in known:
        raise ValueError(f"{name} is {given!r}: choose one of {', '.join(map(repr, known))}")


def check_tokens(tokens: Tensor, vocab_size: int) -> None:
    """Raise an error unless tokens are integers of shape (batch, time), from 0 to vocab_size - 1.

    Reading a value back from a GPU would make it wait, so only on the CPU are ids looked at.

    Raises:
        TypeError: for tokens that are no integers.
        ValueError: for tokens of another shape, none, or outside the vocabulary.
    """
    if tokens.dtype not in (torch.int64, torch.int32):
        raise TypeError(f"tokens has dtype {tokens.dtype}, but ids are int64: use tokens.long()")
    if tokens.dim() != 2 or tokens.numel() == 0:
        raise ValueError(
            f"tokens has shape {tuple(tokens.shape)}, but the model reads (batch, time) with one "
            "token or more: a single sequence is tokens[None], an empty prompt needs a first token"
        )
    if tokens.is_cpu and not torch.compiler.is_compiling():
        low, high = tokens.aminmax()
        if low < 0 or high >= vocab_size:
            raise ValueError(
                f"tokens contains the id {int(low if low < 0 else high)} but vocab_size is "
                f"{vocab_size}: use the tokenizer that the model was trained with"
            )


def cross_entropy(logits: Tensor, targets: Tensor, n_chunks: int = 8) -> Tensor:
    """The mean surprise of the targets, a scalar in nats; those of -100 do not count.

    This is `F.cross_entropy` in float32, piece by piece: large buffers come from the system and go
    back to it, and on a CPU fetching their pages takes longer than the arithmetic.

    Args:
        logits: (batch, time, vocab_size).
        targets: ids, (batch, time).  When all are -100 there is nothing to average: nan.

    Raises:
        ValueError: for targets of another shape.
    """
    if targets.shape != logits.shape[:-1]:
        raise ValueError(
            f"targets has shape {tuple(targets.shape)}, but there are logits for "
            f"{tuple(logits.shape[:-1])}: give one target for each position, (batch, time)"
        )
    logits, targets = logits.flatten(0, 1), targets.flatten().long()
    pieces = zip(logits.chunk(n_chunks), targets.chunk(n_chunks), strict=True)
    losses = [F.cross_entropy(piece.float(), ids, reduction="sum") for piece, ids in pieces]
    return torch.stack(losses).sum() / (targets != -100).sum()
