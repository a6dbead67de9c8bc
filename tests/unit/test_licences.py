"""Every pinned package states a licence, and the page lists them all."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "book" / "_ext"))

from licences import by_licence, licence, pinned  # noqa: E402


def test_every_package_is_listed_once():
    groups = by_licence(ROOT)
    listed = [name for names in groups.values() for name in names]
    assert sorted(listed) == pinned(ROOT) and len(listed) == len(set(listed)) > 150
    assert "torch" in listed and "pocketsphinx" in listed


def test_every_package_states_a_licence():
    assert "not stated" not in by_licence(ROOT)


def test_the_spellings_of_one_licence_are_one():
    names = set(by_licence(ROOT))
    assert "MIT License" not in names and "Apache Software License" not in names
    assert licence("six") == "MIT" and licence("transformers") == "Apache-2.0"
    assert licence("no-such-package") is None
