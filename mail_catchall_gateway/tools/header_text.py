"""Text for header fields that cannot begin another field (CWE-93).

Python refuses a line break in a field, but not one in an encoded word (RFC 2047): it decodes the
word, and writes what it decoded.
"""

import base64
import binascii
import email.header
import functools
import re
from email.headerregistry import HeaderRegistry, UniqueSingleAddressHeader
from email.policy import SMTP

#: Ends a field, or may not be in one (RFC 5322, 2.2).
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]+")
_WORD = re.compile(r"=\?[^?\s]*\?[bq]\?.*?\?=", re.IGNORECASE)
_MAX_KEPT = 1000  # of what a cache holds
_HEADERS = HeaderRegistry()
_HEADERS.map_to_type("return-path", UniqueSingleAddressHeader)


def one_line(value):
    """Return a text without line breaks, encoded ones too.

    :param value: body of a header field, or a name in one; of a list, each; all else stays
    """
    if isinstance(value, list | tuple):
        return [one_line(each) for each in value]
    if not isinstance(value, str):
        return value
    text = _CONTROL.sub(" ", value)
    if "=?" not in text:
        return text
    parts, end = [], 0
    for match in _WORD.finditer(text):
        parts += [_break_words(text[end : match.start()]), _clean_word(match[0])]
        end = match.end()
    return "".join([*parts, _break_words(text[end:])])


def plain_line(value):
    """Return a text without line breaks and encoded words, which a msg-id never has (RFC 2047, 5).

    :param value: body of a header field; what is no text stays
    """
    return _break_words(_CONTROL.sub(" ", value)) if isinstance(value, str) else value


def _clean_word(word):
    """Return an encoded word; without line breaks if there are some in it."""
    try:
        decoded = "".join(
            part.decode(charset or "ascii") if isinstance(part, bytes) else part
            for part, charset in email.header.decode_header(word)
        )
    except (LookupError, ValueError, binascii.Error, email.errors.HeaderParseError):
        return _break_words(word)  # Python may yet make something of it
    if not _CONTROL.search(decoded):
        return word
    text = _CONTROL.sub(" ", decoded).encode()
    return f"=?utf-8?b?{base64.b64encode(text).decode()}?="


def _break_words(text):
    """Return a text in which nothing is taken for an encoded word."""
    return text.replace("=?", "= ?")


def parse_from(value):
    """Return From in the shape in which messages hold it.

    Parsing it costs more than all else, and a queue of mails has few senders. What is folded stays
    as it is: a name that Python folds may fall apart.

    :param value: field body; what is no text, empty or very long stays too
    """
    is_usual = value and isinstance(value, str) and len(value) <= _MAX_KEPT and "\n" not in value
    return _parse_from(value) if is_usual else value


@functools.lru_cache(maxsize=256)
def _parse_from(value):
    return SMTP.header_factory("From", value)


def format_return_path(address):
    """Return Return-Path in the shape in which messages hold it.

    To Python it is any text, which it encodes where it does not fit into one line; that must not
    happen to an address (RFC 2047, 5).

    :param str address: addr-spec
    """
    return _HEADERS("Return-Path", address)
