import hashlib
import json
import os
from dataclasses import dataclass

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from llmcourse.checkpoints import load_checkpoint, replacing, save_checkpoint


@dataclass(frozen=True)
class Config:
    width: int = 6
    depth: int = 2


class Tied(nn.Module):
    """A small model whose first and last weights are one tensor, as in a GPT."""

    def __init__(self, config=None):
        super().__init__()
        self.config = config or Config()
        width = self.config.width
        self.embed = nn.Embedding(11, width)
        self.layers = nn.ModuleList(nn.Linear(width, width) for _ in range(self.config.depth))
        self.head = nn.Linear(width, 11, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("scale", torch.ones(1))

    def forward(self, tokens):
        x = self.embed(tokens) * self.scale
        for layer in self.layers:
            x = layer(x).relu()
        return self.head(x)


def trained(seed=0, kind=torch.optim.AdamW, **options):
    torch.manual_seed(seed)
    model = Tied()
    optimizer = kind(model.parameters(), lr=0.01, **options)
    for _ in range(3):
        step(model, optimizer)
    return model, optimizer


def step(model, optimizer):
    optimizer.zero_grad()
    model(torch.arange(11)).square().mean().backward()
    optimizer.step()


def weights(model):
    return {name: value.clone() for name, value in model.state_dict().items()}


def assert_same(one, two):
    assert one.keys() == two.keys()
    assert all(torch.equal(one[name], two[name]) for name in one)


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.AdamW, {"amsgrad": True, "betas": (0.8, 0.9)}),
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.RMSprop, {"centered": True}),
    ],
)
def test_going_on_after_loading_equals_never_having_stopped(tmp_path, kind, options):
    model, optimizer = trained(0, kind, **options)
    save_checkpoint(tmp_path / "run", model, optimizer, step=3)
    again, again_optimizer = trained(1, kind, **options)
    assert load_checkpoint(tmp_path / "run", again, again_optimizer).step == 3
    assert_same(weights(model), weights(again))
    for _ in range(2):
        step(model, optimizer)
        step(again, again_optimizer)
    assert_same(weights(model), weights(again))
    assert optimizer.state_dict()["param_groups"] == again_optimizer.state_dict()["param_groups"]


def test_random_generators_go_on_where_they_were(tmp_path):
    draws = torch.Generator().manual_seed(5)
    torch.rand(7, generator=draws)
    generators = {"data": draws, "dropout": torch.default_generator}
    save_checkpoint(tmp_path, Tied(), generators=generators)
    expected = torch.rand(3, generator=draws), torch.rand(3)
    fresh = torch.Generator()
    load_checkpoint(tmp_path, generators={"data": fresh, "dropout": torch.default_generator})
    assert load_checkpoint(tmp_path).generators == ("data", "dropout")
    assert torch.equal(expected[0], torch.rand(3, generator=fresh))
    assert torch.equal(expected[1], torch.rand(3))


def test_bfloat16_weights_come_back_bit_for_bit(tmp_path):
    model = Tied().bfloat16()
    save_checkpoint(tmp_path, model)
    again = Tied().bfloat16()
    load_checkpoint(tmp_path, again)
    assert_same(weights(model), weights(again))


def test_a_model_can_be_built_from_what_the_checkpoint_tells(tmp_path):
    model = Tied(Config(width=4, depth=3))
    save_checkpoint(tmp_path, model, step=12)
    found = load_checkpoint(tmp_path)
    assert found.step == 12
    again = Tied(Config(**found.config))
    load_checkpoint(tmp_path, again)
    assert_same(weights(model), weights(again))


def test_the_weights_are_a_plain_safetensors_file_with_tied_ones_stored_once(tmp_path):
    model = Tied()
    save_checkpoint(tmp_path, model)
    (file,) = tmp_path.glob("model-*.safetensors")
    stored = load_file(file)
    assert len(stored) == len(model.state_dict()) - 1
    assert all(torch.equal(value, model.state_dict()[name]) for name, value in stored.items())


