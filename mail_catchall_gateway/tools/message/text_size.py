"""How much of a text Odoo can show: core cleans it with patterns and lxml, some five times.

For most texts that takes as long as they are. For some it takes the square of a length in them,
and 60 kB that were made for it take minutes.
"""

import html
import re

#: Characters of the texts of a mail that are shown, as ``measure_text`` counts them: a second.
MAX_TEXT = 1_000_000
#: As many as a tag counts: lxml makes objects of it.
_TAG_SIZE = 35
#: Steps of core's patterns that take as long as a character.
_STEPS = 80

#: Characters of a text that is attached that are shown, and of HTML that are searched for them.
_BEGINNING, _SEARCHED = 5_000, 50_000

# each counts as five: ``email`` makes objects of lines; escaped, a mark several characters; and
# libxml2 notes an error for what XML has no place for (XML 1.0, 2.2)
_MARKS = re.compile(r"[<>&\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_QUOTES = re.compile(r"(?:\n(?:>|&(?:gt|#0*62|#x0*3e)\b)+[^\n\r]*)+", re.IGNORECASE)
_QUOTE_MARKS = re.compile(r"stopSpelling|yahoo_quoted")
_XML_ENCODING = re.compile(r"\sencoding=", re.IGNORECASE)
# a quotation mark hides the end of a tag only behind an equals sign
_TAG = re.compile(r"<[a-z](?:[^>=]+|=\s*\"[^\"]*\"|=\s*'[^']*'|=)*", re.IGNORECASE)
_LONG_WORD = re.compile(r"[\w-]{1000,}")
_SOURCE = re.compile(r"\bsrc\s*=\s*[\"']?([^\s\"'>]+)", re.IGNORECASE)


def measure_text(text, is_html):
    """Return how long a text is, counting what core goes through again and again as often.

    :param str text: as core would get it
    :param bool is_html: else it is plain text
    """
    size = len(text) + 5 * (text.count("\n") + text.count("\r") + len(_MARKS.findall(text)))
    if size > MAX_TEXT:
        return size  # what follows would take long as well
    steps = len(_QUOTES.findall(text)) * len(text)  # each quotation copies the rest of the text
    if not is_html:
        return size + steps // _STEPS
    # a mark of a quotation visits each element behind it
    elements = text.count("<") * (1 + 3 * len(_QUOTE_MARKS.findall(text)))
    # patterns start at each "<", and once more at each "encoding=", and go on to the next ">"
    for piece in text.split(">"):
        starts = piece.count("<")
        if starts:
            steps += starts * (1 + len(_XML_ENCODING.findall(piece))) * len(piece)
    # each attribute is compared with those before it; later builds parse a text twice as often
    for tag in _TAG.findall(text):
        steps += 2 * max(len(tag.split()), tag.count("=")) ** 2
    # a declaration of a style is searched from each character on to the end of a word
    steps += sum(len(word) ** 2 for word in _LONG_WORD.findall(text))
    # the name of an image is searched from each character on to the next slash
    for source in _SOURCE.findall(text):
        steps += sum(len(piece) ** 2 for piece in source.split("/"))
    return size + _TAG_SIZE * elements + steps // _STEPS


def show_beginning(text, is_html):
    """Return the beginning of a text that is too long, as HTML."""
    if is_html:
        # without a tag that is cut
        text = plain_from_html(re.sub(r"<[^<>]*\Z", "", text[:_SEARCHED]))
    return f"<pre>{html.escape(text.strip()[:_BEGINNING])} …</pre>"


def plain_from_html(text):
    """Return what an HTML text shows, roughly, in time that is linear."""
    text = re.sub(r"<(?:style\b|!--)[^<]*", "", text, flags=re.I)
    text = re.sub(r"<(?:br|/p|/div|/tr|/td|/li|/h\d)\b[^<>]*>", "\n", text, flags=re.I)
    return html.unescape(re.sub(r"<[a-z/!][^<>]*>", "", text, flags=re.I))
