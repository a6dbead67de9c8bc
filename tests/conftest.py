"""What every suite shares: where things are, and a reader's progress left alone."""

import os
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that `tests.notebooks.execution` can be imported by any suite


def pytest_configure() -> None:
    """Kernels and checks started by tests keep their progress in a folder that is thrown away."""
    os.environ.setdefault("LLMCOURSE_HOME", tempfile.mkdtemp(prefix="llmcourse-test-"))
