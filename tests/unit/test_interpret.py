from contextlib import ExitStack

import pytest
import torch
from transformers import AutoModelForCausalLM

from llmcourse.generation import generate
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.interpret import (
    ablate_heads,
    attention_rollout,
    induction_scores,
    logit_lens,
    patch_residual,
    record_activations,
)
from llmcourse.pretrained import to_huggingface
from llmcourse.quantization import quantize_int8

VOCAB, TIME = 61, 10
LLAMA = dict(position="rope", norm="rms", activation="swiglu", bias=False, n_kv_head=2)
KINDS = [
    dict(position="learned", activation="gelu_tanh"),
    LLAMA,
    dict(position="alibi", activation="relu", tie_embeddings=False),
    dict(position="sinusoidal", n_kv_head=1),
    dict(position="none", norm="rms"),
]


def build(seed=0, **changes):
    """A model with random numbers in every weight, so that no bias or norm hides."""
    small = dict(vocab_size=VOCAB, context_length=24, n_layer=3, n_head=4, d_model=32)
    torch.manual_seed(seed)
    model = GPT(GPTConfig(**small | changes)).eval()
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn_like(p) * 0.2 + (p.dim() == 1))
    return model


def random_tokens(batch=2, time=TIME, seed=0):
    return torch.randint(VOCAB, (batch, time), generator=torch.Generator().manual_seed(seed))


def logits_of(model, tokens):
    with torch.no_grad():
        return model(tokens).logits


def close(got, expected):
    torch.testing.assert_close(got, expected, atol=1e-5, rtol=1e-5)


def hooks_of(model):
    return sum(len(m._forward_hooks) + len(m._forward_pre_hooks) for m in model.modules())


# ---------------------------------------------------------------------------- recording


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_recording_changes_no_logit_and_keeps_every_shape(kind):
    model, tokens = build(**kind), random_tokens()
    seen = record_activations(model, tokens)
    assert torch.equal(seen.logits, logits_of(model, tokens))
    assert seen.residual.shape == (4, 2, TIME, 32)
    assert seen.attention.shape == (3, 2, 4, TIME, TIME)
    assert seen.head_output.shape == (3, 2, 4, TIME, 32)
    assert seen.feed_forward.shape == (3, 2, TIME, 32)
    assert not any(tensor.requires_grad for tensor in seen)


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_recorded_weights_sum_to_1_and_look_at_nothing_later(kind):
    weights = record_activations(build(**kind), random_tokens()).attention
    close(weights.sum(dim=-1), torch.ones(3, 2, 4, TIME))
    assert not weights.triu(diagonal=1).any()


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_what_a_block_adds_is_the_sum_of_its_heads_its_bias_and_its_feed_forward(kind):
    model = build(**kind)
    seen = record_activations(model, random_tokens())
    for layer, block in enumerate(model.blocks):
        added = seen.head_output[layer].sum(dim=1) + seen.feed_forward[layer]
        if block.attention.output.bias is not None:
            added = added + block.attention.output.bias.detach()
        close(seen.residual[layer + 1] - seen.residual[layer], added)


@pytest.mark.parametrize("kind", KINDS[:2], ids=["gpt2", "llama"])
def test_recorded_weights_and_stream_equal_the_librarys(kind, tmp_path):
    model, tokens = build(**kind), random_tokens()
    to_huggingface(model, tmp_path)
    theirs = AutoModelForCausalLM.from_pretrained(tmp_path, attn_implementation="eager")
    with torch.no_grad():
        expected = theirs(tokens, output_attentions=True, output_hidden_states=True)
    seen = record_activations(model, tokens)
    close(seen.attention, torch.stack(expected.attentions))
    close(seen.residual[:-1], torch.stack(expected.hidden_states[:-1]))  # theirs ends normalised
    close(model.norm(seen.residual[-1]).detach(), expected.hidden_states[-1])


def test_a_model_in_training_is_recorded_without_dropout_and_stays_in_training():
    model, tokens = build(dropout=0.5), random_tokens()
    expected = logits_of(model, tokens)
    model.train()
    model.blocks[1].eval()
    assert torch.equal(record_activations(model, tokens).logits, expected)
    assert model.training and model.blocks[0].training and not model.blocks[1].training


