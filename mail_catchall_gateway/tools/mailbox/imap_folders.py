"""The folders of a mailbox, as ``LIST`` tells them (RFC 3501, 7.2.2)."""

import contextlib

from imapclient import imap_utf7
from imapclient.response_parser import parse_response


def parse_list(data):
    """Return the folders in the data of ``LIST`` that mail can be in.

    What is no such line is passed over.

    :param list data: second item of what ``IMAP4.list()`` returns
    :return list: their names as people see them, the inbox first
    """
    folders = []
    for item in data or []:
        with contextlib.suppress(Exception):  # the library fails in many ways at odd lines
            flags, _separator, name = parse_response([item])[:3]
            # a name of digits comes as a number
            name = name if isinstance(name, bytes) else b"%d" % name
            if not {flag.lower() for flag in flags} & {b"\\noselect", b"\\nonexistent"}:
                folders.append(decode_name(name))
    return sorted(folders, key=lambda label: (label.upper() != "INBOX", label))


def decode_name(name):
    """Return a mailbox name in modified UTF-7 (RFC 3501, 5.1.3) as text; as it is if it is not.

    :param bytes name: as the server lists it
    """
    with contextlib.suppress(UnicodeError):
        text = imap_utf7.decode(name)
        if imap_utf7.encode(text) == name:  # the only way to write it
            return text
    return name.decode("utf-8", "replace")
