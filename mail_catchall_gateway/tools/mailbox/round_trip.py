"""What a test mail tells, that went out by the SMTP account and came back by the catch-all.

It is a mail whose way is known, so that what stands in its header was written by the servers that
every mail passes: how they name the recipient, how many there are, and how the one calls itself
that checks senders.
"""

import dataclasses
import ipaddress
import re

from ..addresses.addresses import normalize_address
from ..addresses.organizational_domain import organizational_domain
from ..addresses.recipients import envelope_recipients, extract_addresses
from ..judging.sender_authentication import NO_ID, authenticate

_COMMENT = re.compile(r"\([^()]*\)")
_BY = re.compile(r"(?:^|\s)by\s+\[?([\w.:-]+)", re.IGNORECASE)
_PRIVATE = (".local", ".localdomain", ".internal", ".intern", ".lan", ".home.arpa")


@dataclasses.dataclass(frozen=True)
class RoundTrip:
    """What was found.

    Arguments:
        recipient_header (str): field that names the address written to; ``Received`` where only
            the ``for`` of such a line does, empty where nothing does
        trusted_hops (int): Received lines that the receiving servers stamp, 0 if it cannot be told
        authserv_id (str): the name with which the receiving server begins its check results
            (RFC 8601), empty where no result of its is there that can be relied on
        authentication (str): ``pass``, ``fail`` or ``none`` for our own domain
        authentication_detail (str): why, in one line
        is_message_id_kept (bool): the Message-Id came back as it left
        sender (str): normalized address in From, as it came back
    """

    recipient_header: str = ""
    trusted_hops: int = 0
    authserv_id: str = ""
    authentication: str = "none"
    authentication_detail: str = ""
    is_message_id_kept: bool = True
    sender: str = ""


def examine(
    fields, address, message_id, names=(), mailbox_addresses=(), mail_host="", trusted_hops=0
):
    """Return what the header of a test mail tells about the way of every mail.

    The number of lines is given only where it holds what it is for: with it, the recipient is
    still found, and the sender still confirmed. Servers differ in where they stamp results.

    :param list fields: (name, value) pairs of the header as it came back, from the top
    :param str address: the address it was sent to
    :param str message_id: Message-Id it was sent with
    :param names: fields that usually name the recipient, the most trusted first
    :param mailbox_addresses: addresses of the mailbox itself
    :param str mail_host: name of the server that the mailbox is read from
    :param int trusted_hops: number of lines that the mailbox is set to, kept where none is found
    :return RoundTrip:
    """
    values = {name.lower(): str(value) for name, value in reversed(fields)}
    sender = next(iter(extract_addresses(values.get("from", ""))), "")
    found = RoundTrip(
        sender=sender, is_message_id_kept=values.get("message-id", "").strip() == message_id
    )
    for hops in [*filter(None, (count_trusted_hops(fields), trusted_hops)), 0]:
        header = find_recipient_header(fields, address, names, mailbox_addresses, hops)
        authserv_id, authentication = _find_authserv_id(fields, sender, hops, mail_host)
        if hops and (not header or (authserv_id and authentication.result != "pass")):
            continue
        return dataclasses.replace(
            found,
            recipient_header=header,
            trusted_hops=hops,
            authserv_id=authserv_id if authentication.result == "pass" else "",
            authentication=authentication.result,
            authentication_detail=authentication.detail,
        )
    return found


def find_recipient_header(fields, address, names=(), mailbox_addresses=(), trusted_hops=0):
    """Return the field that names the envelope recipient of a mail, see :class:`RoundTrip`.

    :param str address: the envelope recipient
    :param names: fields that usually do, the most trusted first; after them any other is looked
        at that is not made by senders
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
    the lines of a mail from outside cannot be told, unless there is a single host.

    :return int: 0 where it cannot be told
    """
    hosts = [_by_host(str(value)) for name, value in fields if name.lower() == "received"]
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
    hosts = [_by_host(str(value)) for name, value in fields if name.lower() == "received"]
    ours = {organizational_domain(host) for host in [*[*filter(None, hosts)][:1], mail_host]}
    candidates, border, lines = [], count_trusted_hops(fields), 0
    for name, value in fields:
        lines += name.lower() == "received"
        if border and lines > border:
            break  # from here on it is the word of whoever sent the mail
        if name.lower() == "authentication-results":
            candidates += _candidates(_authserv_id(str(value)), ours)
    tried = {
        candidate: authenticate(fields, candidate, domain, trusted_hops)
        for candidate in dict.fromkeys(candidates)
    }
    for candidate, authentication in tried.items():
        if authentication.result == "pass":
            return candidate, authentication
    found = next((item for item in tried.items() if item[1].result != "none"), ("", None))
    return found if found[1] else ("", authenticate(fields, "", domain))


def _candidates(authserv_id, ours):
    """Return as what an id may be trusted: as it is, or as any host of its organisation.

    A server farm writes the name of the node. An id that is not of the organisation that has the
    mailbox was not written by it; only Microsoft writes none.
    """
    if authserv_id == NO_ID:
        return [NO_ID] if ours & {"outlook.com", "office365.com"} else []
    organisation = organizational_domain(authserv_id)
    if organisation not in ours:
        return []
    any_host = f".{organisation}"
    is_node = any(character.isdigit() for character in authserv_id.partition(".")[0])
    if authserv_id == organisation:
        return [authserv_id]
    return [any_host] if is_node else [authserv_id, any_host]


def _authserv_id(value):
    """Return the id at the beginning of a value (RFC 8601, 2.2), NO_ID where there is none."""
    words = _COMMENT.sub(" ", value).partition(";")[0].split()
    if not words or "=" in "".join(words[:2]):
        return NO_ID
    return words[0].partition("/")[0].rstrip(".").lower()


def _by_host(value):
    """Return who stamped a Received line, in lower case; empty where no name on the internet."""
    match = _BY.search(_COMMENT.sub(" ", " ".join(value.split())))
    host = match[1].rstrip(".").lower() if match else ""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return "" if "." not in host or host.endswith(_PRIVATE) else host
    return ""
