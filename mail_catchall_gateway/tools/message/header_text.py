"""Text of header fields: on one line, and such that it cannot begin another field (CWE-93).

Python refuses a line break in a field, but not one in an encoded word (RFC 2047): it decodes the
word, and writes what it decoded.
"""

import base64
import binascii
import email.header
import re

#: Values beyond this are cut: they are shown, and a header may be megabytes long.
MAX_LENGTH = 500
#: Ends a field, or may not be in one (RFC 5322, 2.2).
CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_WORD = re.compile(r"=\?[^?\s]*\?[bq]\?.*?\?=", re.IGNORECASE)


def storable(text):
    """Return the text without what PostgreSQL refuses: NUL and lone surrogates."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()


def one_line(value, length=MAX_LENGTH, read=None):
    """Return a value unfolded (RFC 5322, 2.2.3), as PostgreSQL stores it, and cut.

    :param value: body of a header field, or another text
    :param int length: characters that are returned
    :param int read: characters that are looked at, where a value may be of any length
    """
    return " ".join(storable(str(value).lstrip()[:read]).split())[:length]


def safe_value(value):
    """Return a text, or each of a list, without line breaks, encoded ones too; all else stays."""
    if isinstance(value, list | tuple):
        return [safe_value(each) for each in value]
    if not isinstance(value, str):
        return value
    text = CONTROL.sub(" ", value)
    if "=?" not in text:
        return text
    parts, end = [], 0
    for match in _WORD.finditer(text):
        parts += [_break_words(text[end : match.start()]), _clean_word(match[0])]
        end = match.end()
    return "".join([*parts, _break_words(text[end:])])


def plain_line(value):
    """Return a text in ASCII without line breaks and encoded words, as a msg-id (RFC 2047, 5)."""
    if not isinstance(value, str):
        return value
    return _break_words(CONTROL.sub(" ", value)).encode("ascii", "replace").decode()


def _clean_word(word):
    """Return an encoded word; without line breaks if there are some in it."""
    try:
        decoded = "".join(
            part.decode(charset or "ascii") if isinstance(part, bytes) else part
            for part, charset in email.header.decode_header(word)
        )
    except (LookupError, ValueError, binascii.Error, email.errors.HeaderParseError):
        return _break_words(word)  # Python may yet make something of it
    if not CONTROL.search(decoded):
        return word
    text = CONTROL.sub(" ", decoded).encode()
    return f"=?utf-8?b?{base64.b64encode(text).decode()}?="


def _break_words(text):
    """Return a text in which nothing is taken for an encoded word."""
    return text.replace("=?", "= ?")
