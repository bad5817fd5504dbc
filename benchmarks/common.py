"""What the benchmarks share: private servers, databases with and without the addon, mails, runs.

Each run is a process of its own (``run_one.py``), so that memory and caches are its own.
"""

import json
import os
import shutil
import subprocess
import sys
import time
import uuid
from pathlib import Path

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "setup"))
# where setup/run.sh puts it, too
os.environ.setdefault("ODOO_SOURCE", str(Path.home() / ".cache" / "odoo-17.0"))

from odoo_process import Odoo  # noqa: E402
from stack import Stack  # noqa: E402

MAILBOX = "catchall@acme.test"
ALIAS = "team@acme.test"
MODULES = {"stock": "mail", "addon": "mail_catchall_gateway"}


class Bench:
    """The servers and two databases; the same mails for both."""

    def __init__(self, state: Path):
        state.mkdir(exist_ok=True)
        # as in production, what is committed is on disk
        self.stack = Stack(state, durable=True)
        self.databases = {}

    def __enter__(self):
        self.stack.__enter__()
        for kind in MODULES:
            self.databases[kind] = self.make_database(kind)
            self.run(kind, "prepare")
        return self

    def __exit__(self, *exc):
        self.stack.__exit__(*exc)

    def make_database(self, kind):
        odoo = Odoo(self.stack, f"bench_{kind}")
        odoo.install(MODULES[kind])
        return odoo

    def run(self, kind, what, **arguments):
        """Run something in a fresh process.

        :param str kind: ``stock`` or ``addon``
        :param str what: a function of ``run_one.py``
        :return dict: what it printed
        """
        odoo = self.databases[kind]
        arguments = {"port": self.stack.ports["imap"], **arguments}
        command = [sys.executable, str(REPO / "benchmarks" / "run_one.py")]
        command += [str(odoo.write_config()), odoo.database, what, json.dumps(arguments)]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        return json.loads(output.splitlines()[-1])

    def make_aliases(self, kind, count):
        """Have so many aliases, in a table as a server keeps it."""
        self.run(kind, "prepare", aliases=count)
        self.databases[kind].psql("VACUUM ANALYZE mail_alias")

    def forget(self, kind):
        """Drop what is stored and not processed."""
        self.databases[kind].psql("DELETE FROM mail_catchall_inbound WHERE state = 'pending'")

    def send(self, mails, rounds):
        """Run ``from_policy.py``.

        :return dict: time against stock Odoo, ``cpu`` and ``wall``, by way
        """
        names = [self.databases[kind].database for kind in MODULES]
        command = [sys.executable, str(REPO / "benchmarks" / "from_policy.py"), "--json"]
        command += [f"--mails={mails}", f"--rounds={rounds}"]
        command += [str(self.databases["addon"].write_config()), *names]
        output = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True).stdout
        return json.loads(output.splitlines()[-1])

    def fill(self, count, octets=2000):
        """Empty the mailbox and put so many mails into it.

        :return list: their Message-Ids
        """
        folder = self.stack.mail / MAILBOX
        shutil.rmtree(folder, ignore_errors=True)
        for path in (folder, *(folder / name for name in ("cur", "new", "tmp"))):
            path.mkdir()
            shutil.chown(path, "mail", "mail")
        ids = [uuid.uuid4().hex for _number in range(count)]
        for number, unique in enumerate(ids):
            path = folder / "new" / f"{time.time():.6f}.{number:06}.bench"
            path.write_bytes(make_mail(unique, octets))
            shutil.chown(path, "mail", "mail")
        return [f"<{unique}@customer.test>" for unique in ids]


def get_version():
    """Return the version of Odoo."""
    command = [sys.executable, "-c", "import odoo.release; print(odoo.release.version)"]
    return subprocess.check_output(command, text=True).strip()


def make_mail(unique, octets):
    """Return a mail of about so many octets; a large one is an attachment."""
    header = (
        f"Received: from mx by acme.test; Sat, 21 Nov 2026 10:00:00 +0000\n"
        f"From: Mary {unique} <mary.{unique}@customer.test>\nTo: {ALIAS}\nSubject: {unique}\n"
        f"Date: Sat, 21 Nov 2026 10:00:00 +0000\nMessage-Id: <{unique}@customer.test>\n"
        "MIME-Version: 1.0\n"
    )
    if octets < 100_000:
        lines = "What would fifty bicycles cost us until Friday, with bells?\n"
        return f"{header}\n{lines * (octets // len(lines))}".encode()
    data = (os.urandom(57 * 1000).hex()[:76] + "\n") * (octets // 77)
    return (
        f'{header}Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nSee there.\n--b\n'
        "Content-Type: application/octet-stream\nContent-Transfer-Encoding: base64\n"
        f"Content-Disposition: attachment; filename=large.bin\n\n{data}--b--\n"
    ).encode()
