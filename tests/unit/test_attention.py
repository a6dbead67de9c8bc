import copy

import pytest
import torch
import torch.nn.functional as F

from llmcourse.attention import (
    KVCache,
    MultiHeadAttention,
    causal_mask,
    padding_mask,
    scaled_dot_product_attention,
)


def random_heads(seed, *leading, n_query=5, n_key=7, head_dim=16, value_dim=6):
    generator = torch.Generator().manual_seed(seed)
    shapes = [(n_query, head_dim), (n_key, head_dim), (n_key, value_dim)]
    return [torch.randn(*leading, *shape, generator=generator) for shape in shapes]


@pytest.mark.parametrize("leading", [(), (2,), (2, 3), (2, 3, 4)])
def test_output_equals_pytorch_with_any_leading_axes(leading):
    heads = random_heads(0, *leading)
    torch.testing.assert_close(
        scaled_dot_product_attention(*heads)[0],
        F.scaled_dot_product_attention(*(t[None] for t in heads))[0],
    )


def test_output_and_gradients_equal_pytorch_under_a_random_mask():
    mask = torch.rand(5, 7, generator=torch.Generator().manual_seed(1)) > 0.4
    mask[:, 0] = True
    ours, theirs = ([t.requires_grad_() for t in random_heads(2, 3)] for _ in range(2))
    scaled_dot_product_attention(*ours, mask=mask)[0].square().sum().backward()
    F.scaled_dot_product_attention(*theirs, attn_mask=mask).square().sum().backward()
    for a, b in zip(ours, theirs, strict=True):
        torch.testing.assert_close(a.grad, b.grad)


@pytest.mark.parametrize("mask", [None, causal_mask(5, 7), padding_mask(torch.tensor([3, 7]))])
def test_rows_of_attention_sum_to_one(mask):
    _, weights = scaled_dot_product_attention(*random_heads(3, 2), mask=mask)
    torch.testing.assert_close(weights.sum(-1), torch.ones(2, 5))
    assert (weights >= 0).all()


def test_equal_values_come_back_unchanged():
    query, key, _ = random_heads(4)
    output, _ = scaled_dot_product_attention(query, key, torch.full((7, 6), 2.5))
    torch.testing.assert_close(output, torch.full((5, 6), 2.5))


def test_the_order_of_key_value_pairs_does_not_matter():
    query, key, value = random_heads(5)
    order = torch.randperm(7, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(
        scaled_dot_product_attention(query, key, value)[0],
        scaled_dot_product_attention(query, key[order], value[order])[0],
    )


def test_masked_keys_have_no_influence():
    query, key, value = random_heads(6)
    mask = padding_mask(torch.tensor([4]), n_key=7)[0]
    before, _ = scaled_dot_product_attention(query, key, value, mask)
    key[4:], value[4:] = 1e6, -1e6
    after, _ = scaled_dot_product_attention(query, key, value, mask)
    torch.testing.assert_close(before, after)


def test_a_query_that_may_attend_to_nothing_gets_zeros_and_no_nan_gradient():
    heads = [t.requires_grad_() for t in random_heads(7)]
    mask = torch.ones(5, 7, dtype=torch.bool)
    mask[2] = False
    output, weights = scaled_dot_product_attention(*heads, mask=mask)
    assert (output[2] == 0).all() and (weights[2] == 0).all()
    output.sum().backward()
    assert all(t.grad.isfinite().all() for t in heads)


def test_huge_scores_do_not_overflow():
    query, key, value = random_heads(8)
    output, _ = scaled_dot_product_attention(1e4 * query, 1e4 * key, value)
    assert output.isfinite().all()


def test_in_float16_dot_products_beyond_its_range_do_not_overflow():
    query, key, value = (t.half() for t in random_heads(1, 2, head_dim=64))
    query, key = 150 * query, 150 * key
    assert not (query @ key.transpose(-2, -1)).isfinite().all()
    output, weights = scaled_dot_product_attention(query, key, value)
    expected, _ = scaled_dot_product_attention(query.float(), key.float(), value.float())
    assert weights.isfinite().all()
    torch.testing.assert_close(output.float(), expected, rtol=0, atol=1e-2)


def test_causal_mask_of_the_last_queries_is_the_end_of_the_full_one():
    full = causal_mask(6)
    assert torch.equal(full, torch.ones(6, 6).tril().bool())
    assert torch.equal(causal_mask(2, 6), full[4:])


def test_padding_mask_marks_real_tokens():
    expected = torch.tensor([[[True, False, False]], [[True, True, True]]])
    assert torch.equal(padding_mask(torch.tensor([1, 3])), expected)


def test_wrong_shapes_and_masks_say_what_to_do():
    query, key, value = random_heads(9)
    with pytest.raises(ValueError, match="16 numbers but a key has 8"):
        scaled_dot_product_attention(query, key[:, :8], value)
    with pytest.raises(ValueError, match="7 keys but 5 values"):
        scaled_dot_product_attention(query, key, value[:5])
    with pytest.raises(TypeError, match=r"float32.*True = may attend"):
        scaled_dot_product_attention(query, key, value, mask=torch.zeros(5, 7))
    with pytest.raises(ValueError, match="6 queries but 5 keys"):
        causal_mask(6, 5)
    with pytest.raises(ValueError, match="3 tokens, more than the padded length 2"):
        padding_mask(torch.tensor([3]), n_key=2)


# ---------------------------------------------------------------------------- several heads

D_MODEL, N_HEAD, LENGTHS = 24, 4, torch.tensor([7, 4, 1])
SHAPES = [(None, True), (None, False), (2, True), (1, False)]  # n_kv_head, bias


def random_input(seed, time=7, batch=3):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, time, D_MODEL, generator=generator, requires_grad=True)


