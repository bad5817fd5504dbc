"""What Odoo builds from odd mail, made such that mail servers take it."""

from .from_policy import format_sender
from .header_text import format_return_path

MAX_LINE = 998  # RFC 5322, 2.1.1
_MAX_FOLDED = 78  # what lines should have, in the same place


def make_sendable(message):
    """Repair a mail that is about to leave.

    :param email.message.EmailMessage message: as ``ir.mail_server.build_email`` makes it; changed
        in place
    """
    _shorten_references(message)
    _fold_reply_to(message)
    _keep_return_path(message)
    for part in message.walk():
        is_text = isinstance(part.get_payload(), str)
        if is_text and part.get_content_maintype() in ("message", "multipart"):
            _repair_attached_mail(part)


def _shorten_references(message):
    """Keep References on one line, as Odoo folds none: the nearest are the last ones."""
    found = str(message.get("References", "")).split()
    kept = list(found)
    while len(kept) > 1 and len(" ".join(kept)) > MAX_LINE - len("References: "):
        del kept[0]
    if kept != found:
        message.replace_header("References", " ".join(kept))


def _fold_reply_to(message):
    """Fold a long Reply-To between name and address.

    Python does not fold there, may put a name apart that it unquotes, and takes longer to try than
    all else takes that is done for a signed address.
    """
    value = message.get("Reply-To", "")
    if len("Reply-To: ") + len(value) <= _MAX_FOLDED or len(value.addresses) != 1:
        return
    (mailbox,) = value.addresses
    if mailbox.display_name and mailbox.addr_spec.isascii():
        del message["Reply-To"]
        message.set_raw("Reply-To", format_sender(mailbox.display_name, mailbox.addr_spec))


def _keep_return_path(message):
    """Keep a long Return-Path as it is: Python would encode it."""
    address = str(message.get("Return-Path", ""))
    if len("Return-Path: ") + len(address) > _MAX_FOLDED:
        message.replace_header("Return-Path", format_return_path(address))


def _repair_attached_mail(part):
    """Write a mail that is attached as it is, or where that cannot be sent, as a file.

    Odoo hands a forwarded mail to ``email`` as octets. That encodes them in base64, which RFC 2046
    (5.2.1) forbids, with line ends that no server should take: a bare LF may smuggle in another
    mail (CVE-2023-51764).
    """
    octets = part.get_payload(decode=True)
    lines = octets.splitlines()
    is_plain = octets.isascii() and b"\0" not in octets
    is_short = max(map(len, lines), default=0) <= MAX_LINE
    if part.get_content_type() == "message/rfc822" and is_plain and is_short:
        part.replace_header("Content-Transfer-Encoding", "7bit")
        part.set_payload(b"\r\n".join(lines).decode("ascii"))
    else:
        name = part.get_filename() or "message.eml"
        part.set_content(octets, "application", "octet-stream", filename=name)
