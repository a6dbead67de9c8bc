import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.checkpoints import load_checkpoint, save_checkpoint
from llmcourse.generation import generate
from llmcourse.gpt import GPT, PRESETS, GPTConfig
from llmcourse.pretrained import to_huggingface
from llmcourse.quantization import (
    Int4Embedding,
    Int4Linear,
    Int8Embedding,
    Int8Linear,
    pack_int4,
    quantize_groups,
    quantize_int4,
    quantize_int8,
    quantize_rows,
    unpack_int4,
)

SHAPES = [
    dict(),
    dict(tie_embeddings=False, activation="gelu_tanh"),
    dict(position="rope", norm="rms", activation="swiglu", bias=False, n_kv_head=2),
]


def config(**changes):
    return GPTConfig(
        **dict(vocab_size=61, context_length=24, n_layer=2, n_head=4, d_model=32) | changes
    )


def build(seed=0, **changes):
    torch.manual_seed(seed)
    return GPT(config(**changes)).eval()


def random_tokens(*shape, vocab_size=61, seed=1):
    return torch.randint(vocab_size, shape, generator=torch.Generator().manual_seed(seed))


def nbytes(model):
    """Of all that is stored, what is shared counted once."""
    stored = {t.data_ptr(): t.nbytes for t in model.state_dict().values()}
    return sum(stored.values())


# ---------------------------------------------------------------------------- one matrix


@pytest.mark.parametrize("seed", range(4))
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_no_number_is_wrong_by_more_than_half_a_scale(seed, size):
    torch.manual_seed(seed)
    weight = torch.randn(17, 33) * size * torch.logspace(-3, 3, 17)[:, None]
    integers, scales = quantize_rows(weight)
    wrong = (integers * scales.float()[:, None] - weight).abs()
    assert (wrong <= 0.5001 * scales.float()[:, None]).all()


def test_every_row_reaches_127_and_none_goes_beyond():
    integers, scales = quantize_rows(torch.randn(200, 9))
    assert (integers.int().abs().amax(1) >= 126).all()  # 126 where the scale was rounded up
    assert integers.int().abs().max() == 127
    assert integers.dtype == torch.int8 and scales.dtype == torch.bfloat16


def test_what_int8_can_hold_is_kept_exactly():
    integers = torch.randint(-127, 128, (8, 16), dtype=torch.int8)
    integers[:, 0] = 127
    scales = torch.logspace(-8, 6, 8, base=2).bfloat16()
    again = quantize_rows(integers * scales.float()[:, None])
    torch.testing.assert_close(again, (integers, scales), rtol=0, atol=0)


def test_a_row_of_zeros_stays_zero():
    weight = torch.randn(3, 8)
    weight[1] = 0
    integers, scales = quantize_rows(weight)
    assert (integers[1] == 0).all() and scales.isfinite().all()


@pytest.mark.parametrize(
    "shape", [(1, 1), (7, 5), (1, 32), (33, 31), (61, 64), (257, 48), (64, 96)]
)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_product_is_that_of_the_integers_up_to_bfloat16(shape, bias, dtype):
    torch.manual_seed(0)
    linear = nn.Linear(shape[1], shape[0], bias=bias).to(dtype)
    integers, scales = quantize_rows(linear.weight)
    x = torch.randn(2, 3, shape[1], dtype=dtype)
    given = Int8Linear(integers, scales, linear.bias).eval()(x)
    restored = integers.double() * scales.double()[:, None]
    expected = F.linear(x.double(), restored, linear.bias.double() if bias else None)
    # Rounding x and the sum to bfloat16 costs 2**-9 each of the sum without signs.
    scale = F.linear(x.double().abs(), restored.abs()) + 1 + expected.abs()
    assert given.shape == expected.shape and given.dtype == dtype
    assert ((given - expected).abs() < 3 * 2**-9 * scale).all()


@pytest.mark.parametrize("seed", range(3))
def test_the_relative_error_of_a_product_is_about_a_percent(seed):
    torch.manual_seed(seed)
    linear, x = nn.Linear(512, 256), torch.randn(16, 512)
    error = Int8Linear(*quantize_rows(linear.weight), linear.bias).eval()(x) - linear(x)
    assert error.norm() / linear(x).norm() < 0.01


# ---------------------------------------------------------------------------- a whole model


