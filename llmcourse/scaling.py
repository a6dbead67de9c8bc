"""What a model costs, on paper: parameters, arithmetic, memory, and how much text to give it.

Every function takes a `GPTConfig` and counts from its shape alone; no weight is ever made.
"""

import itertools
import json
from dataclasses import dataclass
from pathlib import Path

import numpy

RUNS_FILE = Path(__file__).parent / "scaling_runs.json"


def matmul_parameters(config) -> int:
    """How many numbers sit in the matrices that every token is multiplied with.

    Attention, feed-forward and the output head, without biases: what the arithmetic of a model
    grows with.  An input embedding is looked up, not multiplied, so it counts only where the output
    head shares it.
    """
    d_model, d_kv = config.d_model, config.n_kv_head * config.head_dim
    attention = 2 * d_model * d_model + 2 * d_model * d_kv  # query and output; key and value
    feed_forward = (3 if config.activation == "swiglu" else 2) * d_model * config.d_ff
    return config.n_layer * (attention + feed_forward) + config.vocab_size * d_model


def count_parameters(config) -> int:
    """How many numbers a `GPT` of this config learns, equal to counting them in the model.

    Matrices, biases, norms and embeddings; a tied output head is counted once.

    >>> from llmcourse.gpt import PRESETS
    >>> count_parameters(PRESETS["gpt2"])
    124439808
    """
    d_model, d_kv = config.d_model, config.n_kv_head * config.head_dim
    vectors = (2 * config.n_layer + 1) * d_model  # the scales of the norms, one more at the end
    if config.norm == "layer" and config.bias:
        vectors *= 2
    if config.bias:
        hidden = (2 if config.activation == "swiglu" else 1) * config.d_ff
        vectors += config.n_layer * (d_model + 2 * d_kv + d_model + hidden + d_model)
    embeddings = 0 if config.tie_embeddings else config.vocab_size * d_model
    if config.position == "learned":
        embeddings += config.context_length * d_model
    return matmul_parameters(config) + vectors + embeddings


def training_flops(config, n_tokens: float, exact: bool = True) -> float:
    """Floating-point operations to train on `n_tokens`, a multiply and an add counting as two.

    Args:
        config: a `GPTConfig`; sequences are taken to be `context_length` long.
        n_tokens: tokens seen in all, repeats included.
        exact: counts every matrix product: per token, 2 for each number in a matrix and, in each
            layer, `4 * context_length * d_model` for the scores and the weighted means (full
            squares, also where a causal kernel skips half); three times that, because the backward
            pass has two products for each one of the forward pass.  Source: Chowdhery et al.,
            "PaLM", 2022, appendix B.
            With False, the rule of thumb `6 * parameters * tokens`: Kaplan et al., "Scaling Laws
            for Neural Language Models", 2020, section 2.1, with all parameters counted as in
            Hoffmann et al., 2022.

    Not counted: norms, softmax, activations, the optimiser; they are well below 1% of the
    operations of a large model, though not of its time.
    """
    if not exact:
        return 6.0 * count_parameters(config) * n_tokens
    attention = 4 * config.n_layer * config.context_length * config.d_model
    return 3.0 * (2 * matmul_parameters(config) + attention) * n_tokens


@dataclass(frozen=True)
class TrainingMemory:
    """What lies in memory when a backward pass begins, in bytes."""

    weights: int
    gradients: int
    optimizer: int
    activations: int

    @property
    def total(self) -> int:
        return self.weights + self.gradients + self.optimizer + self.activations


# Bytes for each weight, its gradient, its optimiser state (AdamW), and for each stored activation:
# of the residual stream, and of everything that is a matrix product or made from one.
PRECISIONS = {
    "float32": (4, 4, 8, 4, 4),
    "autocast": (6, 4, 8, 4, 2),  # float32, and a bfloat16 copy of what matrix products read
    "mixed": (2, 2, 12, 2, 2),  # 16 bits, and a float32 master copy: Rajbhandari et al., 2020, 3.1
}


