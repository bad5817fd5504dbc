"""Local parts that name a message, and that only we can make (VERP with a signature).

``reply.<token>`` and ``bounce.<token>``: a version, the numbers, and an HMAC (RFC 2104) over all
of it. Lower-case base 32 (RFC 4648, 6), because a server on the way may change the case of a
local part (RFC 5321, 2.4), and never more than the 64 octets of RFC 5321, 4.5.3.1.1.
"""

import base64
import binascii
import dataclasses
import functools
import hashlib
import hmac
import logging
import re

from .addresses import ATOM, DOMAIN, QUOTED

REPLY, BOUNCE = "reply", "bounce"

_VERSION = "a"
_MAC_OCTETS = 15
_MAX_NUMBER = 2**31 - 1  # ids are four octets in PostgreSQL
_MAILBOX = re.compile(rf'((?:{QUOTED}\s*<|[^<>@"]*<)?)({ATOM}@{DOMAIN})(>?)', re.DOTALL)
_TOKEN = re.compile(rf"\b({REPLY}|{BOUNCE})\.[a-z2-7]{{16,}}", re.IGNORECASE)
_LOCAL_PART = re.compile(rf"({REPLY}|{BOUNCE})\.{_VERSION}([a-z2-7]{{31,56}})")


@dataclasses.dataclass(frozen=True)
class SignedAddress:
    """What a signed address stands for."""

    kind: str  # ``reply`` or ``bounce``
    message_id: int  # id of the message that was sent
    model_id: int = 0  # of its document, for when the message is gone
    res_id: int = 0
    partner_id: int = 0  # the contact it was sent to, 0 for whoever is no contact


@dataclasses.dataclass(frozen=True)
class Signer:
    """What all mails about documents of one model are signed with."""

    key: bytes = dataclasses.field(repr=False)  # secret of the database
    domains: dict  # name of the alias domain by its name, and by that of each accepted domain
    service: frozenset  # addresses of ours that are signed without asking further
    model_id: int = 0  # 0 if answers belong to no document of it


def build_local_part(key, signed):
    """Return the local part of a signed address.

    :param bytes key: secret of the database
    :param SignedAddress signed: its numbers are not negative, and fit into 31 bits
    :return str: ASCII, at most 64 octets
    """
    numbers = (signed.message_id, signed.model_id, signed.res_id, signed.partner_id)
    payload = b"".join(map(_pack, numbers))
    token = base64.b32encode(payload + _sign(key, signed.kind, payload))
    return f"{signed.kind}.{_VERSION}{token.decode().rstrip('=').lower()}"


def parse_local_part(key, local_part):
    """Return what a local part stands for, None if it is not one that we made.

    :param bytes key: secret of the database
    :param str local_part: anything, in any case
    :return SignedAddress:
    """
    match = _LOCAL_PART.fullmatch(local_part.lower()) if local_part.isascii() else None
    if not match:
        return None
    kind, token = match.groups()
    try:
        data = base64.b32decode(token.upper() + "=" * (-len(token) % 8))
    except binascii.Error:  # of an impossible length
        return None
    payload, signature = data[:-_MAC_OCTETS], data[-_MAC_OCTETS:]
    if not hmac.compare_digest(signature, _sign(key, kind, payload)):
        return None
    message_id, model_id, res_id, partner_id = _unpack(payload)  # as many as were signed
    signed = SignedAddress(kind, message_id, model_id, res_id, partner_id)
    # the last character has bits to spare: one address has one spelling
    return signed if build_local_part(key, signed) == match[0] else None


def _sign(key, kind, payload):
    mac = _begin_mac(key).copy()
    mac.update(f"{kind}.{_VERSION}.".encode() + payload)
    return mac.digest()[:_MAC_OCTETS]


@functools.lru_cache(maxsize=16)
def _begin_mac(key):
    """Return what is copied for each signature: to begin one costs several times as much."""
    return hmac.new(key, digestmod=hashlib.sha256)


def _pack(number):
    """Return a number in as few octets as it takes, seven bits in each."""
    if not 0 <= number <= _MAX_NUMBER:
        raise ValueError(f"{number} is no id")
    octets = bytearray()
    while number > 0x7F:
        octets.append(0x80 | number & 0x7F)
        number >>= 7
    octets.append(number)
    return bytes(octets)


def _unpack(payload):
    """Return the numbers that were packed one after the other."""
    numbers, number, shift = [], 0, 0
    for octet in payload:
        number |= (octet & 0x7F) << shift
        shift += 7
        if not octet & 0x80:
            numbers.append(number)
            number = shift = 0
    return numbers


def split_mailbox(text):
    """Return what stands before an address, the address, and what stands behind it.

    :param str text: a mailbox (RFC 5322, 3.4)
    :return tuple: the three parts; without an address if there is none, or more than one
    """
    match = _MAILBOX.fullmatch(text)
    return match.groups() if match else (text, "", "")


def looks_signed(local_part):
    """Tell whether a local part is a signed address, ours or another's, whole or altered."""
    return bool(re.match(rf"({REPLY}|{BOUNCE})\.[a-z2-7]{{16}}", local_part.lower()))


class TokenFilter(logging.Filter):
    """Keeps signed addresses out of a log: who knows one may write to a thread."""

    def filter(self, record):
        text = record.getMessage()
        masked = _TOKEN.sub(r"\1.…", text)
        if masked != text:
            record.msg, record.args = masked, ()
        return True
