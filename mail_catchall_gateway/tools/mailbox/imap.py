"""The parts of an IMAP dialogue (RFC 3501) that are plain data: names, responses.

The connection is imaplib's, which core and the modules for OAuth make; IMAPClient parses.
"""

from imapclient import imap_utf7
from imapclient.response_parser import parse_fetch_response, parse_message_list

from .mailbox import MailboxError


def quote(name):
    """Return the name of a folder as a quoted string (RFC 3501, 4.3), in modified UTF-7 (5.1.3).

    :raise ValueError: if it holds a control character: a line break would begin a command
    """
    if any(ord(char) < 32 or ord(char) == 127 for char in name):
        raise ValueError("control character in a mailbox name")
    escaped = imap_utf7.encode(name).decode().replace("\\", "\\\\").replace('"', '\\"')
    return f'"{escaped}"'


def check(response):
    """Return the data of a response, or raise what the server said instead of OK."""
    status, data = response
    if status != "OK":
        text = b" ".join(line for line in data if isinstance(line, bytes))
        raise MailboxError(text.decode(errors="replace"))
    return data


def get_capabilities(connection):
    """Return what a server says that it can do, as bytes in upper case."""
    return b" ".join(filter(None, check(connection.capability()))).upper().split()


def parse_search(data):
    """Return the UIDs in the data of ``UID SEARCH``: imaplib gives ``[None]`` for none."""
    return [uid for line in data for uid in parse_message_list([line])]


def parse_fetch(data, name, kind):
    """Return one item by UID from the data of ``UID FETCH``; whatever else is there is passed over.

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
