"""Odd mail, made such that core can process it.

Core parses a source with ``email.policy.SMTP``, reads every part with ``get_content()`` and cleans
the text with regular expressions. All of them trust that a mail is well-formed. They raise on an
unknown charset, a Message-Id without a local part or a font in an attachment; PostgreSQL refuses
NUL; and some of them need hours for a few kilobytes that were made for it. What is broken is
repaired here, so that core reads what a person would; what is sound stays as it is.
"""

import base64
import binascii
import codecs
import contextlib
import dataclasses
import email.feedparser
import email.message
import email.policy
import email.utils
import functools
import itertools
import quopri
import re
import urllib.parse

import dateutil.parser

from .addresses import normalize_address
from .recipients import parse_mailboxes

# A digest of a mailing list has some hundred parts, a chain of forwards a depth of thirty, a mail
# of 25 MB 330,000 lines.
#: Parts of a mail, those of attached mails included. Core needs a millisecond for each.
MAX_PARTS = 1000
#: Parts within parts. ``email`` needs up to ten stack frames for each, of a thousand.
MAX_DEPTH = 50
#: Mails attached to attached mails: core stores each of them with all that is in it.
MAX_FORWARDS = 5
#: Lines: the parser makes an object of 60 octets of the shortest.
MAX_LINES = 3_000_000
#: Octets in the header fields of all parts.
MAX_HEADER = 4 * 1024 * 1024
#: Characters of a header field that names no people; more is cut.
MAX_HEADER_FIELD = 8192
#: Octets that a header parser of ``email`` gets to see: its time grows with the square and more.
MAX_PARSED_FIELD = 2000
#: The same for Content-Type and Content-Disposition, whose parser is the slowest.
MAX_MIME_FIELD = 1000
#: Recipients that core gets to see, which searches each of them several times.
MAX_RECIPIENTS = 1000
#: Steps of about 8 ns that core's cleaning of the text may take.
MAX_TEXT_COST = 10**9

