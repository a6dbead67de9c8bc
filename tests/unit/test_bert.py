import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from llmcourse.bert import (
    BERT,
    PRESETS,
    BERTConfig,
    mask_tokens,
    weights_from_huggingface,
    weights_to_huggingface,
)

SHAPES = [
    dict(n_layer=1, n_head=1, d_model=8, d_ff=12),
    dict(n_layer=2, n_head=4, d_model=16, n_segment=3),
    dict(n_layer=4, n_head=3, d_model=24, d_ff=40, activation="relu", norm_eps=1e-5),
]


def build(shape, seed=0, **changes):
    torch.manual_seed(seed)
    model = BERT(BERTConfig(**{**dict(vocab_size=31, context_length=12), **shape, **changes}))
    for parameter in model.parameters():  # biases and norms too, so that none is forgotten
        nn.init.normal_(parameter, mean=float(parameter.dim() == 1), std=0.2)
    return model


def huggingface(config, seed=0):
    transformers = pytest.importorskip("transformers")
    torch.manual_seed(seed)
    kind = transformers.BertForMaskedLM if config.predict_tokens else transformers.BertModel
    return kind(
        transformers.BertConfig(
            vocab_size=config.vocab_size,
            max_position_embeddings=config.context_length,
            num_hidden_layers=config.n_layer,
            num_attention_heads=config.n_head,
            hidden_size=config.d_model,
            intermediate_size=config.d_ff,
            type_vocab_size=config.n_segment,
            hidden_act=config.activation,
            layer_norm_eps=config.norm_eps,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
            pad_token_id=None,  # or token 0, which is as good as others here, would not learn
        )
    )


