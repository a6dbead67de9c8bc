import dataclasses
import math
import re

import pytest
import torch
import torch.nn.functional as F
from torch.func import functional_call
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM

from llmcourse.checkpoints import load_checkpoint, save_checkpoint
from llmcourse.gpt import GPT, POSITIONS, PRESETS, GPTConfig
from llmcourse.huggingface import GPT2, LLAMA
from llmcourse.layers import ACTIVATIONS

VOCAB = 61
GPT2_SHAPES = [
    dict(n_layer=1, n_head=1, d_model=8, activation="relu"),
    dict(n_layer=2, n_head=4, d_model=32, activation="gelu", tie_embeddings=False),
    dict(n_layer=3, n_head=3, d_model=48, d_ff=80, activation="gelu_tanh", norm_eps=1e-3),
]
LLAMA_SHAPES = [
    dict(n_layer=1, n_head=2, d_model=16, d_ff=24, tie_embeddings=False),
    dict(n_layer=2, n_head=4, n_kv_head=2, d_model=32, rope_theta=500.0),
    dict(n_layer=3, n_head=6, n_kv_head=1, d_model=48, d_ff=64, norm_eps=1e-3),
]
# One model of every kind of position, with all else mixed.
KINDS = [
    dict(position="learned", activation="gelu_tanh"),
    dict(position="rope", norm="rms", activation="swiglu", bias=False, n_kv_head=2),
    dict(position="alibi", activation="relu", tie_embeddings=False),
    dict(position="sinusoidal", n_kv_head=1),
    dict(position="none", norm="rms"),
]


def config(**changes):
    small = dict(vocab_size=VOCAB, context_length=24, n_layer=2, n_head=4, d_model=32)
    return GPTConfig(**small | changes)


def build(seed=0, **changes):
    """A model with random numbers in every weight, so that no bias or norm hides."""
    torch.manual_seed(seed)
    model = GPT(config(**changes)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.1 + (p.dim() == 1))
    return model


def random_tokens(batch=3, time=16, seed=0):
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


# ---------------------------------------------------------------------------- the library


def huggingface_gpt2(c):
    settings = GPT2.their_settings(c)
    kept = {k: v for k, v in settings.items() if k not in ("architectures", "model_type")}
    return GPT2LMHeadModel(GPT2Config(**kept)).eval()


def huggingface_llama(c):
    settings = LLAMA.their_settings(c)
    theta = settings.pop("rope_theta")
    kept = {k: v for k, v in settings.items() if k not in ("architectures", "model_type")}
    rope = {"rope_type": "default", "rope_theta": theta}
    return LlamaForCausalLM(LlamaConfig(**kept, rope_parameters=rope)).eval()


LLAMA_FIXED = dict(norm="rms", position="rope", activation="swiglu", bias=False)
PAIRS = [(GPT2, huggingface_gpt2, shape) for shape in GPT2_SHAPES]
PAIRS += [(LLAMA, huggingface_llama, LLAMA_FIXED | shape) for shape in LLAMA_SHAPES]


def ours_and_theirs(family, make, shape):
    ours = build(**shape)
    theirs = make(ours.config)
    weights = family.their_weights(ours.state_dict(), ours.config)
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected and set(missing) <= {"lm_head.weight"}
    theirs.tie_weights()
    return ours, theirs


