"""Makes the addon's README.rst, and the page that Apps shows of it, from its readme/ folder.

As OCA's tool does: each file there is a section. Pictures are named by their path in the addon.
"""

import ast
import re
from pathlib import Path

from docutils.core import publish_parts

ADDON = Path(__file__).resolve().parent.parent / "mail_catchall_gateway"
PAGE = ADDON / "static" / "description" / "index.html"
SECTIONS = {
    "DESCRIPTION": "",
    "CONFIGURE": "Configuration",
    "USAGE": "Usage",
    "ROADMAP": "Known issues / Roadmap",
    "HISTORY": "Changelog",
}
#: What docutils writes, and what looks good in Odoo's web client, which takes style sheets out.
REPLACEMENTS = {
    r'<a class="reference external" href="mailto:[^"]*">(.*?)</a>': r"\1",
    r'<span class="docutils literal">(.*?)</span>': r"<code>\1</code>",
    r"<table": '<table class="table table-sm"',
    r"<img ": '<img class="img-fluid border rounded my-3" ',
    r'(?<=src=")static/description/': "",
}


def title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def make_readme(manifest: dict) -> str:
    """Return README.rst."""
    parts = [title(manifest["name"], "=")]
    for name, heading in SECTIONS.items():
        fragment = (ADDON / "readme" / f"{name}.rst").read_text()
        parts.append((title(heading, "=") + "\n" if heading else "") + fragment)
    return "\n".join(parts)


def make_page(readme: str) -> str:
    """Return the page of the Apps menu: a piece of HTML that stands for itself."""
    settings = {"initial_header_level": 2, "doctitle_xform": False, "halt_level": 2}
    body = publish_parts(readme, writer_name="html5", settings_overrides=settings)["body"]
    for found, replacement in REPLACEMENTS.items():
        body = re.sub(found, replacement, body)
    lines = (line.rstrip() for line in body.splitlines())
    return '<div class="container py-4">\n' + "\n".join(lines) + "\n</div>\n"


def main():
    readme = make_readme(ast.literal_eval((ADDON / "__manifest__.py").read_text()))
    comment = "Made by setup/make_readme.py from the files in readme/: change those."
    (ADDON / "README.rst").write_text(f".. {comment}\n\n{readme}")
    PAGE.write_text(f"<!-- {comment} -->\n{make_page(readme)}")


if __name__ == "__main__":
    main()
