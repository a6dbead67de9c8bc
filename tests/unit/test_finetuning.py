"""Heads, low-rank updates, the loss on answers, and preferences."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from llmcourse.bert import BERT, BERTConfig
from llmcourse.finetuning import (
    ClassifierHead,
    LoRALinear,
    answer_labels,
    answer_log_probs,
    apply_lora,
    dpo_loss,
    load_adapter,
    merge_lora,
    save_adapter,
    sft_loss,
)
from llmcourse.gpt import GPT, GPTConfig

CONFIG = GPTConfig(vocab_size=20, context_length=12, n_layer=2, n_head=2, d_model=8)
LLAMA = replace(CONFIG, norm="rms", position="rope", activation="swiglu", bias=False, n_kv_head=1)
ENCODER = BERTConfig(vocab_size=20, context_length=12, n_layer=2, n_head=2, d_model=8)


def a_gpt(config: GPTConfig = CONFIG) -> GPT:
    torch.manual_seed(0)
    model = GPT(config)
    for weight in model.parameters():  # gains and biases away from ones and zeros
        weight.data += 0.1 * torch.randn_like(weight)
    return model.eval()


def a_bert() -> BERT:
    torch.manual_seed(0)
    return BERT(ENCODER).eval()


def stirred(model: nn.Module) -> nn.Module:
    """Give every B some numbers, as after training."""
    torch.manual_seed(1)
    for module in model.modules():
        if isinstance(module, LoRALinear):
            nn.init.normal_(module.B, std=0.3)
    return model


TOKENS = torch.randint(20, (3, 7), generator=torch.Generator().manual_seed(2))
RIGHT = torch.arange(7) < torch.tensor([7, 4, 2])[:, None]  # padded on the right


# ------------------------------------------------------------------------- classifier head


@pytest.mark.parametrize("pool", ["mean", "last"])
def test_padding_does_not_change_what_a_gpt_says_of_a_text(pool) -> None:
    model = ClassifierHead(a_gpt(), 3, pool)
    together = model(TOKENS, RIGHT).logits
    for row, mask, logits in zip(TOKENS, RIGHT, together):
        torch.testing.assert_close(model(row[mask][None]).logits[0], logits)


@pytest.mark.parametrize("pool", ["first", "mean", "last"])
def test_padding_does_not_change_what_a_bert_says_of_a_text(pool) -> None:
    model = ClassifierHead(a_bert(), 3, pool)
    together = model(TOKENS, RIGHT).logits
    for row, mask, logits in zip(TOKENS, RIGHT, together):
        torch.testing.assert_close(model(row[mask][None]).logits[0], logits)


def test_the_last_real_token_is_read_and_not_the_last_pad_token() -> None:
    model = ClassifierHead(a_gpt(), 3, "last")
    hidden = model.body.hidden(TOKENS, RIGHT)
    read = model.features(TOKENS, RIGHT)
    torch.testing.assert_close(read, torch.stack([hidden[0, 6], hidden[1, 3], hidden[2, 1]]))
    assert not torch.allclose(read[1:], hidden[1:, -1])


def test_padding_on_the_left_gives_the_same() -> None:
    model = ClassifierHead(a_gpt(), 3, "last")
    turned = torch.stack([row.roll(7 - int(mask.sum())) for row, mask in zip(TOKENS, RIGHT)])
    left = model(turned, RIGHT.flip(1)).logits
    torch.testing.assert_close(left, model(TOKENS, RIGHT).logits)


def test_the_mean_is_over_real_tokens() -> None:
    model = ClassifierHead(a_bert(), 2, "mean")
    hidden = model.body(TOKENS, RIGHT).hidden
    torch.testing.assert_close(model.features(TOKENS, RIGHT)[2], hidden[2, :2].mean(0))


def test_hidden_states_of_a_gpt_are_those_its_logits_are_read_from() -> None:
    for config in (CONFIG, LLAMA, replace(CONFIG, tie_embeddings=False)):
        model = a_gpt(config)
        matrix = model.token_embedding.weight if model.head is None else model.head.weight
        torch.testing.assert_close(model.hidden(TOKENS) @ matrix.T, model(TOKENS).logits)


def test_the_loss_is_the_mean_cross_entropy_and_reaches_the_body() -> None:
    model = ClassifierHead(a_gpt(), 3, "last")
    labels = torch.tensor([0, 2, 1])
    logits, loss = model(TOKENS, RIGHT, labels)
    torch.testing.assert_close(loss, -logits.log_softmax(-1)[range(3), labels].mean())
    loss.backward()
    assert model.body.blocks[0].feed_forward.up.weight.grad.abs().sum() > 0


def test_wrong_heads_are_refused() -> None:
    with pytest.raises(ValueError, match="has read nothing but itself"):
        ClassifierHead(a_gpt(), 3, "first")
    with pytest.raises(ValueError, match="pool is 'max'"):
        ClassifierHead(a_gpt(), 3, "max")
    with pytest.raises(ValueError, match="n_classes is 1"):
        ClassifierHead(a_gpt(), 1)
    model = ClassifierHead(a_gpt(), 3)
    with pytest.raises(ValueError, match="give one label for each"):
        model(TOKENS, labels=torch.tensor([0]))
    with pytest.raises(ValueError, match="no real token"):
        model(TOKENS, RIGHT & torch.tensor([True, False, True])[:, None])


# ------------------------------------------------------------------------- LoRA


def test_nothing_changes_at_the_start() -> None:
    model = a_gpt(LLAMA)
    before = model(TOKENS).logits
    assert torch.equal(apply_lora(model, 2, 16)(TOKENS).logits, before)


def test_only_a_and_b_are_trained() -> None:
    model = apply_lora(a_gpt(), 2)
    stirred(model)(TOKENS, TOKENS).loss.backward()
    trained = {name for name, weight in model.named_parameters() if weight.requires_grad}
    got = {name for name, weight in model.named_parameters() if weight.grad is not None}
    assert trained == got and {name[-2:] for name in got} == {".A", ".B"}
    assert len(got) == 2 * 2 * CONFIG.n_layer


@pytest.mark.parametrize("rank", [1, 4])
def test_the_number_of_trained_weights_is_that_of_the_formula(rank) -> None:
    model = apply_lora(a_gpt(), rank, targets=("query_key_value", "output", "up", "down"))
    trained = sum(p.numel() for p in model.parameters() if p.requires_grad)
    d, d_ff = CONFIG.d_model, CONFIG.d_ff
    shapes = [(3 * d, d), (d, d), (d_ff, d), (d, d_ff)]
    assert trained == CONFIG.n_layer * sum(rank * (d_in + d_out) for d_out, d_in in shapes)


@pytest.mark.parametrize("alpha", [None, 1.0, 16.0])
def test_merged_equals_unmerged(alpha) -> None:
    model = stirred(apply_lora(a_gpt(LLAMA), 2, alpha))
    before, names = model(TOKENS).logits, set(a_gpt(LLAMA).state_dict())
    merged = merge_lora(model)
    torch.testing.assert_close(merged(TOKENS).logits, before)
    assert set(merged.state_dict()) == names
    assert not torch.allclose(before, a_gpt(LLAMA)(TOKENS).logits, atol=1e-3)
    assert all(weight.requires_grad for weight in merged.parameters())


def test_an_update_has_at_most_its_rank() -> None:
    layer = LoRALinear(nn.Linear(10, 6), 2)
    nn.init.normal_(layer.B)
    assert torch.linalg.matrix_rank(layer.update()) == 2


@pytest.mark.parametrize("rank,alpha", [(1, 1), (2, 16), (4, 2)])
def test_forward_and_count_equal_those_of_peft(rank, alpha) -> None:
    peft = pytest.importorskip("peft")
    names = ["query_key_value", "output"]
    ours = stirred(apply_lora(a_gpt(), rank, alpha, names))
    config = peft.LoraConfig(r=rank, lora_alpha=alpha, target_modules=names, lora_dropout=0.0)
    theirs = peft.inject_adapter_in_model(config, a_gpt())
    for name, layer in ours.named_modules():
        if isinstance(layer, LoRALinear):
            other = theirs.get_submodule(name)
            other.lora_A["default"].weight.data.copy_(layer.A)
            other.lora_B["default"].weight.data.copy_(layer.B)
            assert other.scaling["default"] == layer.scale
    torch.testing.assert_close(ours(TOKENS).logits, theirs(TOKENS).logits)

    def trained(model):
        return sum(p.numel() for p in model.parameters() if p.requires_grad)

    assert trained(ours) == trained(theirs)


def test_an_adapter_survives_the_disk(tmp_path) -> None:
    model = stirred(apply_lora(a_gpt(), 2, 8, ("query_key_value", "down")))
    save_adapter(model, tmp_path / "adapter.safetensors")
    again = load_adapter(a_gpt(), tmp_path / "adapter.safetensors")
    assert torch.equal(again(TOKENS).logits, model(TOKENS).logits)
    assert (tmp_path / "adapter.safetensors").stat().st_size < 20_000


def test_an_adapter_of_another_model_is_refused_and_leaves_the_model_alone(tmp_path) -> None:
    model = apply_lora(a_gpt(), 2)
    save_adapter(model, tmp_path / "adapter.safetensors")
    other = a_gpt(replace(CONFIG, d_model=16))
    with pytest.raises(ValueError, match="another model"):
        load_adapter(other, tmp_path / "adapter.safetensors")
    assert not any(isinstance(module, LoRALinear) for module in other.modules())
    with pytest.raises(ValueError, match="no low-rank updates to save"):
        save_adapter(other, tmp_path / "other.safetensors")


def test_wrong_updates_are_refused() -> None:
    with pytest.raises(ValueError, match="rank is 0"):
        apply_lora(a_gpt(), 0)
    with pytest.raises(ValueError, match="ranks of 1 to 8"):
        LoRALinear(nn.Linear(8, 24), 9)
    with pytest.raises(ValueError, match=r"\['q_proj'\] fits no linear layer: choose from down"):
        apply_lora(a_gpt(), 2, targets=("q_proj", "output"))
    with pytest.raises(ValueError, match="updates already"):
        apply_lora(apply_lora(a_gpt(), 2), 2)


# ------------------------------------------------------------------------- answers


def test_prompts_and_padding_do_not_count() -> None:
    labels = answer_labels(TOKENS, [3, 2, 1], RIGHT)
    assert torch.equal(labels[0], torch.cat((torch.full((3,), -100), TOKENS[0, 3:])))
    assert labels[1].tolist() == [-100, -100, *TOKENS[1, 2:4].tolist(), -100, -100, -100]
    assert torch.equal(
        labels == -100, ~(RIGHT & (torch.arange(7) >= torch.tensor([[3], [2], [1]])))
    )


def test_the_loss_equals_that_of_transformers() -> None:
    transformers = pytest.importorskip("transformers")
    settings = transformers.GPT2Config(vocab_size=20, n_positions=12, n_embd=8, n_layer=1, n_head=2)
    torch.manual_seed(0)
    model = transformers.GPT2LMHeadModel(settings).eval()
    labels = answer_labels(TOKENS, [3, 2, 1], RIGHT)
    theirs = model(TOKENS, labels=labels)
    torch.testing.assert_close(sft_loss(theirs.logits, labels), theirs.loss)


def test_the_last_token_of_the_prompt_predicts_the_first_of_the_answer() -> None:
    logits = torch.zeros(1, 4, 20)
    logits[0, 1, 7] = 50.0
    tokens = torch.tensor([[3, 4, 7, 9]])
    first_only = answer_labels(tokens, [2], torch.tensor([[True, True, True, False]]))
    assert sft_loss(logits, first_only) < 1e-6


def test_log_probabilities_are_summed_over_the_answer() -> None:
    logits = torch.randn(3, 7, 20, generator=torch.Generator().manual_seed(3))
    labels = answer_labels(TOKENS, [3, 2, 1], RIGHT)
    ours = answer_log_probs(logits, labels)
    for row, (start, end) in enumerate([(3, 7), (2, 4), (1, 2)]):
        steps = logits[row].log_softmax(-1)
        total = sum(steps[t - 1, TOKENS[row, t]] for t in range(start, end))
        torch.testing.assert_close(ours[row], total)
    counted = (labels[:, 1:] != -100).sum()
    torch.testing.assert_close(-ours.sum() / counted, sft_loss(logits, labels))


def test_wrong_answers_are_refused() -> None:
    with pytest.raises(ValueError, match="one length for each"):
        answer_labels(TOKENS, [3, 2])
    with pytest.raises(ValueError, match="1 or more"):
        answer_labels(TOKENS, [3, 0, 1])
    with pytest.raises(ValueError, match="no answer to learn from"):
        sft_loss(torch.zeros(3, 7, 20), answer_labels(TOKENS, [7, 7, 7]))
    with pytest.raises(ValueError, match="not shifted"):
        sft_loss(torch.zeros(3, 7, 20), TOKENS[:, 1:])


# ------------------------------------------------------------------------- preferences


def test_dpo_equals_a_number_computed_by_hand() -> None:
    # rewards 0.5 * (-2 + 4) = 1 and 0.5 * (-5 + 4) = -0.5, and -log sigmoid(1.5) = log(1 + e^-1.5)
    given = [torch.tensor([x]) for x in (-2.0, -5.0, -4.0, -4.0)]
    loss, chosen, rejected = dpo_loss(*given, beta=0.5)
    assert loss.item() == pytest.approx(math.log(1 + math.exp(-1.5)))
    assert (chosen.item(), rejected.item()) == (1.0, -0.5)


def test_at_the_reference_the_loss_is_ln_2_and_the_gradient_half_of_beta() -> None:
    chosen = torch.tensor([-3.0, -1.0], requires_grad=True)
    rejected = torch.tensor([-2.0, -9.0], requires_grad=True)
    loss = dpo_loss(chosen, rejected, chosen.detach(), rejected.detach(), beta=0.2).loss
    loss.backward()
    assert loss.item() == pytest.approx(math.log(2))
    # -beta * sigmoid(0) for each pair, and the mean over two
    torch.testing.assert_close(chosen.grad, torch.full((2,), -0.2 / 2 / 2))
    torch.testing.assert_close(rejected.grad, -chosen.grad)


def test_the_gradient_of_dpo_through_a_model_is_that_of_the_paper() -> None:
    """Section 4 has -beta sigmoid(r_l - r_w) (grad log pi(y_w) - grad log pi(y_l))."""
    model, tokens = a_gpt(), TOKENS[:2]
    labels = answer_labels(tokens, [3, 3])
    log_probs = answer_log_probs(model(tokens).logits, labels)
    reference = log_probs.detach() + torch.tensor([0.3, -0.9])
    weights = list(model.parameters())
    loss = dpo_loss(log_probs[:1], log_probs[1:], reference[:1], reference[1:], beta=0.4).loss
    ours = torch.autograd.grad(loss, weights, retain_graph=True)
    rewards = 0.4 * (log_probs.detach() - reference)
    factor = -0.4 * torch.sigmoid(rewards[1] - rewards[0])
    theirs = torch.autograd.grad(factor * (log_probs[0] - log_probs[1]), weights)
    for one, other in zip(ours, theirs):
        torch.testing.assert_close(one, other)


def test_wrong_preferences_are_refused() -> None:
    given = [torch.zeros(2)] * 4
    with pytest.raises(ValueError, match="beta is 0"):
        dpo_loss(*given, beta=0)
    with pytest.raises(ValueError, match="for each pair"):
        dpo_loss(*given[:3], torch.zeros(3), beta=0.1)


def test_a_step_along_the_gradient_prefers_the_chosen() -> None:
    model, tokens = apply_lora(a_gpt(), 2), TOKENS[:2]
    labels = answer_labels(tokens, [3, 3])
    with torch.no_grad():
        reference = answer_log_probs(model(tokens).logits, labels)
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=0.5)
    for _ in range(2):  # the first only moves B
        now = answer_log_probs(model(tokens).logits, labels)
        loss, *_ = dpo_loss(now[:1], now[1:], reference[:1], reference[1:], beta=0.5)
        optimizer.zero_grad(), loss.backward(), optimizer.step()
    now = answer_log_probs(model(tokens).logits, labels)
    rewards = now - reference
    assert rewards[0] > rewards[1]
    assert F.sigmoid(rewards[0] - rewards[1]) > 0.5