@pytest.mark.parametrize(("family", "make", "shape"), PAIRS)
def test_logits_loss_and_gradients_equal_the_librarys(family, make, shape):
    ours, theirs = ours_and_theirs(family, make, shape)
    tokens = random_tokens(time=17)
    tokens, targets = tokens[:, :-1], tokens[:, 1:]
    output = ours(tokens, targets)
    expected = theirs(tokens)
    loss = F.cross_entropy(expected.logits.flatten(0, 1), targets.flatten())
    torch.testing.assert_close(output.logits, expected.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.loss, loss)

    output.loss.backward()
    loss.backward()
    gradients = family.their_weights(
        {name: p.grad for name, p in ours.named_parameters()}, ours.config
    )
    named = dict(theirs.named_parameters())
    assert gradients.keys() == named.keys()
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, named[name].grad, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize(("family", "make", "shape"), [PAIRS[1], PAIRS[4]])
def test_padded_batches_equal_the_librarys(family, make, shape):
    ours, theirs = ours_and_theirs(family, make, shape)
    tokens, mask = random_tokens(), torch.arange(16) >= torch.tensor([[0], [5], [15]])
    positions = (mask.long().cumsum(-1) - 1).clamp(min=0)
    with torch.no_grad():
        output = ours(tokens, mask=mask).logits
        expected = theirs(tokens, attention_mask=mask.long(), position_ids=positions).logits
    torch.testing.assert_close(output[mask], expected[mask], atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize(("family", "make", "shape"), [PAIRS[1], PAIRS[4]])
def test_bfloat16_is_as_near_to_float32_as_the_librarys(family, make, shape):
    ours, theirs = ours_and_theirs(family, make, shape)
    tokens = random_tokens()
    with torch.no_grad():
        exact = theirs(tokens).logits
        error = (ours.bfloat16()(tokens).logits - exact).abs().mean()
        their_error = (theirs.bfloat16()(tokens).logits - exact).abs().mean()
    assert 0 < error < 1.5 * their_error


@pytest.mark.parametrize(("family", "make", "shape"), PAIRS)
def test_bfloat16_gradients_are_as_near_to_float32_as_the_librarys(family, make, shape):
    ours, theirs = ours_and_theirs(family, make, shape)
    tokens, targets = random_tokens(), random_tokens(seed=1)

    def their_gradients(model):
        logits = model(tokens).logits.float()
        F.cross_entropy(logits.flatten(0, 1), targets.flatten()).backward()
        found = {name: p.grad.float() for name, p in model.named_parameters()}
        model.zero_grad()
        return found

    exact, rounded = their_gradients(theirs), their_gradients(theirs.bfloat16())
    ours.bfloat16()(tokens, targets).loss.backward()
    mine = family.their_weights(
        {n: p.grad.float() for n, p in ours.named_parameters()}, ours.config
    )
    assert mine.keys() == exact.keys()
    # A key's bias moves all scores of a query alike: its gradient is zero, its error mere noise.
    sizes = {name: (mine[name] - g).norm() for name, g in exact.items()}
    their_sizes = {name: (rounded[name] - g).norm() for name, g in exact.items()}
    largest = max(g.norm() for g in exact.values())
    for name in exact:
        assert sizes[name] < 2 * their_sizes[name] + 1e-4 * largest, name
    total, their_total = (sum(e**2 for e in s.values()) ** 0.5 for s in (sizes, their_sizes))
    assert 0 < total < 1.5 * their_total < 0.1 * largest


# ---------------------------------------------------------------------------- reading


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("pieces", [[1] * 16, [9, 1, 1, 5]])
def test_reading_with_a_cache_equals_reading_at_once(kind, pieces):
    model, tokens = build(**kind), random_tokens()
    with torch.no_grad():
        cache = model.new_cache(3, max_length=16)
        steps = [model(piece, cache=cache).logits for piece in tokens.split(pieces, dim=1)]
        expected = model(tokens).logits
    torch.testing.assert_close(torch.cat(steps, dim=1), expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("cached", [False, True])
def test_a_left_padded_batch_equals_one_at_a_time(kind, cached):
    model, lengths = build(**kind), (16, 11, 1)
    rows = [random_tokens(1, n, seed=n) for n in lengths]
    padded = torch.cat([F.pad(row, (16 - row.shape[1], 0)) for row in rows])
    mask = torch.arange(16) >= 16 - torch.tensor(lengths)[:, None]
    with torch.no_grad():
        if cached:
            cache = model.new_cache(3)
            first = model(padded[:, :12], cache=cache, mask=mask[:, :12]).logits
            steps = [
                model(padded[:, i : i + 1], cache=cache, mask=mask[:, : i + 1]).logits
                for i in range(12, 16)
            ]
            logits = torch.cat((first, *steps), dim=1)
        else:
            logits = model(padded, mask=mask).logits
        for row, together in zip(rows, logits, strict=True):
            alone = model(row).logits[0]
            torch.testing.assert_close(together[-len(alone) :], alone, atol=1e-5, rtol=1e-5)
    assert logits.isfinite().all()


@pytest.mark.parametrize("kind", KINDS)
def test_future_tokens_do_not_change_the_past(kind):
    model, tokens = build(**kind), random_tokens()
    changed = tokens.clone()
    changed[:, 9] = (changed[:, 9] + 1) % VOCAB
    with torch.no_grad():
        before, after = model(tokens).logits, model(changed).logits
    torch.testing.assert_close(before[:, :9], after[:, :9], atol=1e-6, rtol=0)
    assert (before[:, 9:] - after[:, 9:]).abs().amax(-1).min() > 1e-4  # and all of the future


@pytest.mark.parametrize("kind", KINDS)
def test_sequences_of_a_batch_do_not_see_each_other(kind):
    model, tokens = build(**kind), random_tokens()
    changed = tokens.clone()
    changed[1] = (changed[1] + 1) % VOCAB
    with torch.no_grad():
        before, after = model(tokens).logits, model(changed).logits
    torch.testing.assert_close(before[::2], after[::2], atol=1e-6, rtol=0)


@pytest.mark.parametrize("kind", [k for k in KINDS if k["position"] != "none"])
def test_the_order_of_earlier_tokens_matters(kind):
    model, tokens = build(n_layer=1, **kind), random_tokens()
    swapped = tokens[:, [1, 0, *range(2, 16)]]
    with torch.no_grad():
        assert not torch.allclose(model(tokens).logits[:, -1], model(swapped).logits[:, -1])


def test_one_layer_without_positions_does_not_know_the_order():
    model, tokens = build(n_layer=1, position="none"), random_tokens()
    swapped = tokens[:, [1, 0, *range(2, 16)]]
    with torch.no_grad():
        torch.testing.assert_close(model(tokens).logits[:, -1], model(swapped).logits[:, -1])


def test_the_last_logits_can_be_had_alone():
    model, tokens = build(), random_tokens()
    with torch.no_grad():
        full = model(tokens).logits
        torch.testing.assert_close(model(tokens, n_logits=2).logits, full[:, -2:])


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_prepared_for_decoding_it_is_the_same_model(kind, tmp_path):
    model, prepared = build(**kind), build(**kind).for_decoding()
    tokens, before = random_tokens(), model.state_dict()
    assert prepared.blocks[0].attention.output.weight.stride() == (1, model.config.d_model)
    torch.testing.assert_close(dict(prepared.state_dict()), dict(before), rtol=0, atol=0)
    for each in (model, prepared):
        each(tokens, tokens).loss.backward()
    torch.testing.assert_close(prepared(tokens).logits, model(tokens).logits)
    gradients = [{n: p.grad for n, p in m.named_parameters()} for m in (prepared, model)]
    torch.testing.assert_close(*gradients)
    save_checkpoint(tmp_path, prepared)
    load_checkpoint(tmp_path, other := build(seed=1, **kind))
    torch.testing.assert_close(dict(other.state_dict()), dict(before), rtol=0, atol=0)


def test_ignored_targets_do_not_count():
    model, tokens, targets = build(), random_tokens(seed=1), random_tokens(seed=2)
    targets[:, ::3] = -100
    output = model(tokens, targets)
    kept = targets != -100
    torch.testing.assert_close(output.loss, F.cross_entropy(output.logits[kept], targets[kept]))


def test_without_learned_positions_a_model_can_be_given_a_longer_context():
    short = build(position="alibi")
    long = GPT(config(position="alibi", context_length=100)).eval()
    long.load_state_dict(short.state_dict())
    tokens = random_tokens(time=80)
    with torch.no_grad():
        expected = short(tokens[:, :24]).logits
        torch.testing.assert_close(long(tokens).logits[:, :24], expected, atol=1e-5, rtol=1e-5)


# ---------------------------------------------------------------------------- weights


@pytest.mark.parametrize("kind", KINDS)
def test_an_untrained_model_knows_nothing(kind):
    torch.manual_seed(0)
    model = GPT(config(**kind, vocab_size=1000))
    tokens = torch.randint(1000, (8, 24))
    loss = model(tokens, torch.randint(1000, (8, 24))).loss
    assert abs(loss.item() - math.log(1000)) < 0.1


def test_weights_start_as_in_the_gpt2_paper():
    torch.manual_seed(0)
    model = GPT(config(d_model=256, n_layer=8, vocab_size=500))
    for name, p in model.named_parameters():
        if name.endswith("bias"):
            assert (p == 0).all()
        elif "norm" in name:
            assert (p == 1).all()
        else:
            residual = "attention.output" in name or "feed_forward.down" in name
            std = 0.02 / math.sqrt(16) if residual else 0.02
            assert abs(p.std().item() / std - 1) < 0.05, name


@pytest.mark.parametrize(
    ("name", "millions"),
    [
        ("gpt2", 124.439808),
        ("gpt2_medium", 354.823168),
        ("gpt2_large", 774.030080),
        ("gpt2_xl", 1557.611200),
        ("smollm2", 134.515008),
    ],
)
def test_presets_have_as_many_parameters_as_the_published_models(name, millions):
    with torch.device("meta"):
        model = GPT(PRESETS[name])
    assert sum(p.numel() for p in model.parameters()) == round(millions * 1e6)


def test_gpt3_has_175_billion_parameters_by_formula_and_by_count():
    c = PRESETS["gpt3"]
    d, n_layer = c.d_model, c.n_layer
    block = (4 * d * d + 4 * d) + (8 * d * d + 5 * d) + 4 * d  # attention, feed-forward, norms
    formula = (c.vocab_size + c.context_length) * d + n_layer * block + 2 * d
    with torch.device("meta"):
        model = GPT(c)
    assert sum(p.numel() for p in model.parameters()) == formula
    assert round(formula / 1e9, 1) == 174.6


def test_no_weight_is_stored_twice_and_nothing_but_weights_is_stored():
    for tied in (True, False):
        model = build(tie_embeddings=tied, position="rope")
        assert model.state_dict().keys() == dict(model.named_parameters()).keys()
        assert ("head.weight" in model.state_dict()) != tied
        assert not list(model.buffers())


# ---------------------------------------------------------------------------- machines


@pytest.mark.parametrize("kind", KINDS)
def test_forward_runs_on_the_meta_device(kind):
    with torch.device("meta"):
        model = GPT(config(**kind))
    tokens = torch.zeros(2, 5, dtype=torch.int64, device="meta")
    mask = torch.ones(2, 5, dtype=torch.bool, device="meta")
    output = model(tokens, tokens, mask=mask)
    assert output.logits.shape == (2, 5, VOCAB) and output.loss.device.type == "meta"
    assert model(tokens, cache=model.new_cache(2)).logits.device.type == "meta"


def test_a_model_from_the_meta_device_can_be_filled():
    with torch.device("meta"):
        model = GPT(config(position="rope"))
    model = model.to_empty(device="cpu")
    model.reset_parameters()
    loss = model(random_tokens(), random_tokens(seed=1)).loss
    assert abs(loss.item() - math.log(VOCAB)) < 0.2


@pytest.mark.parametrize(
    ("kind", "padded"), [(KINDS[0], False), (KINDS[1], False), (KINDS[1], True), (KINDS[2], True)]
)
def test_forward_compiles_to_one_graph(kind, padded):
    torch._dynamo.reset()
    model, tokens = build(**kind), random_tokens()
    mask = torch.arange(16) >= torch.tensor([[0], [5], [15]]) if padded else None
    compiled = torch.compile(model, fullgraph=True, backend="aot_eager")
    output, expected = compiled(tokens, tokens, mask=mask), model(tokens, tokens, mask=mask)
    torch.testing.assert_close(output.logits, expected.logits, atol=1e-5, rtol=1e-5)
    gradients = (
        torch.autograd.grad(o.loss, model.token_embedding.weight) for o in (output, expected)
    )
    torch.testing.assert_close(*gradients, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("kind", KINDS[3:], ids=str)
def test_with_sinusoids_or_without_positions_it_compiles_to_one_graph(kind):
    torch._dynamo.reset()
    model, tokens = build(**kind), random_tokens()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    output, expected = compiled(tokens, tokens), model(tokens, tokens)
    torch.testing.assert_close(output.logits, expected.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.loss, expected.loss)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_it_exports_with_batch_and_time_left_open(kind):
    model = build(**kind)
    batch, time = torch.export.Dim("batch", max=64), torch.export.Dim("time", min=2, max=24)
    exported = torch.export.export(
        model, (random_tokens(),), dynamic_shapes={"tokens": {0: batch, 1: time}}
    )
    tokens = random_tokens(batch=2, time=7, seed=5)
    torch.testing.assert_close(
        exported.module()(tokens).logits, model(tokens).logits, atol=1e-5, rtol=1e-5
    )


def test_it_takes_a_gradient_of_a_function_of_its_weights():
    model, tokens = build(), random_tokens()
    weights = dict(model.named_parameters())
    gradients = torch.func.grad(lambda w: functional_call(model, w, (tokens, tokens)).loss)(weights)
    model(tokens, tokens).loss.backward()
    for name, p in model.named_parameters():
        torch.testing.assert_close(gradients[name], p.grad, atol=1e-5, rtol=1e-4)


def test_under_autocast_the_cache_has_the_lower_precision():
    model = build()
    assert model.new_cache(1)[0].key.dtype == torch.float32
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert model.new_cache(1)[0].key.dtype == torch.bfloat16


@pytest.mark.parametrize("device", ["cuda", "mps"])
@pytest.mark.parametrize("kind", KINDS)
def test_an_accelerator_gives_what_the_cpu_gives(device, kind):
    if not getattr(torch, device).is_available():
        pytest.skip(f"this machine has no {device} device")
    model, tokens = build(**kind), random_tokens()
    mask = torch.arange(16) >= torch.tensor([[0], [5], [15]])
    with torch.no_grad():
        expected = model(tokens, tokens, mask=mask)
        model, tokens, mask = model.to(device), tokens.to(device), mask.to(device)
        output = model(tokens, tokens, mask=mask)
    torch.testing.assert_close(output.logits.cpu(), expected.logits, atol=1e-3, rtol=1e-3)


# ---------------------------------------------------------------------------- bad input


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(n_head=5), "d_model is 32 and n_head is 5.*choose an n_head that divides"),
        (dict(n_kv_head=3), "n_head is 4 and n_kv_head is 3.*choose an n_kv_head that divides"),
        (dict(n_layer=0), "n_layer is 0: choose 1 or more"),
        (dict(d_ff=0), "d_ff is 0: choose 1 or more"),
        (dict(norm="batch"), "norm is 'batch': choose one of 'layer', 'rms'"),
        (dict(position="rotary"), "position is 'rotary': choose one of 'learned'.*'rope'"),
        (dict(activation="silu"), "activation is 'silu': choose one of.*'swiglu'"),
        (dict(dropout=1.0), "dropout is 1.0: it is a probability"),
        (dict(position="rope", d_model=36), "head_dim = d_model / n_head is 9.*so that it is even"),
        (
            dict(position="sinusoidal", d_model=33, n_head=3),
            "d_model is 33.*come in pairs: make it even",
        ),
        (dict(norm_eps=-1), "norm_eps is -1"),
        (dict(position="rope", rope_theta=0), "rope_theta is 0"),
    ],
)
def test_a_config_that_cannot_be_built_says_what_to_change(changes, message):
    with pytest.raises(ValueError, match=message):
        config(**changes)


