"""The threads that process what was stored."""

import contextlib
import logging
import queue
import threading
import time

from ..tools.pauses import growing_pauses
from .database import is_outage

_logger = logging.getLogger(__name__)

#: Seconds of one run: after them it looks whether it is to end.
SLICE_SECONDS = 20
LONGEST_PAUSE = 30


class Processing:
    """Works through the queue when it is woken, by the queue's own method."""

    def __init__(self, database, count):
        self.database = database
        # for each thread that is busy, one run more is enough: it sees all that was stored
        self._calls = queue.Queue(maxsize=count)
        self._is_ending = threading.Event()
        self._threads = [
            threading.Thread(target=self._work, name=f"worker {number}", daemon=True)
            for number in range(1, count + 1)
        ]

    def start(self):
        for thread in self._threads:
            thread.start()

    def wake(self):
        """Have waiting mail processed; to be called when it is committed."""
        with contextlib.suppress(queue.Full):
            self._calls.put_nowait(None)

    def end(self, seconds):
        """Let each thread finish the mail that it has in hands; the others stay in the queue."""
        self._is_ending.set()
        for _thread in self._threads:
            self.wake()
        end = time.monotonic() + seconds
        for thread in self._threads:
            thread.join(max(0, end - time.monotonic()))

    def _work(self):
        while not self._is_ending.is_set():
            self._calls.get()
            pauses = growing_pauses(LONGEST_PAUSE)
            while not self._is_ending.is_set() and not self._process():
                self._is_ending.wait(next(pauses))

    def _process(self):
        """Return whether it came to the end of the queue; an error is no end."""
        try:
            is_over = False
            while not is_over and not self._is_ending.is_set():
                until = time.monotonic() + SLICE_SECONDS
                with self.database.environment() as env:
                    env["mail.catchall.queue"]._process_waiting(until)
                is_over = time.monotonic() <= until
            return True
        except Exception as error:
            text = "Waiting mail is not processed, trying again: %s"
            _logger.warning(text, error, exc_info=not is_outage(error))
            return False
