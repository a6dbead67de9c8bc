"""Pointing at answers: labels, loss and the best span, against the library's and by hand."""

import json

import pytest
import torch
from transformers import BertConfig, BertForQuestionAnswering

from llmcourse import seed_everything
from llmcourse.bert import BERT, BERTConfig, weights_to_huggingface
from llmcourse.pretrained import minilm_tokenizer
from llmcourse.reading import (
    READER,
    Reader,
    SpanHead,
    best_spans,
    chat_prompt,
    encode_pairs,
    load_reader,
    new_reader,
    save_reader,
    span_labels,
    span_loss,
)

QUESTIONS = ["Who feeds the cat?", "Where is it?"]
TEXTS = ["Every day Ann feeds the cat.", "It lies on the roof of the Anchor, asleep."]


@pytest.fixture(scope="module")
def model():
    seed_everything(0)
    config = BERTConfig(
        vocab_size=30522, context_length=64, n_layer=2, n_head=2, d_model=16, predict_tokens=False
    )
    return SpanHead(BERT(config)).eval()


def test_labels_are_the_tokens_of_the_answer():
    pairs = encode_pairs(QUESTIONS, TEXTS)
    start = TEXTS[1].index("the roof")
    labels = span_labels(pairs, [(None, None), (start, start + len("the roof"))])
    assert labels[0].tolist() == [0, 0]
    first, last = labels[1]
    assert minilm_tokenizer().decode(pairs.tokens[1, first : last + 1].tolist()) == "the roof"


def test_an_answer_beyond_the_text_is_an_error():
    with pytest.raises(ValueError, match="no token"):
        span_labels(encode_pairs(["Who?"], ["Ann."]), [(40, 43)])
    with pytest.raises(ValueError, match="one text"):
        encode_pairs(["Who?"], [])


def test_logits_and_loss_are_those_of_the_library(model):
    config = BertConfig(
        vocab_size=30522, max_position_embeddings=64, num_hidden_layers=2, num_attention_heads=2,
        hidden_size=16, intermediate_size=64,
    )  # fmt: skip
    theirs = BertForQuestionAnswering(config).eval()
    weights = weights_to_huggingface(model.body.state_dict(), model.body.config)
    weights = {f"bert.{name.removeprefix('bert.')}": w for name, w in weights.items()}
    weights |= {f"qa_outputs.{kind}": getattr(model.head, kind) for kind in ("weight", "bias")}
    missing, unexpected = theirs.load_state_dict(weights, strict=False)
    assert not unexpected and all("position_ids" in name for name in missing)
    pairs = encode_pairs(QUESTIONS, TEXTS)
    labels = torch.tensor([[0, 0], [8, 9]])
    with torch.no_grad():
        output = theirs(pairs.tokens, pairs.mask.long(), pairs.segments)
        logits = model(pairs)
    expected = torch.stack([output.start_logits, output.end_logits], -1)
    allowed = logits > float("-inf")
    assert torch.allclose(logits[allowed], expected[allowed], atol=1e-4)
    start, end = (torch.nn.functional.cross_entropy(logits[..., i], labels[:, i]) for i in (0, 1))
    assert span_loss(logits, labels) == pytest.approx(((start + end) / 2).item(), abs=1e-5)


def test_only_the_text_and_the_first_token_can_be_pointed_at(model):
    pairs = encode_pairs(QUESTIONS, TEXTS)
    finite = model(pairs)[..., 0] > float("-inf")
    assert finite[:, 0].all()
    assert torch.equal(finite[:, 1:], pairs.in_text[:, 1:])


def test_the_best_span_by_trying_all():
    torch.manual_seed(0)
    logits = torch.randn(6, 9, 2)
    logits[:, 1:4] = float("-inf")
    first, last, score = best_spans(logits, longest=3)
    for row in range(6):
        tried = {
            (i, j): float(logits[row, i, 0] + logits[row, j, 1])
            for i in range(1, 9)
            for j in range(i, min(i + 3, 9))
        }
        best = max(tried, key=tried.get)
        assert (int(first[row]), int(last[row])) == best
        assert score[row] == pytest.approx(tried[best] - float(logits[row, 0].sum()), abs=1e-5)


def test_a_span_is_a_piece_of_its_text_whatever_the_batch(model):
    read = Reader(model)
    together = read(QUESTIONS, TEXTS)
    alone = [read([q], [t])[0] for q, t in zip(QUESTIONS, TEXTS)]
    for one, other, text in zip(together, alone, TEXTS):
        assert one.text == text[one.start : one.end]
        assert one[:3] == other[:3] and one.score == pytest.approx(other.score, abs=1e-4)


def test_what_is_written_is_what_is_read(tmp_path):
    seed_everything(0)
    model = new_reader()
    for name, weight in model.named_parameters():
        if name.endswith(".B"):
            torch.nn.init.normal_(weight, std=0.02)
    before = Reader(model.eval())(QUESTIONS, TEXTS)
    save_reader(model, tmp_path)
    after = load_reader(tmp_path)(QUESTIONS, TEXTS)
    for one, other in zip(before, after):
        assert one.score == pytest.approx(other.score, abs=0.05)  # 16 bits


def test_an_untouched_reader_reads_as_minilm_and_trains_little_of_it():
    model = new_reader()
    trained = sum(w.numel() for w in model.parameters() if w.requires_grad)
    assert trained < 0.02 * sum(w.numel() for w in model.parameters())


def test_the_shipped_reader_points_and_its_log_is_there():
    span, none = load_reader()(["Who feeds the cat?", "Who is the mayor?"], [TEXTS[0]] * 2)
    assert span.text == "Ann" and span.score > none.score
    log = [json.loads(line) for line in (READER / "log.jsonl").read_text().splitlines()]
    assert [row["step"] for row in log] == list(range(1, 401))
    assert log[-1]["loss"] < 1 < log[0]["loss"]


def test_a_piece_is_made_of_whole_words(model):
    for span, text in zip(Reader(model)(QUESTIONS, TEXTS), TEXTS):
        assert not text[span.end : span.end + 1].isalnum()
        assert not (span.start and text[span.start - 1].isalnum())


def test_a_chat_model_is_told_the_text_and_how_to_refuse():
    system, user = chat_prompt("Who?", "Ann.")
    assert "does not say" in system["content"]
    assert "Ann." in user["content"] and user["content"].endswith("Who?")
    assert chat_prompt("Who?")[1]["content"] == "Who?"