def test_a_config_fills_in_what_follows_from_the_rest():
    assert (config().n_kv_head, config().d_ff, config().head_dim) == (4, 128, 8)
    assert config(activation="swiglu", d_model=576, n_head=9).d_ff == 1536
    changed = dataclasses.replace(PRESETS["gpt2"], dropout=0.1)
    assert changed.dropout == 0.1 and PRESETS["gpt2"].dropout == 0.0
    with pytest.raises(dataclasses.FrozenInstanceError):
        changed.dropout = 0.2


def test_every_position_and_activation_is_tried_here():
    assert {kind["position"] for kind in KINDS} == set(POSITIONS)
    shapes = KINDS + GPT2_SHAPES
    assert {kind.get("activation", "gelu") for kind in shapes} == set(ACTIVATIONS)


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        (torch.tensor([[3, VOCAB]]), ValueError, "the id 61 but vocab_size is 61: use the token"),
        (torch.tensor([[3, -1]]), ValueError, "the id -1 but vocab_size is 61"),
        (torch.zeros(1, 25).long(), ValueError, "length 25 but context_length is 24: shorten"),
        (torch.zeros(1, 0).long(), ValueError, "an empty prompt needs a first token"),
        (torch.zeros(5).long(), ValueError, r"shape \(5,\).*a single sequence is tokens\[None\]"),
        (torch.zeros(1, 5), TypeError, r"dtype torch.float32.*use tokens.long\(\)"),
    ],
)
def test_wrong_tokens_say_what_to_do(tokens, error, message):
    with pytest.raises(error, match=message):
        build()(tokens)


