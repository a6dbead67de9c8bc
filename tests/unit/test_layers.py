import pytest
import torch
import torch.nn.functional as F
from transformers.activations import ACT2FN
from transformers.models.llama.configuration_llama import LlamaConfig
from transformers.models.llama.modeling_llama import LlamaMLP, LlamaRMSNorm

from llmcourse.attention import causal_mask, padding_mask
from llmcourse.layers import (
    Block,
    FeedForward,
    LayerNorm,
    RMSNorm,
    check_tokens,
    cross_entropy,
)

D_MODEL, N_HEAD, D_FF = 24, 4, 40


def random_input(seed=0, time=7):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(3, time, D_MODEL, generator=generator, requires_grad=True)


def shake(module, seed=0):
    """Random weights everywhere, so that ones and zeros hide nothing."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in module.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.3)
    return module


def assert_same(ours, theirs, *inputs, atol=1e-5):
    """The same output, and the same gradient by every input."""
    torch.testing.assert_close(ours, theirs, atol=atol, rtol=1e-4)
    weight = torch.linspace(-1, 1, ours.numel()).view_as(ours)
    for a, b in zip(
        torch.autograd.grad((ours * weight).sum(), inputs),
        torch.autograd.grad((theirs * weight).sum(), inputs),
        strict=True,
    ):
        torch.testing.assert_close(a, b, atol=10 * atol, rtol=1e-3)


# ---------------------------------------------------------------------------- norms


@pytest.mark.parametrize("bias", [True, False])
def test_layer_norm_equals_pytorch(bias):
    ours, x = shake(LayerNorm(D_MODEL, bias=bias)), random_input()
    theirs = torch.nn.LayerNorm(D_MODEL, bias=bias)
    theirs.load_state_dict(ours.state_dict())
    assert_same(ours(x), theirs(x), x)


def test_rms_norm_equals_hugging_face():
    ours, x = shake(RMSNorm(D_MODEL, eps=1e-5)), random_input()
    theirs = LlamaRMSNorm(D_MODEL, eps=1e-5)
    theirs.load_state_dict(ours.state_dict())
    assert_same(ours(x), theirs(x), x)


def test_a_layer_norm_by_hand():
    # 1, 2, 3, 6 have mean 3 and variance 3.5.
    expected = torch.tensor([-2.0, -1.0, 0.0, 3.0]) / 3.5**0.5
    torch.testing.assert_close(LayerNorm(4, eps=0)(torch.tensor([1.0, 2.0, 3.0, 6.0])), expected)


def test_an_rms_norm_by_hand():
    # 1, 1, 3, 5 have mean square 9.
    expected = torch.tensor([1.0, 1.0, 3.0, 5.0]) / 3
    torch.testing.assert_close(RMSNorm(4, eps=0)(torch.tensor([1.0, 1.0, 3.0, 5.0])), expected)


@pytest.mark.parametrize("norm", [LayerNorm, RMSNorm])
def test_a_constant_token_gives_no_nan(norm):
    assert norm(D_MODEL)(torch.zeros(1, D_MODEL)).isfinite().all()


# ---------------------------------------------------------------------------- feed-forward


@pytest.mark.parametrize(
    ("activation", "theirs"), [("relu", "relu"), ("gelu", "gelu"), ("gelu_tanh", "gelu_new")]
)
@pytest.mark.parametrize("bias", [True, False])
def test_a_feed_forward_is_two_products_around_the_librarys_activation(activation, theirs, bias):
    ours, x = shake(FeedForward(D_MODEL, D_FF, activation, bias)), random_input()
    expected = ours.down(ACT2FN[theirs](ours.up(x)))
    assert_same(ours(x), expected, x)


def test_swiglu_equals_llamas():
    ours, x = shake(FeedForward(D_MODEL, D_FF, "swiglu", bias=False)), random_input()
    config = LlamaConfig(hidden_size=D_MODEL, intermediate_size=D_FF, num_attention_heads=N_HEAD)
    theirs = LlamaMLP(config)
    with torch.no_grad():
        theirs.gate_proj.weight.copy_(ours.up.weight[:D_FF])
        theirs.up_proj.weight.copy_(ours.up.weight[D_FF:])
        theirs.down_proj.weight.copy_(ours.down.weight)
    assert_same(ours(x), theirs(x), x)


# ---------------------------------------------------------------------------- blocks


def copy_attention(theirs, ours):
    theirs.in_proj_weight.copy_(ours.query_key_value.weight)
    theirs.in_proj_bias.copy_(ours.query_key_value.bias)
    theirs.out_proj.load_state_dict(ours.output.state_dict())


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("activation", ["relu", "gelu"])
@pytest.mark.parametrize("causal", [False, True])
def test_a_block_equals_pytorchs_encoder_layer(pre_norm, activation, causal):
    ours = shake(Block(D_MODEL, N_HEAD, D_FF, activation=activation, pre_norm=pre_norm))
    theirs = torch.nn.TransformerEncoderLayer(
        D_MODEL, N_HEAD, D_FF, 0.0, activation, batch_first=True, norm_first=pre_norm
    )
    with torch.no_grad():
        copy_attention(theirs.self_attn, ours.attention)
        theirs.linear1.load_state_dict(ours.feed_forward.up.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.down.state_dict())
        theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
        theirs.norm2.load_state_dict(ours.feed_forward_norm.state_dict())
    x, mask = random_input(), padding_mask(torch.tensor([7, 5, 1]))
    expected = theirs(
        x,
        src_mask=~causal_mask(7) if causal else None,
        src_key_padding_mask=~mask[:, 0],
    )
    assert_same(ours(x, mask, causal), expected, x)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_a_block_with_cross_attention_equals_pytorchs_decoder_layer(pre_norm):
    ours = shake(
        Block(D_MODEL, N_HEAD, D_FF, activation="relu", pre_norm=pre_norm, cross_attention=True)
    )
    theirs = torch.nn.TransformerDecoderLayer(
        D_MODEL, N_HEAD, D_FF, 0.0, batch_first=True, norm_first=pre_norm
    )
    with torch.no_grad():
        copy_attention(theirs.self_attn, ours.attention)
        copy_attention(theirs.multihead_attn, ours.cross_attention)
        theirs.linear1.load_state_dict(ours.feed_forward.up.state_dict())
        theirs.linear2.load_state_dict(ours.feed_forward.down.state_dict())
        theirs.norm1.load_state_dict(ours.attention_norm.state_dict())
        theirs.norm2.load_state_dict(ours.cross_attention_norm.state_dict())
        theirs.norm3.load_state_dict(ours.feed_forward_norm.state_dict())
    x, context = random_input(), random_input(1, time=5)
    mask = padding_mask(torch.tensor([5, 3, 1]))
    output = ours(x, causal=True, context=context, context_mask=mask)
    expected = theirs(x, context, tgt_mask=~causal_mask(7), memory_key_padding_mask=~mask[:, 0])
    assert_same(output, expected, x, context)


@pytest.mark.parametrize("norm", ["layer", "rms"])
def test_a_pre_norm_block_that_writes_nothing_passes_its_input_on(norm):
    block, x = shake(Block(D_MODEL, N_HEAD, D_FF, norm=norm)), random_input()
    with torch.no_grad():
        for projection in (block.attention.output, block.feed_forward.down):
            projection.weight.zero_()
            projection.bias.zero_()
    assert torch.equal(block(x), x)


def test_a_block_without_bias_has_none_anywhere():
    block = Block(D_MODEL, N_HEAD, D_FF, bias=False, cross_attention=True)
    assert not [name for name, _ in block.named_parameters() if "bias" in name]


def test_wrong_blocks_say_what_to_do():
    with pytest.raises(ValueError, match="norm is 'batch': choose one of 'layer', 'rms'"):
        Block(D_MODEL, N_HEAD, D_FF, norm="batch")
    with pytest.raises(ValueError, match="activation is 'tanh': choose one of 'relu', 'gelu'"):
        FeedForward(D_MODEL, D_FF, "tanh")
    x = random_input()
    with pytest.raises(ValueError, match="has no cross-attention, and was given a context"):
        Block(D_MODEL, N_HEAD, D_FF)(x, context=x)
    with pytest.raises(ValueError, match="has cross-attention, and was given no context"):
        Block(D_MODEL, N_HEAD, D_FF, cross_attention=True)(x)


def test_tokens_that_no_model_can_read_say_what_to_do():
    for tokens, error, message in [
        (torch.tensor([[0, 5]]), ValueError, "the id 5 but vocab_size is 5: use the tokenizer"),
        (torch.tensor([[-1, 4]]), ValueError, "the id -1 but vocab_size is 5"),
        (torch.zeros(2, 0).long(), ValueError, "an empty prompt needs a first token"),
        (torch.zeros(2).long(), ValueError, r"shape \(2,\).*a single sequence is tokens\[None\]"),
        (torch.zeros(1, 2), TypeError, r"dtype torch.float32.*use tokens.long\(\)"),
    ]:
        with pytest.raises(error, match=message):
            check_tokens(tokens, vocab_size=5)
    for dtype in (torch.int32, torch.int64):
        check_tokens(torch.tensor([[0, 4]], dtype=dtype), vocab_size=5)
    check_tokens(torch.zeros(1, 2, dtype=torch.long, device="meta"), vocab_size=5)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("time", [1, 7, 40])  # fewer tokens than pieces, and pieces of two sizes
def test_the_loss_in_pieces_equals_pytorchs(dtype, time):
    generator = torch.Generator().manual_seed(time)
    logits = torch.randn(3, time, 11, generator=generator).to(dtype).requires_grad_()
    targets = torch.randint(11, (3, time), generator=generator)
    targets[:2, 0] = -100
    theirs = F.cross_entropy(logits.flatten(0, 1).float(), targets.flatten())
    assert_same(cross_entropy(logits, targets), theirs, logits, atol=1e-6)
