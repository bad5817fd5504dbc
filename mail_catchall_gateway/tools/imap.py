"""The parts of an IMAP dialogue (RFC 3501) that are plain data: sets, batches, responses."""

import re

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_BODY = re.compile(rb"\bBODY\[\] \{\d+\}$")


def quote(name):
    """Return a mailbox name as a quoted string (RFC 3501, 4.3).

    :param str name: name as the server lists it
    :raise ValueError: if it holds a line break, which no quoted string can
    """
    if "\r" in name or "\n" in name:
        raise ValueError("line break in a mailbox name")
    escaped = name.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def sequence_set(uids):
    """Return UIDs as a sequence set, ``1:3,7`` (RFC 3501, 9).

    :param uids: integers in any order
    """
    ranges = []
    for uid in sorted(set(uids)):
        if ranges and ranges[-1][1] == uid - 1:
            ranges[-1][1] = uid
        else:
            ranges.append([uid, uid])
    return ",".join(str(a) if a == b else f"{a}:{b}" for a, b in ranges)


def split_batches(sizes, max_count, max_octets):
    """Yield lists of UIDs to fetch together, the lowest first.

    A batch holds at most ``max_count`` messages and ``max_octets``; a message that is larger by
    itself is a batch of its own.

    :param dict sizes: octets of each message by its UID
    """
    batch, octets = [], 0
    for uid, size in sorted(sizes.items()):
        if batch and (len(batch) == max_count or octets + size > max_octets):
            yield batch
            batch, octets = [], 0
        batch.append(uid)
        octets += size
    if batch:
        yield batch


def parse_search(data):
    """Return the UIDs in the data of ``UID SEARCH``: imaplib gives ``[None]`` for none."""
    return [int(uid) for line in data if line for uid in line.split()]


def parse_sizes(data):
    """Return octets by UID from the data of ``UID FETCH ... (RFC822.SIZE)``."""
    sizes = {}
    for line in data:
        uid, size = (pattern.search(line or b"") for pattern in (_UID, _SIZE))
        if uid and size:
            sizes[int(uid[1])] = int(size[1])
    return sizes


def parse_bodies(data):
    """Return sources by UID from the data of ``UID FETCH ... (BODY.PEEK[])``.

    imaplib gives a response with a literal as ``(before, literal), after``. The UID may stand on
    either side. Responses that were not asked for (flags of other messages) are passed over.

    :param list data: second item of what ``IMAP4.uid('FETCH', ...)`` returns
    :return dict: bytes by UID
    """
    bodies = {}
    for position, item in enumerate(data):
        if not isinstance(item, tuple) or not _BODY.search(item[0]):
            continue
        after = data[position + 1] if position + 1 < len(data) else b""
        uid = _UID.search(item[0]) or (_UID.search(after) if isinstance(after, bytes) else None)
        if uid:
            bodies[int(uid[1])] = item[1]
    return bodies