def memory_bytes(
    config, batch: int, time: int | None = None, precision: str = "float32"
) -> TrainingMemory:
    """What training with AdamW holds in memory, in bytes, with no dropout and no recomputation.

    Activations are what autograd keeps for the backward pass.  Per token and layer: two numbers of
    the residual stream for each of its `d_model`, both norms' outputs, query, key, value and
    attention's output (`4 d_model + 2 d_kv` numbers; rotary positions keep the unturned queries and
    keys as well), and the feed-forward's hidden vector before and after its activation (`2 d_ff`;
    relu needs one of them, swiglu `4 d_ff`).  Attention runs as one fused kernel, which keeps no
    table of weights.  At the end, `vocab_size` log-probabilities of 4 bytes for each token.

    This agrees with Korthikanti et al., "Reducing Activation Recomputation in Large Transformer
    Models", 2022, equation 1, less its dropout masks and its table of attention weights:
    `32 * batch * time * d_model` bytes a layer in 16 bits.  Left out: buffers that live for one
    operation, what an allocator wastes, and what an unfused RMSNorm keeps besides.

    Args:
        config: a `GPTConfig`.
        batch: sequences in one forward pass.
        time: their length, `context_length` by default.
        precision: "float32", "autocast" or "mixed", the rows of `PRECISIONS`.

    Raises:
        ValueError: for another precision.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}: choose one of {', '.join(PRECISIONS)}")
    weight, gradient, optimizer, stream, product = PRECISIONS[precision]
    d_model, d_kv = config.d_model, config.n_kv_head * config.head_dim
    hidden = {"relu": 1, "swiglu": 4}.get(config.activation, 2) * config.d_ff
    rotated = d_model + d_kv if config.position == "rope" else 0
    per_layer = 2 * d_model * stream + (4 * d_model + 2 * d_kv + rotated + hidden) * product
    per_token = config.n_layer * per_layer + d_model * (stream + product) + 4 * config.vocab_size
    n_parameters = count_parameters(config)
    return TrainingMemory(
        weights=weight * n_parameters,
        gradients=gradient * n_parameters,
        optimizer=optimizer * n_parameters,
        activations=batch * (config.context_length if time is None else time) * per_token,
    )


def kv_cache_bytes(
    config, batch: int = 1, time: int | None = None, bytes_per_number: int = 4
) -> int:
    """Bytes of the keys and values of all layers, kept while generating `time` tokens.

    `2 * n_layer * n_kv_head * head_dim` numbers for each token of each sequence.

    Source: Pope et al., "Efficiently Scaling Transformer Inference", 2022, section 2.
    """
    d_kv = config.n_kv_head * config.head_dim
    time = config.context_length if time is None else time
    return 2 * config.n_layer * batch * time * d_kv * bytes_per_number


@dataclass(frozen=True)
class LossFit:
    """`loss = E + A / parameters**alpha + B / tokens**beta`, in nats per token."""

    E: float
    A: float
    B: float
    alpha: float
    beta: float

    def loss(self, n_parameters: float, n_tokens: float) -> float:
        return self.E + self.A / n_parameters**self.alpha + self.B / n_tokens**self.beta


# Hoffmann et al., "Training Compute-Optimal Large Language Models", 2022, approach 3, equation 10.
HOFFMANN = LossFit(E=1.69, A=406.4, B=410.7, alpha=0.34, beta=0.28)
# The same measurements, read off the paper's figures and fitted anew: Besiroglu et al., "Chinchilla
# Scaling: A Replication Attempt", 2024, arXiv:2404.10102.  They find that the first fit disagrees
# with the paper's other two approaches; theirs gives the well-known 20 tokens for each parameter.
BESIROGLU = LossFit(E=1.8172, A=482.01, B=2085.43, alpha=0.3478, beta=0.3658)


@dataclass(frozen=True)
class ComputeOptimal:
    """The best use of a budget: how large a model, on how many tokens, and the loss to expect."""

    n_parameters: float
    n_tokens: float
    loss: float


def chinchilla_optimal(flops: float, fit: LossFit = HOFFMANN) -> ComputeOptimal:
    """The parameters and tokens with the lowest loss among all with `6 * N * D == flops`.

    Setting the derivative to zero gives `N = G * (flops / 6) ** (beta / (alpha + beta))` with
    `G = (alpha * A / (beta * B)) ** (1 / (alpha + beta))`, and `D = flops / (6 * N)`.

    Source: Hoffmann et al., 2022, section 3.3, equation 4.  The fit is disputed (see `BESIROGLU`),
    and holds for that paper's text and tokenizer: losses of another text are not comparable.

    Raises:
        ValueError: when there is no compute to spend.
    """
    if flops <= 0:
        raise ValueError(f"flops is {flops}: a budget is a positive number of operations")
    exponent = fit.alpha + fit.beta
    scale = (fit.alpha * fit.A / (fit.beta * fit.B)) ** (1 / exponent)
    n_parameters = scale * (flops / 6) ** (fit.beta / exponent)
    n_tokens = flops / (6 * n_parameters)
    return ComputeOptimal(n_parameters, n_tokens, fit.loss(n_parameters, n_tokens))


def fit_loss(n_parameters, n_tokens, losses, weights=None, delta: float = 1e-3) -> list[LossFit]:
    """The law `E + A / parameters**alpha + B / tokens**beta` that fits measured losses best.

    It makes the Huber loss of the errors of `log loss` small, so that a run that went wrong pulls
    with a constant force only, and starts from several exponents, since a start far off may end in
    a hollow of its own.  (Reweighted least squares, a Levenberg-Marquardt step at a time, all fits
    side by side.)

    Source: Hoffmann et al., 2022, section 3.3 and appendix D.3, which uses L-BFGS.

    Args:
        n_parameters, n_tokens, losses: one number for each run, shape (n_runs,).
        weights: how much each run counts, shape (n_fits, n_runs): how often it was drawn, say, for
            a bootstrap.  By default one fit in which all count the same.
        delta: from which error on, in nats of log loss, the force is constant.

    Returns:
        A law for each row of `weights`.

    Raises:
        ValueError: when there are fewer than six runs, or a number that has no logarithm.
    """
    sizes, tokens, measured = (
        numpy.asarray(values, float) for values in (n_parameters, n_tokens, losses)
    )
    if not len(sizes) == len(tokens) == len(measured) > 5:
        raise ValueError(
            f"got {len(sizes)} sizes, {len(tokens)} token counts and {len(measured)} losses: five "
            "numbers are fitted, so give at least six runs, and one of each for every run"
        )
    if min(sizes.min(), tokens.min(), measured.min()) <= 0:
        raise ValueError(
            "parameters, tokens and losses must be above 0: their logarithms are taken"
        )
    weights = numpy.ones((1, len(sizes))) if weights is None else numpy.asarray(weights, float)
    log_sizes, log_tokens = numpy.log(sizes), numpy.log(tokens)
    low = measured.min()
    starts = []
    for alpha, beta, floor in itertools.product((0.2, 0.5, 0.9), (0.2, 0.5, 0.9), (0.3, 0.8)):
        excess = numpy.log((measured - floor * low).mean() / 2)
        a, b = excess + alpha * log_sizes.mean(), excess + beta * log_tokens.mean()
        starts.append((a, b, numpy.log(floor * low), alpha, beta))

    count, n_starts = len(weights), len(starts)
    law = numpy.tile(numpy.array(starts), (count, 1))  # (n_fits * n_starts, 5)
    weights = numpy.repeat(weights, n_starts, axis=0)
    goal = numpy.log(measured)

    def parts(law):
        a, b, e, alpha, beta = law.T[:, :, None]
        return numpy.stack([a - alpha * log_sizes, b - beta * log_tokens, e + 0 * log_sizes])

    def error(law):
        terms = parts(law)
        top = terms.max(0)
        total = top + numpy.log(numpy.exp(terms - top).sum(0))
        return total - goal, numpy.exp(terms - total)

    def huber(errors):
        size = numpy.abs(errors)
        force = numpy.where(size < delta, size**2 / 2, delta * (size - delta / 2))
        return (weights * force).sum(1)

    damping = numpy.full(len(law), 1e-2)
    errors, shares = error(law)
    cost = huber(errors)
    for _ in range(400):
        pull = weights / numpy.maximum(numpy.abs(errors) / delta, 1.0)
        slope = numpy.stack(
            [shares[0], shares[1], shares[2], -shares[0] * log_sizes, -shares[1] * log_tokens], -1
        )
        gradient = numpy.einsum("fr,frp->fp", pull * errors, slope)
        square = numpy.einsum("fr,frp,frq->fpq", pull, slope, slope)
        diagonal = numpy.einsum("fpp->fp", square) + 1e-12
        square = square + (damping[:, None] * diagonal)[:, :, None] * numpy.eye(5)
        trial = law - numpy.linalg.solve(square, gradient[..., None])[..., 0]
        trial = numpy.clip(trial, [-50, -50, -50, 0.01, 0.01], [50, 50, 50, 3, 3])
        trial_errors, trial_shares = error(trial)
        trial_cost = huber(trial_errors)
        better = trial_cost < cost
        damping = numpy.clip(numpy.where(better, damping / 3, damping * 4), 1e-9, 1e6)
        law, cost = numpy.where(better[:, None], trial, law), numpy.where(better, trial_cost, cost)
        errors = numpy.where(better[:, None], trial_errors, errors)
        shares = numpy.where(better[:, None], trial_shares, shares)

    best = cost.reshape(count, n_starts).argmin(1)
    law = law.reshape(count, n_starts, 5)[numpy.arange(count), best]
    return [
        LossFit(float(numpy.exp(e)), float(numpy.exp(a)), float(numpy.exp(b)), float(x), float(y))
        for a, b, e, x, y in law
    ]


def load_scaling_runs() -> list[dict]:
    """The small GPTs that `benchmarks/scaling_law.py` trained, one dict for each run.

    With `width` and `layers`, `parameters` (without the `embedding`, which is counted apart),
    `tokens` and `flops` of the training, `learning_rate`, `seed`, the `loss` on text that was set
    aside (nats per token of a vocabulary of 512), and the `seconds` that it took.
    """
    return json.loads(RUNS_FILE.read_text(encoding="utf-8"))
