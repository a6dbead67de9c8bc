"""The first transformer: an encoder that reads one text, and a decoder that writes another."""

import math
from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.attention import check_heads
from llmcourse.layers import ACTIVATIONS, Block, LayerNorm, check_tokens, choose, cross_entropy
from llmcourse.positions import sinusoidal_positions


@dataclass(frozen=True, kw_only=True)
class EncoderDecoderConfig:
    """The shape of an encoder-decoder.

    Args:
        source_vocab_size: different tokens of the text that is read.
        target_vocab_size: different tokens of the text that is written.
        n_layer: blocks of the encoder, and as many of the decoder.
        n_head: heads per attention.
        d_model: numbers per token.
        d_ff: width of the feed-forward layer; by default `4 * d_model`.
        activation: as in `FeedForward`.
        dropout: probability for embeddings, attention weights and outputs of sublayers.
        pre_norm: whether to normalise before a sublayer and once at the end, or, as in the paper,
            after each sum.
        norm_eps: what the norms add under the root.

    Raises:
        ValueError: for a shape that cannot be built; the message says what to change.
    """

    source_vocab_size: int
    target_vocab_size: int
    n_layer: int
    n_head: int
    d_model: int
    d_ff: int | None = None
    activation: str = "relu"
    dropout: float = 0.0
    pre_norm: bool = False
    norm_eps: float = 1e-5

    def __post_init__(self):
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        sizes = ("source_vocab_size", "target_vocab_size", "n_layer", "n_head", "d_model", "d_ff")
        for name in sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose 1 or more")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: it is a probability, choose 0 to below 1")
        choose("activation", self.activation, ACTIVATIONS)
        check_heads(self.d_model, self.n_head, self.n_head)
        if self.d_model % 2:
            raise ValueError(
                f"d_model is {self.d_model}, but sines and cosines come in pairs: make it even"
            )


class EncoderDecoderOutput(NamedTuple):
    """Logits of shape (batch, n_target, target_vocab_size), and the loss, a scalar in nats, or
    None."""

    logits: Tensor
    loss: Tensor | None


class EncoderDecoder(nn.Module):
    """Reads a source text in both directions, and writes a target text from left to right.

    Positions are sinusoids, so no length is too long.  The output head shares its matrix with the
    embedding of the target.

    Source: Vaswani et al., "Attention Is All You Need", 2017, section 3.
    """

    def __init__(self, config: EncoderDecoderConfig):
        super().__init__()
        self.config = config
        self.source_embedding = nn.Embedding(config.source_vocab_size, config.d_model)
        self.target_embedding = nn.Embedding(config.target_vocab_size, config.d_model)
        self.dropout = nn.Dropout(config.dropout)
        self.encoder = self._blocks(cross_attention=False)
        self.decoder = self._blocks(cross_attention=True)
        # A post-norm stack ends in a norm anyway; a pre-norm one needs one more.
        last_norm = LayerNorm if config.pre_norm else nn.Identity
        self.encoder_norm = last_norm(config.d_model, config.norm_eps)
        self.decoder_norm = last_norm(config.d_model, config.norm_eps)
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
            elif isinstance(module, nn.Embedding):
                nn.init.normal_(module.weight, std=config.d_model**-0.5)

    def _blocks(self, cross_attention: bool) -> nn.ModuleList:
        config = self.config
        return nn.ModuleList(
            Block(
                config.d_model,
                config.n_head,
                config.d_ff,
                activation=config.activation,
                dropout=config.dropout,
                norm_eps=config.norm_eps,
                pre_norm=config.pre_norm,
                cross_attention=cross_attention,
            )
            for _ in range(config.n_layer)
        )

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        source_mask: Tensor | None = None,
        labels: Tensor | None = None,
    ) -> EncoderDecoderOutput:
        """Logits for the token after each of `target`, given all of `source`.

        Args:
            source: ids of the text that is read, (batch, n_source).
            target: ids of what is written so far, (batch, n_target), a start token first; padding
                goes to its end, where no real token looks.
            source_mask: boolean, True = a real token, False = padding, (batch, n_source).
            labels: the id that follows each of `target`, (batch, n_target): the same text without
                its start token, and a stop token at its end; -100 does not count.

        Raises:
            ValueError: when shapes do not fit each other.
            TypeError: for a mask that is not boolean.
        """
        if labels is not None and labels.shape != target.shape:
            raise ValueError(
                f"labels has shape {tuple(labels.shape)} but target {tuple(target.shape)}: give "
                "for each token of target the one that follows"
            )
        logits = self.decode(target, self.encode(source, source_mask), source_mask)
        if labels is None:
            return EncoderDecoderOutput(logits, None)
        loss = cross_entropy(logits, labels)
        return EncoderDecoderOutput(logits, loss)

    def encode(self, source: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """What each token of the source means where it stands, (batch, n_source, d_model)."""
        if source_mask is not None and source_mask.shape != source.shape:
            raise ValueError(
                f"source_mask has shape {tuple(source_mask.shape)} but source "
                f"{tuple(source.shape)}: give one entry for each token"
            )
        x = self._embed(source, self.source_embedding)
        mask = None if source_mask is None else source_mask[:, None, :]
        for block in self.encoder:
            x = block(x, mask=mask)
        return self.encoder_norm(x)

    def decode(self, target: Tensor, encoded: Tensor, source_mask: Tensor | None = None) -> Tensor:
        """Logits for the token after each of `target`, given what `encode` returned."""
        if len(target) != len(encoded):
            raise ValueError(
                f"target holds {len(target)} sequences but source {len(encoded)}: give one for each"
            )
        x = self._embed(target, self.target_embedding)
        mask = None if source_mask is None else source_mask[:, None, :]
        for block in self.decoder:
            x = block(x, causal=True, context=encoded, context_mask=mask)
        return F.linear(self.decoder_norm(x), self.target_embedding.weight)

    @torch.no_grad()
    def translate(
        self,
        source: Tensor,
        start_token: int,
        stop_token: int,
        max_new_tokens: int,
        source_mask: Tensor | None = None,
    ) -> Tensor:
        """The most probable token after the other, (batch, written), without the start token.

        Once a sequence has its stop token, stop tokens fill its row.  Use it in `eval()` mode.
        """
        encoded = self.encode(source, source_mask)
        target = source.new_full((len(source), 1), start_token)
        stopped = torch.zeros_like(target, dtype=torch.bool)
        for _ in range(max_new_tokens):
            token = self.decode(target, encoded, source_mask)[:, -1:].argmax(-1)
            token = token.masked_fill(stopped, stop_token)
            target, stopped = torch.cat((target, token), dim=1), stopped | (token == stop_token)
            if stopped.all():
                break
        return target[:, 1:]

    def _embed(self, tokens: Tensor, embedding: nn.Embedding) -> Tensor:
        """Section 3.4: embeddings times sqrt(d_model), so that positions do not drown them."""
        check_tokens(tokens, embedding.num_embeddings)
        x = embedding(tokens) * math.sqrt(self.config.d_model)
        positions = sinusoidal_positions(tokens.shape[1], self.config.d_model, tokens.device)
        return self.dropout(x + positions.to(x.dtype))
