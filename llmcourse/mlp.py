"""The neural language model before attention: a fixed number of tokens, side by side, into one
hidden layer (Bengio, Ducharme, Vincent and Jauvin, "A Neural Probabilistic Language Model", 2003).
"""

from dataclasses import dataclass
from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from llmcourse.layers import check_tokens, cross_entropy


@dataclass(frozen=True, kw_only=True)
class MLPConfig:
    """The shape of an `MLPLanguageModel`.

    Args:
        vocab_size: number of tokens; the default is one for each byte.
        context_length: tokens that the model sees when it predicts the next one.
        d_model: numbers in the embedding of a token.
        d_hidden: numbers in the hidden layer.

    Raises:
        ValueError: for a number below 1.
    """

    vocab_size: int = 256
    context_length: int = 16
    d_model: int = 32
    d_hidden: int = 1024

    def __post_init__(self):
        for name, value in vars(self).items():
            if value < 1:
                raise ValueError(f"{name} is {value}: choose 1 or more")


class MLPOutput(NamedTuple):
    """Logits, (batch, time, vocab_size), and where targets were given the loss, a scalar in nats
    per token."""

    logits: Tensor
    loss: Tensor | None


class MLPLanguageModel(nn.Module):
    """Predicts each token from the `context_length` tokens before it, and from nothing else.

    The embeddings of these tokens are laid side by side in one long vector; a hidden layer of
    rectified units reads it, and each token of the vocabulary gets its logit from the hidden layer.
    Where the text has not begun yet, zeros stand in place of an embedding.

    Source: Bengio et al. 2003, section 2, with rectified units in place of tanh and without the
    direct connections from embeddings to logits.
    """

    def __init__(self, config: MLPConfig):
        super().__init__()
        self.config = config
        self.embedding = nn.Embedding(config.vocab_size, config.d_model)
        self.hidden = nn.Linear(config.context_length * config.d_model, config.d_hidden)
        self.head = nn.Linear(config.d_hidden, config.vocab_size)

    def forward(self, tokens: Tensor, targets: Tensor | None = None) -> MLPOutput:
        """Logits for the token after each of `tokens`, and the loss if `targets` are given.

        Args:
            tokens: ids, (batch, time), of any length.
            targets: for each position the id that comes next, (batch, time); where it is -100, the
                position does not count.

        Raises:
            TypeError: for tokens that are no integers.
            ValueError: for tokens or targets of another shape, or outside the vocabulary.
        """
        check_tokens(tokens, self.config.vocab_size)
        context = self.config.context_length
        x = F.pad(self.embedding(tokens), (0, 0, context - 1, 0))
        windows = x.unfold(1, context, 1).transpose(2, 3)  # (batch, time, context, d_model)
        logits = self.head(F.relu(self.hidden(windows.flatten(2))))
        return MLPOutput(logits, None if targets is None else cross_entropy(logits, targets))
