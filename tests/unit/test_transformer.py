import pytest
import torch
from torch import nn

from llmcourse.transformer import EncoderDecoder, EncoderDecoderConfig

# PyTorch says that it does without nested tensors for some of these shapes.
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor")

SHAPES = [
    dict(n_layer=1, n_head=1, d_model=8, d_ff=12),
    dict(n_layer=2, n_head=4, d_model=16, activation="gelu"),
    dict(n_layer=3, n_head=2, d_model=12, d_ff=20, norm_eps=1e-3),
]


def build(shape, pre_norm, seed=0):
    torch.manual_seed(seed)
    config = EncoderDecoderConfig(
        source_vocab_size=11, target_vocab_size=7, pre_norm=pre_norm, **shape
    )
    model = EncoderDecoder(config)
    for parameter in model.parameters():  # biases and norms too, so that none is forgotten
        nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.3)
    return model


def random_texts(seed=0):
    """Three source texts of 5, 2 and 4 tokens, and three targets of 6."""
    generator = torch.Generator().manual_seed(seed)
    source = torch.randint(11, (3, 5), generator=generator)
    target = torch.randint(7, (3, 6), generator=generator)
    return source, target, torch.arange(5) < torch.tensor([[5], [2], [4]])


def reference(model):
    """torch.nn.Transformer, and where each of its weights stands in our model."""
    config = model.config
    theirs = nn.Transformer(
        config.d_model,
        config.n_head,
        config.n_layer,
        config.n_layer,
        config.d_ff,
        dropout=0.0,
        activation=config.activation,
        norm_first=config.pre_norm,
        layer_norm_eps=config.norm_eps,
        batch_first=True,
    )
    if not config.pre_norm:  # PyTorch ends a post-norm stack in one norm more than the paper
        theirs.encoder.norm = theirs.decoder.norm = None
    places = {
        "attention.query_key_value.weight": "self_attn.in_proj_weight",
        "attention.query_key_value.bias": "self_attn.in_proj_bias",
        "attention.output.": "self_attn.out_proj.",
        "attention_norm.": "norm1.",
        "cross_attention.query_key_value.weight": "multihead_attn.in_proj_weight",
        "cross_attention.query_key_value.bias": "multihead_attn.in_proj_bias",
        "cross_attention.output.": "multihead_attn.out_proj.",
        "cross_attention_norm.": "norm2.",
        "feed_forward.up.": "linear1.",
        "feed_forward.down.": "linear2.",
    }
    names = {}
    for name, _ in model.named_parameters():
        if "embedding" in name:
            continue
        stack, _, rest = name.partition(".")
        if stack in ("encoder", "decoder"):
            number, _, rest = rest.partition(".")
            last = "norm2." if stack == "encoder" else "norm3."
            for ours, place in {**places, "feed_forward_norm.": last}.items():
                if rest.startswith(ours):
                    names[name] = f"{stack}.layers.{number}.{place}{rest.removeprefix(ours)}"
        else:
            names[name] = f"{stack.removesuffix('_norm')}.norm.{rest}"
    return theirs, names


def run_reference(theirs, model, source, target, source_mask):
    """Embeddings by hand, the rest by PyTorch, whose masks say True = may not attend."""
    d_model = model.config.d_model
    source, target = (
        embedding(tokens) * d_model**0.5 + waves(tokens.shape[1], d_model)
        for embedding, tokens in (
            (model.source_embedding, source),
            (model.target_embedding, target),
        )
    )
    output = theirs(
        source,
        target,
        tgt_mask=nn.Transformer.generate_square_subsequent_mask(target.shape[1]),
        tgt_is_causal=True,
        src_key_padding_mask=~source_mask,
        memory_key_padding_mask=~source_mask,
    )
    return output @ model.target_embedding.weight.T


def waves(time, d_model):
    table = torch.empty(time, d_model)
    for t in range(time):
        for i in range(0, d_model, 2):
            angle = torch.tensor(t / 10000 ** (i / d_model))
            table[t, i], table[t, i + 1] = angle.sin(), angle.cos()
    return table


