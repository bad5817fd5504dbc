"""Makes the addon's README.rst from the fragments in its readme/ folder, as OCA's tool does."""

import ast
from pathlib import Path

ADDON = Path(__file__).resolve().parent.parent / "mail_catchall_gateway"
SECTIONS = {
    "DESCRIPTION": "",
    "CONFIGURE": "Configuration",
    "USAGE": "Usage",
    "ROADMAP": "Known issues / Roadmap",
    "HISTORY": "Changelog",
}


def title(text: str, line: str) -> str:
    return f"{text}\n{line * len(text)}\n"


def main():
    manifest = ast.literal_eval((ADDON / "__manifest__.py").read_text())
    parts = [
        ".. Made by setup/make_readme.py from the files in readme/: change those.\n",
        title(manifest["name"], "="),
    ]
    for name, heading in SECTIONS.items():
        fragment = (ADDON / "readme" / f"{name}.rst").read_text()
        parts.append((title(heading, "=") + "\n" if heading else "") + fragment)
    (ADDON / "README.rst").write_text("\n".join(parts))


if __name__ == "__main__":
    main()
