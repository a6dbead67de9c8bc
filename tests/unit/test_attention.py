import pytest
import torch
import torch.nn.functional as F

from llmcourse.attention import causal_mask, padding_mask, scaled_dot_product_attention


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