def test_nothing_stays_on_the_model_after_recording_or_after_an_error():
    model = build().train()
    record_activations(model, random_tokens())
    with pytest.raises(ValueError, match="the id 61 but vocab_size is 61"):
        record_activations(model, torch.tensor([[61]]))
    assert model.training and hooks_of(model) == 0


def test_int8_weights_cannot_be_recorded():
    with pytest.raises(ValueError, match="quantised weights: record it before it is quantised"):
        record_activations(quantize_int8(build(d_model=64)), random_tokens())


# ---------------------------------------------------------------------------- the lens


@pytest.mark.parametrize("kind", KINDS, ids=str)
def test_the_lens_on_the_last_stream_gives_the_logits(kind):
    model, tokens = build(**kind), random_tokens()
    seen = record_activations(model, tokens)
    close(logit_lens(model, seen.residual[-1]), seen.logits)
    every = logit_lens(model, seen.residual)
    assert every.shape == (4, 2, TIME, VOCAB) and not every.requires_grad
    close(every[1, 0, 3], logit_lens(model, seen.residual[1, 0, 3]))


def test_the_lens_after_one_block_is_the_model_cut_off_there():
    model, tokens = build(), random_tokens()
    early = logit_lens(model, record_activations(model, tokens).residual[1])
    model.blocks = model.blocks[:1]
    close(early, logits_of(model, tokens))


def test_the_lens_refuses_what_is_no_stream():
    with pytest.raises(ValueError, match=r"shape \(2, 61\), but its last axis must be d_model, 32"):
        logit_lens(build(), torch.zeros(2, VOCAB))


# ---------------------------------------------------------------------------- ablation


@pytest.mark.parametrize("kind", KINDS[:2], ids=["gpt2", "llama"])
def test_ablated_heads_are_columns_of_the_output_projection_set_to_zero(kind):
    model, tokens = build(**kind), random_tokens()
    before = logits_of(model, tokens)
    with ablate_heads(model, [(0, 1), (2, 3), (2, 0)]):
        ablated = logits_of(model, tokens)
    assert torch.equal(logits_of(model, tokens), before)
    with torch.no_grad():
        for layer, head in (0, 1), (2, 3), (2, 0):
            model.blocks[layer].attention.output.weight[:, 8 * head : 8 * head + 8] = 0.0
    close(ablated, logits_of(model, tokens))
    assert (ablated - before).abs().max() > 0.01


def test_without_all_its_heads_a_layer_has_no_attention():
    model, tokens = build(**LLAMA), random_tokens()
    with ablate_heads(model, [(1, head) for head in range(4)]):
        ablated = logits_of(model, tokens)
    model.blocks[1].attention.forward = lambda x, **_: torch.zeros_like(x)
    close(ablated, logits_of(model, tokens))


def test_a_head_at_its_mean_adds_the_same_everywhere_and_the_rest_add_what_they_did():
    model, tokens = build(), random_tokens()
    before = record_activations(model, tokens)
    with ablate_heads(model, [(1, 2)], value="mean"):
        after = record_activations(model, tokens)
    expected = before.head_output[1].clone()
    expected[:, 2] = before.head_output[1][:, 2].mean(dim=(0, 1))
    close(after.head_output[1], expected)
    assert torch.equal(after.head_output[0], before.head_output[0])


def test_recording_shows_what_is_ablated():
    model, tokens = build(), random_tokens()
    with ablate_heads(model, [(1, 2)]):
        seen = record_activations(model, tokens)
        assert torch.equal(seen.logits, logits_of(model, tokens))
    assert not seen.head_output[1, :, 2].any() and seen.head_output[1, :, 1].any()
    close(logit_lens(model, seen.residual[-1]), seen.logits)


