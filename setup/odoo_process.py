"""Odoo as a process of its own, on the servers of ``stack.py``."""

import os
import re
import shutil
import subprocess
import sys
import urllib.error
import urllib.request
import xmlrpc.client
from pathlib import Path

from server import Server, StackError, wait_for
from stack import MAIL_PASSWORD, Stack

REPO = Path(__file__).resolve().parent.parent


def addons_path(folder: Path = REPO) -> str:
    """Return Odoo's own addons and the folder of ours.

    A checkout keeps addons beside the package, a nightly inside it, where Odoo looks by itself;
    it refuses an empty folder.
    """
    beside = Path(os.environ["ODOO_SOURCE"]) / "addons"
    folders = [beside] if any(beside.glob("*/__manifest__.py")) else []
    return ",".join(str(path) for path in [*folders, folder])


class Odoo(Server):
    """``odoo-bin`` on one database. Start it as a server, or :meth:`run` it to its end."""

    name = "odoo"
    addons_folder = REPO

    def __init__(self, stack: Stack, database: str, port: int = 0):
        super().__init__(stack)
        self.database = database
        self.port = port
        self.url = f"http://localhost:{port}"
        self.filestore = self.folder / "data" / "filestore" / database

    def write_config(self) -> Path:
        """Write the configuration file of this database, and return its path."""
        self.folder.mkdir(parents=True, exist_ok=True)
        config = self.folder / f"{self.database}.conf"
        config.touch(mode=0o600)
        config.write_text(f"""[options]
addons_path = {addons_path(self.addons_folder)}
data_dir = {self.folder}/data
db_host = 127.0.0.1
db_port = {self.stack.ports["postgres"]}
db_user = {self.stack.environment()["PGUSER"]}
db_password = {self.stack.db_password}
db_name = {self.database}
dbfilter = ^{self.database}$
list_db = False
http_interface = 127.0.0.1
http_port = {self.port or 8069}
""")
        return config

    def odoo_command(self, *arguments: str) -> list:
        """Return the command line of ``odoo-bin`` with our configuration."""
        return [sys.executable, "-m", "odoo", f"--config={self.write_config()}", *arguments]

    def command(self):
        return ["setpriv", "--pdeathsig", "TERM", *self.odoo_command(f"--logfile={self.log}")]

    def run(self, *arguments: str):
        """Run ``odoo-bin`` with these arguments until it ends; raise StackError if it failed."""
        log = self.folder / f"{self.database}.log"
        command = self.odoo_command("--no-http", "--stop-after-init", *arguments)
        with open(log, "wb") as output:
            code = subprocess.run(command, stdout=output, stderr=output).returncode
        if code or b" CRITICAL " in log.read_bytes():
            raise StackError(f"odoo-bin {' '.join(arguments)} failed, see {log}")

    def script(self, name: str, **env: str):
        """Run a file of this repository in ``odoo-bin shell``.

        :param env: environment variables
        """
        command = self.odoo_command("--log-level=warn")
        command.insert(3, "shell")
        with (
            open(REPO / name) as script,
            open(self.folder / "script.log", "wb") as output,
        ):
            result = subprocess.run(
                command, stdin=script, stdout=output, stderr=output, env={**os.environ, **env}
            )
        if result.returncode or b"Traceback" in (self.folder / "script.log").read_bytes():
            raise StackError(f"{name} failed, see {self.folder / 'script.log'}")

    def is_ready(self):
        try:
            with urllib.request.urlopen(f"{self.url}/web/health", timeout=5) as answer:
                return answer.status == 200
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            return False

    def exists(self) -> bool:
        """Tell whether the database is there."""
        query = f"SELECT 1 FROM pg_database WHERE datname = '{self.database}'"
        command = ["psql", "-At", "-d", "postgres", "-c", query]
        return bool(subprocess.check_output(command, env=self.stack.environment()))

    def drop(self):
        """Drop the database and its filestore, if they are there."""
        command = ["dropdb", "--if-exists", "--force", self.database]
        subprocess.run(command, env=self.stack.environment(), check=True, stderr=subprocess.DEVNULL)
        shutil.rmtree(self.filestore, ignore_errors=True)

    def install(self, modules: str):
        """Make the database afresh, without demo data."""
        self.drop()
        self.run("-i", modules, "--without-demo=all")

    def set_up_demo(self):
        """Do what an administrator does in the settings: users, aliases, mailbox and relay."""
        ports = {f"{name.upper()}_PORT": str(self.stack.ports[name]) for name in ("smtp", "imap")}
        self.script("setup/demo_data.py", MAIL_PASSWORD=MAIL_PASSWORD, **ports)

    def psql(self, query: str) -> str:
        """Return what a query prints, unaligned, without a header."""
        command = ["psql", "-At", "-d", self.database, "-c", query]
        return subprocess.check_output(command, env=self.stack.environment(), text=True).strip()

    def login(self, login: str = "admin", password: str = "admin"):
        """Return ``call(model, method, *args, **kwargs)`` over XML-RPC as this user."""
        common = xmlrpc.client.ServerProxy(f"{self.url}/xmlrpc/2/common")
        uid = common.authenticate(self.database, login, password, {})
        if not uid:
            raise StackError(f"{login} may not log in")
        proxy = xmlrpc.client.ServerProxy(f"{self.url}/xmlrpc/2/object", allow_none=True)

        def call(model, method, *args, **kwargs):
            return proxy.execute_kw(self.database, uid, password, model, method, args, kwargs)

        return call


class Listener(Server):
    """``odoo-bin catchall-listen`` for the database of an Odoo."""

    name = "listener"

    def __init__(self, odoo: Odoo, *arguments: str):
        super().__init__(odoo.stack)
        self.odoo = odoo
        self.arguments = arguments

    def command(self):
        # Odoo finds commands of addons by --addons-path first
        odoo_bin = [sys.executable, "-m", "odoo", f"--addons-path={addons_path()}"]
        files = [f"--config={self.odoo.write_config()}", f"--logfile={self.log}"]
        own = [*odoo_bin, "catchall-listen", *files, *self.arguments]
        return ["setpriv", "--pdeathsig", "TERM", *own]

    def is_ready(self):
        """Tell whether the log says that this very process listens."""
        line = rf" {self.process.pid} INFO .*: Listening: "
        return self.log.exists() and bool(re.search(line, self.log.read_text()))


__all__ = ["REPO", "Listener", "Odoo", "wait_for"]
