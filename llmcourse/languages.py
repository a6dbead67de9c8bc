"""Languages made by us, whose entropy is known exactly: the floor under every model's loss."""

import numpy
import torch


class MarkovLanguage:
    """A language in which the next symbol depends on the last `order` symbols and nothing else.

    Args:
        transition: probabilities of the next symbol, shape (vocab_size,) * order + (vocab_size,):
            `transition[a, b, c]` is P(c | a then b).  Each row over the last axis sums to 1.

    Raises:
        ValueError: when the axes differ in size, or a row is no probability distribution.

    Source: Shannon, "A Mathematical Theory of Communication", 1948, sections 2 to 7.
    """

    def __init__(self, transition: torch.Tensor):
        transition = torch.as_tensor(transition, dtype=torch.float64).cpu()
        if transition.dim() < 2 or len(set(transition.shape)) != 1:
            raise ValueError(
                f"transition has shape {tuple(transition.shape)}, but needs one axis of the size "
                "of the vocabulary for each symbol of the context, and one for the next symbol"
            )
        sums = transition.sum(-1)
        if (transition < 0).any() or not torch.allclose(sums, torch.ones_like(sums)):
            raise ValueError("transition holds negative numbers or rows that do not sum to 1")
        self.transition = transition
        self.vocab_size = transition.shape[-1]
        self.order = transition.dim() - 1

    @classmethod
    def random(
        cls, vocab_size: int, order: int, generator: torch.Generator, sharpness: float = 2.0
    ):
        """A language drawn at random; the larger `sharpness`, the more predictable it is."""
        scores = torch.randn((vocab_size,) * (order + 1), generator=generator, dtype=torch.float64)
        return cls(torch.softmax(sharpness * scores, dim=-1))

    def stationary(self) -> torch.Tensor:
        """How often each context occurs in a long text, shape (vocab_size,) * order, sum 1.

        It is the left eigenvector for eigenvalue 1 of the chain over contexts, found as the
        least-squares solution of `pi @ chain = pi` with `sum(pi) = 1`: that also holds for a chain
        that is periodic, where repeated multiplication never settles.
        """
        n, rows = self.vocab_size, self.transition.reshape(-1, self.vocab_size)
        states = torch.arange(len(rows))
        chain = torch.zeros(len(rows), len(rows), dtype=torch.float64)
        following = (states[:, None] * n + torch.arange(n)) % len(rows)  # drop the oldest symbol
        chain.scatter_add_(1, following, rows)
        equations = torch.cat([chain.T - torch.eye(len(rows)), torch.ones(1, len(rows))])
        right = torch.zeros(len(rows) + 1, 1, dtype=torch.float64)
        right[-1] = 1
        pi = torch.linalg.lstsq(equations, right, driver="gelsd").solution.squeeze(1).clamp(min=0)
        return (pi / pi.sum()).reshape(self.transition.shape[:-1])

    def entropy_rate(self) -> float:
        """Bits of surprise per symbol that no model can go below: sum of pi(context) * H(context).

        `H(context)` is the entropy of the next symbol after that context.
        """
        entropies = -(torch.special.xlogy(self.transition, self.transition)).sum(-1) / numpy.log(2)
        return float((self.stationary() * entropies).sum())

    def bits(self, text: torch.Tensor) -> torch.Tensor:
        """What each symbol costs the language itself, which knows its own table.

        Args:
            text: integers, shape (length,).

        Returns:
            `-log2 P(symbol | context)` for each symbol with a full context: (length - order,).
            Their mean is the entropy rate, up to the luck of a finite text.

        Raises:
            ValueError: when the text is not longer than the context.
        """
        if len(text) <= self.order:
            raise ValueError(
                f"text has {len(text)} symbols, but a context alone has {self.order}: "
                "no symbol is left to measure"
            )
        windows = torch.as_tensor(text).unfold(0, self.order + 1, 1)
        return -self.transition[tuple(windows.T)].log2()

    def sample(self, length: int, generator: torch.Generator) -> torch.Tensor:
        """A text of `length` symbols, shape (length,), integers from 0 to vocab_size - 1.

        It starts in a context drawn from the stationary distribution, so every part of the text has
        the same statistics.

        Raises:
            ValueError: for a negative length.
        """
        if length < 0:
            raise ValueError(f"length is {length}: a text has 0 symbols or more")
        n, contexts = self.vocab_size, self.vocab_size**self.order
        cumulative = self.transition.reshape(contexts, n).cumsum(-1).numpy()
        uniform = torch.rand(length, generator=generator, dtype=torch.float64).numpy()
        pi = self.stationary().reshape(-1).float()
        context = int(torch.multinomial(pi, 1, generator=generator))
        text = numpy.empty(length, dtype=numpy.int64)
        for i, u in enumerate(uniform):
            row = cumulative[context]
            text[i] = symbol = min(row.searchsorted(u * row[-1], side="right"), n - 1)
            context = (context * n + symbol) % contexts
        return torch.from_numpy(text)
