"""Stopping a long computation at a good moment when someone asks for it, with Ctrl-C say."""

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class StopRequest:
    """Whether a signal has come: `number` is which, or None."""

    number: int | None = None

    def leave(self) -> None:
        """End as the signal would have ended the program.

        Raises:
            KeyboardInterrupt: after Ctrl-C (SIGINT).
            SystemExit: after SIGTERM, with the status that a shell shows for it.
        """
        if self.number == signal.SIGINT:
            raise KeyboardInterrupt
        raise SystemExit(128 + self.number)


@contextmanager
def stop_requests() -> Iterator[StopRequest]:
    """Note the first SIGINT or SIGTERM instead of obeying it; a second one leaves at once.

        with stop_requests() as request:
            while request.number is None:
                ...
        if request.number is not None:
            request.leave()

    Afterwards the signals do what they did before.  Only Python's main thread can hear signals: in
    another one nothing is ever noted.
    """
    request = StopRequest()
    if threading.current_thread() is not threading.main_thread():
        yield request
        return

    def note(number: int, frame) -> None:
        if request.number is not None:
            request.leave()
        request.number = number

    before = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for number, handler in before.items():
            # None stands for a handler that was not set from Python, and cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)