def ours_and_pytorch(n_kv_head=None, bias=True):
    """Ours, and a torch.nn.MultiheadAttention in which each group has copies of its key head."""
    torch.manual_seed(0)
    ours = MultiHeadAttention(D_MODEL, N_HEAD, n_kv_head, bias)
    theirs = torch.nn.MultiheadAttention(D_MODEL, N_HEAD, bias=bias, batch_first=True)
    for p in ours.parameters():
        torch.nn.init.normal_(p, std=0.2)
    with torch.no_grad():
        theirs.in_proj_weight.copy_(spread(ours, ours.query_key_value.weight))
        theirs.out_proj.weight.copy_(ours.output.weight)
        if bias:
            theirs.in_proj_bias.copy_(spread(ours, ours.query_key_value.bias))
            theirs.out_proj.bias.copy_(ours.output.bias)
    return ours, theirs


def spread(attention, rows):
    """The rows of queries, keys and values, those of key heads repeated for their group."""
    heads = rows.unflatten(0, (-1, attention.head_dim))
    query, key, value = heads.split((attention.n_head, attention.n_kv_head, attention.n_kv_head))
    n = attention.n_head // attention.n_kv_head
    return torch.cat((query, key.repeat_interleave(n, 0), value.repeat_interleave(n, 0))).flatten(
        0, 1
    )


def gather(attention, rows):
    """The other way round, for gradients: those of all copies of a key head, summed."""
    query, *both = rows.view(3, attention.n_kv_head, -1, attention.head_dim, *rows.shape[1:])
    return torch.cat((query.flatten(0, 2), *(copies.sum(1).flatten(0, 1) for copies in both)))


def gradients(output, *inputs):
    weight = torch.linspace(-1, 1, output.numel()).view_as(output)
    return torch.autograd.grad((output * weight).sum(), inputs)


