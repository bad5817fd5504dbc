"""The checks behind test.sh, each with odoo-bin's or pytest's own count of tests."""

import argparse
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

from builds import find_builds, use_build
from core_suites import CoreSuites
from jobs import Job, run_jobs
from odoo_process import REPO, Odoo
from released import upgrade_database
from server import StackError, exit_on_signals, free_port
from stack import Stack
from translations import export_template, find_faults, languages

ADDON = "mail_catchall_gateway"
CORE_GATEWAY = "mail_gateway/test_mail"
#: The first wants certificates of Python 3.10, and ::1 as localhost; the second fails with core's
#: own module mail, which names another address.
CORE_MAIL_SERVER = "not TestIrMailServerSMTPD and not test_mail_server_get_test_email_from"
#: Mail in, decided about and out: what breaks first on another build of Odoo.
BASIC_TESTS = "TestInbound,TestReplies,TestUnrouted,TestMailMail,TestIrMailServer".split(",")
BASIC_E2E = "next_mail_in or one_click_delivers_it or three_addressees or twice_is_delivered_once"
#: A database with the addon alone: core's tests expect that no company has an alias domain yet,
#: and that of the demo data does.
PLAIN = "test_plain"


class Checks:
    """The checks, each of which returns its own count and raises StackError if it fails."""

    def __init__(self, state: Path, stack: Stack):
        self.state = state
        self.stack = stack

    # ------------------------------------------------------------
    # CHECKS
    # ------------------------------------------------------------

    def lint(self):
        """ruff, pylint-odoo, prettier, shellcheck"""
        self.python("-m", "pre_commit", "run", "-a", "--show-diff-on-failure")
        return "clean"

    def odoo_bin(self):
        """odoo-bin --test-enable, installed into an empty database"""
        return self.odoo_test("test_install", "-i", ADDON, tags=f"/{ADDON}")

    def pytest_odoo(self):
        """the same tests by pytest-odoo, in a used database of the release that was upgraded"""
        odoo = Odoo(self.stack, "test_upgrade", free_port())
        return self.pytest(
            f"--odoo-config={odoo.write_config()}",
            f"--odoo-database={odoo.database}",
            "--odoo-http",
            "upgrade",
            f"{ADDON}/tests",
            environment={"MCG_UPGRADE": str(upgrade_database(odoo))},
            measured="pytest_odoo",
        )

    def i18n(self):
        """every text is exported, and in every language"""
        faults = find_faults(export_template(Odoo(self.stack, PLAIN)))
        print("\n".join(faults))
        if faults:
            raise StackError(f"{len(faults)} faults in i18n/")
        return f"complete: {', '.join(path.stem for path in languages())}"

    def gateway(self):
        """core's own gateway tests, with the addon"""
        modules = f"{ADDON},test_mail"
        return self.odoo_test("test_core", "-i", modules, "--without-demo=all", tags=CORE_GATEWAY)

    def e2e(self):
        """end to end: Postfix, Dovecot, processes that die, uninstalling"""
        return self.pytest("-p", "no:odoo", "e2e", measured="e2e")

    def coverage(self):
        """lines and branches that neither pytest_odoo nor e2e went through"""
        data = f"--data-file={self.state / 'coverage'}"
        parts = map(str, sorted(self.state.glob("coverage_*")))
        self.python("-m", "coverage", "combine", "--quiet", "--keep", data, *parts)
        self.python("-m", "coverage", "report", data)
        total = [sys.executable, "-m", "coverage", "report", "--format=total", data]
        return f"{subprocess.check_output(total, cwd=REPO, text=True).strip()} %"

    def kills(self):
        """10,000 mails, two workers, 100 kills; the dialogue cut after every 7th octet"""
        long = {"MCG_KILLS": "10000,100", "MCG_CUT_STEP": "7"}
        names = "killed_at_random or cut_after"
        return self.pytest("-p", "no:odoo", "-s", "e2e", "-k", names, environment=long)

    def fuzz(self):
        """made-up mails the whole way: MCG_FUZZ=mails,processes,seed (500,2,1)"""
        state, odoo = self.state / "fuzz", Odoo(self.stack, "test_fuzz")
        mails, processes, seed = os.environ.get("MCG_FUZZ", "500,2,1").split(",")
        if "MCG_FUZZ" not in os.environ:
            shutil.rmtree(state, ignore_errors=True)  # a long run goes on where it was
        odoo.run("-u" if odoo.exists() else "-i", ADDON, "--without-demo=all")
        numbers = ["--mails", mails, "--processes", processes, "--seed", seed]
        config = str(odoo.write_config())
        fuzz = str(REPO / "fuzz" / "run.py")
        self.python(fuzz, config, odoo.database, "--state", str(state), *numbers)
        return f"{mails} mails have a verdict"

    def soak(self):
        """an hour of mixed traffic, and each mail accounted for: MCG_SOAK=minutes (60)"""
        minutes = os.environ.get("MCG_SOAK", "60")
        state = self.state / "soak"
        soak = str(REPO / "soak" / "run.py")
        self.python(soak, "--minutes", minutes, "--state", str(state))
        return f"{minutes} minutes, nothing lost, nothing twice"

    def oldest(self):
        """install and the basic tests on the oldest build of Odoo that is here"""
        build, *newer = find_builds()
        if not newer:
            return "no other build is here"
        use_build(build)
        tags = ",".join(f"/{ADDON}:{name}" for name in BASIC_TESTS)
        result = self.odoo_test("test_oldest", "-i", ADDON, "--without-demo=all", tags=tags)
        return f"{build.name}: {result}"

    def builds(self):
        """all tests, and the basic path end to end, on every build of Odoo that is here"""
        results, has_failed = [], False
        environment = {"MCG_STATE": str(self.state / "builds")}
        Path(environment["MCG_STATE"]).mkdir(exist_ok=True)
        path = ("-p", "no:odoo", "e2e", "-k", BASIC_E2E)
        for build in find_builds():
            use_build(build)
            database = f"test_{re.sub(r'[^a-z0-9]', '_', build.name.lower())}"
            for run in (
                partial(self.odoo_test, database, "-i", ADDON, tags=f"/{ADDON}"),
                partial(self.pytest, *path, environment=environment),
            ):
                try:
                    result = run()
                except StackError as error:
                    result, has_failed = f"FAILED, {error}", True
                results.append(f"{build.name}: {result}")
        print("\n".join(results))
        if has_failed:
            raise StackError("; ".join(results))
        return "; ".join(results)

    def demo(self):
        """setup/run.sh in a fresh state folder"""
        demo = self.state / "demo_check"
        shutil.rmtree(demo, ignore_errors=True)
        demo.mkdir()
        self.python(str(REPO / "setup" / "run.py"), "--state", str(demo), "--check")
        return "all mails arrived"

    def core(self):
        """core's suites, with the addon and without it (CORE_SUITES=mail,crm: only these)"""
        names = [name for name in os.environ.get("CORE_SUITES", "").split(",") if name]
        return CoreSuites(self.stack, self.state).run(names)

    def mail_server(self):
        """base's tests of outgoing mail servers, in a database with the addon"""
        tests = Path(importlib.util.find_spec("odoo").origin).parent / "addons" / "base" / "tests"
        odoo = Odoo(self.stack, PLAIN, free_port())
        odoo.run("-u" if odoo.exists() else "-i", ADDON, "--without-demo=all")
        return self.pytest(
            f"--odoo-config={odoo.write_config()}",
            f"--odoo-database={PLAIN}",
            "-k",
            CORE_MAIL_SERVER,
            *map(str, sorted(tests.glob("test_ir_mail_server*.py"))),
        )

    # ------------------------------------------------------------
    # HOW
    # ------------------------------------------------------------

    def python(self, *arguments: str):
        """Run a Python program and show what it prints; raise StackError if it fails."""
        if subprocess.run([sys.executable, *arguments], cwd=REPO).returncode:
            raise StackError(f"{' '.join(arguments)} failed")

    def pytest(self, *arguments: str, environment=None, measured="") -> str:
        """Run pytest, and return its own summary.

        :param str measured: the check that its coverage is counted for; without it, it is not
        """
        data = f"--data-file={self.state / f'coverage_{measured}'}"
        runner = ["-m", "coverage", "run", data] if measured else []
        text = ""
        with subprocess.Popen(
            [sys.executable, *runner, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
            cwd=REPO,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env={**os.environ, **(environment or {})},
        ) as process:
            try:
                while octets := process.stdout.read1():  # each point, as it comes
                    print(more := octets.decode(errors="replace"), end="", flush=True)
                    text += more
            except BaseException:
                process.terminate()  # we are stopped
                raise
        last = text.strip().rpartition("\n")[2]
        if process.returncode or not re.search(r"\b\d+ passed", last):
            raise StackError(f"pytest: {last}")
        return last

    def odoo_test(self, database: str, *arguments: str, tags: str) -> str:
        """Run odoo-bin with tests, and return its own count of them."""
        odoo = Odoo(self.stack, database, free_port())
        odoo.drop()
        log = odoo.folder / f"{database}.log"
        command = odoo.odoo_command(
            *arguments,
            "--stop-after-init",
            "--test-enable",
            f"--test-tags={tags}",
            "--log-level=test",
        )
        with open(log, "wb") as output:
            code = subprocess.run(command, stdout=output, stderr=output).returncode
        text = log.read_text(errors="replace")
        for line in text.splitlines():
            if re.search(r" (WARNING|ERROR|CRITICAL) ", line):
                print(line)
        counts = re.findall(r"(\d+ failed, \d+ error\(s\) of (\d+) tests)", text)
        if code or not counts or int(counts[-1][1]) == 0 or " CRITICAL " in text:
            raise StackError(f"{counts[-1][0] if counts else 'odoo-bin failed'}, see {log}")
        return counts[-1][0]


DEFAULT = (
    *("lint", "odoo_bin", "pytest_odoo", "mail_server", "i18n"),
    *("gateway", "oldest", "fuzz", "demo", "e2e", "coverage"),
)
#: What takes longer: with ``--all``, one after the other when all else is through.
LONG = ("builds", "core", "kills", "soak")
#: The longest, which begin first; the others follow as they stand above.
FIRST = ("e2e", "pytest_odoo", "odoo_bin")
#: What a check needs the results, or the database, of.
NEEDS = {"coverage": ("e2e", "pytest_odoo"), "i18n": ("mail_server",)}
#: So many checks at once: the end-to-end tests wait more than they work.
LANES = (os.cpu_count() or 1) + 1


def run_checks(state: Path, names) -> bool:
    """Run checks, several at once, and print how each of them ended."""
    for old in state.glob("coverage_*") if "pytest_odoo" in names else ():
        old.unlink()  # of another state of the source
    jobs = {}
    with Stack(state, durable=False) as stack:
        checks = Checks(state, stack)
        for name in names:
            needs = names[: names.index(name)] if name in LONG else NEEDS.get(name, ())
            check = getattr(checks, name)
            jobs[name] = Job(name, check, state, [jobs[need] for need in needs if need in jobs])
        order = [*(name for name in FIRST if name in jobs), *(n for n in jobs if n not in FIRST)]
        run_jobs([jobs[name] for name in order], LANES)
    print()
    for name, job in jobs.items():
        result = "FAILED" if job.has_failed else "ok"
        print(f"{result:<7} {name:<12} {job.seconds:6.0f} s  {job.result}")
    return not any(job.has_failed for job in jobs.values())


def main():
    parser = argparse.ArgumentParser(description="Runs what CI runs.")
    parser.add_argument("--state", required=True, type=Path, help=argparse.SUPPRESS)
    parser.add_argument(
        "--all", action="store_true", help="core's whole suites and the long fault tests too"
    )
    parser.add_argument("check", nargs="*", help=f"only these: {' '.join((*DEFAULT, *LONG))}")
    args = parser.parse_args()
    exit_on_signals()
    os.environ["MCG_STATE"] = str(args.state)
    os.environ["PRE_COMMIT_HOME"] = str(args.state / "pre-commit")
    os.environ["AIOSMTPD_CONTROLLER_TIMEOUT"] = "60"  # on a machine that does other things too
    state = args.state / "test"
    state.mkdir(exist_ok=True)
    names = args.check or [*DEFAULT, *(LONG if args.all else ())]
    sys.exit(0 if run_checks(state, names) else 1)


if __name__ == "__main__":
    try:
        main()
    except StackError as error:
        sys.exit(f"setup: {error}")
