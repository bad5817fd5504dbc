"""Header fields, made such that the ``email`` package reads them, and in no time."""

import base64
import email.policy
import email.utils
import itertools
import re
import urllib.parse

import dateutil.parser

from ..addresses.addresses import normalize_address
from ..addresses.recipients import parse_mailboxes
from .repair_charsets import decode_text, decode_words
from .source import MAX_FIELDS, MAX_HEADER, cut_octets

#: Octets of the header fields of all parts.
MAX_HEADERS = 2 * MAX_HEADER
#: Octets of a line (RFC 5322, 2.1.1), and of Subject: PostgreSQL has no room in an index for more
#: than 2,700, and a subject becomes the name of a document.
MAX_LINE = 998
#: Octets of a Message-Id, which stands on one line with the name of its field when it leaves.
MAX_MESSAGE_ID = MAX_LINE - len("X-Odoo-Message-Id: ")
#: Octets of a person's name: Odoo writes it as one encoded word, which grows by a third.
MAX_PERSON = 600
#: Characters of another header field that names no people.
MAX_HEADER_FIELD = 8192
#: Characters of a header field's name, and of its parameters' (python/cpython#138223).
MAX_NAME = 40
#: Octets that a header parser of ``email`` gets to see: its time grows with the square and more.
MAX_PARSED_FIELD = 2000
#: The same for Content-Type and Content-Disposition, whose parser is the slowest.
MAX_MIME_FIELD = 1000
#: Recipients that core gets to see, which searches each of them several times.
MAX_RECIPIENTS = 1000

