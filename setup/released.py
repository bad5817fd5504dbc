"""A used database of the last released addon, upgraded to the addon as it is now."""

import json
import shutil
import subprocess
from pathlib import Path

from odoo_process import REPO, Odoo
from server import StackError

ADDON = "mail_catchall_gateway"
#: The last released state: version 17.0.1.0.0 (November 2026). Replace it at the next release.
RELEASE = "b03109170fac1305e385f4ec48cdde0416fb73e9"
#: What the addon has to do with in the tables of Odoo: a condition for each.
CORE_TABLES = {
    "fetchmail_server": "TRUE",
    "ir_attachment": "res_model IN ('mail.catchall.inbound', 'mail.catchall.conversation')",
    "ir_config_parameter": "key LIKE 'mail%'",
    "ir_mail_server": "TRUE",
    "mail_activity": "TRUE",
    "mail_alias": "TRUE",
    "mail_alias_domain": "TRUE",
    "mail_followers": "TRUE",
    "mail_mail": "TRUE",
    "mail_message": "TRUE",
    "mail_notification": "TRUE",
    "res_users": "TRUE",
}
#: The addon's own tables, those of dialogs and of signs of life left out.
OWN_TABLES = """
    SELECT relname FROM pg_class
     WHERE relkind = 'r' AND relname ~ '^mail_catchall_(inbound|conversation|blocked)'
"""


class ReleasedOdoo(Odoo):
    """Odoo with the addon as it was released, which is taken from git."""

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self.addons_folder = self.stack.state / "released"

    def fetch_addon(self):
        """Write the addon as it was released into a folder of its own."""
        git = ["git", "-C", str(REPO)]
        known = [*git, "cat-file", "-e", f"{RELEASE}^{{commit}}"]
        if subprocess.run(known, stderr=subprocess.DEVNULL).returncode:
            raise StackError(
                f"this clone lacks {RELEASE[:7]}, the last released state of the addon:"
                " it is shallow. Run: git fetch --unshallow"
            )
        shutil.rmtree(self.addons_folder, ignore_errors=True)
        self.addons_folder.mkdir()
        archive = subprocess.Popen(
            [*git, "archive", RELEASE, ADDON], cwd=REPO, stdout=subprocess.PIPE
        )
        subprocess.run(
            ["tar", "-x", "-C", str(self.addons_folder)], stdin=archive.stdout, check=True
        )
        if archive.wait():
            raise StackError("git archive failed")


def upgrade_database(odoo: Odoo) -> Path:
    """Install the released addon, use it, and upgrade it to the addon as it is now.

    :return Path: a folder with ``before.json`` and ``after.json``, see :func:`take_rows`
    """
    folder = odoo.stack.state / "upgrade"
    folder.mkdir(exist_ok=True)
    released = ReleasedOdoo(odoo.stack, odoo.database)
    released.fetch_addon()
    released.drop()
    released.run("-i", ADDON)
    released.script("upgrade/fill.py")
    (folder / "before.json").write_text(json.dumps(take_rows(released)))
    odoo.run("-u", ADDON)
    (folder / "after.json").write_text(json.dumps(take_rows(odoo)))
    return folder


def take_rows(odoo: Odoo) -> dict:
    """Return all rows that an upgrade must keep: table -> rows as dicts."""
    tables = {**{name: "TRUE" for name in odoo.psql(OWN_TABLES).split()}, **CORE_TABLES}
    return {
        table: json.loads(
            odoo.psql(
                "SELECT COALESCE(json_agg(to_jsonb(t) - 'write_date' - 'write_uid'), '[]')"
                f" FROM {table} AS t WHERE {condition}"
            )
        )
        for table, condition in sorted(tables.items())
    }
