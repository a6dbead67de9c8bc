"""What a model has kept of single examples, and training that limits it (DP-SGD), with its price.

Sources: Carlini et al., "The Secret Sharer", 2019 (exposure); Abadi et al., "Deep Learning with
Differential Privacy", 2016 (clipped and noised gradients); Mironov, Talwar and Zhang, "Rényi
Differential Privacy of the Sampled Gaussian Mechanism", 2019 (the accountant).
"""

import math
from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad, vmap
from torch.nn.attention import SDPBackend, sdpa_kernel


def exposure(log_probs: Tensor, secret: int) -> float:
    """How far ahead of its rivals a secret is, in bits: log2 of their number - log2 of its rank.

    0 = the last of all; log2(n) = the first, so that the best guess is right.  A secret that the
    model has never met is at a random rank, and scores 1.44 bits on average, and at least 10 bits
    in one of 1,024 cases.  Of equals, the secret counts as the last.

    Args:
        log_probs: the model's log-probability of each candidate, (n,), the secret among them.
        secret: its place among the candidates.

    Raises:
        ValueError: when `secret` is no place in `log_probs`.
    """
    if log_probs.dim() != 1 or not 0 <= secret < len(log_probs):
        raise ValueError(
            f"secret is {secret} and log_probs has shape {tuple(log_probs.shape)}: give one row of "
            "candidates and the place of the secret in it"
        )
    rank = int((log_probs >= log_probs[secret]).sum())
    return math.log2(len(log_probs)) - math.log2(rank)


def per_example_gradients(
    model: nn.Module, loss: Callable[[nn.Module, Tensor], Tensor], batch: Tensor
) -> dict[str, Tensor]:
    """The gradient of each example by itself: for each name (batch, ...), else as the parameter.

    Args:
        loss: `loss(model, rows)` is one number for the examples `rows`, (1, ...), none of which may
            influence another (no batch norm).
        batch: the examples, (batch, ...).
    """
    parameters = {name: p.detach() for name, p in model.named_parameters()}
    wrapped = _Loss(model, loss)

    def of_one(parameters, row):
        named = {f"model.{name}": p for name, p in parameters.items()}
        return functional_call(wrapped, named, (row[None],))

    with sdpa_kernel(SDPBackend.MATH):  # the fused kernels have no rule for a batch of batches
        return vmap(grad(of_one), in_dims=(None, 0), randomness="different")(parameters, batch)


class _Loss(nn.Module):
    def __init__(self, model, loss):
        super().__init__()
        self.model, self.loss = model, loss

    def forward(self, rows):
        return self.loss(self.model, rows)


def private_gradients(
    gradients: dict[str, Tensor],
    clip: float,
    noise: float,
    expected_batch: float,
    generator: torch.Generator | None = None,
) -> dict[str, Tensor]:
    """Clip each example's gradient to the norm `clip`, add up, add noise, divide.

    Args:
        gradients: from `per_example_gradients`.
        clip: the largest norm, over all parameters together, that one example may have.
        noise: the standard deviation of the noise, in units of `clip`.
        expected_batch: what to divide by: the size a batch has on average, since the true size of
            a batch drawn at random would tell of its members.

    Raises:
        ValueError: unless clip and expected_batch are positive and noise is not negative.
    """
    if clip <= 0 or expected_batch <= 0 or noise < 0:
        raise ValueError(
            f"clip is {clip}, noise {noise} and expected_batch {expected_batch}: the first and the "
            "last have to be positive, and noise at least 0"
        )
    norms = torch.stack([g.flatten(1).norm(dim=1) for g in gradients.values()]).norm(dim=0)
    scale = (clip / norms.clamp(min=1e-12)).clamp(max=1.0)
    private = {}
    for name, g in gradients.items():
        total = torch.tensordot(scale, g, dims=1)
        drawn = torch.randn(total.shape, generator=generator).to(total.device)
        private[name] = (total + noise * clip * drawn) / expected_batch
    return private


def renyi_divergence(rate: float, noise: float, order: int) -> float:
    """One step of DP-SGD: how far apart it can be with and without one example, in nats.

    The Rényi divergence of an integer order between the noise and the noise with one more example,
    which is in the batch with probability `rate` (section 3.3 of Mironov et al., 2019):

        1 / (order - 1) * log sum over k of  C(order, k) (1 - rate)^(order - k) rate^k
                                             * exp(k (k - 1) / (2 noise^2))

    Raises:
        ValueError: for a rate outside of 0 to 1, a noise that is not positive, an order below 2.
    """
    if not 0 <= rate <= 1 or noise <= 0 or order < 2 or order != int(order):
        raise ValueError(
            f"rate is {rate}, noise {noise} and order {order}: give a share, a positive number and "
            "a whole number from 2 on"
        )
    if rate == 1:
        return order / (2 * noise**2)
    if rate == 0:
        return 0.0
    terms = [
        math.lgamma(order + 1) - math.lgamma(k + 1) - math.lgamma(order - k + 1)
        + k * math.log(rate) + (order - k) * math.log1p(-rate)
        + k * (k - 1) / (2 * noise**2)
        for k in range(order + 1)
    ]  # fmt: skip
    largest = max(terms)
    total = largest + math.log(math.fsum(math.exp(term - largest) for term in terms))
    return max(0.0, total) / (order - 1)


ORDERS = (*range(2, 65), 80, 96, 128, 192, 256, 512)


def privacy_loss(rate: float, noise: float, steps: int, delta: float) -> float:
    """The epsilon of `steps` steps of DP-SGD: (epsilon, delta)-differential privacy is proved.

    For two sets of examples, one of which has one example more, the probability of any outcome
    differs by a factor of at most exp(epsilon), give or take delta.  It is an upper bound, by
    Rényi divergences of whole orders; a sharper accountant may prove a smaller one.  It holds for
    batches into which each example comes by its own coin ("Poisson sampling"), not for shuffled
    epochs.

    Args:
        rate: the probability of an example to be in a batch.
        noise: standard deviation over clipping norm; without noise epsilon is infinite.
        delta: to be well below 1 over the number of examples.

    Raises:
        ValueError: for a delta outside of 0 to 1, or fewer than 0 steps.
    """
    if not 0 < delta < 1 or steps < 0:
        raise ValueError(f"delta is {delta} and steps {steps}: give 0 < delta < 1 and steps >= 0")
    if steps == 0 or rate == 0:
        return 0.0
    if noise == 0:
        return math.inf
    return min(
        steps * renyi_divergence(rate, noise, order) + math.log(1 / delta) / (order - 1)
        for order in ORDERS
    )
