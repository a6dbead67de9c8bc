"""Files made to do harm: none of them is unpickled, obeyed or read past its end."""

import hashlib
import json
import pickle
import struct

import pytest

from llmcourse.checkpoints import load_checkpoint, save_checkpoint
from llmcourse.data import TokenDataset
from llmcourse.gpt import GPT, GPTConfig
from llmcourse.pretrained import from_pretrained, to_huggingface

SHAPE = GPTConfig(vocab_size=7, context_length=8, n_layer=1, n_head=1, d_model=8)
HUGE_HEADER = struct.pack("<Q", 2**62) + b"{}"
LONG_HEADER = struct.pack("<Q", 5000) + b"{" + b" " * 20


class Harm:
    """When unpickled, it writes a file."""

    def __init__(self, file):
        self.file = file

    def __reduce__(self):
        return open, (str(self.file), "w")


def harmful(tmp_path):
    return [pickle.dumps(Harm(tmp_path / "harm")), HUGE_HEADER, LONG_HEADER, b""]


def sign(folder, manifest):
    """As someone would who has read checkpoints.py: the hashes fit."""
    manifest.pop("sha256", None)
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    (folder / "checkpoint.json").write_text(json.dumps(manifest | {"sha256": digest}))


def test_the_pickle_of_these_tests_would_do_harm(tmp_path):
    pickle.loads(harmful(tmp_path)[0]).close()
    assert (tmp_path / "harm").exists()


@pytest.mark.parametrize("kind", range(4))
def test_a_checkpoint_with_fitting_hashes_is_still_only_read_as_safetensors(tmp_path, kind):
    folder, content = tmp_path / "run", harmful(tmp_path)[kind]
    model = GPT(SHAPE)
    save_checkpoint(folder, model)
    manifest = json.loads((folder / "checkpoint.json").read_text())
    entry = manifest["files"]["model"]
    (folder / entry["name"]).write_bytes(content)
    entry |= {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    sign(folder, manifest)
    with pytest.raises(ValueError, match="is no file of safetensors.*copy the"):
        load_checkpoint(folder, model)
    assert not (tmp_path / "harm").exists()


@pytest.mark.parametrize("name", ["../secret.safetensors", "/secret.safetensors", "..", ""])
def test_a_manifest_that_climbs_out_of_its_folder_is_not_followed(tmp_path, name):
    folder = tmp_path / "run"
    save_checkpoint(folder, GPT(SHAPE))
    manifest = json.loads((folder / "checkpoint.json").read_text())
    (folder / manifest["files"]["model"]["name"]).rename(tmp_path / "secret.safetensors")
    manifest["files"]["model"]["name"] = name
    sign(folder, manifest)
    with pytest.raises((ValueError, OSError)):
        load_checkpoint(folder, GPT(SHAPE))


@pytest.mark.parametrize("kind", range(4))
def test_a_folder_of_the_librarys_layout_is_only_read_as_safetensors(tmp_path, kind):
    to_huggingface(GPT(SHAPE), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").write_bytes(harmful(tmp_path)[kind])
    with pytest.raises(ValueError):
        from_pretrained(tmp_path / "model")
    assert not (tmp_path / "harm").exists()


def test_a_pickle_under_its_own_name_is_not_opened(tmp_path):
    to_huggingface(GPT(SHAPE), tmp_path / "model")
    (tmp_path / "model" / "model.safetensors").unlink()
    (tmp_path / "model" / "pytorch_model.bin").write_bytes(harmful(tmp_path)[0])
    with pytest.raises((ValueError, FileNotFoundError)):
        from_pretrained(tmp_path / "model")
    assert not (tmp_path / "harm").exists()


def test_an_array_of_pickled_objects_is_no_text(tmp_path):
    (tmp_path / "text.npy").write_bytes(harmful(tmp_path)[0])
    with pytest.raises(ValueError, match="not a whole file of token ids"):
        TokenDataset.open(tmp_path / "text.npy")
    assert not (tmp_path / "harm").exists()
