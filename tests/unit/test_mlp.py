import pytest
import torch
import torch.nn.functional as F

from llmcourse.mlp import MLPConfig, MLPLanguageModel

CONFIG = MLPConfig(vocab_size=11, context_length=3, d_model=4, d_hidden=6)


def model():
    torch.manual_seed(0)
    return MLPLanguageModel(CONFIG).double()


def tokens(time=8, batch=2):
    return torch.randint(11, (batch, time), generator=torch.Generator().manual_seed(1))


def test_it_equals_the_formula_of_the_paper_window_by_window():
    m, ids = model(), tokens()
    logits = m(ids).logits
    for row in range(len(ids)):
        for t in range(2, ids.shape[1]):
            x = torch.cat([m.embedding.weight[i] for i in ids[row, t - 2 : t + 1]])
            hidden = (m.hidden.weight @ x + m.hidden.bias).clamp(min=0)
            torch.testing.assert_close(logits[row, t], m.head.weight @ hidden + m.head.bias)


def test_before_the_text_begins_stand_zeros():
    m = model()
    x = torch.cat([torch.zeros(8).double(), m.embedding.weight[5]])
    expected = m.head(F.relu(m.hidden(x)))
    torch.testing.assert_close(m(torch.tensor([[5]])).logits[0, 0], expected)


def test_it_sees_the_last_tokens_and_nothing_else():
    m, ids = model(), tokens()
    for changed in range(8):
        other = ids.clone()
        other[:, changed] = (ids[:, changed] + 1) % 11
        moved = (m(other).logits != m(ids).logits).any(-1).any(0).nonzero().flatten().tolist()
        assert moved == list(range(changed, min(changed + 3, 8)))


def test_the_loss_is_pytorchs_and_leaves_out_minus_100():
    m, ids = model(), tokens()
    targets = ids.roll(-1, dims=1)
    targets[:, -1] = -100
    logits, loss = m(ids, targets)
    expected = F.cross_entropy(logits.float().flatten(0, 1), targets.flatten())
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", ["vocab_size", "context_length", "d_model", "d_hidden"])
def test_sizes_below_one_are_refused(name):
    with pytest.raises(ValueError, match=f"{name} is 0"):
        MLPConfig(**{name: 0})


def test_ids_outside_the_vocabulary_are_refused():
    with pytest.raises(ValueError, match="the id 11"):
        model()(torch.tensor([[11]]))
