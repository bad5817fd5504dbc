"""What reading a mailbox is, whatever protocol: see ``imap_mailbox.py`` and ``pop_mailbox.py``.

A mailbox has these, and raises what its connection raises, or :class:`MailboxError`:

``key``
    dict: what tells its mails from those of all others, but for their UIDs
``list()``
    the UIDs of the mails that are not acknowledged yet, as str, the oldest first
``sizes(uids)``
    dict: octets by UID
``fetch(uids)``
    dict: source by UID of those that the server hands over; ``problems`` tells of the others
``acknowledge(uids)``
    have the server not show these mails again
``close()``
    say goodbye
"""

import dataclasses


class MailboxError(Exception):
    """The mail server refused a command; the text is what it said."""


@dataclasses.dataclass(frozen=True)
class FetchResult:
    """How a fetch ended."""

    code: str  # ``fetched``, ``busy`` (another process is at it) or ``error``
    count: int = 0  # mails stored
    has_more: bool = False  # whether it stopped for its time was over
    text: str = ""  # what went wrong, in words; of single mails where ``code`` is ``fetched``


def split_batches(sizes, max_count, max_octets):
    """Yield lists of UIDs, of octets by UID, of at most so many mails and octets together.

    A mail that is larger by itself is a batch of its own.
    """
    batch, octets = [], 0
    for uid, size in sizes.items():
        if batch and (len(batch) == max_count or octets + size > max_octets):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
    if batch:
        yield batch


def read_ahead(line, mailbox, uids, max_count, max_octets):
    """Yield the sources of mails by UID, in batches; one is fetched while the last is handled.

    No more than about ``max_octets`` are in memory, but for a single mail that is larger.

    :param concurrent.futures.Executor line: of one thread: a connection has one dialogue
    """
    sizes = line.submit(mailbox.sizes, uids).result()
    batches = list(split_batches(sizes, max_count, max_octets // 2))
    octets = [sum(sizes[uid] for uid in batch) for batch in batches]
    ahead = None
    for number, batch in enumerate(batches):
        bodies = (ahead or line.submit(mailbox.fetch, batch)).result()
        ahead = None
        if number + 1 < len(batches) and octets[number] + octets[number + 1] <= max_octets:
            ahead = line.submit(mailbox.fetch, batches[number + 1])
        yield bodies
        bodies.clear()  # not held while the next one is waited for
