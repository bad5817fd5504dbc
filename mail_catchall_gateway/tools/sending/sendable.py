"""What Odoo builds from odd mail, made such that mail servers take it."""

import email.utils
import re
from email.policy import compat32

from ..addresses.addresses import PLAIN_ADDRESS
from ..message.repair_fields import FieldValue
from .from_policy import format_sender

MAX_LINE = 998  # RFC 5322, 2.1.1
_MAX_FOLDED = 78  # what lines should have, in the same place
#: A quoted name and an address in angle brackets, as Odoo formats them, or an address alone.
_MAILBOX = re.compile(rf'("(?:[ !#-\[\]-~]|\\[ -~])*") <{PLAIN_ADDRESS}>|{PLAIN_ADDRESS}', re.ASCII)


class PlainField(FieldValue):
    """A header field with one mailbox (RFC 5322, 3.4), written as it was given.

    To ``email`` it is parsed already, as it has the name of its field. Parsing costs more than all
    else that is done for a header, and what is folded then may fall apart: a quoted name loses its
    quotation marks, a Return-Path becomes an encoded word.
    """

    def fold(self, *, policy):
        """Return the field as it stands in a message, folded before the address if it is long."""
        line = f"{self.name}: {self}"
        if len(line) > _MAX_FOLDED and line.endswith(">"):
            begin, _space, address = line.rpartition(" ")
            line = f"{begin}{policy.linesep} {address}"
        return line + policy.linesep


def as_plain(name, value):
    """Return a :class:`PlainField` for a mailbox that needs no encoding; all else as it is."""
    if not isinstance(value, str):
        return value
    unfolded = value.replace("\n <", " <")
    match = _MAILBOX.fullmatch(unfolded)
    if not match or "=?" in unfolded or len(f"Reply-To: {match[1] or ''}") > _MAX_FOLDED:
        return value
    return PlainField.of(name, unfolded)


def make_sendable(message):
    """Repair a mail in place as ``ir.mail_server.build_email`` makes it."""
    _shorten_references(message)
    _fold_reply_to(message)
    for part in message.walk():
        payload = part.get_payload()
        if isinstance(payload, str) and part.get_content_maintype() in ("message", "multipart"):
            _repair_attached_mail(part, part.get_payload(decode=True))
        elif isinstance(payload, list) and part.get_content_type() == "message/rfc822":
            _repair_attached_mail(part, _write_attached_mail(payload[0]))


def addresses_in_names(message, extract):
    """Return the addresses that stand in the names of a mail's recipients, as a set.

    :param extract: function that returns the addresses anywhere in a text
    """
    # not their attribute addresses, which are texts where core gives a list of texts
    fields = [str(field) for field in map(message.get, ("To", "Cc")) if field]
    found = {address for field in fields for address in extract(field)}
    meant = {
        address for _name, each in email.utils.getaddresses(fields) for address in extract(each)
    }
    return found - meant if meant else set()


def _shorten_references(message):
    """Keep References on one line, as Odoo folds none: the nearest are the last ones."""
    found = kept = str(message.get("References", "")).split()
    while len(kept) > 1 and len(" ".join(kept)) > MAX_LINE - len("References: "):
        kept = kept[1:]
    if kept != found:
        message.replace_header("References", " ".join(kept))


def _fold_reply_to(message):
    """Fold a long Reply-To between name and address.

    Python does not fold there, may put a name apart that it unquotes, and takes longer to try than
    all else takes that is done for a signed address.
    """
    value = message.get("Reply-To", "")
    if isinstance(value, PlainField):
        return
    if len("Reply-To: ") + len(value) <= _MAX_FOLDED or len(value.addresses) != 1:
        return
    (mailbox,) = value.addresses
    if mailbox.display_name and mailbox.addr_spec.isascii():
        del message["Reply-To"]
        message.set_raw("Reply-To", format_sender(mailbox.display_name, mailbox.addr_spec))


def _write_attached_mail(mail):
    """Return the source of a mail that Odoo parsed; its odd characters are replaced."""
    try:
        return mail.as_bytes()
    except UnicodeError:  # Python reads what it cannot write
        return mail.as_string(policy=compat32).encode("utf-8", "surrogateescape")


def _repair_attached_mail(part, octets):
    """Write a mail that is attached as it is, or where that cannot be sent, as a file.

    Odoo hands a forwarded mail to ``email`` as octets. That encodes them in base64, which RFC 2046
    (5.2.1) forbids, with line ends that no server should take: a bare LF may smuggle in another
    mail (CVE-2023-51764). Builds since 2025 parse it, and it leaves with what is not ASCII and
    with lines of any length.
    """
    lines = octets.splitlines()
    is_plain = octets.isascii() and b"\0" not in octets
    is_short = max(map(len, lines), default=0) <= MAX_LINE
    if part.get_content_type() == "message/rfc822" and is_plain and is_short:
        part.replace_header("Content-Transfer-Encoding", "7bit")
        part.set_payload(b"\r\n".join(lines).decode("ascii"))
    else:
        name = part.get_filename() or "message.eml"
        part.set_content(octets, "application", "octet-stream", filename=name)
