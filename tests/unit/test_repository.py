"""What holds of the repository itself: one address, one version, pins, licences, workflows."""

import importlib.util
import re
import socket
import tomllib
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

import llmcourse
from llmcourse.doctor import OLDEST_TORCH

ROOT = Path(__file__).resolve().parents[2]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ADDRESS = PROJECT["urls"]["Repository"]
CHAPTERS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))

spec = importlib.util.spec_from_file_location("set_address", ROOT / ".github" / "set_address.py")
set_address = importlib.util.module_from_spec(spec)
spec.loader.exec_module(set_address)


def text(name: str | Path) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def requirements(name: str) -> list[Requirement]:
    """The requirements in a file, without comments and options."""
    lines = (line.split(" #")[0].strip() for line in text(name).splitlines())
    return [Requirement(line) for line in lines if line and not line.startswith(("#", "-"))]


def pinned() -> dict[str, str]:
    """Name and version of what requirements.txt installs on this system."""
    here = [r for r in requirements("requirements.txt") if not r.marker or r.marker.evaluate()]
    return {canonicalize_name(r.name): str(r.specifier).removeprefix("==") for r in here}


@pytest.fixture(scope="module")
def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():
        pytest.skip("needs a git checkout, to know which files belong to the repository")
    return set_address.tracked_texts()


# ---------------------------------------------------------------------------- the address


def test_every_copy_of_the_address_agrees_with_pyproject():
    owner, name = set_address.owner_and_name(ADDRESS)
    citation = yaml.safe_load(text("CITATION.cff"))
    assert citation["repository-code"] == ADDRESS
    assert citation["url"].lower() == f"https://{owner}.github.io/{name}".lower()
    assert f"git clone {ADDRESS}" in text("README.md")


@pytest.mark.parametrize("path", CHAPTERS, ids=lambda path: path.stem)
def test_the_colab_cell_installs_from_this_repository(path):
    cell = nbformat.read(path, as_version=4).cells[0].source
    owner, name = set_address.owner_and_name(ADDRESS)
    assert f'"llmcourse @ git+{ADDRESS}"' in cell
    assert f"https://raw.githubusercontent.com/{owner}/{name}/main/requirements-models.txt" in cell


def test_a_fork_moves_every_link_at_once(tracked):
    owner, name = set_address.owner_and_name(ADDRESS)
    for path in tracked:
        moved = set_address.rewritten(
            path.read_text(encoding="utf-8"), ADDRESS, "https://github.com/reader/fork"
        )
        left = [line for line in moved.splitlines() if f"{owner}/{name}" in line]
        assert not left, f"{path.name} has a link that set_address.py does not know"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("https://github.com/A/b.git", "https://github.com/reader/fork.git"),
        ("git@github.com:A/b", "git@github.com:reader/fork"),
        ("https://raw.githubusercontent.com/A/b/main/x", "https://raw.githubusercontent.com/reader/fork/main/x"),
        ("https://mybinder.org/v2/gh/A/b/main", "https://mybinder.org/v2/gh/reader/fork/main"),
        ("https://a.github.io/b/book", "https://reader.github.io/fork/book"),
        ("https://github.com/A/b-sides", "https://github.com/A/b-sides"),
        ("https://github.com/someone/else", "https://github.com/someone/else"),
    ],
)  # fmt: skip
def test_only_links_to_the_repository_are_moved(before, after):
    old, new = "https://github.com/A/b", "https://github.com/reader/fork"
    assert set_address.rewritten(before, old, new) == after


@pytest.mark.parametrize("wrong", ["", "fork", "you/fork", "https://example.org/you/fork"])
def test_an_address_that_is_none_is_refused_with_an_example(wrong):
    with pytest.raises(ValueError, match=r"https://github\.com/you/your-fork"):
        set_address.owner_and_name(wrong)


# ---------------------------------------------------------------------------- versions and pins


def test_the_version_is_the_same_everywhere():
    citation = yaml.safe_load(text("CITATION.cff"))
    assert PROJECT["version"] == llmcourse.__version__ == str(citation["version"])