@pytest.mark.parametrize(("n_kv_head", "bias"), SHAPES)
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize("padded", [False, True])
def test_self_attention_equals_pytorch(n_kv_head, bias, causal, padded):
    ours, theirs = ours_and_pytorch(n_kv_head, bias)
    x = random_input(1)
    mask = padding_mask(LENGTHS) if padded else None
    output = ours(x, mask=mask, causal=causal)
    expected, _ = theirs(
        x,
        x,
        x,
        key_padding_mask=~mask[:, 0] if padded else None,
        attn_mask=~causal_mask(7) if causal else None,
        need_weights=False,
    )
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    projection = ours.query_key_value.weight
    d_x, d_w = gradients(output, x, projection)
    expected_d_x, expected_d_w = gradients(expected, x, theirs.in_proj_weight)
    torch.testing.assert_close(d_x, expected_d_x, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(d_w, gather(ours, expected_d_w), atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(("n_kv_head", "bias"), SHAPES)
@pytest.mark.parametrize("padded", [False, True])
def test_cross_attention_equals_pytorch(n_kv_head, bias, padded):
    ours, theirs = ours_and_pytorch(n_kv_head, bias)
    x, context = random_input(2, time=5), random_input(3)
    mask = padding_mask(LENGTHS) if padded else None
    output = ours(x, context, mask)
    expected, _ = theirs(x, context, context, key_padding_mask=~mask[:, 0] if padded else None)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)
    for ours_grad, theirs_grad in zip(
        gradients(output, x, context), gradients(expected, x, context), strict=True
    ):
        torch.testing.assert_close(ours_grad, theirs_grad, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize("n_kv_head", [None, 2])
def test_in_bfloat16_it_stays_near_float32(n_kv_head):
    exact, _ = ours_and_pytorch(n_kv_head)
    rounded = copy.deepcopy(exact).bfloat16()
    x = random_input(4)
    output = rounded(x.bfloat16(), causal=True)
    assert output.dtype == torch.bfloat16
    torch.testing.assert_close(output.float(), exact(x, causal=True), atol=0.05, rtol=0.05)


def off(rounded, exact):
    """The error of each, as a share of the size of what is exact."""
    return [(a.float() - b).norm() / b.norm() for a, b in zip(rounded, exact, strict=True)]


@pytest.mark.parametrize(("n_kv_head", "bias"), SHAPES)
@pytest.mark.parametrize("causal", [False, True])
def test_in_bfloat16_outputs_and_gradients_are_as_exact_as_pytorchs(n_kv_head, bias, causal):
    ours, theirs = ours_and_pytorch(n_kv_head, bias)
    x, mask = random_input(14), padding_mask(LENGTHS)

    def run_ours(attention, x):
        output = attention(x, mask=mask, causal=causal)
        return output, *gradients(output, x, *attention.parameters())

    def run_theirs(attention, x):
        blocked = ~causal_mask(7) if causal else None
        output, _ = attention(x, x, x, ~mask[:, 0], attn_mask=blocked, need_weights=False)
        found = gradients(output, x, *attention.parameters())  # in the same order as ours
        return output, *(gather(ours, g) if len(g) == 3 * D_MODEL else g for g in found)

    exact = run_theirs(theirs, x)
    torch.testing.assert_close(run_ours(ours, x), exact, atol=1e-4, rtol=1e-4)
    rounded = x.detach().bfloat16().requires_grad_()
    errors = off(run_ours(copy.deepcopy(ours).bfloat16(), rounded), exact)
    their_errors = off(run_theirs(copy.deepcopy(theirs).bfloat16(), rounded), exact)
    for error, their_error in zip(errors, their_errors, strict=True):
        assert 0 < error < 2 * their_error < 0.1


@pytest.mark.parametrize("axes", [2, 3, 4])
def test_a_mask_may_have_two_three_or_four_axes(axes):
    ours, _ = ours_and_pytorch()
    x, mask = random_input(5), causal_mask(7)
    shaped = {2: mask, 3: mask.expand(3, 7, 7), 4: mask.expand(3, N_HEAD, 7, 7)}[axes]
    torch.testing.assert_close(ours(x, mask=shaped), ours(x, causal=True))


def test_heads_give_what_the_slow_formula_needs():
    ours, _ = ours_and_pytorch()
    x = random_input(6)
    collected, _ = scaled_dot_product_attention(*ours.heads(x), causal_mask(7))
    expected = ours.output(collected.transpose(1, 2).flatten(2))
    torch.testing.assert_close(ours(x, causal=True), expected, atol=1e-5, rtol=1e-5)


def test_a_score_bias_is_added_before_the_softmax():
    ours, _ = ours_and_pytorch()
    x, bias = random_input(7), torch.randn(N_HEAD, 7, 7)
    query, key, value = ours.heads(x)
    scores = query @ key.transpose(-2, -1) / ours.head_dim**0.5 + bias
    weights = scores.masked_fill(~causal_mask(7), -torch.inf).softmax(-1)
    expected = ours.output((weights @ value).transpose(1, 2).flatten(2))
    output = ours(x, causal=True, score_bias=bias)
    torch.testing.assert_close(output, expected, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("n_kv_head", [None, 2])
@pytest.mark.parametrize("biased", [False, True])
def test_a_token_that_may_attend_to_nothing_collects_zeros(n_kv_head, biased):
    ours, _ = ours_and_pytorch(n_kv_head)
    x = random_input(8)
    mask = torch.ones(3, 7, 7, dtype=torch.bool)
    mask[1, 2] = False
    output = ours(x, mask=mask, score_bias=torch.zeros(N_HEAD, 7, 7) if biased else None)
    torch.testing.assert_close(output[1, 2], ours.output.bias)
    assert all(g.isfinite().all() for g in gradients(output, x, *ours.parameters()))


@pytest.mark.parametrize("n_kv_head", [None, 2])
@pytest.mark.parametrize("pieces", [[1] * 7, [3, 1, 2, 1], [7]])
def test_attention_with_a_cache_equals_attention_without(n_kv_head, pieces):
    ours, _ = ours_and_pytorch(n_kv_head)
    x = random_input(9)
    cache = KVCache(3, ours.n_kv_head, max_length=9, head_dim=ours.head_dim)
    with torch.no_grad():
        steps = [ours(piece, causal=True, cache=cache) for piece in x.split(pieces, dim=1)]
        torch.testing.assert_close(torch.cat(steps, 1), ours(x, causal=True), atol=1e-5, rtol=1e-5)
    assert cache.length == 7


def test_a_cache_forgets_what_lies_behind_its_length():
    ours, _ = ours_and_pytorch()
    x = random_input(10)
    cache = KVCache(3, N_HEAD, max_length=7, head_dim=ours.head_dim)
    with torch.no_grad():
        ours(torch.cat((x[:, :4], -x[:, 4:]), dim=1), causal=True, cache=cache)
        cache.length = 4
        output = ours(x[:, 4:], causal=True, cache=cache)
        torch.testing.assert_close(output, ours(x, causal=True)[:, 4:], atol=1e-5, rtol=1e-5)


def test_selected_rows_of_a_cache_go_on_as_their_own_sequences():
    ours, _ = ours_and_pytorch()
    x, rows = random_input(11), torch.tensor([2, 0, 0, 1])
    cache = KVCache(3, N_HEAD, max_length=7, head_dim=ours.head_dim)
    with torch.no_grad():
        ours(x[:, :4], causal=True, cache=cache)
        cache.select(rows)
        output = ours(x[rows, 4:], causal=True, cache=cache)
        torch.testing.assert_close(output, ours(x, causal=True)[rows, 4:], atol=1e-5, rtol=1e-5)


def test_a_cache_is_written_in_place_and_read_as_a_view():
    cache = KVCache(1, 2, max_length=5, head_dim=3)
    before = cache.key.data_ptr()
    for _ in range(5):
        key, _ = cache.append(torch.ones(1, 2, 1, 3), torch.ones(1, 2, 1, 3))
    assert key.data_ptr() == cache.key.data_ptr() == before
    assert key.shape == (1, 2, 5, 3)


def test_dropout_is_for_training_only():
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(D_MODEL, N_HEAD, dropout=0.5), random_input(12)
    assert not torch.equal(attention(x), attention(x))
    attention.eval()
    assert torch.equal(attention(x), attention(x))


def test_wrong_heads_and_caches_say_what_to_do():
    with pytest.raises(ValueError, match="d_model is 24 and n_head is 5.*choose an n_head"):
        MultiHeadAttention(24, 5)
    with pytest.raises(ValueError, match="n_head is 4 and n_kv_head is 3.*choose an n_kv_head"):
        MultiHeadAttention(24, 4, 3)
    ours, _ = ours_and_pytorch()
    x = random_input(13)
    cache = KVCache(3, N_HEAD, max_length=10, head_dim=ours.head_dim)
    with pytest.raises(TypeError, match="True = may attend"):
        ours(x, mask=torch.ones(7, 7))
    with pytest.raises(ValueError, match="cross-attention got a cache"):
        ours(x, context=x, cache=cache)
    with torch.no_grad():
        ours(x, causal=True, cache=cache)
        with pytest.raises(ValueError, match="holds 7 of 10 tokens and gets 7 more: make it"):
            ours(x, causal=True, cache=cache)
        with pytest.raises(ValueError, match="for a batch of 3, but gets 2"):
            ours(x[:2, :1], causal=True, cache=cache)


def test_without_attention_dropout_only_numbers_of_the_output_drop_out():
    torch.manual_seed(0)
    attention, x = MultiHeadAttention(8, 2, dropout=0.5), torch.randn(2, 5, 8)
    attention.attention_dropout = 0.0
    whole, dropped = attention.eval()(x), attention.train()(x)
    kept = dropped != 0
    assert 0 < kept.sum() < kept.numel()
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])
