"""What `transformers` reads from our tokenizer files gives the ids that our tokenizers give."""

import os

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

os.environ.setdefault("HF_HUB_OFFLINE", "1")
transformers = pytest.importorskip("transformers")

from llmcourse.gpt import GPT, GPTConfig  # noqa: E402
from llmcourse.huggingface_tokenizer import tokenizer_files  # noqa: E402
from llmcourse.pretrained import (  # noqa: E402
    from_pretrained,
    pretrained_folder,
    pretrained_tokenizer,
    to_huggingface,
)
from llmcourse.tokenizers import BPETokenizer  # noqa: E402

NAMES = ("course-gpt", "gpt2", "smollm2-135m-instruct")
# Letters that all releases of Unicode know; the two libraries ship different ones.
LETTERS = st.one_of(
    st.characters(max_codepoint=0x24F),
    st.characters(min_codepoint=0x4E00, max_codepoint=0x9FA5),
    st.sampled_from("\u3000\u200b\u0301\u2028🙂👍🏽αЖ"),
)
TINY = GPTConfig(vocab_size=300, context_length=8, n_layer=1, n_head=2, d_model=8)


def written(tokenizer: BPETokenizer, folder, **settings):
    """The tokenizer as the library reads it from a folder."""
    import json

    for name, content in tokenizer_files(tokenizer, **settings).items():
        (folder / name).write_text(json.dumps(content), encoding="utf-8")
    return transformers.AutoTokenizer.from_pretrained(folder)


@pytest.fixture(scope="module", params=NAMES)
def pair(request, tmp_path_factory):
    """One of our tokenizers, and the library's, read from its files."""
    ours = pretrained_tokenizer(request.param)
    return ours, written(ours, tmp_path_factory.mktemp("tokenizer"))


@settings(max_examples=150, deadline=None, derandomize=True)
@given(text=st.text(LETTERS, max_size=60))
def test_the_library_gives_our_ids(pair, text):
    ours, theirs = pair
    assert theirs.encode(text, add_special_tokens=False) == ours.encode(text)


@pytest.mark.parametrize(
    "text",
    [
        "Hello, world",
        "  two  spaces\n\n\tand 3 tabs ",
        "don't stop'll 12345",
        "狗咬人。é🙂",
        "a\r\n\r\n b",
    ],
)
def test_a_text_comes_back(pair, text):
    ours, theirs = pair
    ids = theirs.encode(text, add_special_tokens=False)
    assert theirs.decode(ids) == ours.decode(ours.encode(text))
    assert len(theirs) == ours.vocab_size


def test_a_special_token_in_a_text_is_taken_for_what_it_names(pair):
    ours, theirs = pair
    for name, id in ours.special_tokens.items():
        assert theirs.encode(f"a{name}b") == ours.encode(f"a{name}b", "all")
        assert id in theirs.encode(f"a{name}b")


def test_end_and_padding_are_known(tmp_path):
    tokenizer = BPETokenizer([], special_tokens=["<end>", "<pad>"])
    theirs = written(tokenizer, tmp_path, end_token="<end>", pad_token="<pad>", max_length=7)
    assert (theirs.eos_token_id, theirs.pad_token_id) == (256, 257)
    assert theirs.model_max_length == 7
    assert theirs.decode([65, 256], skip_special_tokens=True) == tokenizer.decode([65])


def test_an_unknown_end_token_is_named():
    with pytest.raises(ValueError, match=r"end_token is '<stop>'.*it has <end>"):
        tokenizer_files(BPETokenizer([], special_tokens=["<end>"]), end_token="<stop>")


def test_a_model_is_written_with_its_tokenizer(tmp_path):
    tokenizer = BPETokenizer([(0, 1)], special_tokens=["<|endoftext|>"])
    to_huggingface(GPT(TINY), tmp_path, tokenizer)
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path)
    model = transformers.AutoModelForCausalLM.from_pretrained(tmp_path)
    assert theirs.encode('"!x"') == tokenizer.encode('"!x"')
    assert model.config.eos_token_id == theirs.eos_token_id == 257


def test_a_tokenizer_of_another_model_is_refused(tmp_path):
    with pytest.raises(ValueError, match=r"50257 tokens and the model's vocab_size is 300"):
        to_huggingface(GPT(TINY), tmp_path / "folder", pretrained_tokenizer("gpt2"))
    assert not (tmp_path / "folder").exists()


def test_smollm2_is_kept_as_the_library_reads_it():
    folder = pretrained_folder("smollm2-135m-instruct")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    chat = [{"role": "user", "content": "Hi"}]
    text = tokenizer.apply_chat_template(chat, tokenize=False, add_generation_prompt=True)
    assert text.endswith("<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n")
    assert tokenizer.eos_token == "<|im_end|>"
    assert from_pretrained(folder).config == from_pretrained("smollm2-135m-instruct").config


def test_a_folder_that_is_not_kept_is_explained():
    with pytest.raises(ValueError, match="to_huggingface"):
        pretrained_folder("course-gpt")