def test_inside_the_ablation_cached_generation_writes_what_full_passes_write():
    model, prompt = build(**LLAMA), random_tokens(batch=1, time=5)
    plain = generate(model, prompt, 8, temperature=0)
    with ablate_heads(model, [(0, 0), (1, 1), (2, 2), (2, 3)]):
        written = generate(model, prompt, 8, temperature=0)
        expected = prompt
        for _ in range(8):
            best = logits_of(model, expected)[:, -1:].argmax(dim=-1)
            expected = torch.cat((expected, best), dim=1)
    assert torch.equal(written, expected) and not torch.equal(written, plain)


def test_after_an_exception_the_heads_are_back():
    model, tokens = build(), random_tokens()
    before = logits_of(model, tokens)
    with pytest.raises(KeyError), ablate_heads(model, [(0, 0)]):
        raise KeyError
    assert torch.equal(logits_of(model, tokens), before) and hooks_of(model) == 0


@pytest.mark.parametrize(
    ("heads", "value", "message"),
    [
        ([(3, 0)], "zero", "no head 0 in layer 3: layers are 0 to 2, and heads 0 to 3"),
        ([(0, 4)], "zero", "no head 4 in layer 0"),
        ([(0, -1)], "zero", "no head -1 in layer 0"),
        ((0, 1), "zero", r"heads holds 0: give pairs \(layer, head\)"),
        ([(0, 1)], "noise", "value is 'noise': choose one of 'zero', 'mean'"),
    ],
)
def test_an_ablation_that_cannot_be_says_why_and_leaves_the_model_alone(heads, value, message):
    model = build()
    with pytest.raises(ValueError, match=message), ablate_heads(model, heads, value):
        pass
    assert hooks_of(model) == 0


def test_the_mean_of_a_single_position_is_refused():
    model = build()
    with pytest.raises(ValueError, match="mean over a single position.*a longer text"):
        with ablate_heads(model, [(0, 0)], "mean"):
            logits_of(model, random_tokens(batch=1, time=1))


# ---------------------------------------------------------------------------- patching


@pytest.mark.parametrize("layer", range(4))
def test_a_state_patched_with_itself_changes_nothing(layer):
    model, tokens = build(**LLAMA), random_tokens()
    seen = record_activations(model, tokens)
    with patch_residual(model, layer, 4, seen.residual[layer, :, 4]):
        assert torch.equal(logits_of(model, tokens), seen.logits)
    assert hooks_of(model) == 0


@pytest.mark.parametrize("layer", range(4))
def test_all_positions_patched_with_those_of_another_prompt_give_its_logits(layer):
    model, tokens, other = build(), random_tokens(), random_tokens(seed=1)
    there = record_activations(model, other)
    with ExitStack() as patches:
        for position in range(TIME):
            vector = there.residual[layer, :, position]
            patches.enter_context(patch_residual(model, layer, position, vector))
        close(logits_of(model, tokens), there.logits)


def test_a_patch_changes_nothing_before_its_position_or_layer():
    model, tokens = build(), random_tokens()
    before = record_activations(model, tokens)
    with patch_residual(model, 2, 6, torch.ones(32)):
        after = record_activations(model, tokens)
    assert torch.equal(after.residual[:2], before.residual[:2])
    close(after.logits[:, :6], before.logits[:, :6])
    assert (after.residual[2, :, 6] == 1).all()
    assert (after.logits[:, 7:] - before.logits[:, 7:]).abs().amax(dim=-1).min() > 1e-4


def test_a_negative_position_counts_from_the_end():
    model, tokens = build(), random_tokens()
    with patch_residual(model, 1, -2, torch.ones(32)):
        from_end = logits_of(model, tokens)
    with patch_residual(model, 1, TIME - 2, torch.ones(32)):
        close(from_end, logits_of(model, tokens))


@pytest.mark.parametrize("layer", range(4))
@pytest.mark.parametrize("position", [2, 6])
def test_with_a_cache_a_position_is_that_of_the_whole_text(layer, position):
    model, tokens = build(**LLAMA), random_tokens()
    with torch.no_grad(), patch_residual(model, layer, position, torch.ones(32)):
        expected, cache = model(tokens).logits, model.new_cache(2)
        pieces = [model(piece, cache=cache).logits for piece in tokens.split((4, 3, 1, 2), dim=1)]
    close(torch.cat(pieces, dim=1), expected)


