"""Who a mail was delivered for, read from the header fields that mail servers stamp.

The envelope recipient (RFC 5321, RCPT TO) is no part of a message. The server that puts a message
into a catch-all mailbox tells it in a field of its own making: none of them is standardised, RFC
9228 only describes ``Delivered-To``.
"""

import dataclasses
import email.utils
import re

from .addresses import normalize_address

#: In the order in which they are believed. Those before Delivered-To keep the address as it was
#: before aliases and catch-alls were expanded; Delivered-To is often the mailbox itself.
RECIPIENT_HEADERS = (
    "X-Original-To",
    "Envelope-To",
    "X-Envelope-To",
    "X-Gm-Original-To",
    "Delivered-To",
    "X-Forwarded-To",
)

#: Where the sender names whom he writes to (RFC 5322, 3.6.3 and 3.6.6).
ADDRESS_HEADERS = ("to", "cc", "resent-to", "resent-cc")

_QUOTED = r'"(?:[^"\\]|\\.)*"'
_ADDR_SPEC = rf"(?:{_QUOTED}|[^\s\"<>(),:;@\[\]\\|]+)@[^\s\"<>(),:;@\[\]\\|/]+"
_COMMENT = re.compile(r"\([^()]*\)")
_BRACKETED = re.compile(rf"<\s*({_ADDR_SPEC})\s*>")
# bare addresses fill a whole list item: "mailing list x@y" (ezmlm) is none; Yahoo and AOL
# append "via <ip>; <date>"
_BARE = re.compile(rf"(?:^|,)\s*({_ADDR_SPEC})\s*(?=,|$|\bvia\b)", re.IGNORECASE)
_FOR = re.compile(rf"\bfor\s+<?({_ADDR_SPEC})>?(?=\s|;|$)", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class EnvelopeRecipients:
    """The envelope recipients of a message and what named them.

    Arguments:
        addresses (tuple): normalized addresses, without duplicates, in the order found
        source (str): the header field that named them; empty where none did
    """

    addresses: tuple = ()
    source: str = ""


def extract_addresses(value):
    """Return the addresses in the value of a recipient header field.

    Takes a bare address, ``<addr>``, comma lists of either (Exim) and what some servers append;
    a pipe command, a mailing list's name or ``Autoresponder`` is no address.

    :param str value: field value, folded or not
    :return list: normalized addresses
    """
    value = _strip_comments(" ".join(value.split()))
    return [normalize_address(match) for match in _BRACKETED.findall(value) or _BARE.findall(value)]


def extract_received_for(value):
    """Return the address in the ``for`` clause of a Received field (RFC 5321, 4.4), or ``""``.

    :param str value: field value; ``for <multiple recipients>`` is no address
    :return str: normalized address
    """
    match = _FOR.search(_strip_comments(" ".join(value.split())))
    return normalize_address(match[1]) if match else ""


def envelope_recipients(fields, names=RECIPIENT_HEADERS, mailbox_addresses=(), trusted_hops=0):
    """Return for whom our mail server accepted a message.

    Servers prepend: the first instance of a field is the last server's, so ours, and one that the
    sender forged stands below. The first name in ``names`` whose first instance holds an address
    other than the mailbox's own wins; then the ``for`` clause of the topmost Received line that
    has such a one.

    :param list fields: (name, value) pairs of the header, from the top
    :param names: names of recipient header fields, the most trusted first
    :param mailbox_addresses: addresses of the mailbox itself, in any case; they say where the
        mail was put and not for whom
    :param int trusted_hops: number of Received lines that our own servers stamp; only they and
        what stands above the last of them counts. 0 where it is not known
    :return EnvelopeRecipients:
    """
    trusted = _trusted_fields(fields, trusted_hops)
    own = {normalize_address(address) for address in mailbox_addresses}
    for name in names:
        first = next((value for field, value in trusted if field == name.lower()), "")
        found = tuple(dict.fromkeys(a for a in extract_addresses(first) if a not in own))
        if found:
            return EnvelopeRecipients(found, name)
    for field, value in trusted:
        address = extract_received_for(value) if field == "received" else ""
        if address and address not in own:
            return EnvelopeRecipients((address,), "Received")
    return EnvelopeRecipients()


def header_recipients(fields):
    """Return whom a message says that it is for, in To, Cc and their Resent fields.

    :param list fields: (name, value) pairs of the header
    :return tuple: normalized addresses, without duplicates, in the order found
    """
    values = [str(value) for name, value in fields if name.lower() in ADDRESS_HEADERS]
    found = (address for _name, address in email.utils.getaddresses(values) if "@" in address)
    return tuple(dict.fromkeys(normalize_address(address) for address in found))


def _strip_comments(value):
    """Remove comments (RFC 5322, 3.2.2), innermost first."""
    previous = None
    while value != previous:
        previous, value = value, _COMMENT.sub(" ", value)
    return value.strip()


def _trusted_fields(fields, trusted_hops):
    """Return the fields down to our first server's Received line, with lower-case names."""
    trusted, hops = [], 0
    for name, value in fields:
        name = name.lower()
        trusted.append((name, str(value)))
        hops += name == "received"
        if trusted_hops and hops == trusted_hops:
            break
    return trusted