@pytest.mark.parametrize("shape", SHAPES)
def test_probabilities_hardly_change(shape):
    model, tokens = build(**shape), random_tokens(4, 24)
    with torch.no_grad():
        for p in model.parameters():
            p.mul_(3.0) if p.dim() == 2 else None  # so that it says something
        before = model(tokens).logits.log_softmax(-1)
        after = quantize_int8(model)(tokens).logits.log_softmax(-1)
    divergence = F.kl_div(after, before, log_target=True, reduction="none").sum(-1).mean()
    assert 0 < divergence < 2e-3


def test_a_trained_model_is_no_less_sure():
    torch.manual_seed(0)
    model = GPT(config(vocab_size=16))
    steps = torch.tensor([1, 3, 5])  # one of three ways to go on: a loss of ln 3 at best
    optimizer = torch.optim.AdamW(model.parameters(), lr=3e-3)

    def text(batch):
        return steps[torch.randint(3, (batch, 25))].cumsum(1) % 16

    for _ in range(150):
        tokens = text(16)
        optimizer.zero_grad()
        model(tokens[:, :-1], tokens[:, 1:]).loss.backward()
        optimizer.step()
    tokens, model = text(64), model.eval()
    with torch.no_grad():
        before = model(tokens[:, :-1], tokens[:, 1:]).loss
        after = quantize_int8(model)(tokens[:, :-1], tokens[:, 1:]).loss
    assert before < 1.3
    assert abs(after - before) < 0.01  # the perplexity, then, changes by less than 1%


@pytest.mark.parametrize("shape", SHAPES)
def test_every_matrix_is_int8_and_none_is_kept_twice(shape):
    model = quantize_int8(build(**shape))
    assert not [m for m in model.modules() if type(m) is nn.Linear or type(m) is nn.Embedding]
    shared = model.head.integers is model.token_embedding.integers
    assert shared == model.config.tie_embeddings


def test_memory_is_a_quarter():
    with torch.device("meta"):
        before = sum(p.nbytes for p in GPT(PRESETS["smollm2"]).parameters())
    model = GPT(config(vocab_size=512, d_model=256)).eval()
    assert 3.8 < nbytes(model) / nbytes(quantize_int8(model)) < 4
    assert before > 5e8  # which would come down to 135 MB


@pytest.mark.parametrize("shape", SHAPES)
def test_it_writes_the_same_with_a_cache_and_without(shape):
    model, prompt = quantize_int8(build(**shape)), random_tokens(2, 5)
    texts = [generate(model, prompt, 12, temperature=0, use_cache=c) for c in (True, False)]
    torch.testing.assert_close(*texts)


def test_it_can_be_saved_and_loaded(tmp_path):
    model, tokens = quantize_int8(build(seed=0)), random_tokens(2, 8)
    save_checkpoint(tmp_path, model)
    other = quantize_int8(build(seed=1))
    load_checkpoint(tmp_path, other)
    torch.testing.assert_close(other(tokens).logits, model(tokens).logits, rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_put_into_bfloat16_it_still_writes(shape):
    model, prompt = quantize_int8(build(**shape)), random_tokens(2, 5)
    before = model(prompt).logits
    model.to(torch.bfloat16)
    assert model(prompt).logits.dtype == torch.bfloat16
    error = (model(prompt).logits - before).norm() / before.norm()
    assert error < 0.03
    texts = [generate(model, prompt, 12, temperature=0, use_cache=c) for c in (True, False)]
    assert texts[0].shape == texts[1].shape == (2, 17)


def test_how_the_weights_lay_in_memory_does_not_matter():
    model, tokens = build(), random_tokens(2, 8)
    expected = quantize_int8(copy.deepcopy(model))(tokens).logits
    given = quantize_int8(model.for_decoding())(tokens).logits
    torch.testing.assert_close(given, expected, rtol=0, atol=0)


@pytest.mark.parametrize("shape", SHAPES)
def test_off_the_cpu_the_integers_become_floating_point(shape):
    model = quantize_int8(build(**shape)).to("meta")
    assert model(random_tokens(2, 8).to("meta")).logits.shape == (2, 8, 61)


def test_it_compiles_to_one_graph():
    model, tokens = quantize_int8(build()), random_tokens(2, 8)
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(tokens).logits, model(tokens).logits)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA GPU")
def test_a_gpu_gives_what_the_cpu_gives():
    model, tokens = quantize_int8(build()), random_tokens(2, 8)
    expected = model(tokens).logits
    given = copy.deepcopy(model).cuda()(tokens.cuda()).logits.cpu()
    torch.testing.assert_close(given, expected, rtol=0.02, atol=0.02)


