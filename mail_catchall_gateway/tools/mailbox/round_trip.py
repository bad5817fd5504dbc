"""What a test mail tells, that went out by the SMTP account and came back by the catch-all.

Its way is known: its header was written by the servers that every mail passes. It tells how they
name the recipient, how many there are, and how the one calls itself that checks senders.
"""

import dataclasses
import ipaddress
import re

from ..addresses.addresses import normalize_address
from ..addresses.organizational_domain import organizational_domain
from ..addresses.recipients import envelope_recipients, extract_addresses
from ..judging.sender_authentication import NO_ID, authenticate, split_results

_COMMENT = re.compile(r"\([^()]*\)")
_BY = re.compile(r"(?:^|\s)by\s+\[?([\w.:-]+)", re.IGNORECASE)
_PRIVATE = (".local", ".localdomain", ".internal", ".intern", ".lan", ".home.arpa")


@dataclasses.dataclass(frozen=True)
class RoundTrip:
    """What was found; empty, or 0, is what cannot be told."""

    #: field that names the recipient, ``Received`` where only the ``for`` of such a line does
    recipient_header: str = ""
    #: Received lines that the receiving servers stamp
    trusted_hops: int = 0
    #: how the receiving server begins results that can be relied on (RFC 8601)
    authserv_id: str = ""
    #: ``pass``, ``fail`` or ``none`` for our own domain, and why
    authentication: str = "none"
    authentication_detail: str = ""
    is_message_id_kept: bool = True
    #: normalized address in From, as it came back
    sender: str = ""


def examine(
    fields, address, message_id, names=(), mailbox_addresses=(), mail_host="", trusted_hops=0
):
    """Return what the header of a test mail tells about the way of every mail.

    The number of lines is given only where the recipient is still found with it, and the sender
    still confirmed: servers differ in where they stamp results.

    :param list fields: (name, value) pairs of the header as it came back, from the top
    :param str address, message_id: what it was sent to, and with
    :param names: fields that usually name the recipient, the most trusted first
    :param mailbox_addresses: addresses of the mailbox itself
    :param str mail_host: name of the server that the mailbox is read from
    :param int trusted_hops: number of lines that the mailbox is set to, kept where none is found
    :return RoundTrip:
    """
    values = {name.lower(): str(value) for name, value in reversed(fields)}
    sender = next(iter(extract_addresses(values.get("from", ""))), "")
    for hops in [*filter(None, (count_trusted_hops(fields), trusted_hops)), 0]:
        header = find_recipient_header(fields, address, names, mailbox_addresses, hops)
        authserv_id, authentication = _find_authserv_id(fields, sender, hops, mail_host)
        if not hops or (header and (not authserv_id or authentication.result == "pass")):
            break
    return RoundTrip(
        recipient_header=header,
        trusted_hops=hops,
        authserv_id=authserv_id if authentication.result == "pass" else "",
        authentication=authentication.result,
        authentication_detail=authentication.detail,
        is_message_id_kept=values.get("message-id", "").strip() == message_id,
        sender=sender,
    )


def find_recipient_header(fields, address, names=(), mailbox_addresses=(), trusted_hops=0):
    """Return the field that names the envelope recipient of a mail, see :class:`RoundTrip`.

    After those that usually do, the most trusted first, any other is tried that no sender makes.
    """
    address = normalize_address(address)
    others = [name for name, _value in fields if name.lower().startswith("x-")]
    known = [name.lower() for name in names]
    for name in [*names, *(name for name in dict.fromkeys(others) if name.lower() not in known)]:
        found = envelope_recipients(fields, [name], mailbox_addresses, trusted_hops)
        if found.source == name and address in found.addresses:
            return name
    found = envelope_recipients(fields, (), mailbox_addresses, trusted_hops)
    return found.source if address in found.addresses else ""


def count_trusted_hops(fields):
    """Return how many Received lines (RFC 5321, 4.4) the servers of the mailbox stamp on top.

    They end where another organisation's begin: those of the SMTP account. Where both are one,
    it cannot be told (0), unless there is a single host.
    """
    hosts = _by_hosts(fields)
    named = [host for host in hosts if host]
    border = 0
    for position, host in enumerate(hosts, 1):
        if host and organizational_domain(host) != organizational_domain(named[0]):
            return border
        border = position if host else border
    return len(hosts) if len(set(named)) == 1 else 0


def _find_authserv_id(fields, sender, trusted_hops, mail_host):
    """Return the id of the server that checks senders, and what it found about this mail."""
    domain = sender.rpartition("@")[2]
    named = [host for host in _by_hosts(fields) if host]
    ours = {organizational_domain(host) for host in [*named[:1], mail_host]}
    candidates, border, lines = [], count_trusted_hops(fields), 0
    for name, value in fields:
        lines += name.lower() == "received"
        if border and lines > border:
            break  # from here on it is the word of whoever sent the mail
        if name.lower() == "authentication-results":
            candidates += _candidates(split_results(str(value))[0], ours)
    tried = [("", authenticate(fields, "", domain))]
    tried += [
        (each, authenticate(fields, each, domain, trusted_hops))
        for each in dict.fromkeys(candidates)
    ]
    return max(tried, key=lambda item: ("none", "fail", "pass").index(item[1].result))


def _candidates(authserv_id, ours):
    """Return as what an id may be trusted: as it is, or as any host of its organisation.

    A server farm writes the name of the node; only Microsoft writes no name.
    """
    if authserv_id == NO_ID:
        return [NO_ID] if ours & {"outlook.com", "office365.com"} else []
    organisation = organizational_domain(authserv_id)
    if organisation not in ours:
        return []  # not written by who has the mailbox
    if authserv_id == organisation:
        return [authserv_id]
    is_node = any(character.isdigit() for character in authserv_id.partition(".")[0])
    return [f".{organisation}"] if is_node else [authserv_id, f".{organisation}"]


def _by_hosts(fields):
    return [_by_host(str(value)) for name, value in fields if name.lower() == "received"]


def _by_host(value):
    """Return who stamped a Received line, in lower case; empty where no name on the internet."""
    match = _BY.search(_COMMENT.sub(" ", " ".join(value.split())))
    host = match[1].rstrip(".").lower() if match else ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "" if "." not in host or host.endswith(_PRIVATE) else host
    return ""
