"""Core's own tests in a database with the addon and in one without it: the same must fail.

Each run of a suite is remembered with what it was a run of, so that one that was interrupted goes
on where it was. What stock Odoo does changes only with Odoo.
"""

import ast
import dataclasses
import hashlib
import json
import os
import re
import shutil
import subprocess
from pathlib import Path

from odoo_process import REPO, Odoo, addons_path
from server import StackError, free_port

ADDON = "mail_catchall_gateway"

_STARTED = re.compile(r" odoo\.addons\.([\w.]+): Starting ([\w.]+) \.\.\.")
_FAILED = re.compile(r" odoo\.addons\.([\w.]+): (?:FAIL|ERROR): (?:Subtest )?([\w.]+)")


@dataclasses.dataclass(frozen=True)
class Suite:
    """Tests of core's that are run together.

    Arguments:
        name (str): by which one is chosen
        modules (str): to install, separated by commas
        tags (str): see ``odoo-bin --test-tags``
    """

    name: str
    modules: str
    tags: str


SUITES = [
    Suite("mail", "mail", "/mail"),
    Suite("test_mail", "test_mail", "/test_mail"),
    Suite("test_mail_full", "test_mail_full", "/test_mail_full"),
    Suite("mass_mailing", "mass_mailing", "/mass_mailing"),
    Suite("test_mass_mailing", "test_mass_mailing", "/test_mass_mailing"),
    Suite(
        "crm",
        "crm",
        "/crm:TestCRMLead,/crm:TestLeadFormTools,/crm:TestCrmLeadMailTrackingDuration,"
        "/crm:TestCRMLeadMultiCompany,/crm:NewLeadNotification",
    ),
    Suite("project", "project", "/project:TestProjectBase,/project:TestProjectFlow"),
    # Odoo 17 has no tests of google_gmail; it must not disturb those of the other
    Suite("outlook", "google_gmail,microsoft_outlook", "/google_gmail,/microsoft_outlook"),
]


class CoreSuites:
    """Runs the suites on the servers of a stack, and compares."""

    def __init__(self, stack, state: Path):
        self.stack = stack
        self.folder = state / "core"
        self.folder.mkdir(exist_ok=True)

    def run(self, names=()) -> str:
        """Run suites, all of them if none is named, and return how many tests there were.

        :raise StackError: if tests fail, or are not run, with the addon only
        """
        differences, tests, both = [], 0, set()
        for suite in SUITES:
            if names and suite.name not in names:
                continue
            stock, ours = self._get_result(suite, False), self._get_result(suite, True)
            tests += len(ours["ran"])
            both.update(set(stock["failed"]) & set(ours["failed"]))
            differences += [f"only with the addon fails {test}" for test in _new(stock, ours)]
            missing = set(stock["ran"]) - set(ours["ran"])
            differences += [f"not run with the addon: {test}" for test in sorted(missing)]
            print(f"{suite.name}: {len(stock['ran'])} and {len(ours['ran'])} tests", flush=True)
        for test in sorted(both):
            print(f"fails without the addon as well: {test}")
        if differences or not tests:
            raise StackError("\n".join(differences) or "no test was run")
        return f"{tests} tests, no difference ({len(both)} fail without the addon as well)"

    def _get_result(self, suite, has_addon):
        """Return the result of a run, of an earlier one if nothing has changed."""
        kind = "addon" if has_addon else "stock"
        path = self.folder / f"{suite.name}_{kind}.json"
        key = f"{suite} {os.environ['ODOO_SOURCE']} {_digest_addon() if has_addon else ''}"
        if path.exists():
            result = json.loads(path.read_text())
            if result["key"] == key:
                return result
        result = {"key": key, **self._run_suite(suite, kind)}
        draft = path.with_suffix(".draft")
        draft.write_text(json.dumps(result))
        draft.rename(path)
        return result

    def _run_suite(self, suite, kind):
        database = f"core_{suite.name}_{kind}"
        odoo = Odoo(self.stack, database, free_port())
        odoo.drop()
        modules = f"{ADDON},{suite.modules}" if kind == "addon" else suite.modules
        command = odoo.odoo_command(
            *("-i", modules),
            f"--addons-path={self._make_addons_path()}",
            "--stop-after-init",
            "--test-enable",
            f"--test-tags={suite.tags}",
            "--log-level=test",
        )
        log = self.folder / f"{suite.name}_{kind}.log"
        with open(log, "wb") as output:
            subprocess.run(command, stdout=output, stderr=output)
        odoo.drop()
        result = read_log(log.read_text(errors="replace"))
        if not result["ran"]:
            raise StackError(f"odoo-bin ran no tests, see {log}")
        return result

    def _make_addons_path(self):
        """Return a path with the addon but for its demo data.

        Core's tests want those of core, and that no company has an alias domain yet.
        """
        folder = self.folder / "addons"
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(REPO / ADDON, folder / ADDON)
        manifest = folder / ADDON / "__manifest__.py"
        values = ast.literal_eval(manifest.read_text())
        values.pop("demo")
        manifest.write_text(repr(values))
        return addons_path(folder)


def read_log(text):
    """Return which tests ran, and which failed, by odoo-bin's log.

    :raise StackError: if it did not come to its end
    """
    if not re.search(r"\d+ failed, \d+ error\(s\) of \d+ tests", text):
        raise StackError("odoo-bin did not come to its end")
    ran = {".".join(found) for found in _STARTED.findall(text)}
    failed = {".".join(found) for found in _FAILED.findall(text)}
    return {"ran": sorted(ran), "failed": sorted(failed)}


def _new(stock, ours):
    return sorted(set(ours["failed"]) - set(stock["failed"]))


def _digest_addon():
    """Return what tells two states of the addon apart."""
    digest = hashlib.sha256()
    for path in sorted((REPO / ADDON).rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            digest.update(str(path.relative_to(REPO)).encode() + path.read_bytes())
    return digest.hexdigest()
