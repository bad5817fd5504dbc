"""Mails to begin with: the test messages of Python's ``email`` package and of Odoo."""

import re
import runpy
from pathlib import Path

_PLACEHOLDERS = {
    "to": "john.doe@acme.test",
    "cc": "team@acme.test",
    "email_from": "Mary Smith <mary@customer.test>",
    "return_path": "<mary@customer.test>",
    "msg_id": "<seed@customer.test>",
    "subject": "Bicycles",
    "extra": "",
}


def collect(addons_paths):
    """Return sources of mails, as bytes; none where a Python comes without its tests (Debian).

    :param addons_paths: folders in which Odoo's addons are
    """
    return [*_of_python(), *_of_odoo(addons_paths)]


def _of_python():
    try:
        import test.test_email as tests
    except ImportError:
        return []
    return [path.read_bytes() for path in sorted(Path(tests.__file__).parent.glob("data/msg_*"))]


def _of_odoo(addons_paths):
    for folder in addons_paths:
        path = Path(folder) / "test_mail" / "data" / "test_mail_data.py"
        if path.exists():
            found = runpy.run_path(str(path))
            texts = [found[name] for name in sorted(found) if name.startswith("MAIL_")]
            return [_fill(text).encode() for text in texts if isinstance(text, str)]
    return []


def _fill(template):
    return re.sub(r"\{(\w+)\}", lambda match: _PLACEHOLDERS.get(match[1], "x"), template)