def test_the_package_leaves_an_installed_torch_alone():
    bounds = [Requirement(line) for line in PROJECT["dependencies"]]
    assert not [str(r) for r in bounds if "==" in str(r.specifier) or "<" in str(r.specifier)]
    (torch,) = [r for r in bounds if r.name == "torch"]
    assert str(torch.specifier) == ">=" + ".".join(map(str, OLDEST_TORCH))


def test_an_installed_package_has_every_module_and_data_file():
    setuptools = tomllib.loads(text("pyproject.toml"))["tool"]["setuptools"]
    folders = {path.parent for path in (ROOT / "llmcourse").rglob("__init__.py")}
    assert {".".join(f.relative_to(ROOT).parts) for f in folders} == set(setuptools["packages"])
    for folder in folders:
        patterns = setuptools["package-data"].get(".".join(folder.relative_to(ROOT).parts), [])
        data = [p for p in folder.iterdir() if p.is_file() and p.suffix not in {".py", ".pyc"}]
        assert not [p.name for p in data if not any(p.match(pattern) for pattern in patterns)]


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-models.txt"])
def test_every_requirement_is_pinned_exactly(name):
    loose = [str(r) for r in requirements(name) if not re.fullmatch(r"==[\w.]+", str(r.specifier))]
    assert not loose
    assert not re.search(r"^\s*-", text(name), flags=re.M), "options belong on the command line"


def test_the_pinned_list_has_all_that_is_asked_for():
    versions = pinned()
    for asked in requirements("requirements.in") + list(map(Requirement, PROJECT["dependencies"])):
        version = versions.get(canonicalize_name(asked.name))
        assert version, f"{asked.name} is missing: make requirements.txt anew (see requirements.in)"
        assert asked.specifier.contains(version), f"{asked} against {version}"


def test_what_the_models_extra_names_is_pinned():
    extra = {Requirement(line).name for line in PROJECT["optional-dependencies"]["models"]}
    pinned = {r.name for r in requirements("requirements-models.txt")}
    assert extra <= pinned | {r.name for r in requirements("requirements.txt")}


def test_no_cuda_library_is_pinned():
    cuda = [
        r.name for r in requirements("requirements.txt") if re.match("nvidia|cuda|triton", r.name)
    ]
    assert not cuda, "torch brings its own: add them to no-emit-package in pyproject.toml"


# ---------------------------------------------------------------------------- what is committed

PRIVATE = {
    "a home folder": r"/(home|Users)/\w+/|/[r]oot\b|C:\\Users\\\w",
    "a package index": r"pypi[.]org|[-]docker[.]pkg[.]dev|download[.]pytorch|index-url[ =]+http",
}


@pytest.mark.parametrize("what", PRIVATE)
def test_no_file_names(what, tracked):
    found = {
        path.relative_to(ROOT).as_posix(): match[0]
        for path in tracked
        if (match := re.search(PRIVATE[what], path.read_text(encoding="utf-8")))
    }
    assert not found


