"""How long Odoo would be busy with the text of a mail.

Core cleans a text with regular expressions and lxml, some five times: when it is parsed, stored,
shown, and made plain text for each copy. For most texts that takes as long as they are; for some
it grows with the square of their length, and 60 kB that were made for it take minutes.
"""

import itertools
import re

#: Steps of about 15 ns for all of that together: about what people send takes a hundredth of it.
MAX_TEXT_COST = 10**8
#: Steps for each text of several, however short it is.
PART_COST = 5_000

_QUOTES = re.compile(r"(?:\n(?:>|&(?:gt|#0*62|#x0*3e)\b)+[^\n\r]*)+", re.IGNORECASE)
_TAG = re.compile(r"<[^<>]*>")
_ELEMENT = re.compile(r"<[a-z!?]", re.IGNORECASE)
#: What XML has no place for (XML 1.0, 2.2).
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")
_QUOTE_MARKS = re.compile(r"stopSpelling|yahoo_quoted")
_XML_ENCODING = re.compile(r"\sencoding=", re.IGNORECASE)
#: A tag, and what stands in it. A quotation mark hides its end only behind an equals sign.
_TAG_CONTENT = re.compile(
    r"<[a-z][^\s>/]*((?:[^>=]+|=\s*\"[^\"]*\"|=\s*'[^']*'|=)*)", re.IGNORECASE
)
_SOURCE = re.compile(r"\bsrc\s*=\s*(?:\"([^\"]*)|'([^']*)|([^\s>]*))", re.IGNORECASE)


def measure_cost(text, is_html):
    """Return about how many steps a text takes, or some number above the limit.

    :param str text: as core would get it
    :param bool is_html: else it is plain text
    """
    measures = _HTML_MEASURES if is_html else _PLAIN_MEASURES
    # the cheap ones come first: the others would take long themselves for what is beyond these
    for steps in itertools.accumulate(measure(text) for measure in measures):
        if steps > MAX_TEXT_COST:
            break
    return steps


def _plain_octets(text):
    # escaped, each of these is several characters
    marks = 3 * (text.count("<") + text.count(">")) + 4 * text.count("&")
    return 30 * (_count_octets(text) + marks)


def _html_octets(text):
    return 40 * (_count_octets(text) + 4 * text.count("&"))


def _count_octets(text):
    return len(text.encode("utf-8", "replace"))


def _lines(text):
    """``email`` makes several objects of each line of what is sent."""
    return 400 * text.count("\n")


def _elements(text):
    """lxml makes objects of elements. Each mark of a quotation visits all that follow."""
    count = len(_ELEMENT.findall(text))
    steps = 1800 * count + 200 * text.count("</")
    return steps + 100 * count * len(_QUOTE_MARKS.findall(text))


def _control_characters(text):
    """libxml2 notes each of them as an error."""
    return 200 * len(_CONTROL.findall(text))


def _plain_quotations(text):
    """Each quotation copies the rest of its text."""
    return len(_QUOTES.findall(text)) * len(text)


def _html_quotations(text):
    return sum(map(_plain_quotations, _TAG.split(text)))


def _unclosed_tags(text):
    """Regular expressions start at each ``<`` and go to the next ``>``.

    And once more from each ``encoding=`` in between.
    """
    steps = 0
    for piece in text.split(">"):
        if "<" in piece:
            starts = 1 + len(_XML_ENCODING.findall(piece))
            steps += piece.count("<") * starts * len(piece)
    return steps


def _attributes(text):
    """libxml2 compares each attribute with those before it."""
    tags = (tag for tag in _TAG_CONTENT.findall(text) if len(tag) > 1000)
    return sum(max(len(tag.split()), tag.count("=")) ** 2 for tag in tags)


def _image_sources(text):
    """Core looks for the name of a file from each character on, to the next slash."""
    urls = ("".join(groups) for groups in _SOURCE.findall(text))
    return sum(len(piece) ** 2 // 3 for url in urls for piece in url.split("/"))


_PLAIN_MEASURES = (_plain_octets, _lines, _control_characters, _plain_quotations)
_HTML_MEASURES = (
    *(_html_octets, _lines, _elements, _control_characters),
    *(_unclosed_tags, _html_quotations, _attributes, _image_sources),
)
