"""Odd mail, made such that core can process it.

Core parses a source with ``email.policy.SMTP``, reads every part with ``get_content()`` and cleans
the text with regular expressions. All of them trust that a mail is well-formed. They raise on an
unknown charset, a Message-Id without a local part or a font in an attachment; PostgreSQL refuses
NUL; and some of them need hours for a few kilobytes that were made for it. What is broken is
repaired here, so that core reads what a person would; what is sound stays as it is.
"""

import dataclasses
import email.feedparser
import email.message
import email.policy
import functools
import quopri
import re

from .repair_charsets import decode_base64, decode_strictly, decode_text
from .repair_fields import TYPES, FieldValue, HeaderRepair, MalformedMail
from .repair_parts import (
    choose_type,
    get_encoding,
    is_attachment,
    is_raw_utf16,
    set_field,
    set_filename,
    set_payload,
    set_text,
)
from .source import cut_header
from .text_size import MAX_TEXT, measure_text, show_beginning

# A digest of a mailing list has some hundred parts, a chain of forwards a depth of thirty, a mail
# of 25 MB 330,000 lines.
#: Parts of a mail, those of attached mails included. Core needs a millisecond for each.
MAX_PARTS = 1000
#: Parts within parts. ``email`` needs up to ten stack frames for each, of a thousand.
MAX_DEPTH = 50
#: Mails attached to attached mails: core stores each of them with all that is in it.
MAX_FORWARDS = 5
#: How often all of a mail may be parsed: what is encoded against the rules is parsed once more.
MAX_PARSINGS = 4
#: Lines: the parser makes an object of 60 octets of the shortest.
MAX_LINES = 1_500_000
#: Characters that a text counts even if it has none.
MIN_TEXT = 200

_CHUNK = 65536
_BOUNDARY = re.compile(r"^--([\w'()+,./:=?-]{1,70})[ \t]*\r?$", re.MULTILINE | re.ASCII)
_HEADER_END = re.compile(r"\r?\n\r?\n|\r\r")
_NO_BASE64 = re.compile(r"[^A-Za-z0-9+/=\s]")
_BASE64_LINE = re.compile(r"^[A-Za-z0-9+/]{60,}\s*$", re.MULTILINE)
_META_CHARSET = re.compile(rb"<meta[^<>]{1,200}charset=[\"']?([\w-]{1,40})", re.IGNORECASE)


@dataclasses.dataclass(frozen=True)
class Repaired:
    """A mail that core can process."""

    message: email.message.EmailMessage  # with the policy SMTP, as core parses it
    notes: tuple = ()  # short strings, what was repaired

    def copy_to(self, message):
        """Make another message, which core parsed, into this one."""
        vars(message).update(vars(self.message))


def repair(raw, keep=None):
    """Parse a source as core does, and return it :class:`Repaired`.

    :param bytes raw: source of the message (RFC 5322)
    :param keep: predicate of normalized addresses that stay in To and Cc even beyond
        ``MAX_RECIPIENTS``
    :raise MalformedMail: where it is beyond the limits; nothing else is raised
    """
    mail = _Mail(keep, len(raw))
    try:
        if max(raw.count(b"\n"), raw.count(b"\r")) > MAX_LINES:
            raise MalformedMail(f"The email has more than {MAX_LINES} lines.")
        if reason := cut_header(raw)[1]:
            raise MalformedMail(reason)
        message = mail.parse(raw)
        mail.repair_parts(message)
    except MalformedMail:
        raise
    except Exception as error:
        raise MalformedMail(f"The email cannot be parsed: {type(error).__name__}.") from error
    return Repaired(message, tuple(mail.notes))


class _Part(email.message.EmailMessage):
    """A part that knows how deep it stands."""

    depth = 0

    def attach(self, payload):
        payload.depth = self.depth + 1
        if payload.depth > MAX_DEPTH:
            raise MalformedMail(f"The email has parts within parts, more than {MAX_DEPTH} deep.")
        return super().attach(payload)


class _Policy(email.policy.EmailPolicy):
    """Repairs header fields while they are parsed, before anything looks at their values."""

    mail = None

    def header_source_parse(self, sourcelines):
        name, value = super().header_source_parse(sourcelines)
        return name, self.mail.repair_field(name, value)


