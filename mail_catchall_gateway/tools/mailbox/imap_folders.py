"""The folders of a mailbox, as ``LIST`` tells them (RFC 3501, 7.2.2; RFC 6154)."""

import contextlib
import dataclasses
import re

from imapclient import imap_utf7
from imapclient.response_parser import parse_response

#: Where servers tell no use (RFC 6154): the last part of the name, in lower case.
_JUNK = re.compile(r"junk|spam|pourriel|ind[eé]sirable|unerw[uü]nscht|no deseado", re.IGNORECASE)
_KEPT = re.compile(
    r"sent|gesendet|envoy|enviad|drafts|entw[uü]rfe|brouillons|borradores|outbox|all mail",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Folder:
    """One folder."""

    label: str  # as people see it
    flags: frozenset = frozenset()  # in lower case and without backslash

    @property
    def is_selectable(self):
        return self.flags.isdisjoint({"noselect", "nonexistent"})

    @property
    def is_junk(self):
        """Tell whether mail that is taken for spam comes here."""
        return "junk" in self.flags or bool(_JUNK.search(self.label))

    @property
    def is_own_copy(self):
        """Tell whether a mail may be here that did not arrive: sent, drafts, and views of all."""
        uses = {"sent", "drafts", "all", "flagged", "important"}
        return not self.flags.isdisjoint(uses) or bool(_KEPT.search(self.label))


def parse_list(data):
    """Return a Folder for each line of ``IMAP4.list()`` that tells of one, the inbox first."""
    folders = []
    for item in data or []:
        with contextlib.suppress(Exception):  # the library fails in many ways at odd lines
            flags, _separator, name = parse_response([item])[:3]
            flags = {flag.decode("ascii", "replace").lstrip("\\").lower() for flag in flags}
            # a name of digits comes as a number
            name = name if isinstance(name, bytes) else b"%d" % name
            folders.append(Folder(decode_name(name), frozenset(flags)))
    return sorted(folders, key=lambda folder: (folder.label.upper() != "INBOX", folder.label))


def decode_name(name):
    """Return bytes in modified UTF-7 (RFC 3501, 5.1.3) as text; as they are if they are not."""
    with contextlib.suppress(UnicodeError):
        text = imap_utf7.decode(name)
        if imap_utf7.encode(text) == name:  # the only way to write it
            return text
    return name.decode("utf-8", "replace")