_CHUNK = 65536
_ADDRESS_FIELDS = {"from", "to", "cc", "bcc", "sender", "reply-to"}
_ADDRESS_FIELDS |= {"resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender"}
_DATE_FIELDS = {"date", "resent-date", "orig-date"}
_ID_FIELDS = {"message-id", "in-reply-to", "references", "resent-message-id"}
_PARSED_FIELDS = {*_ADDRESS_FIELDS, *_DATE_FIELDS, "message-id", "mime-version"}
_ADDRESS_FIELDS |= {"delivered-to", "return-path"}
_TYPES = {"text", "image", "audio", "video", "application", "multipart", "message"}
# besides what PostgreSQL and lxml refuse, what makes a name look like another one: the
# embeddings, overrides and isolates of scripts that run from right to left
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_OCTETS = re.compile(r"[^\t\r\n -~]")
_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
_WORDS = re.compile(r"(?:=\?[^?\s]+\?[bq]\?[^?\s]*\?=\s*)+", re.IGNORECASE)
_TYPE = re.compile(r"\s*([\w.+-]+)\s*/\s*([\w.+-]+)", re.ASCII)
_SOUND_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\s*(?:;|$)", re.ASCII)
_LONG_NAME = re.compile(r';[^;="]{40}')  # from 62 on, folding never ends: python/cpython#138223
_PARAMETER = re.compile(r';\s*([\w*-]{1,40})\s*=\s*("[^"\\]*(?:\\.[^"\\]*)*"|[^;]*)', re.ASCII)
_ENCODING = re.compile(r"quoted-printable|base64|(?:x-)?uue(?:ncode)?|7bit|8bit|binary", re.I)
_BOUNDARY = re.compile(r"^--([\w'()+,./:=?-]{1,70})[ \t]*\r?$", re.MULTILINE | re.ASCII)
_BAD_CODECS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
# what is really in mail that names the older charset
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}
_QUOTES = re.compile(r"(?:\n(?:>|&(?:gt|#0*62|#x0*3e)\b)+[^\n\r]*)+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_QUOTE_MARKS = re.compile(r"stopSpelling|yahoo_quoted")
_XML_ENCODING = re.compile(r"\sencoding=", re.IGNORECASE)


class MalformedMail(ValueError):
    """A mail that core must not get; the text says why, for the administrator."""


@dataclasses.dataclass(frozen=True)
class Repaired:
    """A mail that core can process.

    Arguments:
        message (email.message.EmailMessage): with the policy SMTP, as core parses it
        notes (tuple): short strings, what was repaired; empty where nothing was
    """

    message: email.message.EmailMessage
    notes: tuple = ()

    def copy_to(self, message):
        """Make another message, which core parsed, into this one."""
        vars(message).update(vars(self.message))


def repair(raw, keep=None):
    """Parse a source as core does, and repair what core fails at.

    :param bytes raw: source of the message (RFC 5322)
    :param keep: predicate of normalized addresses that stay in To and Cc even beyond
        ``MAX_RECIPIENTS``
    :return Repaired:
    :raise MalformedMail: where it is beyond the limits; nothing else is raised
    """
    mail = _Mail(keep)
    with _only_malformed():
        if max(raw.count(b"\n"), raw.count(b"\r")) > MAX_LINES:
            raise MalformedMail(f"The email has more than {MAX_LINES} lines.")
        message = mail.parse(raw)
        mail.repair_parts(message)
    return Repaired(message, tuple(mail.notes))


def repair_message(message, keep=None):
    """Repair a message that core parsed, in place.

    A source made to keep the parser busy never comes so far: see :func:`repair`.

    :param email.message.EmailMessage message: with the policy SMTP
    :param keep: see :func:`repair`
    :return tuple: short strings, what was repaired; empty where nothing was
    :raise MalformedMail: where it is beyond the limits; nothing else is raised
    """
    mail = _Mail(keep)
    with _only_malformed():
        mail.repair_parts(message)
    return tuple(mail.notes)


@contextlib.contextmanager
def _only_malformed():
    try:
        yield
    except MalformedMail:
        raise
    except Exception as error:
        raise MalformedMail(f"The email cannot be parsed: {type(error).__name__}") from error


class _Value(str):
    """The value of a header field as it is read; ``email`` leaves what has a name to itself."""

    name = ""

    @classmethod
    def of(cls, name, text):
        value = cls(text)
        value.name = name
        return value

    def fold(self, *, policy):
        """Return the field as it stands in a message (RFC 5322, 2.2.3)."""
        lines = [f"{self.name}:"]
        for word in filter(None, self._encoded_words()):
            if len(lines[-1]) + len(word) > 76:
                lines.append("")
            lines[-1] += f" {word}"
        return policy.linesep.join([*lines, ""])

    def _encoded_words(self):
        for is_ascii, words in itertools.groupby(self.split(" "), str.isascii):
            if is_ascii:
                yield from words
                continue
            text = " ".join(words)
            for start in range(0, len(text), 12):
                octets = text[start : start + 12].encode("utf-8", "replace")
                yield f"=?utf-8?b?{base64.b64encode(octets).decode()}?="


class _Part(email.message.EmailMessage):
    """A part whose header is repaired, and that knows how deep it stands."""

    depth = 0

    def attach(self, payload):
        payload.depth = self.depth + 1
        _check_depth(payload.depth)
        super().attach(payload)


class _Policy(email.policy.EmailPolicy):
    """Repairs header fields while they are parsed, before anything looks at their values."""

    mail = None

    def header_source_parse(self, sourcelines):
        name, value = super().header_source_parse(sourcelines)
        return name, self.mail.repair_field(name, value)


class _Mail:
    """The repair of one mail, and what it has used of the limits."""

    def __init__(self, keep):
        self.notes = {}
        self._keep = keep
        self._part_count = self._header_size = self._recipient_count = 0
        self._body_cost = self._text_cost = 0

    def parse(self, raw, depth=0):
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
        self._count_part(depth)
        part = _Part(policy=policy)
        part.depth = depth
        return part

    def _count_part(self, depth):
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise MalformedMail(f"The email has more than {MAX_PARTS} parts.")
        _check_depth(depth)

    def _note(self, text):
        self.notes[text] = True

    # header

    def repair_field(self, name, value):
        """Return the value of a header field such that reading it does not fail."""
        self._header_size += len(name) + len(value)
        if self._header_size > MAX_HEADER:
            raise MalformedMail(f"The header of the email has more than {MAX_HEADER} octets.")
        key = name.lower()
        if key == "content-transfer-encoding":
            repaired = _transfer_encoding(value)
        elif key in ("content-type", "content-disposition"):
            repaired = _mime_field(key, value)
        elif _is_sound(key, value):
            return value
        elif key in _ADDRESS_FIELDS:
            repaired = _Value.of(name, self._address_list(value))
        else:
            repaired = _Value.of(name, _unstructured(key, value))
        if repaired != _unfold(value) and (key not in _ADDRESS_FIELDS or not _is_long(value)):
            self._note("header: repaired")
        return repaired

    def _address_list(self, value):
        """Return an address list (RFC 5322, 3.4) with names decoded, and quoted."""
        found = []
        for mailbox in parse_mailboxes(_from_octets(value)):
            name = _name(mailbox) if mailbox.has_brackets else ""
            for address in mailbox.addresses or mailbox.bare_addresses():
                address = _UNSAFE.sub("", address)
                if self._is_wanted(address):
                    found.append(f'"{name}" <{address}>' if name else address)
        if found:
            return ", ".join(found)
        text = _unstructured("", value)[:MAX_PARSED_FIELD]  # a name alone, or nothing of use
        return re.sub(r"[\"<>(),:;@\[\]\\]+", " ", text).strip()

    def _is_wanted(self, address):
        self._recipient_count += 1
        if self._recipient_count <= MAX_RECIPIENTS:
            return True
        self._note("recipients: not all of them read")
        return bool(self._keep and self._keep(normalize_address(address)))

    # parts

    def repair_parts(self, message):
        """Repair all parts, from the top."""
        stack = [(message, 0, 0)]
        while stack:
            part, depth, forwards = stack.pop()
            self._repair_header(part, depth)
            if part.get_content_maintype() in ("multipart", "message"):
                self._repair_container(part, forwards)
            elif part.is_multipart():  # its type was repaired after it was parsed
                _set_field(part, "Content-Type", "multipart/mixed")
            if part.is_multipart():
                forwards += part.get_content_maintype() == "message"
                children = part.get_payload()
                stack += [(child, depth + 1, forwards) for child in reversed(children)]
            else:
                self._repair_leaf(part)
            for name in ("preamble", "epilogue"):  # nobody reads them, but they are stored
                text = getattr(part, name)
                if text and not text.isascii():
                    setattr(part, name, text.encode("ascii", "replace").decode())
        if "To" not in message:
            message["To"] = ""  # core looks into it when it rejects a mail

    def _repair_header(self, part, depth):
        if not isinstance(part, _Part):
            self._count_part(depth)
            fields = part.raw_items()
            part._headers = [
                (name, value if hasattr(value, "name") else self.repair_field(name, value))
                for name, value in fields
            ]
        part.policy = email.policy.SMTP
        part.depth = depth

    def _repair_container(self, part, forwards):
        is_message = part.get_content_maintype() == "message"
        if not is_message and not (part.is_multipart() and part.get_payload()):
            self._find_parts(part)
        elif is_message and part.is_multipart() and forwards >= MAX_FORWARDS:
            _set_payload(part, b"".join(child.as_bytes() for child in part.get_payload()))
            self._set_aside(part, "forwarded.eml")
        elif is_message and part.is_multipart():
            self._decode_message(part)

    def _decode_message(self, part):
        """Parse what stands encoded in a part of type message (RFC 2046, 5.2.1, forbids it)."""
        encoding = _encoding(part)
        if encoding not in ("base64", "quoted-printable"):
            return
        children = part.get_payload()
        source = b"".join(child.as_bytes() for child in children)
        if encoding == "quoted-printable":
            source = quopri.decodestring(source)
        elif not any(child.keys() for child in children):  # else it only says that it is
            source = _decode_base64(source)
        header = f"Content-Type: {part.get_content_type()}\r\n\r\n".encode()
        part.set_payload(self.parse(header + source, part.depth).get_payload())
        del part["Content-Transfer-Encoding"]
        if part.get_content_type() == "message/rfc822" and not part.get_filename():
            _set_filename(part, "forwarded.eml")
        self._note("attached email: decoded")

    def _find_parts(self, part):
        """Give a multipart without parts those that it has, or else make it the text it is."""
        octets = part.get_payload(decode=True) or b""
        boundary = _BOUNDARY.search(octets.decode("ascii", "replace"))
        content_type = part.get_content_type()
        if boundary:
            value = f'{content_type}; boundary="{boundary[1]}"'
            header = f"Content-Type: {value}\r\n\r\n".encode()
            found = self.parse(header + octets, part.depth)
            if found.is_multipart() and found.get_payload():
                _set_field(part, "Content-Type", value)
                del part["Content-Transfer-Encoding"]
                part.set_payload(found.get_payload())
                self._note("multipart: boundary found in the text")
                return
        _set_field(part, "Content-Type", "text/plain")
        _set_payload(part, octets)
        self._note("multipart: has no parts, shown as text")

    def _repair_leaf(self, part):
        maintype = part.get_content_maintype()
        if _encoding(part) == "base64":
            self._complete_base64(part)
        elif "uu" in _encoding(part):
            self._check_uuencode(part)
        if maintype == "text":
            self._repair_text(part)
        elif maintype not in _TYPES or maintype in ("multipart", "message"):
            name = "attached.eml" if maintype == "message" else part.get_filename()
            self._set_aside(part, name or "attachment")
        elif part.get_param("charset") and not (part.get_payload(decode=True) or b"").isascii():
            part.del_param("charset")  # it is no text, but is encoded as one when it is copied

    def _complete_base64(self, part):
        """Drop the last digit where it was cut from its octet: ``email`` would decode nothing."""
        digits = part.get_payload()
        count = len(digits) - sum(digits.count(other) for other in "=\r\n\t ")
        if count % 4 == 1:
            part.set_payload(digits.rstrip("=\r\n\t ")[:-1])
            self._note("base64: incomplete")

    def _check_uuencode(self, part):
        try:
            part.get_payload(decode=True)
        except ValueError:
            _set_field(part, "Content-Transfer-Encoding", "8bit")
            self._note("uuencode: not decoded")

    # texts

    def _repair_text(self, part):
        """Make a text readable: core decodes it as its charset says, and raises if it cannot."""
        octets = part.get_payload(decode=True) or b""
        charset = part.get_param("charset")
        # without one, core takes UTF-8 in a part of a multipart, and ASCII in a whole mail
        implied = "utf-8" if part.depth else "ascii"
        text = _decode_strictly(octets, implied if charset is None else str(charset))
        if text is None or "\0" in text or _is_raw_utf16(part, charset):
            if _is_attachment(part):
                self._set_aside(part, part.get_filename() or "attachment")
                return
            text = _decode(octets, charset).replace("\0", "")
            _set_text(part, text)
            self._note("text: charset repaired")
        subtype = part.get_content_subtype()
        if subtype == "rfc822-headers":
            self._repair_header_text(part, text)
        elif subtype in ("plain", "html"):
            self._limit_cost(part, text)
        elif not part.depth and _is_attachment(part):  # core would read both as HTML
            self._set_aside(part, part.get_filename() or "attachment")
        elif not part.depth:
            _set_text(part, text)
            self._note("text: shown as plain text")

    def _repair_header_text(self, part, text):
        """Repair the header that a bounce report quotes, which core parses too (RFC 6522, 4)."""
        fields = list(self.parse(text.encode(), part.depth).raw_items())
        if any(isinstance(value, _Value) for _name, value in fields):
            policy = email.policy.SMTP
            _set_text(part, "".join(policy.fold(name, value) for name, value in fields))

    def _limit_cost(self, part, text):
        """Keep core's cleaning of the text from taking forever: attach what is beyond."""
        if part.depth and _is_attachment(part):
            return
        is_html = part.get_content_subtype() == "html"
        cost = _cost(text, is_html)
        unix_text = text.replace("\r\n", "\n") if cost > MAX_TEXT_COST // 10 else text
        if unix_text != text and _cost(unix_text, is_html) < cost // 2:
            # a quotation is one match for core then, and not one for each line
            cost = _cost(unix_text, is_html)
            _set_text(part, unix_text)
            self._note("text: line ends changed")
        # core reads all of the body again for each text that it appends
        total = self._text_cost + self._body_cost + cost
        if total > MAX_TEXT_COST:
            self._set_aside(part, "message.html" if is_html else "message.txt")
        else:
            self._text_cost, self._body_cost = total, self._body_cost + cost

    def _set_aside(self, part, filename):
        """Make a part an attachment of octets as they are."""
        _set_field(part, "Content-Type", "application/octet-stream")
        _set_filename(part, filename)
        self._note("part: attached as it is")


def _check_depth(depth):
    if depth > MAX_DEPTH:
        raise MalformedMail(f"The email has parts within parts, more than {MAX_DEPTH} deep.")


def _is_long(value):
    return len(value) > MAX_PARSED_FIELD


def _is_sound(key, value):
    """Tell whether ``email`` reads a header field well, and in no time."""
    if _is_long(value) or _OCTETS.search(value) or len(key) > 70:
        return False
    return not (key in _PARSED_FIELDS or "=?" in value) or _is_readable(key, value)


def _is_readable(key, value):
    """Tell whether the parsers of ``email`` do not raise, and what comes out can be stored."""
    if value.count("(") > 20:
        return False  # each takes several stack frames
    try:
        header = email.policy.SMTP.header_fetch_parse(key, value)
        texts = [str(header), *getattr(header, "params", {}).values()]
        if key in _DATE_FIELDS and not _is_date(header):
            return False
        if len(value) > email.policy.SMTP.max_line_length:
            header.fold(policy=email.policy.SMTP)  # as in the copy that core attaches
    except Exception:
        return False
    return not any("\ufffd" in text or _UNSAFE.search(text) for text in texts)


def _is_date(header):
    """Tell whether core stores the date: it finds one in almost any text."""
    date = header.datetime
    try:
        date = date or dateutil.parser.parse(str(header), fuzzy=True)
    except Exception:
        return True  # core takes the present time then
    return date.year >= 1000  # others lose their leading zeros on the way


def _unfold(value):
    """Return the value of a header field on one line (RFC 5322, 2.2.3)."""
    return value.replace("\r", "").replace("\n", "")


def _from_octets(value):
    """Return the value of a header field on one line, its 8-bit characters read (RFC 6532)."""
    return _decode(_unfold(value).encode("ascii", "surrogateescape"), "utf-8")


def _clean(text):
    return _UNSAFE.sub("", text.replace("\t", " ").replace("\r", " ").replace("\n", " "))


def _unstructured(key, value):
    """Return a header field that names nobody as text, cut to the limit."""
    text = _from_octets(value)
    if key in _DATE_FIELDS:
        text = _clean(text)[:200]
        return text if _is_readable(key, text) else ""
    if key in _ID_FIELDS:
        text = _clean(text).encode("ascii", "replace").decode()
        # the last of the References are the nearest
        return text if len(text) <= MAX_HEADER_FIELD else _after_cut(text[-MAX_HEADER_FIELD:])
    return _clean(_decode_words(text[: 4 * MAX_HEADER_FIELD]))[:MAX_HEADER_FIELD]


def _after_cut(references):
    return references[references.find("<") :] if "<" in references else references


def _name(mailbox):
    """Return the name of a mailbox as it is written between quotation marks."""
    words = (_unquote(word) for word in mailbox.words)
    name = _clean(_decode_words(" ".join(words)[:MAX_MIME_FIELD])).strip()
    return re.sub(r"([\"\\])", r"\\\1", name)


def _unquote(text):
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = re.sub(r"\\(.)", r"\1", text[1:-1])
    return text


def _transfer_encoding(value):
    """Return a Content-Transfer-Encoding (RFC 2045, 6.1) that is one."""
    if _ENCODING.fullmatch(value.strip()):
        return value
    known = _ENCODING.search(value)
    return known[0] if known else "8bit"


def _mime_field(key, value):
    """Return Content-Type or Content-Disposition such that its parameters can be read."""
    is_type = key == "content-type"
    if (
        len(value) <= MAX_MIME_FIELD
        and value.count(";") < 30
        and not _LONG_NAME.search(value)
        and not _OCTETS.search(value)
        and (not is_type or _SOUND_TYPE.match(value))
        and ("*" not in value and "=?" not in value or _is_readable(key, value))
    ):
        return value
    text = _from_octets(value[:MAX_HEADER_FIELD])
    kind, _semicolon, _rest = text.partition(";")
    repaired = _content_type(kind) if is_type else re.sub(r"[^\w-]", "", kind, flags=re.ASCII)
    for name, parameter in _parameters(text).items():
        item = _format_parameter(name, parameter[-200:])
        if len(repaired) + len(item) <= MAX_MIME_FIELD:
            repaired += item
    return repaired


def _format_parameter(name, value):
    if not value.isascii():
        return f"; {name}*={email.utils.encode_rfc2231(value, 'utf-8', '')}"
    value = re.sub(r'(["\\])', r"\\\1", value.replace("=?", "?"))  # decoded, or not to be
    return f'; {name}="{value}"'


def _content_type(text):
    """Return a type and subtype (RFC 2045, 5.1), guessed where the text has none."""
    match = _TYPE.search(text)
    if match:
        return f"{match[1]}/{match[2]}".lower()
    word = text.strip().lower()
    return {"multipart": "multipart/mixed", "pdf": "application/pdf"}.get(word, "text/plain")


def _parameters(text):
    """Return the parameters of a MIME field (RFC 2045, 5.1; RFC 2231) by name, decoded."""
    found = {}
    for name, value in itertools.islice(_PARAMETER.findall(text), 30):
        name, star, _number = name.lower().partition("*")
        value = _unquote(value.strip())
        if star and value.count("'") == 2:
            charset, _language, value = value.split("'")
            value = _decode(urllib.parse.unquote_to_bytes(value), charset)
        if star or name not in found:
            found[name] = found.get(name, "") + _clean(_decode_words(value))
    return found


# text


def _decode_strictly(octets, charset):
    """Return the text, or None where it is not of this charset."""
    try:
        if not charset.isascii() or codecs.lookup(charset).name.replace("-", "_") in _BAD_CODECS:
            return None
        # Python decodes nothing without a look at the charset
        text = (octets or b"    ").decode(charset)
        text.encode()  # UTF-7 hides lone surrogates
        return text if octets else ""
    except (LookupError, ValueError):
        return None


def _decode(octets, charset):
    """Return the text in the charset that it says, or in one that it may be.

    What is neither that nor UTF-8 is Windows-1252, also within a text that is UTF-8 otherwise:
    the footers of lists often are.
    """
    name = str(charset or "ascii").strip(" \"'").lower()
    names = [name, re.sub(r"^x-|[^a-z0-9]", "", name), _get_superset(name)]
    for candidate in [*names, "utf-8"]:
        text = _decode_strictly(octets, candidate)
        if text is not None:
            return text
    if names[-1] not in ("", "utf-8", "ascii"):
        text = octets.decode(names[-1], "replace")
        if text.count("\ufffd") <= len(text) // 50:
            return text
    return octets.decode("utf-8", "mail_catchall_cp1252")


def _get_superset(charset):
    """Return the charset that is really in mail that says this one; "" where it is unknown."""
    if _decode_strictly(b"", charset) is None:
        return ""
    name = codecs.lookup(charset).name
    return _SUPERSETS.get(name, name)


def _as_cp1252(error):
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("mail_catchall_cp1252", _as_cp1252)


def _decode_words(text):
    """Return the text with its encoded words decoded (RFC 2047), also with those cut in two."""
    return _WORDS.sub(lambda match: _decode_word_run(match[0]), text)


def _decode_word_run(run):
    texts = []
    for charset, words in itertools.groupby(_WORD.findall(run), lambda word: word[0].lower()):
        octets = b"".join(_decode_word(encoding, text) for _charset, encoding, text in words)
        texts.append(_decode(octets, charset.partition("*")[0]))
    return "".join(texts) + run[len(run.rstrip()) :]


def _decode_word(encoding, text):
    octets = text.encode("utf-8", "replace")
    return _decode_base64(octets) if encoding in "bB" else binascii.a2b_qp(octets, header=True)


def _decode_base64(octets):
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))