def test_two_checkpoints_remain_and_other_files_are_left_alone(tmp_path):
    (tmp_path / "model-mine.safetensors").write_text("not ours")
    for seed in range(4):
        model, optimizer = trained(seed)
        save_checkpoint(tmp_path, model, optimizer, step=seed)
    names = sorted(file.name.split("-")[0] for file in tmp_path.iterdir())
    assert names == ["checkpoint.json", *["model"] * 3, "previous.json", *["state"] * 2]
    again = Tied()
    assert load_checkpoint(tmp_path, again).step == 3
    assert_same(weights(model), weights(again))
    assert (tmp_path / "model-mine.safetensors").read_text() == "not ours"


@pytest.mark.parametrize("damaged", ["model", "state", "checkpoint.json"])
@pytest.mark.parametrize("how", ["one byte flipped", "cut short", "removed"])
def test_the_checkpoint_before_is_there_when_the_newest_is_damaged(tmp_path, damaged, how):
    model, optimizer = trained(0)
    save_checkpoint(tmp_path, model, optimizer, step=1)
    before, old_files = weights(model), set(tmp_path.iterdir())
    step(model, optimizer)
    save_checkpoint(tmp_path, model, optimizer, step=2)
    (file,) = (
        f
        for f in tmp_path.iterdir()
        if f.name.startswith(damaged) and (f.suffix == ".json" or f not in old_files)
    )
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    if how == "one byte flipped":
        file.write_bytes(content)
    elif how == "cut short":
        file.write_bytes(content[: len(content) // 2])
    else:
        file.unlink()

    again, again_optimizer = trained(1)
    says = "of step 1, by renaming previous.json to checkpoint.json"
    with pytest.raises((ValueError, FileNotFoundError), match=says):
        load_checkpoint(tmp_path, again, again_optimizer)
    (tmp_path / "previous.json").replace(tmp_path / "checkpoint.json")
    assert load_checkpoint(tmp_path, again, again_optimizer).step == 1
    assert_same(before, weights(again))


def test_without_a_checkpoint_before_it_a_damaged_one_has_to_be_copied_again(tmp_path):
    save_checkpoint(tmp_path, trained(0)[0])
    (tmp_path / "checkpoint.json").write_text("{")
    with pytest.raises(ValueError, match="copy the checkpoint's whole folder again$"):
        load_checkpoint(tmp_path)


@pytest.mark.parametrize("call", [0, 1, 2])
@pytest.mark.parametrize("name", ["fsync", "replace"])
def test_the_older_checkpoint_survives_a_save_that_fails_anywhere(
    tmp_path, monkeypatch, name, call
):
    model, optimizer = trained(0)
    save_checkpoint(tmp_path, model, optimizer, step=1)
    before = weights(model)
    step(model, optimizer)

    calls, original = iter(range(9)), getattr(os, name)

    def fails_once(*arguments):
        if next(calls) == call:
            raise OSError("no space left on device")
        return original(*arguments)

    with monkeypatch.context() as patch, pytest.raises(OSError, match="no space left"):
        patch.setattr(os, name, fails_once)
        save_checkpoint(tmp_path, model, optimizer, step=2)
    again, again_optimizer = trained(1)
    assert load_checkpoint(tmp_path, again, again_optimizer).step == 1
    assert_same(before, weights(again))
    assert not list(tmp_path.glob(".*"))


def every_position(file):
    size = file.stat().st_size
    return sorted({0, 1, 7, 8, 9, size // 3, size // 2, size - 2, size - 1})


def test_one_flipped_byte_anywhere_is_found_before_anything_is_loaded(tmp_path):
    model, optimizer = trained(0)
    save_checkpoint(tmp_path, model, optimizer, step=3)
    again, again_optimizer = trained(1)
    before = weights(again)
    for file in tmp_path.iterdir():
        whole = file.read_bytes()
        for position in every_position(file):
            flipped = bytearray(whole)
            flipped[position] ^= 1
            file.write_bytes(flipped)
            with pytest.raises(ValueError, match="changed after it was saved.*copy the"):
                load_checkpoint(tmp_path, again, again_optimizer)
        file.write_bytes(whole)
    assert_same(before, weights(again))
    load_checkpoint(tmp_path, again, again_optimizer)


def test_a_file_cut_short_or_missing_is_named(tmp_path):
    model, optimizer = trained(0)
    save_checkpoint(tmp_path, model, optimizer)
    for file in list(tmp_path.iterdir()):
        whole = file.read_bytes()
        for size in (0, len(whole) // 2, len(whole) - 1):
            file.write_bytes(whole[:size])
            with pytest.raises(ValueError, match=rf"{file.name}.* cut short"):
                load_checkpoint(tmp_path, model, optimizer)
        file.unlink()
        with pytest.raises(FileNotFoundError, match=rf"{file.name}.*(missing|is not)"):
            load_checkpoint(tmp_path, model, optimizer)
        file.write_bytes(whole)


def test_another_configuration_is_told_field_by_field(tmp_path):
    save_checkpoint(tmp_path, Tied(Config(width=4)))
    with pytest.raises(ValueError, match="width is 4 there and 6 here.*load_checkpoint"):
        load_checkpoint(tmp_path, Tied(Config(width=6)))


def test_another_model_is_told_weight_by_weight(tmp_path):
    save_checkpoint(tmp_path / "one", nn.Linear(3, 4))
    for other, message in [
        (nn.Linear(3, 5), r"weight has shape \(4, 3\) there and \(5, 3\) here"),
        (nn.Linear(3, 4, bias=False), "bias is in the checkpoint only"),
        (nn.Sequential(nn.Linear(3, 4)), r"0\.weight is in the model only"),
    ]:
        before = weights(other)
        with pytest.raises(ValueError, match=message):
            load_checkpoint(tmp_path / "one", other)
        assert_same(before, weights(other))


def test_an_optimizer_or_generator_that_was_not_saved_is_an_error(tmp_path):
    model, optimizer = trained(0)
    save_checkpoint(tmp_path, model)
    with pytest.raises(ValueError, match="holds no optimiser: load it with optimizer=None"):
        load_checkpoint(tmp_path, model, optimizer)
    with pytest.raises(ValueError, match="no random generator called data"):
        load_checkpoint(tmp_path, model, generators={"data": torch.Generator()})
    save_checkpoint(tmp_path, model, optimizer)
    two_groups = torch.optim.AdamW([{"params": [p]} for p in model.layers.parameters()])
    with pytest.raises(ValueError, match=r"groups of \[5\] tensors and this one of \[1, 1, 1, 1\]"):
        load_checkpoint(tmp_path, model, two_groups)


def test_a_manifest_of_a_later_format_asks_for_the_version_that_wrote_it(tmp_path, monkeypatch):
    monkeypatch.setattr("llmcourse.checkpoints.FORMAT", 2)
    save_checkpoint(tmp_path, Tied())
    monkeypatch.undo()
    with pytest.raises(ValueError, match="has format 2, but this version .* reads format 1"):
        load_checkpoint(tmp_path)


def test_a_manifest_cannot_reach_outside_its_folder(tmp_path):
    outside = tmp_path / "precious.safetensors"
    outside.write_text("mine")
    save_checkpoint(tmp_path / "run", Tied())
    file = tmp_path / "run" / "checkpoint.json"
    manifest = json.loads(file.read_text())
    manifest["files"]["model"]["name"] = "../precious.safetensors"
    del manifest["sha256"]
    digest = hashlib.sha256(json.dumps(manifest, sort_keys=True).encode()).hexdigest()
    file.write_text(json.dumps(manifest | {"sha256": digest}))
    with pytest.raises(FileNotFoundError, match=r"run.precious\.safetensors is missing"):
        load_checkpoint(tmp_path / "run", Tied())
    save_checkpoint(tmp_path / "run", Tied())
    assert outside.read_text() == "mine"


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path):
    path = tmp_path / "file"
    path.write_text("old")
    with pytest.raises(RuntimeError), replacing(path) as partial:
        partial.write_text("half")
        raise RuntimeError
    assert path.read_text() == "old"
    with replacing(path) as partial:
        partial.write_text("new")
    assert path.read_text() == "new" and list(tmp_path.iterdir()) == [path]
