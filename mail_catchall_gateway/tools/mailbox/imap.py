"""The parts of an IMAP dialogue (RFC 3501) that are plain data: sets, batches, responses."""

import binascii
import re

_UID = re.compile(rb"\bUID (\d+)")
_SIZE = re.compile(rb"\bRFC822\.SIZE (\d+)")
_BODY = re.compile(rb"\bBODY\[\] \{\d+\}$")
_SHORT_BODY = re.compile(rb'\bBODY\[\] "((?:[^"\\]|\\.)*)"')
_NOT_ASCII = re.compile(r"[^\x20-\x7e]+")


def quote(name):
    """Return a mailbox name as a quoted string (RFC 3501, 4.3), in modified UTF-7 (5.1.3).

    :param str name: name as people see it
    :raise ValueError: if it holds a control character: a line break would begin a command
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise ValueError("control character in a mailbox name")
    escaped = encode_utf7(name).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def encode_utf7(name):
    """Return a mailbox name in modified UTF-7 (RFC 3501, 5.1.3)."""

    def encode(match):
        base64 = binascii.b2a_base64(match[0].encode("utf-16-be", "surrogatepass"), newline=False)
        return f"&{base64.decode().rstrip('=').replace('/', ',')}-"

    return _NOT_ASCII.sub(encode, name.replace("&", "&-"))


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
    either side. A short source may come as a quoted string. ``NIL`` is none: the server has no
    such message. Responses that were not asked for (flags of other messages) are passed over.

    :param list data: second item of what ``IMAP4.uid('FETCH', ...)`` returns
    :return dict: bytes by UID
    """
    bodies = {}
    for position, item in enumerate(data):
        if isinstance(item, bytes) and (short := _SHORT_BODY.search(item)):
            around = item[: short.start()] + item[short.end() :]
            if uid := _UID.search(around):
                bodies[int(uid[1])] = re.sub(rb"\\(.)", rb"\1", short[1])
            continue
        if not isinstance(item, tuple) or not _BODY.search(item[0]):
            continue
        after = data[position + 1] if position + 1 < len(data) else b""
        uid = _UID.search(item[0]) or (_UID.search(after) if isinstance(after, bytes) else None)
        if uid:
            bodies[int(uid[1])] = item[1]
    return bodies
