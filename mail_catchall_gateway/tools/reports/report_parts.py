"""The parts of a report about a mail, read so that nothing raises or takes long.

The ``email`` package copies megabytes and raises on what is in real mail; a report may hold the
whole mail that it is about.
"""

import contextlib
import email.message
import email.parser
import email.policy
import itertools
import re

from ..message.header_text import one_line, storable
from ..message.text_size import plain_from_html

#: Of free text no more is read: below it stands the mail that is reported on.
MAX_TEXT = 100_000
MAX_PARTS = 100  # of a mail, and fields of a block
MAX_VALUE = 2000
MAX_BLOCKS = 1000
ENCODING = "content-transfer-encoding"


def walk_parts(message):
    """Yield the parts of a mail, but not those of the mail that it returns."""
    stack = [message]
    while stack:
        part = stack.pop()
        yield part
        if part.is_multipart() and not get_content_type(part).startswith("message/"):
            stack.extend(reversed(part.get_payload()))


def read_blocks(parts, *types):
    """Return the blocks of fields in the parts of these types, as dicts with lower-case names."""
    return list(itertools.islice(_iter_blocks(parts, types), MAX_BLOCKS))


def _iter_blocks(parts, types):
    parser = email.parser.HeaderParser(policy=email.policy.compat32)
    for part in parts:
        if get_content_type(part) in types and part.is_multipart():
            for block in part.get_payload():
                yield _fields(block.raw_items())
                # an encoded part, and all but the first block of message/global-delivery-status
                text = decode_text(block, get_field(part, ENCODING))
                for paragraph in filter(None, re.split(r"\n{2,}", text)):
                    yield _fields(parser.parsestr(paragraph).items())


def _fields(items):
    fields = {}
    for name, value in itertools.islice(items, MAX_PARTS):
        # one that stands more than once is a list (RFC 5965, 3.2)
        fields[name.lower()] = f"{fields.get(name.lower(), '')} {_clean(value)}".strip()
    return fields


def read_texts(parts):
    """Return the texts for people, shortened and with short lines; HTML as plain text."""
    texts, left = [], MAX_TEXT
    for part in parts:
        kind = get_content_type(part)
        # a multipart without parts has lost its boundary
        if kind in ("text/plain", "text/html") or kind.startswith("multipart/"):
            text = decode_text(part, get_field(part, ENCODING))[:left]
            left -= len(text)
            texts.append(plain_from_html(text) if kind == "text/html" else text)
    return [text for text in texts if text.strip()]


def decode_text(part, encoding):
    """Return the beginning of a part as text with ``\\n`` at the end of its lines."""
    payload = part._payload  # get_payload copies megabytes first, and can raise
    if not isinstance(payload, str):
        return ""
    start = email.message.Message()
    start.set_payload(payload[:MAX_TEXT])
    if encoding.lower() in ("base64", "quoted-printable"):
        start[ENCODING] = encoding
    payload = start.get_payload(decode=True)
    try:
        text = payload.decode(get_parameter(part, "charset") or "utf-8", "replace")
    except (LookupError, ValueError):  # no charset
        text = payload.decode("utf-8", "replace")
    return "\n".join(line.rstrip() for line in storable(text).splitlines())


def get_content_type(part):
    # by hand: the email package can raise on what is in real mail
    kind = get_field(part, "content-type").partition(";")[0].strip().lower()
    return kind if "/" in kind else "text/plain"


def get_parameter(part, name):
    match = re.search(rf'\b{name}\s*=\s*"?([^\s";]+)', get_field(part, "content-type"), re.I)
    return match[1] if match else ""


def get_field(part, name):
    """Return the first field of this name, which is in lower case, as it came but on one line."""
    return next((_clean(value) for field, value in part.raw_items() if field.lower() == name), "")


def _clean(value):
    value = str(value)[:MAX_VALUE]
    # bytes that are no ASCII come as surrogates; they are UTF-8 if anything (RFC 6532)
    with contextlib.suppress(UnicodeEncodeError):  # of surrogates that no parser makes
        value = value.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return one_line(value, None)
