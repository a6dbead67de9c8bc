"""BERT: an encoder that reads in both directions and fills in what is masked."""

from dataclasses import dataclass
from typing import NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.attention import check_heads
from llmcourse.layers import ACTIVATIONS, Block, LayerNorm, check_tokens, choose, cross_entropy
from llmcourse.positions import LearnedPositions


@dataclass(frozen=True, kw_only=True)
class BERTConfig:
    """The shape of a BERT.

    Args:
        vocab_size: different tokens.
        context_length: most tokens that the model reads at once.
        n_layer: blocks.
        n_head: heads per block.
        d_model: numbers per token.
        d_ff: width of the feed-forward layer; by default `4 * d_model`.
        n_segment: kinds of segments, 2 where a question and a passage are read together.
        activation: as in `FeedForward`.
        dropout: probability for embeddings, attention weights and outputs of sublayers.
        norm_eps: what the norms add under the root.
        predict_tokens: whether there is a masked-language-model head; a sentence encoder has none.

    Raises:
        ValueError: for a shape that cannot be built; the message says what to change.
    """

    vocab_size: int
    context_length: int
    n_layer: int
    n_head: int
    d_model: int
    d_ff: int | None = None
    n_segment: int = 2
    activation: str = "gelu"
    dropout: float = 0.0
    norm_eps: float = 1e-12
    predict_tokens: bool = True

    def __post_init__(self):
        if self.d_ff is None:
            object.__setattr__(self, "d_ff", 4 * self.d_model)
        sizes = (
            "vocab_size",
            "context_length",
            "n_layer",
            "n_head",
            "d_model",
            "d_ff",
            "n_segment",
        )
        for name in sizes:
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is {getattr(self, name)}: choose 1 or more")
        if not 0 <= self.dropout < 1:
            raise ValueError(f"dropout is {self.dropout}: it is a probability, choose 0 to below 1")
        choose("activation", self.activation, ACTIVATIONS)
        check_heads(self.d_model, self.n_head, self.n_head)


# Devlin et al., 2018, section 3, with the vocabulary of the uncased models.
PRESETS = {
    "bert_base": BERTConfig(
        vocab_size=30522, context_length=512, n_layer=12, n_head=12, d_model=768
    ),
    "bert_large": BERTConfig(
        vocab_size=30522, context_length=512, n_layer=24, n_head=16, d_model=1024
    ),
    # all-MiniLM-L6-v2, a sentence encoder.
    "minilm": BERTConfig(
        vocab_size=30522,
        context_length=512,
        n_layer=6,
        n_head=12,
        d_model=384,
        predict_tokens=False,
    ),
}


class BERTOutput(NamedTuple):
    """Vectors of shape (batch, time, d_model); logits of shape (batch, time, vocab_size), or None
    without a head; the loss, a scalar in nats, or None without targets."""

    hidden: Tensor
    logits: Tensor | None
    loss: Tensor | None


