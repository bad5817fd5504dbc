"""Archives that grow without limit when they are read (CWE-409, CWE-776)."""

import io
import re
import zipfile

#: More than the text of any document that people send: it is held in memory many times over.
MAX_OCTETS = 20 * 1024 * 1024
MAX_MEMBERS = 10_000
#: Entities of a document type expand; no office document has one. UTF-16 has an octet between.
_DOCTYPE = re.compile(rb"<\x00?!\x00?(?:D\x00?O\x00?C\x00?T|E\x00?N\x00?T\x00?I)", re.IGNORECASE)


def may_be_read(content):
    """Tell whether a file can be unpacked and parsed as XML without any risk.

    What is no archive can. An archive says itself how large its members are, and is not unpacked
    further than that.

    :param bytes content: of the file
    """
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
            return not any(_DOCTYPE.search(archive.read(name)) for name in names)
    except Exception:
        return False  # encrypted, damaged, or made to confuse
