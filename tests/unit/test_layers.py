import copy

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


def assert_as_exact_in_bfloat16(ours, theirs, places, *inputs, run_ours=None, run_theirs=None):
    """With our weights in theirs, float32 gives the same output and the same gradients by all
    inputs and weights; bfloat16 gives errors that are about as large as theirs.

    `places` says where each of our weights stands in theirs: under one name, or, one part of its
    rows after the other, under several.
    """
    places = {name: there.split() for name, there in places.items()}
    assert places.keys() == dict(ours.named_parameters()).keys()
    with torch.no_grad():
        for name, there in places.items():
            parts = [theirs.get_parameter(n) for n in there]
            rows = ours.get_parameter(name).split([len(p) for p in parts])
            for part, values in zip(parts, rows, strict=True):
                part.copy_(values)

    def found(module, run, names, dtype):
        module = copy.deepcopy(module).to(dtype)
        given = [x.detach().to(dtype).requires_grad_() for x in inputs]
        output = (run or type(module).__call__)(module, *given)
        loss = (output * torch.linspace(-1, 1, output.numel()).view_as(output)).sum()
        loss.backward()
        weights = [torch.cat([module.get_parameter(n).grad for n in there]) for there in names]
        return [t.detach().float() for t in (output, *(x.grad for x in given), *weights)]

    def both(dtype):
        names, their_names = [[name] for name in places], places.values()
        yield found(ours, run_ours, names, dtype)
        yield found(theirs, run_theirs, their_names, dtype)

    output, exact = both(torch.float32)
    torch.testing.assert_close(output, exact, atol=1e-4, rtol=1e-3)
    errors, their_errors = (
        torch.stack([(a - b).norm() / b.norm() for a, b in zip(rounded, exact, strict=True)])
        for rounded in both(torch.bfloat16)
    )
    assert (errors < 3 * their_errors).all()  # that of a single bias varies by chance
    assert 0 < errors.norm() < 1.5 * their_errors.norm()
    assert their_errors.max() < 0.1


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


@pytest.mark.parametrize("norm", ["LayerNorm", "RMSNorm"])
def test_norms_in_bfloat16_are_as_exact_as_pytorchs(norm):
    ours = shake({"LayerNorm": LayerNorm, "RMSNorm": RMSNorm}[norm](D_MODEL, eps=1e-5))
    theirs = getattr(torch.nn, norm)(D_MODEL, eps=1e-5)
    places = {name: name for name, _ in ours.named_parameters()}
    assert_as_exact_in_bfloat16(ours, theirs, places, random_input())


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


@pytest.mark.parametrize("activation", ["relu", "gelu", "gelu_tanh", "swiglu"])
def test_a_feed_forward_in_bfloat16_is_as_exact_as_the_librarys(activation):
    ours = shake(FeedForward(D_MODEL, D_FF, activation, bias=activation != "swiglu"))
    if activation == "swiglu":
        config = LlamaConfig(
            hidden_size=D_MODEL, intermediate_size=D_FF, num_attention_heads=N_HEAD
        )
        theirs = LlamaMLP(config)
        places = {"up.weight": "gate_proj.weight up_proj.weight", "down.weight": "down_proj.weight"}
    else:
        kinds = {
            "relu": torch.nn.ReLU(),
            "gelu": torch.nn.GELU(),
            "gelu_tanh": torch.nn.GELU("tanh"),
        }
        up, down = torch.nn.Linear(D_MODEL, D_FF), torch.nn.Linear(D_FF, D_MODEL)
        theirs = torch.nn.Sequential(up, kinds[activation], down)
        places = {
            f"{ours_}.{kind}": f"{i}.{kind}"
            for ours_, i in (("up", 0), ("down", 2))
            for kind in ("weight", "bias")
        }
    assert_as_exact_in_bfloat16(ours, theirs, places, random_input())


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


def places_in_pytorch(decoder):
    """Where each weight of a block stands in an encoder layer of PyTorch, or a decoder layer."""
    attentions, norms = {"attention": "self_attn"}, ["attention_norm"]
    if decoder:
        attentions["cross_attention"] = "multihead_attn"
        norms.append("cross_attention_norm")
    norms.append("feed_forward_norm")
    modules = {"feed_forward.up": "linear1", "feed_forward.down": "linear2"}
    modules |= {name: f"norm{i}" for i, name in enumerate(norms, start=1)}
    modules |= {f"{ours}.output": f"{theirs}.out_proj" for ours, theirs in attentions.items()}
    places = {}
    for kind in ("weight", "bias"):
        places |= {f"{ours}.{kind}": f"{theirs}.{kind}" for ours, theirs in modules.items()}
        for ours, theirs in attentions.items():
            places[f"{ours}.query_key_value.{kind}"] = f"{theirs}.in_proj_{kind}"
    return places


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("decoder", [False, True])
def test_a_block_in_bfloat16_is_as_exact_as_pytorchs_layer(pre_norm, decoder):
    ours = shake(
        Block(D_MODEL, N_HEAD, D_FF, activation="gelu", pre_norm=pre_norm, cross_attention=decoder)
    )
    kind = torch.nn.TransformerDecoderLayer if decoder else torch.nn.TransformerEncoderLayer
    # Not with ReLU: where it bends, numbers that are rounded otherwise take the other side.
    theirs = kind(D_MODEL, N_HEAD, D_FF, 0.0, "gelu", batch_first=True, norm_first=pre_norm)
    mask, places = ~causal_mask(7), places_in_pytorch(decoder)
    if decoder:
        assert_as_exact_in_bfloat16(
            ours,
            theirs,
            places,
            random_input(),
            random_input(1, time=5),
            run_ours=lambda block, x, context: block(x, causal=True, context=context),
            run_theirs=lambda layer, x, context: layer(x, context, tgt_mask=mask),
        )
    else:
        assert_as_exact_in_bfloat16(
            ours,
            theirs,
            places,
            random_input(),
            run_ours=lambda block, x: block(x, causal=True),
            run_theirs=lambda layer, x: layer(x, src_mask=mask),
        )


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
