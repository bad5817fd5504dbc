"""The folders of a mailbox, as ``LIST`` tells them (RFC 3501, 7.2.2; RFC 6154)."""

import binascii
import dataclasses
import re

_LINE = re.compile(rb'\((?P<flags>[^)]*)\) (?:"(?:\\.|[^"\\])*"|NIL) (?P<name>.+)', re.DOTALL)
_LITERAL = re.compile(rb"\{\d+\}$")
_SHIFTED = re.compile(r"&([^-]*)-")

#: Where servers tell no use (RFC 6154): the last part of the name, in lower case.
_JUNK = re.compile(r"junk|spam|pourriel|ind[eé]sirable|unerw[uü]nscht|no deseado", re.IGNORECASE)
_KEPT = re.compile(
    r"sent|gesendet|envoy|enviad|drafts|entw[uü]rfe|brouillons|borradores|outbox|all mail",
    re.IGNORECASE,
)


@dataclasses.dataclass(frozen=True)
class Folder:
    """One folder.

    Arguments:
        name (str): as the server lists it, in modified UTF-7 (RFC 3501, 5.1.3)
        label (str): the same, to be read by people
        flags (frozenset): its attributes, in lower case and without backslash
    """

    name: str
    label: str
    flags: frozenset = frozenset()

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
    """Return the folders in the data of ``LIST``; what is no such line is passed over.

    :param list data: second item of what ``IMAP4.list()`` returns; a name that came as a literal
        is the second item of a tuple
    :return list: of :class:`Folder`, the inbox first
    """
    folders = []
    for item in data or []:
        line, literal = item if isinstance(item, tuple) else (item, None)
        match = _LINE.match(line or b"")
        if match:
            name = literal if literal is not None else _unquote(match["name"])
            folders.append(_folder(match["flags"], name))
    return sorted(folders, key=lambda folder: (folder.name.upper() != "INBOX", folder.label))


def decode_utf7(name):
    """Return a mailbox name in modified UTF-7 (RFC 3501, 5.1.3) as text; broken parts as they are.

    :param str name: ASCII
    """
    return _SHIFTED.sub(_decode_shifted, name)


def _decode_shifted(match):
    if not match[1]:
        return "&"
    base64 = match[1].replace(",", "/")
    try:
        octets = binascii.a2b_base64(base64 + "=" * (-len(base64) % 4))
        return octets.decode("utf-16-be")
    except (binascii.Error, UnicodeDecodeError, ValueError):
        return match[0]


def _unquote(name):
    name = _LITERAL.sub(b"", name.strip())
    if name.startswith(b'"') and name.endswith(b'"') and len(name) > 1:
        name = re.sub(rb"\\(.)", rb"\1", name[1:-1])
    return name


def _folder(flags, name):
    name = name.decode("utf-8", "replace")
    flags = {flag.lstrip("\\").lower() for flag in flags.decode("ascii", "replace").split()}
    return Folder(name, decode_utf7(name), frozenset(flags))