def test_yaml_files_can_be_read(tracked):
    for path in tracked:
        if path.suffix in {".yml", ".cff"}:
            assert yaml.safe_load(path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("name", ["README.md", "CONTRIBUTING.md"])
def test_links_and_make_targets_exist(name):
    prose = re.sub(r"`[^`]*\]\([^`]*`", "", text(name))  # without links shown as code
    links = re.findall(r"\]\((?!https?:|#)([^)#]+)", prose)
    assert [link for link in links if not (ROOT / link).exists()] == []
    targets = set(re.findall(r"^([a-z]+):", text("Makefile"), flags=re.M))
    assert set(re.findall(r"`?\bmake ([a-z]+)`", text(name))) <= targets


def test_the_example_in_the_readme_prints_what_it_shows(capsys):
    code, shown = re.search(
        r"```python\n(.+?)```\s+```text\n(.+?)```", text("README.md"), re.S
    ).groups()
    exec(code, {})
    printed = capsys.readouterr().out
    assert [line.rstrip() for line in printed.splitlines()] == shown.splitlines()


def test_the_readme_names_the_pinned_torch_and_the_oldest():
    assert f"`torch=={pinned()['torch']}`" in text("README.md")
    assert f"PyTorch that you have ({'.'.join(map(str, OLDEST_TORCH))} or later)" in text(
        "README.md"
    )
    assert f"torch=={'.'.join(map(str, OLDEST_TORCH))}.0" in text(".github/workflows/test.yml")


# ---------------------------------------------------------------------------- workflows

GRANTS = {("pages", "deploy"): {"pages", "id-token"}, ("colab", "report"): {"issues"}}


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_write_only_what_its_job_is_for(path):
    workflow = yaml.safe_load(path.read_text(encoding="utf-8"))
    assert workflow["permissions"] == {"contents": "read"}
    for name, job in workflow["jobs"].items():
        granted = {k for k, v in job.get("permissions", {}).items() if v == "write"}
        assert granted == GRANTS.get((path.stem, name), set()), name
    assert "pull_request_target" not in path.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_ends_and_keeps_no_credentials(path):
    for name, job in yaml.safe_load(path.read_text(encoding="utf-8"))["jobs"].items():
        assert job["timeout-minutes"] <= 120, name
        for step in job["steps"]:
            action = step.get("uses", "")
            assert re.fullmatch(r"(actions/[\w-]+@[0-9a-f]{40})?", action), action
            if action.startswith("actions/checkout"):
                assert step["with"]["persist-credentials"] is False
    used = [line for line in path.read_text("utf-8").splitlines() if "uses: " in line]
    assert all(re.search(r" # v\d+\.\d+\.\d+$", line) for line in used), "say which version it is"


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_installs_by_hash(path):
    """But for the package itself, another torch to try, and what Colab's image lacks."""
    for line in path.read_text(encoding="utf-8").splitlines():
        if path.stem != "colab" and "pip install" in line and "matrix.torch" not in line:
            assert "--require-hashes" in line or "--no-build-isolation -e ." in line, line
        if re.search(r"\bmake (install|book)", line):
            assert "HASHES=1" in line, line


def locked(name: str) -> dict[str, list[str]]:
    """Of a list with hashes: for each requirement the hashes of its files."""
    entries = text(name).replace(" \\\n    --hash=", " --hash=").splitlines()
    found = {}
    for entry in entries:
        if entry and not entry.startswith("#"):
            requirement, *hashes = entry.split(" --hash=")
            found[requirement] = hashes
    return found


@pytest.mark.parametrize(
    ("name", "of"),
    [
        (".github/locked.txt", "requirements.txt"),
        (".github/locked-models.txt", "requirements-models.txt"),
    ],
)
def test_what_is_locked_is_what_is_pinned_and_every_file_has_its_hash(name, of):
    entries = locked(name)
    for entry, hashes in entries.items():
        assert hashes and all(re.fullmatch("sha256:[0-9a-f]{64}", h) for h in hashes), entry
    pins = {(r.name, str(r.specifier)) for r in requirements(of)}
    found = {(r.name, str(r.specifier)) for r in map(Requirement, entries)}
    assert pins <= found, "make the locked lists anew (see requirements.in)"
    cuda = {n for n, _ in found - pins}
    assert all(re.match("nvidia-|cuda-|triton", n) for n in cuda), cuda


def test_the_matrix_covers_the_pythons_and_systems_of_the_readers():
    matrix = yaml.safe_load(text(".github/workflows/test.yml"))["jobs"]["test"]["strategy"][
        "matrix"
    ]
    assert matrix["os"] == ["ubuntu-latest", "macos-latest", "windows-latest"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    named = [c.rpartition(" ")[2] for c in PROJECT["classifiers"] if ":: 3." in c]
    assert (matrix["python"][0], matrix["python"][-1]) == (oldest, named[-1])


def test_tests_cannot_reach_a_network():
    with socket.socket() as outside, pytest.raises(OSError, match="without a network"):
        outside.connect(("192.0.2.1", 80))  # an address kept for documentation, RFC 5737
    with socket.socket() as server, socket.socket() as client:
        server.bind(("127.0.0.1", 0))
        server.listen()
        client.connect(server.getsockname())