# ---------------------------------------------------------------------------- bad input


def test_a_model_is_quantised_once():
    with pytest.raises(ValueError, match="only once"):
        quantize_int8(quantize_int8(build()))


def test_a_model_in_training_is_not_quantised_and_a_quantised_one_not_trained():
    with pytest.raises(ValueError, match=r"call model\.eval\(\), then quantise"):
        quantize_int8(build().train())
    model = quantize_int8(build())
    assert not any(p.requires_grad for p in model.parameters())
    with pytest.raises(RuntimeError, match="train first and quantise then"):
        model.train()(random_tokens(1, 4))


@pytest.mark.parametrize("shape", SHAPES[1:])
def test_a_quantised_model_cannot_be_exported(shape, tmp_path):
    with pytest.raises(ValueError, match="(?i)export.*before|before.*quantis|then quantis"):
        to_huggingface(quantize_int8(build(**shape)), tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_only_a_gpt_is_quantised():
    with pytest.raises(TypeError, match="model is a Linear: only a GPT"):
        quantize_int8(nn.Linear(2, 2))


def test_a_weight_without_numbers_is_refused():
    with pytest.raises(ValueError, match="nan or infinity"):
        quantize_rows(torch.tensor([[1.0, float("nan")]]))


def test_the_embedding_keeps_the_precision_of_the_model():
    integers, scales = quantize_rows(torch.randn(9, 4))
    for dtype in (torch.float32, torch.bfloat16):
        assert Int8Embedding(integers, scales.to(dtype))(torch.tensor([[1, 2]])).dtype == dtype


# ---------------------------------------------------------------------------- four bits


def restored(integers, scales):
    """By a loop, number for number."""
    group = integers.shape[1] // scales.shape[1]
    rows = [
        [float(integers[i, j]) * float(scales[i, j // group]) for j in range(integers.shape[1])]
        for i in range(integers.shape[0])
    ]
    return torch.tensor(rows)


@pytest.mark.parametrize("group", [1, 4, 8, 24])
@pytest.mark.parametrize("size", [1e-6, 1.0, 1e4])
def test_in_four_bits_no_number_is_wrong_by_more_than_half_the_scale_of_its_group(group, size):
    torch.manual_seed(0)
    weight = torch.randn(5, 24) * size * torch.logspace(-3, 3, 24)
    integers, scales = quantize_groups(weight, group)
    assert scales.shape == (5, 24 // group) and integers.abs().max() == 7
    wrong = (restored(integers, scales) - weight).abs()
    assert (wrong <= 0.502 * scales.float().repeat_interleave(group, 1)).all()


def test_a_group_of_zeros_stays_zero_and_signs_stay():
    weight = torch.tensor([[0.0, 0.0, -7.0, 3.0]])
    integers, scales = quantize_groups(weight, 2)
    assert integers.tolist() == [[0, 0, -7, 3]] and scales[0, 1] == 1
    assert torch.equal(restored(integers, scales), weight)


def test_a_large_number_spoils_its_own_group_only():
    torch.manual_seed(0)
    weight = torch.randn(1, 64)
    spoiled = weight.clone()
    spoiled[0, 3] = 100.0
    before = restored(*quantize_groups(weight, 32))
    after = restored(*quantize_groups(spoiled, 32))
    assert torch.equal(before[:, 32:], after[:, 32:])
    assert (after[0, :32] != 0).sum() == 1
    assert (restored(*quantize_groups(spoiled, 64)) != 0).sum() == 1


def test_all_pairs_are_packed_into_one_byte_and_come_back():
    pairs = torch.cartesian_prod(torch.arange(-8, 8), torch.arange(-8, 8)).to(torch.int8)
    packed = pack_int4(pairs)
    assert packed.shape == (256, 1) and packed.dtype == torch.uint8
    assert len(set(packed.flatten().tolist())) == 256
    assert torch.equal(unpack_int4(packed), pairs)


@pytest.mark.parametrize("bias", [True, False])
def test_packed_and_unpacked_multiply_alike(bias):
    torch.manual_seed(0)
    plain, x = nn.Linear(24, 7, bias=bias), torch.randn(2, 3, 24)
    integers, scales = quantize_groups(plain.weight, 8)
    expected = F.linear(x, restored(integers, scales), plain.bias)
    given = Int4Linear(pack_int4(integers), scales, plain.bias).eval()(x)
    torch.testing.assert_close(given, expected, rtol=1e-5, atol=1e-5)


def test_the_table_gives_the_rows_that_the_matrix_has():
    integers, scales = quantize_groups(torch.randn(9, 8), 4)
    rows = Int4Embedding(pack_int4(integers), scales.float())(torch.tensor([[4, 0]]))
    torch.testing.assert_close(rows[0], restored(integers, scales)[[4, 0]])


@pytest.mark.parametrize("shape", SHAPES)
def test_a_model_in_four_bits_is_that_with_the_rounded_weights(shape):
    model = build(**shape)
    rounded = copy.deepcopy(model)
    for module in rounded.modules():
        if isinstance(module, nn.Linear | nn.Embedding) and module is not getattr(
            rounded, "positions", None
        ):
            module.weight.data = restored(*quantize_groups(module.weight, 8))
    if model.config.position == "learned":
        rounded.positions.load_state_dict(model.positions.state_dict())
    tokens = random_tokens(2, 8)
    torch.testing.assert_close(
        quantize_int4(model, 8)(tokens).logits, rounded(tokens).logits, rtol=1e-4, atol=1e-5
    )


def test_four_bits_and_the_scales_of_32_are_four_and_a_half():
    model = build(vocab_size=512, d_model=256)
    matrices = [m.weight for m in model.modules() if isinstance(m, nn.Linear)]
    matrices.append(model.token_embedding.weight)
    n = sum(w.numel() for w in matrices)
    rest = nbytes(model) - 4 * n + 4 * 512 * 256 // 32  # the table's scales, in its own dtype
    assert nbytes(quantize_int4(model)) - rest == 4.5 / 8 * n


@pytest.mark.parametrize("shape", SHAPES)
def test_in_four_bits_it_writes_the_same_with_a_cache_and_without(shape):
    model, prompt = quantize_int4(build(**shape), 8), random_tokens(2, 5)
    texts = [generate(model, prompt, 12, temperature=0, use_cache=c) for c in (True, False)]
    torch.testing.assert_close(*texts)


def test_four_bits_can_be_saved_and_loaded(tmp_path):
    model, tokens = quantize_int4(build(seed=0), 8), random_tokens(2, 8)
    save_checkpoint(tmp_path, model)
    other = quantize_int4(build(seed=1), 8)
    load_checkpoint(tmp_path, other)
    torch.testing.assert_close(other(tokens).logits, model(tokens).logits, rtol=0, atol=0)


def test_a_group_that_does_not_fit_changes_nothing():
    model = build(d_ff=40)
    with pytest.raises(ValueError, match="group is 16, but matrices have 40 columns"):
        quantize_int4(model, 16)
    assert isinstance(model.token_embedding, nn.Embedding) and quantize_int4(model, 8)
    with pytest.raises(ValueError, match="10 columns and group is 4: choose a divisor"):
        quantize_groups(torch.ones(1, 10), 4)
    with pytest.raises(ValueError, match="3 columns cannot be packed in pairs"):
        pack_int4(torch.ones(1, 3, dtype=torch.int8))


def test_four_bits_are_not_trained_nor_quantised_again_nor_exported(tmp_path):
    model = quantize_int4(build(), None)
    with pytest.raises(ValueError, match="int4 weights already"):
        quantize_int8(model)
    with pytest.raises(ValueError, match="(?i)quantis"):
        to_huggingface(model, tmp_path / "model")
    with pytest.raises(RuntimeError, match="int4 weights cannot be trained"):
        model.train()(random_tokens(1, 4))


@pytest.mark.skipif(
    not hasattr(torch, "_weight_int4pack_mm_for_cpu"), reason="this PyTorch has no such kernel"
)
def test_pytorchs_kernel_reads_the_same_integers():
    torch.manual_seed(0)
    integers, scales = quantize_groups(torch.randn(64, 128), 32)
    packed = torch._convert_weight_to_int4pack_for_cpu((integers + 8).int(), 1)
    both = torch.stack([scales.T, torch.zeros_like(scales.T)], dim=-1).contiguous()
    x = torch.randn(4, 128)
    theirs = torch._weight_int4pack_mm_for_cpu(x.bfloat16(), packed, 32, both).float()
    ours = Int4Linear(pack_int4(integers), scales).eval()(x)
    assert (theirs - ours).norm() < 0.02 * ours.norm()