@pytest.mark.parametrize(
    ("layer", "position", "size", "message"),
    [
        (4, 0, 32, "layer is 4, but there is a stream after 0 to 3 blocks"),
        (-1, 0, 32, "layer is -1"),
        (0, TIME, 32, "position is 10, but the model is given 10 tokens"),
        (3, -TIME - 1, 32, "position is -11, but the model is given 10 tokens"),
        (0, 0, 8, r"vector has shape \(8,\), but it must be \(32,\) or \(batch, 32\)"),
    ],
)
def test_a_patch_that_cannot_be_says_why(layer, position, size, message):
    model = build()
    with pytest.raises(ValueError, match=message):
        with patch_residual(model, layer, position, torch.ones(size)):
            logits_of(model, random_tokens())
    assert hooks_of(model) == 0


# ---------------------------------------------------------------------------- scores


def test_a_head_that_finds_what_came_next_has_an_induction_score_of_1():
    """By hand, a b c a b c: the second a (3) looks at b (1), b (4) at c (2), and c (5) at a (3)."""
    induction = torch.zeros(6, 6)
    for query, key in ((3, 1), (4, 2), (5, 3)):
        induction[query, key] = 1.0
    copying = torch.zeros(6, 6)  # at the same token, half a text before
    for query, key in ((3, 0), (4, 1), (5, 2)):
        copying[query, key] = 1.0
    half = torch.stack((induction, torch.zeros(6, 6)))  # a batch of two
    attention = torch.stack((half, torch.stack((copying, copying))), dim=1)[None]
    assert induction_scores(attention, 3).tolist() == [[0.5, 0.0]]
    assert induction_scores(attention[:, :1], 3).tolist() == [[1.0, 0.0]]


def test_a_head_that_looks_at_all_alike_has_the_induction_score_of_chance():
    even = torch.ones(8, 8).tril()
    even = (even / even.sum(dim=-1, keepdim=True)).expand(2, 3, 5, 8, 8)
    expected = (1 / 5 + 1 / 6 + 1 / 7 + 1 / 8) / 4  # row t has t + 1 equal weights
    close(induction_scores(even, 4), torch.full((2, 5), expected))


@pytest.mark.parametrize("period", [1, 3, 5])
def test_induction_is_only_scored_on_a_text_twice(period):
    with pytest.raises(ValueError, match=f"over 8 tokens and period is {period}"):
        induction_scores(torch.zeros(1, 1, 1, 8, 8), period)


def test_rollout_is_the_identity_where_every_token_looks_at_itself():
    identity = torch.eye(5).expand(1, 2, 3, 5, 5)
    assert torch.equal(attention_rollout(identity), torch.eye(5).expand(2, 5, 5))


def test_rollout_of_two_layers_is_what_paper_gives():
    """Both heads' mean has the second token look at the first by 1/2; half of each layer is input.

    So a layer is [[1, 0], [1/4, 3/4]], and its square [[1, 0], [7/16, 9/16]].
    """
    itself, first = torch.eye(2), torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    attention = torch.stack((itself, first))[None, None].expand(2, 1, 2, 2, 2)
    assert attention_rollout(attention).tolist() == [[[1.0, 0.0], [7 / 16, 9 / 16]]]


def test_rollout_multiplies_later_layers_from_the_left_and_its_rows_sum_to_1():
    weights = record_activations(build(), random_tokens()).attention
    layers = [(w.mean(dim=1) + torch.eye(TIME)) / 2 for w in weights]
    rollout = attention_rollout(weights)
    close(rollout, layers[2] @ layers[1] @ layers[0])
    close(rollout.sum(dim=-1), torch.ones(2, TIME))


@pytest.mark.parametrize("call", [attention_rollout, lambda a: induction_scores(a, 2)])
def test_scores_of_one_layer_alone_ask_for_all(call):
    with pytest.raises(ValueError, match=r"shape \(1, 2, 4, 4\).*\(n_layer, batch, n_head, time"):
        call(torch.zeros(1, 2, 4, 4))
