"""What the run is watched for: memory of the processes, and waits for locks."""

import statistics
import threading
import time
from pathlib import Path

#: Seconds between two looks at the locks; each 20th look is at memory too.
LOOK_SECONDS = 0.5
LOOKS_AT_MEMORY = 20
MEGABYTE = 2**20
PAGE = 4096


class Watch(threading.Thread):
    """Looks on in a thread of its own.

    :param connect: function that returns a connection to the database
    :param parents: function that returns process ids, by name, of those to watch with their
        children
    """

    def __init__(self, connect, parents):
        super().__init__(daemon=True)
        self.connect, self.parents = connect, parents
        self.memory = {}
        self.longest_wait = self.longest_transaction = 0.0
        self.is_over = threading.Event()

    def run(self):
        cr, looks = self.connect().cursor(), 0
        while not self.is_over.wait(LOOK_SECONDS):
            cr.execute(
                "SELECT COALESCE(EXTRACT(epoch FROM max(clock_timestamp() - waitstart)), 0)"
                "  FROM pg_locks WHERE NOT granted"
            )
            self.longest_wait = max(self.longest_wait, float(cr.fetchone()[0]))
            cr.execute(
                "SELECT COALESCE(EXTRACT(epoch FROM max(clock_timestamp() - xact_start)), 0)"
                "  FROM pg_stat_activity WHERE state != 'idle' AND backend_type = 'client backend'"
            )
            self.longest_transaction = max(self.longest_transaction, float(cr.fetchone()[0]))
            if looks % LOOKS_AT_MEMORY == 0:
                self.look_at_memory()
            looks += 1

    def look_at_memory(self):
        now = time.time()
        for name, parent in self.parents().items():
            for pid in (parent, *children(parent)):
                if octets := resident(pid):
                    self.memory.setdefault((name, pid), []).append((now, octets))

    def stop(self):
        self.is_over.set()
        self.join()

    def report_memory(self, start, end):
        """Return (name and pid, MB early, MB late) of each process that lived all the time.

        Early is the median between a sixth and a third of the time, when all that is loaded once
        has been; late that of the last sixth.
        """
        span = end - start
        rows = []
        for (name, pid), series in sorted(self.memory.items()):
            early = [o for t, o in series if start + span / 6 <= t <= start + span / 3]
            late = [o for t, o in series if end - span / 6 <= t <= end]
            if early and late:
                early, late = (statistics.median(values) / MEGABYTE for values in (early, late))
                rows.append((f"{name} {pid}", early, late))
        return rows


def children(pid):
    """Return the ids of the child processes."""
    try:
        return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))
    except OSError:
        return []


def resident(pid):
    """Return the octets of a process that are in memory, 0 if it is gone."""
    try:
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * PAGE
    except (OSError, IndexError):
        return 0
