"""Whatever the arguments are: a result of the right shape, or an error that a person can read."""

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from llmcourse.attention import MultiHeadAttention, scaled_dot_product_attention
from llmcourse.generation import generate
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.training import TrainingConfig
from llmcourse.transformer import EncoderDecoder, EncoderDecoderConfig

READABLE = (ValueError, TypeError)
quick = settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
sizes = st.integers(-1, 9)


def readable(error: Exception) -> bool:
    """More than a word, and what to do about it."""
    return len(str(error).split()) >= 5


@quick
@given(
    st.fixed_dictionaries(
        {
            "vocab_size": sizes,
            "context_length": sizes,
            "n_layer": st.integers(-1, 2),
            "n_head": st.integers(-1, 4),
            "d_model": st.sampled_from([-4, 0, 1, 3, 4, 6, 8, 12]),
        },
        optional={
            "n_kv_head": st.sampled_from([None, -1, 0, 1, 2, 3]),
            "d_ff": st.sampled_from([None, 0, 1, 5]),
            "norm": st.sampled_from(["layer", "rms", "batch"]),
            "position": st.sampled_from(["learned", "sinusoidal", "rope", "alibi", "none", "x"]),
            "activation": st.sampled_from(["gelu", "gelu_tanh", "relu", "swiglu", "tanh"]),
            "bias": st.booleans(),
            "dropout": st.sampled_from([0.0, 0.5, 1.0, -0.1]),
            "tie_embeddings": st.booleans(),
            "norm_eps": st.sampled_from([1e-5, 0.0]),
            "rope_theta": st.sampled_from([10000.0, 0.0, -1.0]),
        },
    )
)
def test_a_configuration_is_refused_in_words_or_its_model_runs(given_settings):
    try:
        config = GPTConfig(**given_settings)
    except READABLE as error:
        assert readable(error), error
        return
    tokens = torch.randint(config.vocab_size, (2, config.context_length))
    out = GPT(config)(tokens, tokens)
    assert out.logits.shape == (2, config.context_length, config.vocab_size)
    assert out.loss.isfinite()
    out.loss.backward()


@quick
@given(sizes, sizes, st.integers(-1, 2), st.integers(-1, 4), st.sampled_from([-2, 0, 2, 3, 4, 8]))
def test_so_is_that_of_an_encoder_decoder(source, target, n_layer, n_head, d_model):
    try:
        config = EncoderDecoderConfig(
            source_vocab_size=source,
            target_vocab_size=target,
            n_layer=n_layer,
            n_head=n_head,
            d_model=d_model,
        )
    except READABLE as error:
        assert readable(error), error
        return
    read, write = torch.randint(source, (2, 5)), torch.randint(target, (2, 3))
    assert EncoderDecoder(config)(read, write).logits.shape == (2, 3, target)


@quick
@given(
    st.fixed_dictionaries(
        {"steps": sizes, "batch_size": sizes, "context_length": sizes},
        optional={
            "accumulate": sizes,
            "warmup_steps": sizes,
            "learning_rate": st.sampled_from([0.0, 1e-3, -1.0, 1.0]),
            "min_learning_rate": st.sampled_from([0.0, 1e-4, 2.0, -1.0]),
            "weight_decay": st.sampled_from([0.0, 0.1, -0.1]),
            "betas": st.sampled_from([(0.9, 0.95), (1.0, 0.9), (-0.1, 0.9)]),
            "clip_norm": st.sampled_from([None, 1.0, 0.0, -1.0]),
            "save_every": sizes,
        },
    )
)
def test_so_is_a_plan_of_training(given_settings):
    try:
        config = TrainingConfig(**given_settings)
    except READABLE as error:
        assert readable(error), error
        return
    assert config.steps > config.warmup_steps >= 0 and config.batch_size % config.accumulate == 0


@pytest.fixture(scope="module")
def tiny():
    torch.manual_seed(0)
    return GPT(GPTConfig(vocab_size=7, context_length=12, n_layer=1, n_head=2, d_model=8)).eval()


@quick
@given(
    batch=st.integers(0, 3),
    time=st.integers(0, 13),
    top=st.integers(6, 8),
    dtype=st.sampled_from([torch.int64, torch.int32, torch.float32, torch.bool]),
    arguments=st.fixed_dictionaries(
        {"max_new_tokens": st.integers(-1, 13)},
        optional={
            "temperature": st.sampled_from([0.0, 1.0, 0.3, -1.0, float("nan"), float("inf")]),
            "top_k": st.sampled_from([None, -1, 0, 1, 3, 7, 99]),
            "top_p": st.sampled_from([None, -0.1, 0.0, 0.4, 1.0, 1.1]),
            "num_return_sequences": st.integers(-1, 3),
            "stop_token": st.sampled_from([None, 0, 6, 7, -1]),
            "use_cache": st.booleans(),
            "repetition_penalty": st.sampled_from([1.0, 1.3, 0.5, 0.0, -1.0]),
        },
    ),
)
def test_generation_writes_what_was_asked_or_says_why_not(tiny, batch, time, top, dtype, arguments):
    prompt = torch.randint(top, (batch, time)).to(dtype)
    before = prompt.clone()
    try:
        tokens = generate(tiny, prompt, **arguments, generator=torch.Generator().manual_seed(0))
    except READABLE as error:
        assert readable(error), error
        assert torch.equal(prompt, before)
        return
    n = arguments.get("num_return_sequences", 1)
    assert tokens.shape[0] == batch * n
    assert time <= tokens.shape[1] <= time + arguments["max_new_tokens"]
    assert torch.equal(tokens[:, :time], prompt.repeat_interleave(n, 0).to(tokens.dtype))
    assert 0 <= tokens.min() and tokens.max() < 7
    assert torch.equal(prompt, before) and not tiny.training


shapes = st.lists(st.integers(1, 3), min_size=2, max_size=4).map(tuple)
masks = st.sampled_from([torch.bool, torch.float32, torch.int64])


@quick
@given(shapes, shapes, shapes, st.one_of(st.none(), st.tuples(shapes, masks)))
def test_attention_of_any_shapes_gives_vectors_or_an_error(query, key, value, mask):
    query, key, value = torch.ones(query), torch.ones(key), torch.ones(value)
    mask = None if mask is None else torch.ones(mask[0]).to(mask[1])
    try:
        out, _ = scaled_dot_product_attention(query, key, value, mask)
    except (*READABLE, RuntimeError) as error:
        assert str(error)
        return
    assert out.shape[-1] == value.shape[-1] and out.isfinite().all()
    if mask is None:
        assert out.shape[-2] == query.shape[-2]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_scores_that_overflow_in_half_precision_do_not_become_nan(dtype):
    torch.manual_seed(0)
    attention = MultiHeadAttention(64, 4).to(dtype)
    assert attention(300 * torch.randn(1, 5, 64).to(dtype)).isfinite().all()
