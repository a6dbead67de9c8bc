from dataclasses import replace

import numpy
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from llmcourse.gpt import GPT, PRESETS, GPTConfig
from llmcourse.scaling import (
    BESIROGLU,
    HOFFMANN,
    LossFit,
    chinchilla_optimal,
    count_parameters,
    fit_loss,
    kv_cache_bytes,
    load_scaling_runs,
    memory_bytes,
    training_flops,
)

SMALL = GPTConfig(vocab_size=97, context_length=64, n_layer=4, n_head=4, d_model=64)
SHAPES = {
    "gpt2": SMALL,
    "no bias": replace(SMALL, bias=False, d_ff=80, context_length=32),
    "untied": replace(SMALL, tie_embeddings=False, position="sinusoidal", activation="relu"),
    "llama": replace(
        SMALL, n_kv_head=2, d_ff=96, norm="rms", position="rope", activation="swiglu", bias=False
    ),
    "swiglu with bias": replace(SMALL, n_kv_head=1, d_ff=50, activation="swiglu"),
}


@pytest.mark.parametrize("config", [*SHAPES.values(), *PRESETS.values()], ids=str)
def test_parameters_by_formula_are_those_of_the_model(config):
    with torch.device("meta"):
        model = GPT(config)
    assert count_parameters(config) == sum(p.numel() for p in model.parameters())


def test_published_models_have_their_published_size():
    assert count_parameters(PRESETS["gpt2"]) == 124_439_808
    assert count_parameters(PRESETS["gpt2_xl"]) == 1_557_611_200
    assert count_parameters(PRESETS["smollm2"]) == 134_515_008
    assert count_parameters(PRESETS["gpt3"]) == pytest.approx(174.6e9, rel=1e-4)


@pytest.mark.parametrize("name", SHAPES)
def test_exact_flops_are_what_pytorch_counts_for_a_step(name):
    config, batch = SHAPES[name], 3
    model = GPT(config)
    tokens = torch.zeros(batch, config.context_length, dtype=torch.long)
    with sdpa_kernel(SDPBackend.MATH), FlopCounterMode(display=False) as counter:
        model(tokens, tokens).loss.backward()
    expected = training_flops(config, tokens.numel())
    assert counter.get_total_flops() == pytest.approx(expected, rel=1e-3)  # rotary's small products


def test_six_flops_per_parameter_and_token_give_the_published_training_cost_of_gpt3():
    config = PRESETS["gpt3"]
    assert training_flops(config, 300e9, exact=False) == pytest.approx(3.14e23, rel=0.01)
    assert training_flops(config, 300e9) == pytest.approx(3.14e23, rel=0.04)


def kept_for_backward(config: GPTConfig, batch: int, autocast: bool) -> int:
    """Bytes that autograd keeps, each storage once, without the weights themselves."""
    model = GPT(config)
    own, kept = {p.untyped_storage().data_ptr() for p in model.parameters()}, {}

    def keep(tensor):
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in own:
            kept[storage.data_ptr()] = storage  # held, so that no address is given twice
        return tensor

    tokens = torch.zeros(batch, config.context_length, dtype=torch.long)
    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            model(tokens, tokens)
    return sum(storage.nbytes() for storage in kept.values())


@pytest.mark.parametrize("precision", ["float32", "autocast"])
@pytest.mark.parametrize(
    "config, tolerance",
    [
        (SMALL, 0.03),
        (SHAPES["untied"], 0.03),
        (replace(SHAPES["llama"], norm="layer"), 0.1),  # turning may leave a copy more
    ],
    ids=["gpt2", "relu", "llama"],
)
def test_activations_are_what_autograd_keeps(config, tolerance, precision):
    memory = memory_bytes(config, batch=4, precision=precision)
    measured = kept_for_backward(config, 4, precision == "autocast")
    copies = memory.weights - 4 * count_parameters(config)  # autocast's bfloat16 weights
    assert memory.activations + copies == pytest.approx(measured, rel=tolerance)


def test_memory_of_mixed_precision_is_sixteen_bytes_per_parameter_and_32_d_model_per_layer():
    config = replace(PRESETS["gpt3"], vocab_size=1)
    memory = memory_bytes(config, batch=1, precision="mixed")
    assert memory.weights + memory.gradients + memory.optimizer == 16 * count_parameters(config)
    tokens, d_model = config.context_length, config.d_model
    assert memory.activations == pytest.approx(96 * 32 * tokens * d_model, rel=2e-3)
    assert memory.total == memory.activations + 16 * count_parameters(config)


@pytest.mark.parametrize("name", SHAPES)
def test_cache_bytes_are_those_of_the_buffers(name):
    cache = GPT(SHAPES[name]).new_cache(3, 20)
    measured = sum(layer.key.nbytes + layer.value.nbytes for layer in cache)
    assert kv_cache_bytes(SHAPES[name], batch=3, time=20) == measured


def test_cache_of_gpt2_in_sixteen_bits_is_36_mib_for_a_full_context():
    assert kv_cache_bytes(PRESETS["gpt2"], bytes_per_number=2) == 36 * 2**20


