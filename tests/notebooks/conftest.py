"""One parameter for all: `chapter` is the path of a notebook of the book."""

import pytest

from tests.notebooks.execution import chapters


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "chapter" in metafunc.fixturenames:
        metafunc.parametrize("chapter", chapters(), ids=lambda path: path.stem)