class _Mail(HeaderRepair):
    """The repair of one mail, and what it has used of the limits."""

    def __init__(self, keep, size):
        super().__init__(keep)
        self._octets_left = MAX_PARSINGS * size + _CHUNK
        self._part_count = 0
        self._shown = self._handled = 0
        self._has_text = False

    def parse(self, raw, depth=0):
        self._octets_left -= len(raw)
        if self._octets_left < 0:
            raise MalformedMail("The email has encoded parts within encoded parts.")
        policy = _Policy(
            mail=self,
            linesep=email.policy.SMTP.linesep,
            header_factory=email.policy.SMTP.header_factory,
            message_factory=functools.partial(self._new_part, depth),
        )
        parser = email.feedparser.BytesFeedParser(policy=policy)
        for start in range(0, len(raw), _CHUNK):
            parser.feed(raw[start : start + _CHUNK])
        return parser.close()

    def _new_part(self, depth, policy):
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise MalformedMail(f"The email has more than {MAX_PARTS} parts.")
        part = _Part(policy=policy)
        part.depth = depth
        return part

    def repair_parts(self, message):
        """Repair all parts, from the top."""
        stack = [(message, 0)]
        while stack:
            part, forwards = stack.pop()
            part.policy = email.policy.SMTP
            choose_type(part)
            if part.get_content_maintype() in ("multipart", "message"):
                self._repair_container(part, forwards)
            if part.is_multipart():
                forwards += part.get_content_maintype() == "message"
                stack += [(child, forwards) for child in reversed(part.get_payload())]
            else:
                self._repair_leaf(part)
            for name in ("preamble", "epilogue"):  # nobody reads them, but they are stored
                text = getattr(part, name)
                if text and not text.isascii():
                    setattr(part, name, text.encode("ascii", "replace").decode())
        if "To" not in message:
            message["To"] = ""  # core looks into it when it rejects a mail

    def _repair_container(self, part, forwards):
        is_message = part.get_content_maintype() == "message"
        if not is_message and not (part.is_multipart() and part.get_payload()):
            self._find_parts(part)
        elif is_message and part.is_multipart() and forwards >= MAX_FORWARDS:
            set_payload(part, _join(part))
            self._set_aside(part, "forwarded.eml")
        elif is_message and part.is_multipart():
            self._decode_message(part)

    def _decode_message(self, part):
        """Parse what stands encoded in a part of type message (RFC 2046, 5.2.1, forbids it)."""
        encoding = get_encoding(part)
        if encoding not in ("base64", "quoted-printable"):
            return
        source = _join(part)
        if encoding == "quoted-printable":
            source = quopri.decodestring(source)
        elif not any(child.keys() for child in part.get_payload()):  # else it only says that it is
            source = decode_base64(source)
        header = f"Content-Type: {part.get_content_type()}\r\n\r\n".encode()
        part.set_payload(self.parse(header + source, part.depth).get_payload())
        del part["Content-Transfer-Encoding"]
        if part.get_content_type() == "message/rfc822" and not part.get_filename():
            set_filename(part, "forwarded.eml")
        self.note("attached email")

    def _find_parts(self, part):
        """Give a multipart without parts those that it has, or else make it the text it is."""
        octets = part.get_payload(decode=True) or b""
        boundary = _BOUNDARY.search(octets.decode("ascii", "replace"))
        if boundary:
            value = f'{part.get_content_type()}; boundary="{boundary[1]}"'
            header = f"Content-Type: {value}\r\n\r\n".encode()
            found = self.parse(header + octets, part.depth)
            if found.is_multipart() and found.get_payload():
                set_field(part, "Content-Type", value)
                del part["Content-Transfer-Encoding"]
                part.set_payload(found.get_payload())
                self.note("boundary of a multipart")
                return
        set_field(part, "Content-Type", "text/plain")
        set_payload(part, octets)
        self.note("multipart without parts")

    def _repair_leaf(self, part):
        maintype = part.get_content_maintype()
        if get_encoding(part) == "base64" and maintype == "text":
            self._divide_base64(part)
        elif get_encoding(part) == "base64":
            self._complete_base64(part)
        elif "uu" in get_encoding(part):
            self._check_uuencode(part)
        if maintype == "text":
            self._repair_text(part)
        elif maintype not in TYPES or maintype in ("multipart", "message"):
            self._set_aside(part, "attached.eml" if maintype == "message" else part.get_filename())
        elif part.get_param("charset") and not (part.get_payload(decode=True) or b"").isascii():
            part.del_param("charset")  # it is no text, but is encoded as one when it is copied

    def _complete_base64(self, part):
        """Drop the last digit where it was cut from its octet: ``email`` would decode nothing."""
        digits = part.get_payload().encode("ascii", "ignore").decode()
        count = len(digits) - sum(digits.count(other) for other in "=\r\n\t ")
        if count % 4 == 1:
            part.set_payload(digits.rstrip("=\r\n\t ")[:-1])
            self.note("base64")

    def _divide_base64(self, part):
        """Read a text as it is from where it is no base64: lists append footers."""
        digits = part.get_payload()
        odd = _NO_BASE64.search(digits)
        if not odd or _BASE64_LINE.search(digits, odd.end()):
            self._complete_base64(part)
            return
        start = digits.rfind("\n", 0, odd.start()) + 1
        set_field(part, "Content-Transfer-Encoding", "8bit")
        octets = part.get_payload(decode=True)
        part.set_payload(decode_base64(octets[:start]) + octets[start:])
        self.note("base64")

    def _check_uuencode(self, part):
        try:
            part.get_payload(decode=True)
        except ValueError:
            set_field(part, "Content-Transfer-Encoding", "8bit")
            self.note("uuencode")

    def _repair_text(self, part):
        """Make a text readable: core decodes it as its charset says, and raises if it cannot."""
        octets = part.get_payload(decode=True) or b""
        charset = part.get_param("charset")
        # without one, core takes UTF-8 in a part of a multipart, and ASCII in a whole mail
        implied = "utf-8" if part.depth else "ascii"
        text = decode_strictly(octets, implied if charset is None else str(charset))
        if text is None or "\0" in text or is_raw_utf16(part, charset):
            if is_attachment(part):
                self._set_aside(part, part.get_filename())
                return
            meta = _META_CHARSET.search(octets[:4096])
            charset = charset or (meta and meta[1].decode())
            text = decode_text(octets, charset).replace("\0", "")
            set_text(part, text)
            self.note("charset")
        subtype = part.get_content_subtype()
        if subtype == "rfc822-headers":
            self._repair_header_text(part, text)
        elif subtype in ("plain", "html"):
            self._limit_text(part, text)
        elif not part.depth and is_attachment(part):  # core would read both as HTML
            self._set_aside(part, part.get_filename())
        elif not part.depth:
            set_text(part, text)
            self.note("type of a text")

    def _repair_header_text(self, part, text):
        """Repair the header that a bounce report quotes (RFC 6522, 4), which core parses too."""
        end = _HEADER_END.search(text)
        end = end.end() if end else len(text)
        message = self.parse(text[:end].encode(), part.depth + 1)
        if any(isinstance(value, FieldValue) for _name, value in message.raw_items()):
            # core would fail at the text again, and takes a message as well
            message.policy = email.policy.SMTP
            lost = "" if message.is_multipart() else message.get_payload()
            set_text(message, lost + text[end:])
            self._repair_leaf(message)
            set_field(part, "Content-Type", "message/rfc822")
            del part["Content-Transfer-Encoding"]
            part.set_payload([message])

    def _limit_text(self, part, text):
        """Keep core's cleaning of the text from taking forever: attach what is beyond."""
        if part.depth and is_attachment(part):
            return
        is_html = part.get_content_subtype() == "html"
        filename = "message.html" if is_html else "message.txt"
        if self._may_show(self._simplify_line_ends(part, text, is_html), is_html):
            self._has_text = self._has_text or bool(text.strip())
        elif self._has_text:
            self._set_aside(part, filename)
        else:
            self._has_text = True
            self._attach_text(part, filename, show_beginning(text, is_html))

    def _may_show(self, size, is_html):
        """Tell whether a text of this size may be shown with those before it, and count it."""
        size += MIN_TEXT
        # core reads all of the body again for each text that it appends, and cleans HTML again
        again = 2 * self._shown if is_html else self._shown // 20
        if self._handled + again + size > MAX_TEXT:
            return False
        self._handled += again + size
        self._shown += size
        return True

    def _simplify_line_ends(self, part, text, is_html):
        """Give a text the line ends of Unix, where others cost much, and return its size."""
        size = measure_text(text, is_html)
        if size > MAX_TEXT // 10 and "\r" in text:
            # a quotation is one match for core then, and not one for each line
            unix_text = text.replace("\r\n", "\n").replace("\r", "\n")
            unix_size = measure_text(unix_text, is_html)
            if unix_size < size // 2:
                set_text(part, unix_text)
                self.note("line ends")
                return unix_size
        return size

    def _attach_text(self, part, filename, beginning):
        """Make two parts of a text: itself as an attachment, and its beginning, which is shown."""
        attached, shown = _Part(policy=email.policy.SMTP), _Part(policy=email.policy.SMTP)
        attached.depth = shown.depth = part.depth + 1
        set_payload(attached, part.get_payload(decode=True))
        self._set_aside(attached, filename)
        shown["Content-Type"] = "text/html"
        set_text(shown, beginning)
        for name in ("Content-Transfer-Encoding", "Content-Disposition"):
            del part[name]
        set_field(part, "Content-Type", "multipart/mixed")
        part.set_payload([shown, attached])

    def _set_aside(self, part, filename):
        """Make a part an attachment of octets as they are."""
        set_field(part, "Content-Type", "application/octet-stream")
        set_filename(part, filename or "attachment")
        self.note("attachment")


def _join(part):
    return b"".join(child.as_bytes() for child in part.get_payload())
