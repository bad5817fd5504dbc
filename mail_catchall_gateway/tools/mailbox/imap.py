"""The parts of an IMAP dialogue (RFC 3501) that are plain data: names, sets, responses.

The connection is imaplib's, which core and the modules for OAuth make; IMAPClient parses.
"""

from imapclient import imap_utf7
from imapclient.response_parser import parse_fetch_response, parse_message_list


def quote(name):
    """Return a mailbox name as a quoted string (RFC 3501, 4.3), in modified UTF-7 (5.1.3).

    :param str name: name as people see it
    :raise ValueError: if it holds a control character: a line break would begin a command
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise ValueError("control character in a mailbox name")
    escaped = imap_utf7.encode(name).decode().replace("\\", "\\\\").replace('"', '\\"')
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


def parse_search(data):
    """Return the UIDs in the data of ``UID SEARCH``: imaplib gives ``[None]`` for none."""
    return [uid for line in data for uid in parse_message_list([line])]


def parse_fetch(data, name, kind):
    """Return one item by UID from the data of ``UID FETCH``.

    What was not asked for (flags of other messages), what is ``NIL`` (the server has no such
    message), and what cannot be parsed is passed over.

    :param list data: second item of what ``IMAP4.uid('FETCH', ...)`` returns
    :param bytes name: of the item: ``RFC822.SIZE``, ``BODY[]``
    :param type kind: of its value: int, bytes
    """
    found, response = {}, []
    for part in data:
        response.append(part)
        if isinstance(part, tuple):  # with a literal: the response goes on
            continue
        try:
            # by sequence number: of a response without UID it would be taken for one
            parsed = parse_fetch_response(response, uid_is_key=False).values()
        except Exception:  # the library fails in many ways, one odd response after another
            parsed = ()
        for item in parsed:
            if b"UID" in item and isinstance(item.get(name), kind):
                found[item[b"UID"]] = item[name]
        response = []
    return found
