"""What the list of inbound emails shows of a raw source, readable whatever is in it."""

import dataclasses
import datetime
import email
import email.parser
import email.policy
import email.utils
import hashlib
import itertools
import re

from .header_text import one_line, storable
from .repair_charsets import decode_words

#: Octets and fields of a header that are looked at: no mail has as many (``repair`` refuses more).
#: Exim takes as many octets, Postfix a tenth.
MAX_HEADER = 1024 * 1024
MAX_FIELDS = 5_000
#: Characters of a field that are decoded: the time it takes grows with their square.
MAX_DECODED = 20_000
#: Octets of a Message-Id: PostgreSQL has no room in an index for more than 2,700.
MAX_MESSAGE_ID = 998
#: Message-Ids that are kept of those that a mail refers to, and characters that are looked at.
MAX_ANSWERS = 20
MAX_REFERENCES = 20_000
_MESSAGE_ID = re.compile(r"<[^<>\s]{1,500}>")
_HEADER_END = re.compile(rb"\r?\n\r?\n|\r\r")
_FIELD = re.compile(rb"[\r\n][!-9;-~]+:")


@dataclasses.dataclass(frozen=True)
class Summary:
    """The header fields that tell one mail from another: decoded, on one line, empty if missing."""

    message_id: str  # with its angle brackets; what is too long for an index ends in a digest
    answers_to: tuple  # Message-Ids that it refers to, the last ones (RFC 5322, 3.6.4)
    subject: str
    email_from: str
    email_to: str
    email_cc: str
    date: datetime.datetime | None  # naive UTC


def cut_octets(text, length):
    """Return the beginning of a text that has at most so many octets in UTF-8."""
    return text.encode("utf-8", "replace")[:length].decode("utf-8", "ignore")


def cut_header(raw):
    """Return the header of a source as far as it is looked at, and in a sentence why no more."""
    end = _HEADER_END.search(raw, 0, MAX_HEADER)
    header = raw[: end.end() if end else MAX_HEADER]
    beyond = next(itertools.islice(_FIELD.finditer(b"\n" + header), MAX_FIELDS, None), None)
    if beyond:
        return header[: beyond.start()], f"The email has more than {MAX_FIELDS} header fields."
    if not end and len(raw) > MAX_HEADER:
        return header, f"The header of the email has more than {MAX_HEADER} octets."
    return header, ""


def parse_header(raw):
    """Return the header of a source as a Message whose values may be ``Header`` objects."""
    # compat32: the newer policies parse every value and can raise on what is in real mail
    parser = email.parser.BytesHeaderParser(policy=email.policy.compat32)
    # the parser would make a str of all that follows
    return parser.parsebytes(cut_header(raw)[0])


def header_fields(raw):
    """Return the (name, value) pairs of a source's header, from the top, as PostgreSQL has them."""
    return [(name, storable(str(value))) for name, value in parse_header(raw).items()]


def summarize(raw):
    """Return the :class:`Summary` of a source. Never raises."""
    header = parse_header(raw)
    return Summary(
        message_id=_message_id(header.get("Message-Id")),
        answers_to=_references(header),
        subject=_decode(header.get("Subject")),
        email_from=_decode(header.get("From")),
        email_to=_decode(header.get("To")),
        email_cc=_decode(header.get("Cc")),
        date=_date(header.get("Date")),
    )


def _message_id(value):
    text = one_line(str(value or ""), None)
    octets = text.encode()
    if len(octets) <= MAX_MESSAGE_ID:
        return text
    # cut alone, it would be that of other mails of the same program
    digest = hashlib.sha256(octets).hexdigest()
    return cut_octets(text, MAX_MESSAGE_ID - len(digest)) + digest


def _references(header):
    values = (*header.get_all("References", ()), *header.get_all("In-Reply-To", ()))
    text = " ".join(map(decode_ids, values[-2:]))
    return tuple(dict.fromkeys(_MESSAGE_ID.findall(text)))[-MAX_ANSWERS:]


def decode_ids(value):
    """Return the end of a field of Message-Ids, as it was before a program encoded it.

    It must not (RFC 2047, 5), but Python does so with long ones, whose answers would be nobody's.
    """
    return storable(decode_words(str(value)[-MAX_REFERENCES:]))


def _decode(value):
    text = str(value or "")[:MAX_DECODED]
    return one_line(decode_words(text) or text)  # a broken encoded word is shown as it came


def _date(value):
    try:
        date = email.utils.parsedate_to_datetime(str(value))
        if date.tzinfo:
            date = date.astimezone(datetime.timezone.utc).replace(tzinfo=None)
        return date.replace(microsecond=0)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
