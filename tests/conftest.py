"""What every suite shares: where things are, and a reader's progress left alone."""

import itertools
import os
import random
import socket
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # so that `tests.notebooks.execution` can be imported by any suite


def pytest_configure() -> None:
    """Kernels and checks started by tests keep their progress in a folder that is thrown away."""
    os.environ.setdefault("LLMCOURSE_HOME", tempfile.mkdtemp(prefix="llmcourse-test-"))
    os.environ.setdefault("HF_HUB_OFFLINE", "1")
    socket.socket.connect = connect_at_home


def pytest_collection_modifyitems(items: list) -> None:
    """TEST_ORDER=7 shuffles files, and tests within each: none may depend on those before it."""
    if seed := os.environ.get("TEST_ORDER"):
        order = random.Random(seed)
        files = [list(tests) for _, tests in itertools.groupby(items, key=lambda test: test.path)]
        order.shuffle(files)
        for tests in files:
            order.shuffle(tests)
        items[:] = itertools.chain.from_iterable(files)


_connect = socket.socket.connect


def connect_at_home(self: socket.socket, address) -> None:
    """Kernels and browsers talk over the loopback interface; nothing may go further."""
    inet = self.family in (socket.AF_INET, socket.AF_INET6)
    if inet and address[0] not in ("localhost", "::1") and not address[0].startswith("127."):
        raise OSError(f"a test asks for {address[0]}: tests have to do without a network")
    return _connect(self, address)