_ADDRESS_FIELDS = {"from", "to", "cc", "bcc", "sender", "reply-to"}
_ADDRESS_FIELDS |= {"resent-from", "resent-to", "resent-cc", "resent-bcc", "resent-sender"}
_DATE_FIELDS = {"date", "resent-date", "orig-date"}
_ID_FIELDS = {"message-id", "in-reply-to", "references", "resent-message-id"}
_PARSED_FIELDS = {*_ADDRESS_FIELDS, *_DATE_FIELDS, "message-id", "mime-version"}
_ADDRESS_FIELDS |= {"delivered-to", "return-path"}
_INDEXED_FIELDS = {"subject": MAX_LINE, "message-id": MAX_MESSAGE_ID}
TYPES = {"text", "image", "audio", "video", "application", "multipart", "message"}
_ENCODINGS = ("7bit", "8bit", "binary", "quoted-printable", "base64", "x-uuencode", "uuencode")
# besides what PostgreSQL and lxml refuse, what makes a name look like another one: the
# embeddings, overrides and isolates of scripts that run from right to left
_UNSAFE = re.compile(
    "[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)
_UNREADABLE = re.compile(rf"[\r\n\ufffd]|{_UNSAFE.pattern}")
_OCTETS = re.compile(r"[^\t\r\n -~]")
# from the beginning of a word, so that time is linear
_TYPE = re.compile(r"(?<![\w.+-])([\w.+-]+)\s*/\s*([\w.+-]+)", re.ASCII)
_SOUND_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+\s*(?:;|$)", re.ASCII)
_LONG_NAME = re.compile(rf';[^;="]{{{MAX_NAME}}}')
_PARAMETER = re.compile(r';\s*([\w*-]{1,40})\s*=\s*("[^"\\]*(?:\\.[^"\\]*)*"|[^;]*)', re.ASCII)


class MalformedMail(ValueError):
    """A mail that core must not get; the text says why, for the administrator."""


class FieldValue(str):
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
        # pylint: disable-next=bad-builtin-groupby
        for is_ascii, words in itertools.groupby(self.split(" "), str.isascii):
            if is_ascii:
                yield from words
                continue
            text = " ".join(words)
            for start in range(0, len(text), 12):
                octets = text[start : start + 12].encode("utf-8", "replace")
                yield f"=?utf-8?b?{base64.b64encode(octets).decode()}?="


class HeaderRepair:
    """The repair of the header fields of one mail, and what it has used of the limits."""

    def __init__(self, keep):
        self.notes = {}
        self._keep = keep
        self._header_size = self._field_count = self._recipient_count = 0

    def note(self, text):
        self.notes[text] = True

    def repair_field(self, name, value):
        """Return the value of a header field such that reading it does not fail."""
        self._header_size += len(name) + len(value) + 40  # what the shortest costs in memory
        if self._header_size > MAX_HEADERS:
            raise MalformedMail(f"The headers of the email have more than {MAX_HEADERS} octets.")
        self._field_count += 1
        if self._field_count > MAX_FIELDS:
            raise MalformedMail(f"The email has more than {MAX_FIELDS} header fields.")
        key = name.lower()
        if key == "content-transfer-encoding":
            repaired = _transfer_encoding(value)
        elif key in ("content-type", "content-disposition"):
            repaired = _mime_field(key, value)
        elif _is_sound(key, value):
            return value
        elif key in _ADDRESS_FIELDS:
            repaired = FieldValue.of(name, self._address_list(value))
        else:
            repaired = FieldValue.of(name, _unstructured(key, value))
        if key in _ADDRESS_FIELDS and len(value) > MAX_PARSED_FIELD:
            return repaired  # a long list is only written in another way
        if repaired not in (value, _unfold(value)):
            self.note("header fields")
        return repaired

    def _address_list(self, value):
        """Return an address list (RFC 5322, 3.4) with names decoded, and quoted."""
        found = []
        for mailbox in parse_mailboxes(_UNSAFE.sub("", _from_octets(value))):
            name = _name(mailbox) if mailbox.has_brackets else ""
            for address in mailbox.found:
                if self._is_wanted(address):
                    found.append(f'"{name}" <{address}>' if name else address)
        if found:
            return ", ".join(found)
        text = cut_octets(_unstructured("", value), MAX_PERSON)  # a name alone, or nothing of use
        return re.sub(r"[\"<>(),:;@\[\]\\]+", " ", text).strip()

    def _is_wanted(self, address):
        self._recipient_count += 1
        if self._recipient_count <= MAX_RECIPIENTS:
            return True
        self.note("number of recipients")
        return bool(self._keep and self._keep(normalize_address(address)))


def _is_sound(key, value):
    """Tell whether ``email`` reads a header field well, and in no time."""
    limit = _INDEXED_FIELDS.get(key, MAX_PARSED_FIELD)
    if len(value) > limit or len(key) > MAX_NAME or _OCTETS.search(value):
        return False
    if key not in _PARSED_FIELDS and key not in _ADDRESS_FIELDS and "=?" not in value:
        return True
    text = _read(key, value)
    if text is None or key not in _ADDRESS_FIELDS:
        return text is not None
    # getaddresses, which core calls, finds others in what is forged, or in some releases none
    found = [address for _name, address in email.utils.getaddresses([text]) if "@" in address]
    mailboxes = parse_mailboxes(value)
    return found == [address for mailbox in mailboxes for address in mailbox.found] and all(
        len(" ".join(mailbox.words)) <= MAX_PERSON for mailbox in mailboxes
    )


def _read(key, value):
    """Return what ``email`` reads in a header field, or None if it raises or cannot be stored."""
    if value.count("(") > 20:
        return None  # each takes several stack frames
    try:
        header = email.policy.SMTP.header_fetch_parse(key, value)
        texts = [str(header), *getattr(header, "params", {}).values()]
        if key in _DATE_FIELDS and not _is_date(header):
            return None
        if len(value) > email.policy.SMTP.max_line_length:
            header.fold(policy=email.policy.SMTP)  # as in the copy that core attaches
    except Exception:
        return None
    return None if any(_UNREADABLE.search(text) for text in texts) else texts[0]


def _is_date(header):
    """Tell whether core stores the date: it finds one in almost any text."""
    date = header.datetime
    try:
        date = date or dateutil.parser.parse(str(header), fuzzy=True)
    except Exception:
        return True  # core takes the present time then
    return date.year >= 1000  # others lose their leading zeros on the way


def _unfold(value):
    return value.replace("\r", "").replace("\n", "")


def _from_octets(value):
    """Return a value on one line (RFC 5322, 2.2.3), its 8-bit characters read (RFC 6532)."""
    return decode_text(_unfold(value).encode("ascii", "surrogateescape"), "utf-8")


def _clean(text):
    return _UNSAFE.sub("", re.sub(r"[\t\r\n]", " ", text))


def _unstructured(key, value):
    """Return a header field that names nobody as text, cut to the limit."""
    text = _from_octets(value)
    if key in _DATE_FIELDS:
        text = _clean(text)[:200]
        return text if _read(key, text) else ""
    if key in _ID_FIELDS:
        text = _clean(text).encode("ascii", "replace").decode()
        if key == "message-id":
            # without one, core makes one; with this one, no answer could be written
            text = text[:MAX_MESSAGE_ID]
            return text if _read(key, text) else ""
        # the last of the References are the nearest
        is_long = len(text) > MAX_HEADER_FIELD
        return re.sub(r"^[^<]*(?=<)", "", text[-MAX_HEADER_FIELD:]) if is_long else text
    text = _clean(decode_words(text[: 4 * MAX_HEADER_FIELD]))
    return cut_octets(text, MAX_LINE) if key == "subject" else text[:MAX_HEADER_FIELD]


def _name(mailbox):
    """Return the name of a mailbox as it is written between quotation marks."""
    name = _clean(decode_words(" ".join(map(_unquote, mailbox.words))[: 4 * MAX_PERSON]))
    name = cut_octets(name, MAX_PERSON).strip()
    return re.sub(r"([\"\\])", r"\\\1", name)


def _unquote(text):
    is_quoted = len(text) > 1 and text[0] == text[-1] == '"'
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if is_quoted else text


def _transfer_encoding(value):
    """Return a Content-Transfer-Encoding (RFC 2045, 6.1) that is one."""
    if value.strip().lower() in _ENCODINGS:
        return value
    letters = re.sub(r"[^a-z0-9]", "", value.lower())
    return next((known for known in _ENCODINGS if known.replace("-", "") in letters), "8bit")


def _mime_field(key, value):
    """Return Content-Type or Content-Disposition such that its parameters can be read."""
    is_type = key == "content-type"
    if (
        len(value) <= MAX_MIME_FIELD
        and value.count(";") < 30
        and not _LONG_NAME.search(value)
        and not _OCTETS.search(value)
        and (not is_type or _SOUND_TYPE.match(value))
        and ("*" not in value and "=?" not in value or _read(key, value) is not None)
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
    maintype = re.match(r"\s*(\w*)", text)[1].lower()
    guesses = {"multipart": "multipart/mixed", "pdf": "application/pdf"}
    guesses.update(dict.fromkeys(TYPES - {"text", "multipart"}, "application/octet-stream"))
    return guesses.get(maintype, "text/plain")


def _parameters(text):
    """Return the parameters of a MIME field (RFC 2045, 5.1; RFC 2231) by name, decoded."""
    found = {}
    for name, value in itertools.islice(_PARAMETER.findall(text), 30):
        name, star, _number = name.lower().partition("*")
        value = _unquote(value.strip())
        if star and value.count("'") == 2:
            charset, _language, value = value.split("'")
            value = decode_text(urllib.parse.unquote_to_bytes(value), charset)
        if star or name not in found:
            found[name] = found.get(name, "") + _clean(decode_words(value))
    return found