class BERT(nn.Module):
    """An encoder of post-norm blocks in which every token attends to every other one.

    The head that predicts masked tokens shares its matrix with the token embedding.

    Source: Devlin et al., "BERT: Pre-training of Deep Bidirectional Transformers for Language
    Understanding", 2018, section 3.
    """

    def __init__(self, config: BERTConfig):
        super().__init__()
        self.config = config
        d_model, eps = config.d_model, config.norm_eps
        self.token_embedding = nn.Embedding(config.vocab_size, d_model)
        self.positions = LearnedPositions(config.context_length, d_model)
        self.segment_embedding = nn.Embedding(config.n_segment, d_model)
        self.norm = LayerNorm(d_model, eps)
        self.dropout = nn.Dropout(config.dropout)
        self.blocks = nn.ModuleList(
            Block(
                d_model,
                config.n_head,
                config.d_ff,
                activation=config.activation,
                dropout=config.dropout,
                norm_eps=eps,
                pre_norm=False,
            )
            for _ in range(config.n_layer)
        )
        if config.predict_tokens:
            self.activation = ACTIVATIONS[config.activation]
            self.head = nn.Linear(d_model, d_model)
            self.head_norm = LayerNorm(d_model, eps)
            self.head_bias = nn.Parameter(torch.zeros(config.vocab_size))
        for module in self.modules():
            if isinstance(module, nn.Linear | nn.Embedding):
                nn.init.normal_(module.weight, std=0.02)
            if isinstance(module, nn.Linear):
                nn.init.zeros_(module.bias)

    def forward(
        self,
        tokens: Tensor,
        mask: Tensor | None = None,
        targets: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> BERTOutput:
        """What each token means where it stands, and which tokens could stand there.

        Args:
            tokens: ids, (batch, time).
            mask: boolean, True = a real token, False = padding, (batch, time).
            targets: the ids to predict, (batch, time); where it is -100, the position does not
                count (`mask_tokens`).
            segments: which part of the input a token is in, (batch, time); by default all in 0.

        Raises:
            TypeError: for a mask that is not boolean.
            ValueError: for too many tokens, a mask or segments of another shape, or targets for a
                model without a head.
        """
        self._check(tokens, mask, targets, segments)
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        segments = torch.zeros_like(tokens) if segments is None else segments
        x = self.token_embedding(tokens) + self.positions(positions)
        x = self.dropout(self.norm(x + self.segment_embedding(segments)))
        for block in self.blocks:
            x = block(x, mask=None if mask is None else mask[:, None, :])
        if not self.config.predict_tokens:
            return BERTOutput(x, None, None)
        guess = self.head_norm(self.activation(self.head(x)))
        logits = F.linear(guess, self.token_embedding.weight, self.head_bias)
        if targets is None:
            return BERTOutput(x, logits, None)
        loss = cross_entropy(logits, targets)
        return BERTOutput(x, logits, loss)

    def _check(self, tokens: Tensor, mask, targets, segments) -> None:
        check_tokens(tokens, self.config.vocab_size)
        if tokens.shape[1] > self.config.context_length:
            raise ValueError(
                f"tokens has length {tokens.shape[1]} but the model's context_length is "
                f"{self.config.context_length}: shorten the text or raise context_length"
            )
        for name, given in (("mask", mask), ("targets", targets), ("segments", segments)):
            if given is not None and given.shape != tokens.shape:
                raise ValueError(
                    f"{name} has shape {tuple(given.shape)} but tokens {tuple(tokens.shape)}: "
                    "give one entry for each token"
                )
        if segments is not None and segments.is_cpu and not torch.compiler.is_compiling():
            low, high = segments.aminmax()
            if low < 0 or high >= self.config.n_segment:
                raise ValueError(
                    f"segments contains {int(low if low < 0 else high)} but n_segment is "
                    f"{self.config.n_segment}: number the segments from 0, or raise n_segment"
                )
        if targets is not None and not self.config.predict_tokens:
            raise ValueError("this BERT has no head: set predict_tokens=True to train on targets")


def mask_tokens(
    tokens: Tensor,
    mask_token: int,
    vocab_size: int,
    special_tokens: list[int],
    generator: torch.Generator,
    rate: float = 0.15,
) -> tuple[Tensor, Tensor]:
    """Hide some tokens, for a model to guess: 80% become the mask, 10% another token, 10% stay.

    Source: Devlin et al., 2018, section 3.1, task 1.

    Args:
        tokens: ids, any shape.
        mask_token: the id of `[MASK]`.
        vocab_size: random tokens are drawn from 0 to `vocab_size - 1`.
        special_tokens: ids that are never hidden, such as `[CLS]`, `[SEP]` and `[PAD]`.
        generator: on the device of `tokens`.
        rate: the share of the other tokens to be guessed.

    Returns:
        The tokens with some of them replaced, and the targets, which hold the true id where there
        is something to guess and -100 elsewhere.

    Raises:
        ValueError: when the rate is no probability, or the mask token is not in the vocabulary.
    """
    if not 0 <= rate <= 1:
        raise ValueError(f"rate is {rate}: it is the share of tokens to guess, choose 0 to 1")
    if not 0 <= mask_token < vocab_size:
        raise ValueError(f"mask_token is {mask_token} but ids go from 0 to {vocab_size - 1}")
    special = torch.tensor(special_tokens, dtype=tokens.dtype, device=tokens.device)
    where = {"generator": generator, "device": tokens.device}
    draw = torch.rand(tokens.shape, **where)
    draw = draw.masked_fill(torch.isin(tokens, special), 1.0)
    random_tokens = torch.randint(vocab_size, tokens.shape, **where)
    hidden = tokens.where(draw >= 0.9 * rate, random_tokens)  # the middle tenth, then the first 80%
    hidden = hidden.masked_fill(draw < 0.8 * rate, mask_token)
    return hidden, tokens.masked_fill(draw >= rate, -100)


def weights_from_huggingface(weights: dict[str, Tensor], config: BERTConfig) -> dict[str, Tensor]:
    """Weights of transformers' BertModel or BertForMaskedLM, as `BERT(config).load_state_dict` has
    them.  What we have no place for (a pooler, a next-sentence head) is left out.

    Raises:
        ValueError: when a weight is missing.
    """
    weights = {name.removeprefix("bert."): tensor for name, tensor in weights.items()}
    try:
        ours = {our: weights[their] for our, their in _names(config).items()}
        for i in range(config.n_layer):
            for kind in ("weight", "bias"):
                parts = [weights[_QUERY_KEY_VALUE.format(i, part, kind)] for part in _PARTS]
                ours[f"blocks.{i}.attention.query_key_value.{kind}"] = torch.cat(parts)
    except KeyError as missing:
        raise ValueError(
            f"there is no weight {missing}: these are the weights of another config, or of a model "
            "without a masked-LM head, which needs predict_tokens=False"
        ) from None
    return ours


def weights_to_huggingface(weights: dict[str, Tensor], config: BERTConfig) -> dict[str, Tensor]:
    """The inverse: our weights under the names of BertForMaskedLM, or without a head of BertModel.

    The output matrix is the token embedding and stands there once, as in their files.
    """
    theirs = {their: weights[our] for our, their in _names(config).items()}
    for i in range(config.n_layer):
        for kind in ("weight", "bias"):
            fused = weights[f"blocks.{i}.attention.query_key_value.{kind}"]
            for part, tensor in zip(_PARTS, fused.chunk(3), strict=True):
                theirs[_QUERY_KEY_VALUE.format(i, part, kind)] = tensor
    if not config.predict_tokens:
        return theirs
    return {name if name.startswith("cls.") else f"bert.{name}": t for name, t in theirs.items()}


_QUERY_KEY_VALUE, _PARTS = "encoder.layer.{}.attention.self.{}.{}", ("query", "key", "value")


def _names(config: BERTConfig) -> dict[str, str]:
    """Our name and theirs, for all weights but queries, keys and values, which we keep as one."""
    modules = {"norm": "embeddings.LayerNorm"}
    for i in range(config.n_layer):
        modules |= {
            f"blocks.{i}.attention.output": f"encoder.layer.{i}.attention.output.dense",
            f"blocks.{i}.attention_norm": f"encoder.layer.{i}.attention.output.LayerNorm",
            f"blocks.{i}.feed_forward.up": f"encoder.layer.{i}.intermediate.dense",
            f"blocks.{i}.feed_forward.down": f"encoder.layer.{i}.output.dense",
            f"blocks.{i}.feed_forward_norm": f"encoder.layer.{i}.output.LayerNorm",
        }
    names = {
        "token_embedding.weight": "embeddings.word_embeddings.weight",
        "positions.weight": "embeddings.position_embeddings.weight",
        "segment_embedding.weight": "embeddings.token_type_embeddings.weight",
    }
    if config.predict_tokens:
        modules["head"] = "cls.predictions.transform.dense"
        modules["head_norm"] = "cls.predictions.transform.LayerNorm"
        names["head_bias"] = "cls.predictions.bias"
    for kind in ("weight", "bias"):
        names |= {f"{our}.{kind}": f"{their}.{kind}" for our, their in modules.items()}
    return names
