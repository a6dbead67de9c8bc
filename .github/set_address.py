"""Write the repository's address into every place that has to repeat it.

    python .github/set_address.py https://github.com/you/your-fork

`[project.urls] Repository` in pyproject.toml is the source; the site takes it from there.  README,
CITATION.cff and the first cell of each notebook are read where pyproject.toml is not at hand, so
they repeat it, and this script rewrites them together.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SUFFIXES = {".cff", ".ipynb", ".md", ".py", ".toml", ".yml"}


def address(root: Path = ROOT) -> str:
    """The repository's address, such as `https://github.com/you/your-fork`."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return project["urls"]["Repository"]


def owner_and_name(url: str) -> tuple[str, str]:
    """Split `https://github.com/owner/name`.

    Raises:
        ValueError: for anything that is not such an address.
    """
    match = re.fullmatch(r"https://github\.com/([\w-]+)/([\w.-]+?)(?:\.git)?/?", url)
    if not match:
        raise ValueError(f"{url!r} is no address like https://github.com/you/your-fork")
    return match[1], match[2]


def rewritten(text: str, old: str, new: str) -> str:
    """`text` with every link to the repository, its raw files, Colab, Binder and site moved."""
    (old_owner, old_name), (owner, name) = owner_and_name(old), owner_and_name(new)
    hosts = r"(github\.com[/:]|raw\.githubusercontent\.com/|/github/|/gh/)"
    links = rf"{hosts}{re.escape(old_owner)}/{re.escape(old_name)}(?![\w-])"
    text = re.sub(links, rf"\g<1>{owner}/{name}", text)
    site = rf"\b{re.escape(old_owner)}\.github\.io/{re.escape(old_name)}(?![\w-])"
    return re.sub(site, f"{owner}.github.io/{name}", text, flags=re.IGNORECASE)


def tracked_texts(root: Path = ROOT) -> list[Path]:
    """The files under version control that may hold an address."""
    listing = subprocess.run(
        ["git", "ls-files", "-z"], cwd=root, capture_output=True, encoding="utf-8", check=True
    )
    paths = [root / name for name in listing.stdout.split("\0") if name]
    return [path for path in paths if path.suffix in SUFFIXES and path.is_file()]


def main(new: str) -> None:
    old = address()
    for path in tracked_texts():
        before = path.read_text(encoding="utf-8")
        after = rewritten(before, old, new)
        if after != before:
            path.write_text(after, encoding="utf-8", newline="\n")
            print(path.relative_to(ROOT))


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python .github/set_address.py https://github.com/you/your-fork")
    try:
        main(sys.argv[1])
    except ValueError as error:
        sys.exit(str(error))
