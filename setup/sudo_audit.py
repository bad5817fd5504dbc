"""Compares SUDO.md with the addon: each place that reads or writes past access rights has a reason.

Exit code 1 where one of them has none, or where a reason is left of what is gone.
"""

import ast
import collections
import re
import sys
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
ADDON = REPO / "mail_catchall_gateway"
AUDIT = REPO / "SUDO.md"
#: Methods that change as whom, or past what, something is done.
METHODS = {"sudo": "sudo", "with_user": "with_user", "execute": "SQL"}
#: Arguments that do.
KEYWORDS = {"su": "su=True", "compute_sudo": "compute_sudo"}


class Places(ast.NodeVisitor):
    """Counts in a module: (name of the function or field, what is done) -> how often."""

    def __init__(self):
        self.found = collections.Counter()
        self._name = "module"

    def note(self, kind):
        self.found[self._name, kind] += 1

    def visit_FunctionDef(self, node):
        outer, self._name = self._name, node.name if self._name == "module" else self._name
        self.generic_visit(node)
        self._name = outer

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_Assign(self, node):
        outer, (target, *_rest) = self._name, node.targets
        if outer == "module" and isinstance(target, ast.Name):
            self._name = target.id  # a field
        self.generic_visit(node)
        self._name = outer

    def visit_Call(self, node):
        if isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            self.note(METHODS[node.func.attr])
        for keyword in node.keywords:
            if keyword.arg in KEYWORDS and getattr(keyword.value, "value", None) is not False:
                self.note(KEYWORDS[keyword.arg])
        self.generic_visit(node)

    def visit_Name(self, node):
        if node.id == "SUPERUSER_ID":
            self.note("SUPERUSER_ID")


def read_source():
    """Return what the addon does, tests left out: (file, name, kind) -> how often."""
    found = {}
    for path in sorted(ADDON.rglob("*.py")):
        name = str(path.relative_to(ADDON))
        if not name.startswith("tests/"):
            places = Places()
            places.visit(ast.parse(path.read_text()))
            found.update({(name, *place): count for place, count in places.found.items()})
    return found


def read_audit(text):
    """Return what the list has reasons for: (file, name, kind) -> how often.

    A line of it is ``- `name` (sudo 2, SQL): why``, under a heading with the name of the file.
    """
    found = {}
    for section in re.split(r"^### ", text, flags=re.MULTILINE)[1:]:
        file, _newline, rest = section.partition("\n")
        for item in re.split(r"^- ", rest, flags=re.MULTILINE)[1:]:
            match = re.match(r"`(\w+)` \(([^)]+)\): \S", " ".join(item.split()))
            if not match:
                sys.exit(f"SUDO.md: cannot be read: {item.splitlines()[0]}")
            for part in match[2].split(", "):
                kind, _space, count = part.partition(" ")
                found[file.strip("` "), match[1], kind] = int(count or 1)
    return found


def main():
    source, audit = read_source(), read_audit(AUDIT.read_text())
    is_good = True
    for place in sorted(source.keys() | audit.keys()):
        there, listed = source.get(place, 0), audit.get(place, 0)
        if there != listed:
            is_good = False
            print(f"{': '.join(place)}: {there} in the source, {listed} in SUDO.md")
    return 0 if is_good else 1


if __name__ == "__main__":
    sys.exit(main())
