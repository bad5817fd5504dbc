"""Texts whose charset is unknown, wrong or missing (RFC 2045, RFC 2047)."""

import base64
import binascii
import codecs
import itertools
import re

_WORD = re.compile(r"=\?([^?\s]+)\?([bq])\?([^?\s]*)\?=", re.IGNORECASE)
_WORDS = re.compile(r"(?:=\?[^?\s]+\?[bq]\?[^?\s]*\?=\s*)+", re.IGNORECASE)
#: Octets that are not UTF-8 in a text that is: each of them takes a microsecond.
_MAX_ODD_OCTETS = 100_000
_BAD_CODECS = {"idna", "punycode", "undefined", "unicode_escape", "raw_unicode_escape"}
# what is really in mail that names the older charset
_SUPERSETS = {"gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949"}


def decode_strictly(octets, charset):
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


def decode_text(octets, charset):
    """Return the text in the charset that it says, or in one that it may be.

    What is neither that nor UTF-8 is Windows-1252, also within a text that is UTF-8 otherwise:
    the footers of lists often are.
    """
    name = str(charset or "ascii").strip(" \"'").lower()
    names = [name, re.sub(r"^x-|[^a-z0-9]", "", name), _get_superset(name)]
    for candidate in [*names, "utf-8"]:
        text = decode_strictly(octets, candidate)
        if text is not None:
            return text
    if names[-1] not in ("", "utf-8", "ascii"):
        text = octets.decode(names[-1], "replace")
        if text.count("\ufffd") <= len(text) // 50:
            return text
    if octets.decode("utf-8", "replace").count("\ufffd") > _MAX_ODD_OCTETS:
        return octets.decode("cp1252", "replace")
    return octets.decode("utf-8", "mail_catchall_cp1252")


def _get_superset(charset):
    """Return the charset that is really in mail that says this one; "" where it is unknown."""
    if decode_strictly(b"", charset) is None:
        return ""
    name = codecs.lookup(charset).name
    return _SUPERSETS.get(name, name)


def _as_cp1252(error):
    return error.object[error.start : error.end].decode("cp1252", "replace"), error.end


codecs.register_error("mail_catchall_cp1252", _as_cp1252)


def decode_words(text):
    """Return the text with its encoded words decoded (RFC 2047), also with those cut in two."""
    return _WORDS.sub(lambda match: _decode_word_run(match[0]), text)


def _decode_word_run(run):
    texts = []
    # pylint: disable-next=bad-builtin-groupby
    for charset, words in itertools.groupby(_WORD.findall(run), lambda word: word[0].lower()):
        octets = b"".join(_decode_word(encoding, text) for _charset, encoding, text in words)
        texts.append(decode_text(octets, charset.partition("*")[0]))
    return "".join(texts) + run[len(run.rstrip()) :]


def _decode_word(encoding, text):
    octets = text.encode("utf-8", "replace")
    return decode_base64(octets) if encoding in "bB" else binascii.a2b_qp(octets, header=True)


def decode_base64(octets):
    digits = re.sub(rb"[^A-Za-z0-9+/]", b"", octets)
    if len(digits) % 4 == 1:
        digits = digits[:-1]
    return base64.b64decode(digits + b"=" * (-len(digits) % 4))
