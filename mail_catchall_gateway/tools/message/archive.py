"""Files that grow without limit when they are read (CWE-409, CWE-776)."""

import io
import re
import zipfile
from xml.parsers import expat

#: More than the text of any document that people send: it is held in memory many times over.
MAX_OCTETS = 20 * 1024 * 1024
MAX_MEMBERS = 10_000
#: Elements of a document: some hundred pages. Each takes 7 microseconds and 400 octets.
MAX_ELEMENTS = 200_000
#: Octets of a document times its depth: Odoo takes the text of each paragraph, and then of those
#: in it.
MAX_NESTED_OCTETS = 60 * 1024 * 1024
#: What *attachment_indexation* parses.
_DOCUMENT = re.compile(r"word/document|ppt/slides/slide\d+|xl/sharedStrings|content")
#: Entities of a document type expand; no office document has one. UTF-16 has an octet between.
_DOCTYPE = re.compile(rb"<\x00?!\x00?(?:D\x00?O\x00?C\x00?T|E\x00?N\x00?T\x00?I)", re.IGNORECASE)


def may_be_read(content):
    """Tell whether a file can be unpacked and parsed as XML without any risk.

    What is neither an archive nor PDF can. An archive says itself how large its members are, and
    is not unpacked further than that. What is in a PDF file cannot be told without reading it.

    :param bytes content: of the file
    """
    if content.startswith(b"%PDF-"):
        return False
    stream = io.BytesIO(content)
    if not zipfile.is_zipfile(stream):
        return True
    try:
        with zipfile.ZipFile(stream) as archive:
            members = archive.infolist()
            total = sum(member.file_size for member in members)
            if len(members) > MAX_MEMBERS or total > MAX_OCTETS:
                return False
            names = (m.filename for m in members if m.filename.lower().endswith((".xml", ".rels")))
            return all(_may_be_parsed(name, archive.read(name)) for name in names)
    except Exception:
        return False  # encrypted, damaged, or made to confuse


def _may_be_parsed(name, xml):
    if _DOCTYPE.search(xml):
        return False
    if not _DOCUMENT.fullmatch(name.removesuffix(".xml")):
        return True
    # a tag has a beginning and an end
    if xml.count(b"<") > 2 * MAX_ELEMENTS:
        return False
    return _measure_depth(xml) * len(xml) <= MAX_NESTED_OCTETS


def _measure_depth(xml):
    """Return how deep the elements of a document stand in each other.

    :raise xml.parsers.expat.ExpatError: if it is none
    """
    depth = deepest = 0

    def start(_name, _attributes):
        nonlocal depth, deepest
        depth += 1
        deepest = max(deepest, depth)

    def end(_name):
        nonlocal depth
        depth -= 1

    parser = expat.ParserCreate()
    parser.StartElementHandler, parser.EndElementHandler = start, end
    parser.Parse(xml, True)
    return deepest
