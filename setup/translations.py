"""The addon's terms and their translations, as files of gettext in ``i18n/``.

    setup/translations.sh      # writes the template anew, and takes new terms into each language

The check ``i18n`` of test.sh tells whether the template is that of the code, and whether every
language has all of it.
"""

import argparse
import ast
import re
import sys
import tempfile
from pathlib import Path

import polib
from odoo_process import REPO, Odoo
from server import StackError, exit_on_signals
from stack import Stack

ADDON = "mail_catchall_gateway"
FOLDER = REPO / ADDON / "i18n"
TEMPLATE = FOLDER / f"{ADDON}.pot"
#: What a translation must keep: the placeholders of Python and QWeb, tags and links.
PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[sd]|%%|\{\{.*?\}\}|</?\w+(?=[\s/>])|\bhref=\"[^\"]*\"")


def export_template(odoo: Odoo) -> polib.POFile:
    """Return the terms of the addon as Odoo exports them, from a database made for that."""
    odoo.run("-u" if odoo.exists() else "-i", ADDON, "--without-demo=all")
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / TEMPLATE.name
        # it asks for the database on the command line, the configuration file is not enough
        odoo.run("-d", odoo.database, f"--i18n-export={path}", f"--modules={ADDON}")
        template = polib.pofile(str(path), wrapwidth=78)
    # or each export would be another file
    template.metadata.update({name: "" for name in ("POT-Creation-Date", "PO-Revision-Date")})
    template.metadata["Project-Id-Version"] = "Odoo Server 17.0"
    return template


def languages() -> list:
    """Return the files of the languages."""
    return sorted(FOLDER.glob("*.po"))


def update(template: polib.POFile):
    """Write the template, and give each language what it has not."""
    FOLDER.mkdir(exist_ok=True)
    template.save(str(TEMPLATE))
    for path in languages():
        po = polib.pofile(str(path), wrapwidth=78)
        po.merge(template)
        for entry in po.obsolete_entries():
            po.remove(entry)
        po.save(str(path))
        print(f"{path.name}: {po.percent_translated()} % of {len(po)} terms")


def find_hidden(template: polib.POFile) -> list:
    """Return the texts that Odoo does not export: an f-string in the call hides those after it."""
    terms = {entry.msgid for entry in template}
    calls = (
        node
        for path in sorted((REPO / ADDON).rglob("*.py"))
        if "tests" not in path.parts
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "_"
    )
    texts = (call.args[0].value for call in calls if isinstance(call.args[0], ast.Constant))
    return [f"not exported: {text!r}" for text in texts if text not in terms]


def find_faults(template: polib.POFile) -> list:
    """Return what is wrong with the files, in sentences."""
    if not TEMPLATE.exists() or str(polib.pofile(str(TEMPLATE), wrapwidth=78)) != str(template):
        return [f"{TEMPLATE.name} is not that of the code: run setup/translations.sh"]
    terms = {entry.msgid for entry in template}
    faults = find_hidden(template)
    for path in languages():
        po = polib.pofile(str(path))
        done = {entry.msgid: entry.msgstr for entry in po.translated_entries()}
        faults += [f"{path.name}: no translation of {term!r}" for term in terms - done.keys()]
        faults += [f"{path.name}: no term any more: {term!r}" for term in done.keys() - terms]
        faults += [
            f"{path.name}: other placeholders or tags in {translation!r} than in {term!r}"
            for term, translation in done.items()
            if sorted(PLACEHOLDER.findall(term)) != sorted(PLACEHOLDER.findall(translation))
        ]
    return faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True, type=Path, help=argparse.SUPPRESS)
    args = parser.parse_args()
    exit_on_signals()
    state = args.state / "translations"
    state.mkdir(exist_ok=True)
    with Stack(state, durable=False) as stack:
        template = export_template(Odoo(stack, "translations"))
        update(template)
        for fault in find_faults(template):
            print(fault)


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"setup: {error}")
