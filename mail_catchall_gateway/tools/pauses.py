"""When something that failed is tried again: one table for all that waits."""

import datetime
import itertools

#: Minutes to wait after each failure in a row; the last ones count for all that follow.
MINUTES = {
    "mailbox": (1, 5, 15, 60),
    "inbound": (1, 5, 15, 60, 360),
    "outgoing": (1, 5, 15),
}
#: How often it is tried; outgoing mail so for about two days.
MAX_ATTEMPTS = {"inbound": 8, "outgoing": 200}
#: What is put off by more than this is due: the clock was wrong that put it off.
LONGEST = datetime.timedelta(days=1)


def pause_after(kind, failures):
    """Return how long to wait (timedelta) after so many failures in a row of a kind of MINUTES."""
    minutes = MINUTES[kind]
    return datetime.timedelta(minutes=minutes[min(max(failures, 1), len(minutes)) - 1])


def growing_pauses(last):
    """Yield seconds to wait after each error in a row: 1, 2, 4 ... and ``last`` from there on."""
    return (min(2**number, last) for number in itertools.count())