def _cost(text, is_html):
    """Return about how many steps core's cleaning of a text takes.

    Its regular expressions start at each ``<`` and go to the next ``>``, and once more from each
    ``encoding=`` in between. Each quotation copies the rest of its text, and each mark of one
    visits all elements that follow.
    """
    nodes = _TAG.split(text) if is_html else [text]
    steps = 10 * len(text) + sum(len(_QUOTES.findall(node)) * len(node) for node in nodes)
    if is_html:
        tags = text.count("<")
        steps += 1000 * tags + 100 * tags * len(_QUOTE_MARKS.findall(text))
        for piece in text.split(">"):
            if "<" in piece:
                starts = 1 + len(_XML_ENCODING.findall(piece))
                steps += piece.count("<") * starts * len(piece)
    return steps


# parts


def _encoding(part):
    return str(part.get("Content-Transfer-Encoding", "")).strip().lower()


def _is_attachment(part):
    """Tell whether core takes a part for an attachment, whatever is in it."""
    disposition = str(part.get("Content-Disposition", ""))
    return bool(part.get_filename() or disposition.strip().startswith("attachment"))


def _is_raw_utf16(part, charset):
    """Tell whether a text has octets in its lines that no line may have (RFC 2045, 2.8)."""
    is_encoded = _encoding(part) in ("base64", "quoted-printable")
    return not is_encoded and str(charset).lower().startswith(
        ("utf-16", "utf-32", "utf16", "utf_16")
    )


def _set_field(part, name, value):
    del part[name]
    part[name] = value


def _set_payload(part, octets):
    _set_field(part, "Content-Transfer-Encoding", "8bit")
    part.set_payload(octets)


def _set_text(part, text):
    subtype = part.get_content_subtype()
    known = subtype if part.depth or subtype == "html" else "plain"
    _set_field(part, "Content-Type", f'text/{known}; charset="utf-8"')
    _set_payload(part, text.encode())


def _set_filename(part, filename):
    del part["Content-Disposition"]
    part.add_header("Content-Disposition", "attachment", filename=filename)
