"""Check that each thing of the addon has one home: prints what is wrong by file and line.

- A model has one class in a room; a model of ours is in one room, a model of Odoo's in two at most.
- No method is defined twice for one model, so that the order of imports decides nothing.
- Python files lie in the rooms, shelves and folders that docs/DEVELOPERS.md describes.
- Each step past access rights (``sudo()``, ``su=True``, ``SUPERUSER_ID``) has its reason in a
  comment: in the lines of its statement, or in one of the two lines above it.

Exit code 1 where something is wrong. Tests are left out.
"""

import ast
import collections
import dataclasses
import re
import sys
import tokenize
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
ADDON = REPO / "mail_catchall_gateway"
#: Where Python files may lie, as patterns of paths in the addon.
PLACES = (
    r"(__init__|__manifest__|hooks)\.py",
    r"(cli|controllers|scripts)/\w+\.py",
    r"migrations/[\d.]+/(pre|post|end)-\w+\.py",
    r"models/__init__\.py",
    r"models/(mailbox|inbound|routing|conversation|sending|people|settings)/\w+\.py",
    r"tools/(__init__|pauses|time_limit)\.py",
    r"tools/(addresses|mailbox|message|judging|reports|sending)/\w+\.py",
    r"wizards/(setup/)?\w+\.py",
)
#: Folders of Python files that hold models.
HOMES = ("models", "wizards")
MOST_ROOMS = 2
#: So many lines above a statement a comment may stand that gives its reason.
ABOVE = 2


@dataclasses.dataclass(frozen=True)
class ModelClass:
    """One class of a model: where it is and what it defines, by name and line."""

    model: str
    is_own: bool
    path: Path
    line: int
    methods: tuple

    @property
    def room(self) -> Path:
        return self.path.parent


def find_classes(path: Path, tree: ast.Module) -> list:
    """Return the classes of models in a file."""
    found = []
    for node in ast.walk(tree):
        if not isinstance(node, ast.ClassDef):
            continue
        values = {
            target.id: ast.literal_eval(statement.value)
            for statement in node.body
            if isinstance(statement, ast.Assign)
            for target in statement.targets
            if isinstance(target, ast.Name) and target.id in ("_name", "_inherit")
        }
        parents = values.get("_inherit") or ()
        parents = [parents] if isinstance(parents, str) else parents
        model = values.get("_name") or (parents[0] if parents else None)
        if model:
            methods = [
                (child.name, child.lineno)
                for child in node.body
                if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef)
                # the setter of a property has the name of its getter
                and not any(
                    isinstance(deco, ast.Attribute) and deco.attr == "setter"
                    for deco in child.decorator_list
                )
            ]
            is_own = model not in parents
            found.append(ModelClass(model, is_own, path, node.lineno, tuple(methods)))
    return found


def check_models(classes: list):
    """Yield what is wrong about the classes of all models."""
    by_model = collections.defaultdict(list)
    for each in classes:
        by_model[each.model].append(each)
    for model, own in sorted(by_model.items()):
        first, is_ours = {}, any(each.is_own for each in own)
        for each in own:
            room = each.room.relative_to(ADDON)
            if each.room in first:
                yield each.path, each.line, f"{model} has another class in {room}"
            elif first and (is_ours or len(first) == MOST_ROOMS):
                others = ", ".join(str(other.relative_to(ADDON)) for other in first)
                yield each.path, each.line, f"{model} is in another room as well: {others}"
            first.setdefault(each.room, each)
        methods = {}
        for each in own:
            for name, line in each.methods:
                where = f"{each.path.relative_to(ADDON)}:{line}"
                if name in methods:
                    yield each.path, line, f"{model}.{name} is also defined in {methods[name]}"
                methods.setdefault(name, where)


def check_place(path: Path, classes: list):
    """Yield what is wrong about where a file lies."""
    place = path.relative_to(ADDON)
    if not any(re.fullmatch(pattern, str(place)) for pattern in PLACES):
        yield path, 1, "lies outside the rooms"
    elif classes and place.parts[0] not in HOMES:
        yield path, classes[0].line, f"a class of {classes[0].model} outside {' and '.join(HOMES)}"


def is_past_rights(node: ast.AST) -> bool:
    """Tell whether a node reads or writes past access rights."""
    if isinstance(node, ast.Call):
        drops = [getattr(argument, "value", None) is False for argument in node.args]
        is_sudo = isinstance(node.func, ast.Attribute) and node.func.attr == "sudo"
        return (is_sudo and not any(drops)) or any(
            keyword.arg == "su" and getattr(keyword.value, "value", None) is True
            for keyword in node.keywords
        )
    names = (getattr(node, "id", None), getattr(node, "attr", None))
    return "SUPERUSER_ID" in names and isinstance(node.ctx, ast.Load)


def find_comments(path: Path) -> set:
    """Return the numbers of the lines that have a comment for readers."""
    with open(path, "rb") as file:
        return {
            token.start[0]
            for token in tokenize.tokenize(file.readline)
            if token.type == tokenize.COMMENT
            and not re.match(r"#\s*(noqa|pylint:|pragma:)", token.string)
        }


def check_reasons(path: Path, tree: ast.Module):
    """Yield the steps past access rights that have no comment."""
    comments = find_comments(path)

    def walk(node, first, last):
        if isinstance(node, ast.stmt):
            body = getattr(node, "body", None)
            first = min([node.lineno, *(d.lineno for d in getattr(node, "decorator_list", ()))])
            last = body[0].lineno - 1 if body else node.end_lineno
        if is_past_rights(node) and not comments & set(range(first - ABOVE, last + 1)):
            yield path, node.end_lineno, "no comment says why this goes past access rights"
        for child in ast.iter_child_nodes(node):
            yield from walk(child, first, last)

    yield from walk(tree, 0, 0)


def main() -> int:
    faults, classes = [], []
    for path in sorted(ADDON.rglob("*.py")):
        if path.relative_to(ADDON).parts[0] in ("tests", "static"):
            continue
        tree = ast.parse(path.read_bytes())
        found = find_classes(path, tree)
        classes += found
        faults += [*check_place(path, found), *check_reasons(path, tree)]
    faults += check_models(classes)
    for path, line, what in sorted(set(faults)):
        print(f"{path.relative_to(REPO)}:{line}: {what}")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
