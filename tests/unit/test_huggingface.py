import json

import pytest
import torch
from transformers import BertConfig, BertForMaskedLM, GPT2Config

from llmcourse.bert import BERT, BERTConfig
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.huggingface import BERT_FAMILY, GPT2
from llmcourse.pretrained import from_pretrained, to_huggingface

SHAPE = dict(vocab_size=11, context_length=8, n_layer=1, n_head=2, d_model=8)


@pytest.mark.parametrize("dropout", [0.0, 0.3])
def test_the_library_drops_out_where_we_do(dropout):
    settings = GPT2.their_settings(GPTConfig(**SHAPE, dropout=dropout))
    theirs = GPT2Config(**settings)
    assert theirs.embd_pdrop == theirs.attn_pdrop == theirs.resid_pdrop == dropout
    theirs = BertConfig(**BERT_FAMILY.their_settings(BERTConfig(**SHAPE, dropout=dropout)))
    assert theirs.hidden_dropout_prob == theirs.attention_probs_dropout_prob == dropout


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(tie_word_embeddings=False), "tie_word_embeddings False.*those with True"),
        (dict(is_decoder=True), "is_decoder True.*those with False"),
    ],
)
def test_a_bert_that_computes_something_else_is_refused(changes, message, tmp_path):
    settings = dict(vocab_size=11, hidden_size=8, num_hidden_layers=1, num_attention_heads=2)
    theirs = BertForMaskedLM(BertConfig(**settings, **changes))
    theirs.save_pretrained(tmp_path)
    with pytest.raises(ValueError, match=message):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("content", ['{"model_type": "gp', "", "[1]", "7"])
def test_a_damaged_config_is_named(content, tmp_path):
    torch.manual_seed(0)
    to_huggingface(BERT(BERTConfig(**SHAPE)), tmp_path)
    assert json.loads((tmp_path / "config.json").read_text())["model_type"] == "bert"
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(ValueError, match="config.json is damaged.*fetch it again"):
        from_pretrained(tmp_path)


@pytest.mark.parametrize("predict_tokens", [True, False])
def test_a_bert_comes_back_bit_for_bit(predict_tokens, tmp_path):
    torch.manual_seed(0)
    ours = BERT(BERTConfig(**SHAPE, predict_tokens=predict_tokens))
    to_huggingface(ours, tmp_path)
    back = from_pretrained(tmp_path)
    assert back.config == ours.config and not isinstance(back, GPT)
    for name, weight in back.state_dict().items():
        assert torch.equal(weight, ours.state_dict()[name])
