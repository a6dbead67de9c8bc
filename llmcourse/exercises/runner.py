"""Run a reader's function so that whatever it does, the notebook goes on.

The function runs in a thread of its own.  That works on every system and in every kernel, leaves
the reader's own Ctrl-C to the main thread, and lets the check go on even where the function hangs
in a place that no exception reaches.
"""

import contextlib
import ctypes
import functools
import inspect
import io
import linecache
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from types import FrameType

import numpy
import torch

TIME_LIMIT = 5.0  # seconds for one call, unless the case says otherwise
GRACE = 1.0  # seconds in which a function that is out of time must let itself be stopped
TICK = 0.05  # seconds between two looks at the clock, and between two attempts to stop it


class OutOfTime(BaseException):
    """Raised inside the reader's function at its time limit; no `except Exception` catches it."""


@dataclass
class Outcome:
    """What became of one call.  `line` is the reader's own line that failed or that still ran."""

    value: object = None
    error: BaseException | None = None
    done: threading.Event = field(default_factory=threading.Event)
    late: bool = False
    line: str = ""
    printed: str = ""


def run(
    function: Callable, args: tuple, reader: object, seconds: float | None = None, seed: int = 0
) -> Outcome:
    """Call `function(*args)` under a time limit, with its printing caught and random numbers fixed.

    Args:
        reader: the answer as the reader handed it in; tells which lines are the reader's own.
        seconds: time limit, or None for `TIME_LIMIT`.
        seed: the call sees the random numbers of this seed; the reader's own go on undisturbed.

    Raises:
        KeyboardInterrupt: if the reader interrupts the check (not if the function raises it).
    """
    outcome = Outcome()
    own_globals = globals_of(reader)

    def work() -> None:
        try:
            outcome.value = function(*args)
        except BaseException as error:
            outcome.error = error
        finally:
            outcome.done.set()

    worker = threading.Thread(target=work, daemon=True)
    printed = Printed()
    with (
        contextlib.redirect_stdout(printed),
        contextlib.redirect_stderr(printed),
        random_numbers_of(seed),
    ):
        try:
            worker.start()
            outcome.late = not wait(outcome.done, TIME_LIMIT if seconds is None else seconds)
            if outcome.late:
                frame = sys._current_frames().get(worker.ident)
                outcome.line = own_line(traceback.walk_stack(frame), own_globals) if frame else ""
        finally:
            stop(worker, outcome.done)
    if outcome.error is not None and not outcome.late:
        frames = reversed(list(traceback.walk_tb(outcome.error.__traceback__)))
        outcome.line = own_line(frames, own_globals)
    outcome.printed = printed.summary()
    return outcome


def wait(done: threading.Event, seconds: float) -> bool:
    """Wait until `done`, in short steps, since Ctrl-C cannot break a long wait on Windows.

    (An event of our own, because up to Python 3.12 a thread whose `join` is interrupted by Ctrl-C
    claims to have ended.)
    """
    deadline = time.monotonic() + seconds
    while not done.wait(TICK) and time.monotonic() < deadline:
        pass
    return done.is_set()


def stop(worker: threading.Thread, done: threading.Event) -> None:
    """Raise OutOfTime in the thread until it is done; after `GRACE` seconds, leave it be."""
    deadline = time.monotonic() + GRACE
    while not done.is_set() and time.monotonic() < deadline:
        thread_id = ctypes.c_ulong(worker.ident)
        ctypes.pythonapi.PyThreadState_SetAsyncExc(thread_id, ctypes.py_object(OutOfTime))
        done.wait(TICK)
    if done.is_set():
        worker.join()


@contextlib.contextmanager
def random_numbers_of(seed: int) -> Iterator[None]:
    """Seed Python, NumPy and PyTorch, and put their generators back afterwards."""
    python, array = random.getstate(), numpy.random.get_state()
    with torch.random.fork_rng(devices=[]):
        random.seed(seed)
        numpy.random.seed(seed)
        torch.random.default_generator.manual_seed(seed)
        try:
            yield
        finally:
            random.setstate(python)
            numpy.random.set_state(array)


class Printed(io.TextIOBase):
    """Stands in for stdout and stderr: keeps the first lines, and counts the rest."""

    MAX_LINES, MAX_WIDTH = 10, 100

    def __init__(self) -> None:
        self.text, self.n_lines = "", 0

    def write(self, text: str) -> int:
        room = self.MAX_LINES * self.MAX_WIDTH - len(self.text)
        self.text += text[:room]
        self.n_lines += text.count("\n")
        return len(text)

    def summary(self) -> str:
        lines = [line[: self.MAX_WIDTH] for line in self.text.splitlines()[: self.MAX_LINES]]
        if self.n_lines > len(lines):
            lines.append(f"... ({self.n_lines} lines in all)")
        return "\n".join(lines)


def source_of(answer: object) -> object:
    """The Python function behind a partial, a module, a wrapper or an object that can be called."""
    while isinstance(answer, functools.partial):
        answer = answer.func
    if isinstance(answer, torch.nn.Module):
        answer = type(answer).forward
    elif not (inspect.isroutine(answer) or hasattr(answer, "__wrapped__")):
        answer = answer.__init__ if isinstance(answer, type) else type(answer).__call__
    return inspect.unwrap(answer)


def globals_of(answer: object) -> dict | None:
    """The namespace in which the reader wrote `answer`: all cells of a notebook share one."""
    try:
        return source_of(answer).__globals__
    except Exception:  # a built-in has none, and an odd object may raise anything
        return None


def own_line(frames: Iterable[tuple[FrameType, int]], own_globals: dict | None) -> str:
    """The innermost line that the reader wrote, "line 3: return a / b"; `frames` innermost first.

    The line number counts within the notebook cell.
    """
    for frame, number in frames:
        if frame.f_globals is own_globals:
            text = linecache.getline(frame.f_code.co_filename, number, frame.f_globals).strip()
            return f"line {number}: {text}" if text else f"line {number}"
    return ""