@pytest.mark.parametrize("fit", [HOFFMANN, BESIROGLU])
@pytest.mark.parametrize("flops", [1e18, 5.76e23])
def test_no_other_split_of_the_budget_has_a_lower_loss(fit, flops):
    best = chinchilla_optimal(flops, fit)
    assert 6 * best.n_parameters * best.n_tokens == pytest.approx(flops)
    others = best.n_parameters * numpy.geomspace(0.01, 100, 1001)
    losses = fit.loss(others, flops / (6 * others))
    assert losses.min() == pytest.approx(best.loss) and losses.argmin() == 500


def test_the_refit_gives_chinchilla_itself_and_the_first_fit_does_not():
    """70 billion parameters on 1.4 trillion tokens: Hoffmann et al., 2022, table 1."""
    refit = chinchilla_optimal(5.76e23, BESIROGLU)
    assert refit.n_parameters == pytest.approx(70e9, rel=0.1)
    assert refit.n_tokens == pytest.approx(1.4e12, rel=0.1)
    assert chinchilla_optimal(5.76e23).n_parameters < 40e9


def test_impossible_budgets_say_what_is_wrong():
    with pytest.raises(ValueError, match="flops is 0"):
        chinchilla_optimal(0)
    with pytest.raises(ValueError, match="'fp8': choose one of float32, autocast, mixed"):
        memory_bytes(SMALL, 1, precision="fp8")


def grid(law: LossFit) -> tuple[numpy.ndarray, numpy.ndarray, numpy.ndarray]:
    sizes, tokens = numpy.meshgrid(numpy.geomspace(1e4, 1e8, 6), numpy.geomspace(1e5, 1e9, 6))
    return sizes.ravel(), tokens.ravel(), law.loss(sizes, tokens).ravel()


@pytest.mark.parametrize("law", [HOFFMANN, BESIROGLU, LossFit(0.5, 20.0, 100.0, 0.3, 0.6)])
def test_a_fit_finds_the_law_that_made_the_losses(law):
    (found,) = fit_loss(*grid(law))
    for name in ("E", "A", "B", "alpha", "beta"):
        assert getattr(found, name) == pytest.approx(getattr(law, name), rel=0.01), name


def test_a_run_that_went_wrong_hardly_moves_the_fit():
    sizes, tokens, losses = grid(BESIROGLU)
    losses[7] *= 1.5
    (found,) = fit_loss(sizes, tokens, losses)
    assert found.alpha == pytest.approx(BESIROGLU.alpha, rel=0.02)
    assert found.beta == pytest.approx(BESIROGLU.beta, rel=0.02)


def test_a_weight_counts_as_the_same_run_twice_and_zero_as_none():
    runs = numpy.array(grid(BESIROGLU))
    runs[2] *= numpy.exp(0.01 * numpy.random.default_rng(0).standard_normal(36))
    weights = numpy.random.default_rng(1).integers(0, 3, 36)
    (weighted,) = fit_loss(*runs, weights=[weights])
    (repeated,) = fit_loss(*numpy.repeat(runs, weights, axis=1))
    at = (1e6, 1e7)
    assert weighted.loss(*at) == pytest.approx(repeated.loss(*at), rel=1e-4)


def test_the_fit_is_a_minimum_that_l_bfgs_does_not_improve():
    """On the runs that come with the package, against an optimiser of PyTorch's, in float64."""
    runs = [run for run in load_scaling_runs() if run["seed"] == 0]
    numbers = [[run[name] for run in runs] for name in ("parameters", "tokens", "loss")]
    sizes, tokens, losses = torch.tensor(numbers, dtype=torch.float64)
    (law,) = fit_loss(*numbers)
    start = [numpy.log(law.A), numpy.log(law.B), numpy.log(law.E), law.alpha, law.beta]
    point = torch.tensor(start, dtype=torch.float64, requires_grad=True)

    def huber():
        a, b, e, alpha, beta = point
        terms = [a - alpha * sizes.log(), b - beta * tokens.log(), e.expand(len(sizes))]
        errors = torch.stack(terms).logsumexp(0) - losses.log()
        return torch.nn.functional.huber_loss(errors, 0 * errors, reduction="sum", delta=1e-3)

    optimizer = torch.optim.LBFGS([point], max_iter=200, line_search_fn="strong_wolfe")
    before = huber().item()

    def closure():
        optimizer.zero_grad()
        loss = huber()
        loss.backward()
        return loss

    optimizer.step(closure)
    assert huber().item() > 0.995 * before


def test_too_few_runs_or_a_loss_of_zero_are_refused():
    with pytest.raises(ValueError, match="at least six runs"):
        fit_loss([1, 2, 3], [1, 2, 3], [1, 2, 3])
    with pytest.raises(ValueError, match="above 0"):
        fit_loss([1] * 6, [1] * 6, [0] * 6)


def test_runs_that_come_with_the_package_are_counted_as_the_package_counts():
    runs = load_scaling_runs()
    assert len({(run["width"], run["tokens"]) for run in runs}) == 30
    for run in runs:
        config = GPTConfig(
            vocab_size=512, context_length=64, n_layer=run["layers"], n_head=run["width"] // 16,
            d_model=run["width"], norm="rms", position="rope", bias=False,
        )  # fmt: skip
        assert count_parameters(config) == run["parameters"] + run["embedding"]
        assert training_flops(config, run["tokens"]) == run["flops"]
