"""Several checks at once: each is a process of its own, and its output is shown in one piece."""

import multiprocessing
import os
import sys
import tempfile
import time
from pathlib import Path

from server import StackError

FORK = multiprocessing.get_context("fork")


class Job(FORK.Process):
    """One check. It knows the servers that ran when it was made; its outcome is read when it ended.

    Arguments:
        check: function that returns a result as text, or raises StackError
        folder (Path): where the file is that takes its output
        needs (list): jobs that must have ended before
    """

    def __init__(self, name: str, check, folder: Path, needs: list):
        super().__init__(name=name)
        self.check = check
        self.needs = needs
        self.has_failed, self.seconds, self.result = True, 0.0, "ended without a result"
        self._receiver, self._sender = FORK.Pipe(duplex=False)
        file = {"dir": folder, "prefix": "output_", "errors": "replace"}
        self._output = tempfile.NamedTemporaryFile("r", **file)

    @property
    def has_started(self) -> bool:
        return self.pid is not None

    @property
    def has_ended(self) -> bool:
        return self.has_started and not self.is_alive()

    def run(self):
        sink = open(self._output.name, "w", buffering=1)  # until the process ends
        os.dup2(sink.fileno(), 1)
        os.dup2(sink.fileno(), 2)
        sys.stdout = sys.stderr = sink
        start = time.monotonic()
        try:
            has_failed, result = False, self.check()
        except StackError as error:
            has_failed, result = True, str(error)
        self._sender.send((has_failed, time.monotonic() - start, result))

    def show(self):
        """Print what it printed since the last call."""
        print(self._output.read(), end="", flush=True)

    def finish(self):
        """End it if it still runs, and take its outcome."""
        if self.is_alive():
            self.terminate()
        if self.has_started:
            self.join()
        if self._receiver.poll():
            self.has_failed, self.seconds, self.result = self._receiver.recv()
        self._output.close()


def run_jobs(jobs: list, lanes: int):
    """Run jobs, so many at once, and show their output one after the other.

    :param list jobs: in the order in which they start, as far as their needs allow
    """

    def start_more():
        for job in jobs:
            running = sum(other.is_alive() for other in jobs if other.has_started)
            may_start = all(need.has_ended for need in job.needs)
            if not job.has_started and may_start and running < lanes:
                job.start()

    try:
        for job in jobs:
            print(f"\n\033[1m== {job.name}: {job.check.__doc__}\033[0m", flush=True)
            while not job.has_ended:
                start_more()
                job.show()
                time.sleep(0.2)
            job.show()
            job.finish()
    finally:
        for job in jobs:
            job.finish()
