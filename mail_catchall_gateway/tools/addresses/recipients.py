"""Who a mail was delivered for, read from the header fields that mail servers stamp.

The envelope recipient (RFC 5321, RCPT TO) is no part of a message. The server that puts a message
into a catch-all mailbox tells it in a field of its own making: none of them is standardised, RFC
9228 only describes ``Delivered-To``.
"""

import dataclasses
import itertools
import re

from .addresses import ADDRESS, LITERAL, QUOTED, normalize_address

#: In the order in which they are believed. Those before Delivered-To keep the address as it was
#: before aliases and catch-alls were expanded; Delivered-To is often the mailbox itself.
RECIPIENT_HEADERS = ("X-Original-To", "Envelope-To", "X-Envelope-To", "X-Gm-Original-To")
RECIPIENT_HEADERS += ("Delivered-To", "X-Forwarded-To")

#: Octets of an address (RFC 5321, 4.5.3.1): what is longer reaches nobody.
MAX_ADDRESS = 64 + 1 + 255

_ROUTE = r'@[^\s<>:"]*:'  # obsolete, RFC 5322, 4.4
_ADDRESS = re.compile(ADDRESS)
_FOR = re.compile(rf"(?<!\S)for\s<?(?:{_ROUTE})?({ADDRESS})>?(?=[\s;,]|$)", re.IGNORECASE)
_ENCODED_WORD = r"=\?[^?\s]+\?[bBqQ]\?[^?\s]*\?="
# each alternative takes what it matches for good, so that time is linear
_COMMENT_TOKEN = re.compile(rf'{_ENCODED_WORD}|\\.|[()"]|[^\\()"=]+|.')
_LIST_TOKEN = re.compile(
    rf"{_ENCODED_WORD}|{QUOTED}|{LITERAL}|<(?:\s?{_ROUTE})?|\s?@\s?|[>,:;]|\\.|\s"
    r'|[^\s"<>,:;@\[\]\\=]+|.'
)


@dataclasses.dataclass(frozen=True)
class EnvelopeRecipients:
    """The envelope recipients of a message and what named them."""

    addresses: tuple = ()  # normalized, without duplicates, in the order found
    source: str = ""  # the header field that named them; empty where none did


@dataclasses.dataclass(frozen=True)
class Mailbox:
    """What stands between two separators of an address list (RFC 5322, 3.4)."""

    words: tuple = ()  # what is written outside angle brackets, as it came
    addresses: tuple = ()  # those in angle brackets; more than one where a comma is missing
    has_brackets: bool = False  # there were some, whatever is in them

    @property
    def found(self):
        """The addresses of this mailbox.

        Where there are brackets, what stands before them is a name, even if it looks like an
        address: ``john@acme.test <evil@x.test>`` is evil's (CVE-2023-27043).
        """
        if self.has_brackets:
            return self.addresses
        return tuple(filter(_is_address, self.words))


def parse_mailboxes(value):
    """Split an address list (RFC 5322, 3.4), tolerantly, into its mailboxes.

    The standard library's ``getaddresses`` reads forged lists differently from one Python release
    to the next, and since CVE-2023-27043 gives up a whole list for one broken address in it. Takes
    semicolons for commas (Outlook); drops comments, routes and the names of groups. Encoded words
    are left as they are, so that what they hide is never taken for an address or a comma.

    :param str value: value of To and its like, folded or not, not decoded
    :return list: of :class:`Mailbox`
    """
    mailboxes, words, inside, text = [], [], [], []
    is_inside = has_brackets = False
    for token in [*_LIST_TOKEN.findall(_strip_comments(value)), ","]:
        kind = token[0]
        if kind not in "<>,:;" and (is_inside or not token.isspace()):
            text.append(token.strip() if "@" in token else token)
            continue
        (inside if is_inside else words).append("".join(text).strip())
        text = []
        if kind in "<>":
            is_inside = kind == "<"
            has_brackets = has_brackets or is_inside
        elif kind == ":":  # what came before is the name of a group, or a scheme as in mailto:
            (inside if is_inside else words).clear()
        elif kind in ",;":
            addresses = tuple(filter(_is_address, inside))
            mailboxes.append(Mailbox(tuple(filter(None, words)), addresses, has_brackets))
            words, inside, is_inside, has_brackets = [], [], False, False
    return [mailbox for mailbox in mailboxes if mailbox.words or mailbox.has_brackets]


def extract_addresses(value):
    """Return the addresses in the value of a recipient header field.

    Takes a bare address, ``<addr>``, comma lists of either (Exim) and what some servers append;
    a pipe command, a mailing list's name or ``Autoresponder`` is no address.

    :param str value: field value, folded or not
    :return list: normalized addresses
    """
    found = []
    for mailbox in parse_mailboxes(value):
        # bare addresses fill a whole list item: "mailing list x@y" (ezmlm) is none; Yahoo and AOL
        # append "via <ip>; <date>"
        if mailbox.has_brackets or len(mailbox.words) == 1 or mailbox.words[1].lower() == "via":
            found += mailbox.found
    return [normalize_address(address) for address in found]


def extract_received_for(value):
    """Return the address in the ``for`` clause of a Received field (RFC 5321, 4.4), or ``""``.

    The clause is the last one before the date. What the client called itself stands before it.

    :param str value: field value; ``for <multiple recipients>`` is no address
    :return str: normalized address
    """
    matches = _FOR.findall(_strip_comments(value))
    return normalize_address(matches[-1]) if matches else ""


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
    """Return whom a message names in To, Cc and their Resent fields: see ``address_fields``."""
    return address_fields(fields, ("to", "cc", "resent-to", "resent-cc"))


def address_fields(fields, names):
    """Return the addresses in some fields of a header.

    :param list fields: (name, value) pairs of the header
    :param names: names of fields that hold addresses (RFC 5322, 3.6.2 and 3.6.3), in lower case
    :return tuple: normalized addresses, without duplicates, in the order found
    """
    values = (str(value) for name, value in fields if name.lower() in names)
    mailboxes = itertools.chain.from_iterable(map(parse_mailboxes, values))
    return tuple(dict.fromkeys(normalize_address(one) for box in mailboxes for one in box.found))


def _is_address(text):
    return len(text.encode("utf-8", "replace")) <= MAX_ADDRESS and _ADDRESS.fullmatch(text)


def _strip_comments(value):
    """Return the value on one line and without comments (RFC 5322, 3.2.2), nested or not."""
    kept, depth, is_quoted = [], 0, False
    for token in _COMMENT_TOKEN.findall(" ".join(value.split())):
        if token == '"' and not depth:
            is_quoted = not is_quoted
        elif not is_quoted and (token == "(" or (token == ")" and depth)):
            depth += 1 if token == "(" else -1
            token = " "
        if not depth:
            kept.append(token)
    return " ".join("".join(kept).split())


def _trusted_fields(fields, trusted_hops):
    """Return the fields down to our first server's Received line, with lower-case names."""
    lowered = [(name.lower(), str(value)) for name, value in fields]
    received = [index for index, (name, _value) in enumerate(lowered, 1) if name == "received"]
    return lowered[: received[trusted_hops - 1]] if 0 < trusted_hops <= len(received) else lowered