@pytest.mark.parametrize("pre_norm", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_and_gradients_equal_pytorch_with_our_weights(shape, pre_norm):
    model = build(shape, pre_norm)
    theirs, names = reference(model)
    weights = {names[n]: p.detach() for n, p in model.named_parameters() if n in names}
    theirs.load_state_dict(weights)  # strict: no weight of theirs is left as it was
    texts = random_texts()

    expected = run_reference(theirs, model, *texts)
    expected.square().sum().backward()
    embedding_gradients = [model.source_embedding.weight.grad, model.target_embedding.weight.grad]
    model.zero_grad()
    logits = model(*texts).logits
    logits.square().sum().backward()

    torch.testing.assert_close(logits, expected)
    found = dict(theirs.named_parameters())
    for name, parameter in model.named_parameters():
        if name in names:
            assert_near(parameter.grad, found[names[name]].grad)
    assert_near(model.source_embedding.weight.grad, embedding_gradients[0])
    assert_near(model.target_embedding.weight.grad, embedding_gradients[1])


def assert_near(gradient, expected):
    """Equal up to 5e-5 of the largest number: processors add floats in different orders."""
    scale = expected.abs().max()
    torch.testing.assert_close(gradient / scale, expected / scale, rtol=0, atol=5e-5)


@pytest.mark.parametrize("pre_norm", [True, False])
def test_pytorch_weights_poured_into_our_model_give_its_logits(pre_norm):
    model = build(SHAPES[1], pre_norm)
    theirs, names = reference(model)
    found = theirs.state_dict()
    model.load_state_dict({our: found[their] for our, their in names.items()}, strict=False)
    texts = random_texts(1)
    torch.testing.assert_close(model(*texts).logits, run_reference(theirs, model, *texts))


@pytest.mark.parametrize("pre_norm", [True, False])
def test_bfloat16_stays_near_float32(pre_norm):
    model, texts = build(SHAPES[1], pre_norm), random_texts()
    expected = model(*texts).logits
    logits = model.bfloat16()(*texts).logits
    assert logits.dtype == torch.bfloat16
    torch.testing.assert_close(
        logits.float(), expected, atol=0.05 * expected.abs().max().item(), rtol=0
    )


def test_future_target_tokens_do_not_change_the_past():
    model = build(SHAPES[1], pre_norm=False)
    source, target, mask = random_texts()
    before = model(source, target, mask).logits
    target[:, 4:] = (target[:, 4:] + 1) % 7
    after = model(source, target, mask).logits
    torch.testing.assert_close(before[:, :4], after[:, :4])
    assert not torch.allclose(before[:, 4:], after[:, 4:])


def test_every_source_token_but_padding_matters_to_every_target_token():
    model = build(SHAPES[1], pre_norm=True)
    source, target, mask = random_texts()
    before = model(source, target, mask).logits
    source[:, -1] = (source[:, -1] + 1) % 11  # real in the first text, padding in the others
    change = (model(source, target, mask).logits - before).abs().amax(-1)
    assert (change[0] > 0).all() and (change[1:] == 0).all()


def test_a_padded_batch_gives_what_one_at_a_time_gives():
    model = build(SHAPES[2], pre_norm=False)
    source, target, mask = random_texts()
    together = model(source, target, mask).logits
    for i, n in enumerate([5, 2, 4]):
        alone = model(source[i : i + 1, :n], target[i : i + 1]).logits
        torch.testing.assert_close(together[i : i + 1], alone)


def test_loss_is_the_mean_surprise_where_labels_count():
    model = build(SHAPES[0], pre_norm=True)
    source, target, mask = random_texts()
    labels = target.roll(-1, dims=1)
    labels[:, -1] = -100
    output = model(source, target, mask, labels)
    surprise = -output.logits[:, :-1].log_softmax(-1).gather(2, labels[:, :-1, None])
    torch.testing.assert_close(output.loss, surprise.mean())


def test_labels_may_be_int32():
    model = build(SHAPES[1], pre_norm=True)
    source, target, mask = random_texts()
    expected = model(source, target, mask, target).loss
    output = model(source.int(), target.int(), mask, target.int())
    torch.testing.assert_close(output.loss, expected)


def test_a_small_model_learns_to_reverse_and_translates_greedily():
    torch.manual_seed(0)
    config = EncoderDecoderConfig(
        source_vocab_size=6, target_vocab_size=8, n_layer=1, n_head=2, d_model=32, pre_norm=True
    )
    model = EncoderDecoder(config)
    optimizer = torch.optim.AdamW(model.parameters(), lr=5e-3)
    start, stop = 6, 7
    for _ in range(150):
        source = torch.randint(6, (64, 4))
        target = torch.cat((torch.full((64, 1), start), source.flip(1)), dim=1)
        labels = torch.cat((source.flip(1), torch.full((64, 1), stop)), dim=1)
        optimizer.zero_grad()
        model(source, target, labels=labels).loss.backward()
        optimizer.step()
    source = torch.randint(6, (200, 4))
    written = model.translate(source, start, stop, max_new_tokens=9)
    expected = torch.cat((source.flip(1), torch.full((200, 1), stop)), dim=1)
    assert written.shape[1] >= 5  # it stops by itself, all stop tokens from there
    assert (written[:, :5] == expected).all(1).float().mean() > 0.95


def test_translation_fills_up_behind_the_stop_token_and_stops():
    model = build(SHAPES[1], pre_norm=True)
    source, _, mask = random_texts()
    written = model.translate(source, 0, 0, max_new_tokens=12, source_mask=mask)
    assert written.shape[1] <= 12
    for row in written.tolist():
        assert 0 not in row or set(row[row.index(0) :]) == {0}


def test_forward_works_on_meta_and_compiles_as_one_graph():
    model, texts = build(SHAPES[1], pre_norm=False), random_texts()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*texts).logits, model(*texts).logits)
    logits = model.to("meta")(*(t.to("meta") for t in texts)).logits
    assert logits.is_meta and logits.shape == (3, 6, 7)


def test_bad_shapes_and_tokens_say_what_to_do():
    good = dict(source_vocab_size=5, target_vocab_size=5, n_layer=1, n_head=2, d_model=8)
    for wrong, message in [
        (dict(n_head=3), "choose an n_head that divides d_model"),
        (dict(n_layer=0), "n_layer is 0: choose 1 or more"),
        (dict(activation="sine"), "activation is 'sine': choose one of 'relu'"),
        (dict(dropout=1.0), "dropout is 1.0"),
        (dict(n_head=1, d_model=7), "make it even"),
    ]:
        with pytest.raises(ValueError, match=message):
            EncoderDecoderConfig(**{**good, **wrong})
    model = EncoderDecoder(EncoderDecoderConfig(**good))
    tokens = torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="contains the id 5 but vocab_size is 5"):
        model(tokens, tokens + 5)
    with pytest.raises(ValueError, match=r"shape \(3,\).*tokens\[None\]"):
        model(tokens[0], tokens)
    with pytest.raises(ValueError, match="target holds 1 sequences but source 2"):
        model(tokens, tokens[:1])
    with pytest.raises(ValueError, match="one entry for each token"):
        model(tokens, tokens, torch.ones(2, 4, dtype=torch.bool))
    with pytest.raises(TypeError, match="boolean with True = may attend"):
        model(tokens, tokens, torch.ones(2, 3))
    with pytest.raises(ValueError, match="the one that follows"):
        model(tokens, tokens, labels=tokens[:, 1:])