def test_targets_and_numbers_of_logits_that_do_not_fit_say_why():
    model, tokens = build(), random_tokens()
    for n_logits in (0, -1):
        with pytest.raises(ValueError, match=f"n_logits is {n_logits}"):
            model(tokens, n_logits=n_logits)
    with pytest.raises(ValueError, match="n_logits.*targets|targets.*n_logits"):
        model(tokens, tokens, n_logits=2)
    for targets in (tokens[:, 1:], tokens[:1], tokens.flatten(), tokens.T):
        shape = re.escape(str(tuple(targets.shape)))
        with pytest.raises(ValueError, match=rf"targets.*{shape}.*\(3, 16\)"):
            model(tokens, targets)


def test_targets_may_be_int32():
    model, tokens, targets = build(), random_tokens(), random_tokens(seed=1)
    targets[0, :5] = -100
    output = model(tokens.int(), targets.int())
    torch.testing.assert_close(output.loss, model(tokens, targets).loss)


def test_wrong_masks_and_full_caches_say_what_to_do():
    model, tokens = build(), random_tokens()
    with pytest.raises(ValueError, match=r"dtype torch.int64 and.*boolean.*here \(3, 16\)"):
        model(tokens, mask=torch.ones(3, 16).long())
    with pytest.raises(ValueError, match=r"shape \(3, 5\).*here \(3, 16\)"):
        model(tokens, mask=torch.ones(3, 5).bool())
    with torch.no_grad():
        cache = model.new_cache(3)
        model(tokens, cache=cache)
        with pytest.raises(ValueError, match="length 32, 16 of them in the cache, but context"):
            model(tokens, cache=cache)
        with pytest.raises(ValueError, match=r"shape \(3, 1\).*here \(3, 17\).*16 of them in the"):
            model(tokens[:, :1], cache=cache, mask=torch.ones(3, 1).bool())
