"""Replies of an LMTP server (RFC 2033): with enhanced status codes, and one for each recipient."""

import re

_CODED = re.compile(r"\d{3}[ -][245]\.\d{1,3}\.\d{1,3}(?: |$)")
#: RFC 3463, by reply code; for what the library says without one.
_STATUS = {
    "221": "2.0.0",
    "250": "2.0.0",
    "252": "2.1.5",
    "451": "4.3.0",
    "500": "5.5.2",
    "501": "5.5.4",
    "502": "5.5.1",
    "503": "5.5.1",
    "552": "5.3.4",
    "555": "5.5.4",
}


def add_status(reply):
    """Return a reply of one line with an enhanced status code (RFC 2034)."""
    code = reply[:3]
    if _CODED.match(reply) or code not in _STATUS or reply[3:4] not in (" ", ""):
        return reply
    return f"{code} {_STATUS[code]} {reply[4:]}".rstrip()


def for_each(reply, count):
    """Return the reply to DATA for each of so many recipients (RFC 2033, 4.2)."""
    lines = reply.split("\r\n")
    return "\r\n".join(map(add_status, lines if len(lines) == count else lines[:1] * count))


def refuse_recipient(suggestion=""):
    """Return what is said of an address that nobody has, and of the one that may be meant."""
    hint = f" Did you mean {suggestion}?" if suggestion and suggestion.isascii() else ""
    return f"550 5.1.1 Nobody has this address.{hint}"