def random_input(seed=0, n_segment=2):
    """Three texts of 9, 4 and 7 tokens, with segments, and targets for two tokens of each."""
    generator = torch.Generator().manual_seed(seed)
    tokens = torch.randint(31, (3, 9), generator=generator)
    segments = torch.randint(n_segment, (3, 9), generator=generator)
    targets = torch.full_like(tokens, -100)
    targets[:, 1:3] = tokens[:, 1:3]
    return tokens, torch.arange(9) < torch.tensor([[9], [4], [7]]), targets, segments


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_logits_loss_and_gradients_equal_transformers(shape):
    model = build(shape)
    theirs = huggingface(model.config)
    weights = weights_to_huggingface(model.state_dict(), model.config)
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.startswith("cls.predictions.decoder.") for name in missing)
    theirs.tie_weights()

    tokens, mask, targets, segments = random_input(n_segment=model.config.n_segment)
    expected = theirs(tokens, mask.long(), segments, labels=targets, output_hidden_states=True)
    output = model(tokens, mask, targets, segments)
    torch.testing.assert_close(output.hidden, expected.hidden_states[-1], atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.logits, expected.logits, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(output.loss, expected.loss)

    expected.loss.backward()
    output.loss.backward()
    gradients = {name: p.grad for name, p in model.named_parameters()}
    gradients = weights_to_huggingface(gradients, model.config)
    found = dict(theirs.named_parameters())
    for name, gradient in gradients.items():
        torch.testing.assert_close(gradient, found[name].grad, atol=1e-5, rtol=1e-4, msg=name)
    assert set(found) - set(gradients) <= {"cls.predictions.decoder.bias"}  # tied there


@pytest.mark.parametrize("predict_tokens", [True, False])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_weights_of_transformers_come_over_and_go_back_without_loss(shape, predict_tokens):
    config = BERTConfig(vocab_size=31, context_length=12, predict_tokens=predict_tokens, **shape)
    theirs = huggingface(config, seed=1)
    model = BERT(config)
    model.load_state_dict(weights_from_huggingface(theirs.state_dict(), config))
    tokens, mask, _, segments = random_input(1, config.n_segment)
    expected = theirs(tokens, mask.long(), segments, output_hidden_states=True)
    output = model(tokens, mask, segments=segments)
    torch.testing.assert_close(output.hidden, expected.hidden_states[-1], atol=1e-5, rtol=1e-5)
    if predict_tokens:
        torch.testing.assert_close(output.logits, expected.logits, atol=1e-5, rtol=1e-5)
    else:
        assert output.logits is None
    back = weights_to_huggingface(model.state_dict(), config)
    for name, weight in back.items():
        assert torch.equal(weight, theirs.state_dict()[name])
    assert not [
        n for n in set(theirs.state_dict()) - set(back) if "pool" not in n and "dec" not in n
    ]


def test_transformers_reads_our_weights_from_a_folder(tmp_path):
    model = build(SHAPES[1])
    theirs = huggingface(model.config)
    theirs.config.save_pretrained(tmp_path)
    weights = weights_to_huggingface(model.state_dict(), model.config)
    weights = {name: weight.contiguous() for name, weight in weights.items()}
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    loaded = type(theirs).from_pretrained(tmp_path)
    tokens, mask, _, segments = random_input(2)
    expected = loaded(tokens, mask.long(), segments).logits
    output = model(tokens, mask, segments=segments)
    torch.testing.assert_close(output.logits, expected, atol=1e-5, rtol=1e-5)


def test_weights_that_are_missing_are_named():
    headless = huggingface(build(SHAPES[0], predict_tokens=False).config).state_dict()
    config = BERTConfig(vocab_size=31, context_length=12, **SHAPES[0])
    with pytest.raises(ValueError, match=r"'cls.predictions.bias'.*predict_tokens=False"):
        weights_from_huggingface(headless, config)


def test_presets_have_the_published_sizes():
    """Devlin et al., 2018: 110M and 340M, the pooler left out here; MiniLM as its file has it."""
    sizes = {"bert_base": 109.5e6, "bert_large": 335.2e6, "minilm": 22.6e6}
    for name, size in sizes.items():
        with torch.device("meta"):
            model = BERT(PRESETS[name])
        assert sum(p.numel() for p in model.parameters()) == pytest.approx(size, rel=2e-3)


def test_bfloat16_stays_near_float32():
    model = build(SHAPES[1])
    tokens, mask, _, _ = random_input()
    expected = model(tokens, mask).logits
    logits = model.bfloat16()(tokens, mask).logits
    assert logits.dtype == torch.bfloat16
    error = (logits.float() - expected).abs().max() / expected.abs().max()
    assert error < 0.03


def test_targets_and_segments_may_be_int32():
    model, (tokens, mask, targets, segments) = build(SHAPES[1]), random_input()
    output = model(tokens.int(), mask, targets.int(), segments.int())
    torch.testing.assert_close(output.loss, model(tokens, mask, targets, segments).loss)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_bfloat16_gradients_are_as_near_to_float32_as_transformers(shape):
    errors, their_errors = [], []
    for seed in range(4):  # one alone may be off by chance, and where ReLU bends most are
        model = build(shape, seed, activation="gelu")
        theirs = huggingface(model.config)
        weights = weights_to_huggingface(model.state_dict(), model.config)
        theirs.load_state_dict(weights, strict=False)
        theirs.tie_weights()
        tokens, mask, targets, segments = random_input(seed, model.config.n_segment)

        exact = gradients_of(theirs, tokens, mask.long(), segments, labels=targets)
        rounded = gradients_of(theirs.bfloat16(), tokens, mask.long(), segments, labels=targets)
        gradients = gradients_of(model.bfloat16(), tokens, mask, targets, segments)
        gradients = weights_to_huggingface(gradients, model.config)
        errors += [(gradients[name] - exact[name]).norm() for name in gradients]
        their_errors += [(rounded[name] - exact[name]).norm() for name in gradients]
    assert 0 < torch.stack(errors).norm() < 1.5 * torch.stack(their_errors).norm()


def gradients_of(model, *inputs, **options):
    model.zero_grad()
    model(*inputs, **options).loss.backward()
    return {name: p.grad.float() for name, p in model.named_parameters()}


def test_every_token_sees_both_sides_but_no_padding():
    model = build(SHAPES[1])
    tokens, mask, _, _ = random_input()
    before = model(tokens, mask).hidden
    tokens[:, -1] = (tokens[:, -1] + 1) % 31  # real in the first text, padding in the others
    change = (model(tokens, mask).hidden - before).abs().amax(-1)[:, :-1]
    assert (change[0] > 0).all() and (change[1:] == 0).all()


def test_a_padded_batch_gives_what_one_at_a_time_gives():
    model = build(SHAPES[2])
    tokens, mask, _, _ = random_input()
    together = model(tokens, mask).logits
    for i, n in enumerate([9, 4, 7]):
        alone = model(tokens[i : i + 1, :n]).logits
        torch.testing.assert_close(together[i : i + 1, :n], alone)


def masked(rate=0.15, seed=0, special=(0, 1, 2)):
    tokens = torch.randint(100, (200, 500), generator=torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(seed)
    return tokens, *mask_tokens(tokens, 3, 100, list(special), generator, rate)


@pytest.mark.parametrize("rate", [0.15, 0.4])
def test_eighty_percent_are_masked_ten_replaced_and_ten_left(rate):
    tokens, hidden, targets = masked(rate)
    chosen = targets != -100
    usable = tokens > 2
    assert chosen.sum() / usable.sum() == pytest.approx(rate, abs=0.005)
    assert (hidden[chosen] == 3).float().mean() == pytest.approx(0.8 + 0.1 / 100, abs=0.01)
    same = (hidden == tokens)[chosen & (tokens != 3)].float().mean()
    assert same == pytest.approx(0.1 + 0.1 / 100, abs=0.01)
    replaced = hidden[chosen & (hidden != tokens) & (hidden != 3)]
    counts = torch.bincount(replaced, minlength=100).float()
    counts = counts[torch.arange(100) != 3]
    chi_square = ((counts - counts.mean()) ** 2 / counts.mean()).sum()
    assert chi_square < 150  # 98 degrees of freedom: 99.9% lie below 147


def test_targets_are_the_true_tokens_and_nothing_else_changes():
    tokens, hidden, targets = masked()
    chosen = targets != -100
    assert torch.equal(targets[chosen], tokens[chosen])
    assert torch.equal(hidden[~chosen], tokens[~chosen])
    assert not chosen[tokens <= 2].any()


def test_masking_everything_and_nothing():
    tokens, hidden, targets = masked(rate=0.0)
    assert torch.equal(hidden, tokens) and (targets == -100).all()
    tokens, _, targets = masked(rate=1.0, special=())
    assert torch.equal(targets, tokens)


def test_masking_is_reproducible_and_differs_between_draws():
    assert torch.equal(masked(seed=1)[1], masked(seed=1)[1])
    assert not torch.equal(masked(seed=1)[1], masked(seed=2)[1])


def test_forward_works_on_meta_and_compiles_as_one_graph():
    model, inputs = build(SHAPES[1]), random_input()
    compiled = torch.compile(model, fullgraph=True, backend="eager")
    torch.testing.assert_close(compiled(*inputs).loss, model(*inputs).loss)
    output = model.to("meta")(*(t.to("meta") for t in inputs))
    assert output.loss.is_meta and output.logits.shape == (3, 9, 31)


def test_bad_input_says_what_to_do():
    good = dict(vocab_size=5, context_length=4, n_layer=1, n_head=2, d_model=8)
    for wrong, message in [
        (dict(n_head=3), "choose an n_head that divides d_model"),
        (dict(n_segment=0), "n_segment is 0: choose 1 or more"),
        (dict(activation="sine"), "activation is 'sine': choose one of 'relu'"),
        (dict(dropout=-0.1), "dropout is -0.1"),
    ]:
        with pytest.raises(ValueError, match=message):
            BERTConfig(**{**good, **wrong})
    model, tokens = BERT(BERTConfig(**good)), torch.zeros(2, 3, dtype=torch.long)
    with pytest.raises(ValueError, match="contains the id 5 but vocab_size is 5"):
        model(tokens + 5)
    with pytest.raises(ValueError, match="length 5 but the model's context_length is 4"):
        model(tokens[:, [0, 0, 0, 0, 0]])
    with pytest.raises(ValueError, match="mask has shape"):
        model(tokens, torch.ones(2, 2, dtype=torch.bool))
    with pytest.raises(TypeError, match="boolean with True = may attend"):
        model(tokens, torch.ones(2, 3))
    with pytest.raises(ValueError, match="set predict_tokens=True"):
        BERT(BERTConfig(**good, predict_tokens=False))(tokens, targets=tokens)
    generator = torch.Generator().manual_seed(0)
    with pytest.raises(ValueError, match="rate is 1.5"):
        mask_tokens(tokens, 3, 5, [], generator, rate=1.5)
    with pytest.raises(ValueError, match="mask_token is 5 but ids go from 0 to 4"):
        mask_tokens(tokens, 5, 5, [], generator)


@pytest.mark.parametrize("segment", [2, -1])
def test_segments_that_the_model_does_not_know_say_what_to_do(segment):
    model, (tokens, _, _, segments) = build(SHAPES[0]), random_input()
    segments[1, 3] = segment
    with pytest.raises(ValueError, match=f"segment.*{segment}.*n_segment is 2"):
        model(tokens, segments=segments)
