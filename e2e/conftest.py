"""End-to-end tests: real Postfix, Dovecot and PostgreSQL, real commits, nothing mocked.

Odoo runs in the test's own process, on a database of its own; where a process must die, in one
more process (``victim.py``). Run by ``setup/test.sh``; some of them by
``PYTEST_ADDOPTS="-k NAME" setup/test.sh e2e``.
"""

import contextlib
import email
import email.policy
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(REPO / "setup"))

from odoo_process import Odoo  # noqa: E402
from send import send  # noqa: E402
from server import wait_for  # noqa: E402
from stack import CATCHALL_DOMAINS, Stack  # noqa: E402

TEMPLATE = "e2e_template"
CUSTOMER = "Mary Smith <mary@customer.test>"


@pytest.fixture(scope="session")
def stack():
    state = Path(os.environ["MCG_STATE"]) / "e2e"
    state.mkdir(exist_ok=True)
    with Stack(state, durable=False) as running:
        yield running


@pytest.fixture(scope="session")
def template(stack):
    """A database with the addon, three users and CRM, made anew in each run."""
    odoo = Odoo(stack, TEMPLATE)
    odoo.install("mail_catchall_gateway,crm,google_gmail,microsoft_outlook")
    odoo.set_up_demo()
    import odoo as odoo_package

    # for all databases, once: it cannot be parsed again
    odoo_package.tools.config.parse_config([f"--config={odoo.write_config()}", "--log-level=warn"])
    return odoo


@pytest.fixture
def world(stack, template, request):
    """A fresh copy of the template, with empty mailboxes."""
    name = "e2e_" + "".join(c if c.isalnum() else "_" for c in request.node.name.lower())[:50]
    world = World(stack, name)
    world.create()
    yield world
    try:
        world.settle()  # for the next test too
        world.assert_nothing_leaked()
    finally:
        world.close()


@pytest.fixture
def mailbox(world):
    """The catch-all mailbox, as a record."""
    return world.env["fetchmail.server"].search([("is_catchall", "=", True)])


class World:
    """One database, the servers, and Odoo in this process."""

    def __init__(self, stack: Stack, database: str):
        self.stack = stack
        self.database = database
        self.odoo = Odoo(stack, database)
        self.cr = None

    def create(self):
        for mailbox in self.stack.mail.glob("*"):
            shutil.rmtree(mailbox)
        environment = self.stack.environment()
        self.odoo.drop()
        subprocess.run(["createdb", "-T", TEMPLATE, self.database], env=environment, check=True)
        shutil.copytree(Odoo(self.stack, TEMPLATE).filestore, self.odoo.filestore)
        self.config = self.odoo.write_config()
        self.open()

    def open(self):
        """Load the registry anew, as after a restart."""
        import odoo

        odoo.modules.registry.Registry.delete(self.database)
        self.cr = odoo.registry(self.database).cursor()
        self.env = odoo.api.Environment(self.cr, odoo.SUPERUSER_ID, {})

    def close(self):
        import odoo

        if self.cr and not self.cr.closed:
            self.cr.close()
        odoo.modules.registry.Registry.delete(self.database)
        odoo.sql_db.close_db(self.database)
        self.odoo.drop()

    # ------------------------------------------------------------
    # MAIL
    # ------------------------------------------------------------

    def send(
        self, to, sender=CUSTOMER, subject="Bicycles", text="Two, please.", bcc=None, **headers
    ):
        """Send a mail by SMTP, and wait until it lies in its mailbox.

        :param bcc: envelope recipients instead of those in the To header field
        :return: its Message-Id
        """
        recipients = bcc or [address for _name, address in email.utils.getaddresses([str(to)])]
        before = {mailbox: len(self.files(mailbox)) for mailbox in map(mailbox_of, recipients)}
        message_id = send(
            self.stack.ports["smtp"], sender, str(to), subject, text, recipients, **headers
        )
        for mailbox, count in before.items():
            more = sum(mailbox_of(recipient) == mailbox for recipient in recipients)
            wait_for(
                lambda m=mailbox, n=count + more: len(self.files(m)) >= n, f"mail to {mailbox}"
            )
        return message_id

    def files(self, mailbox):
        folder = self.stack.mail / mailbox
        while True:
            # by what stays when Dovecot moves one
            paths = {
                path.name.partition(":")[0]: path
                for path in [*folder.glob("new/*"), *folder.glob("cur/*")]
            }
            with contextlib.suppress(FileNotFoundError):
                return sorted(paths.values(), key=lambda path: path.stat().st_mtime)

    def make_maildir(self, folder):
        """Make a folder as Dovecot would."""
        for path in (folder, *(folder / name for name in ("cur", "new", "tmp"))):
            path.mkdir(exist_ok=True)
            shutil.chown(path, "mail", "mail")

    def put_file(self, path, text):
        """Put a mail into a folder, whole from its first moment."""
        draft = self.stack.mail.parent / f"draft.{path.name}"
        draft.write_text(text)
        shutil.chown(draft, "mail", "mail")
        draft.rename(path)

    def mails(self, mailbox, count):
        """Return the ``count`` mails of a mailbox, parsed, the oldest first; wait for them."""
        wait_for(lambda: len(self.files(mailbox)) >= count, f"{count} mails for {mailbox}")
        mails = self.all_mails(mailbox)
        assert len(mails) == count, f"{len(mails)} mails for {mailbox}"
        return mails

    def all_mails(self, mailbox):
        """Return the mails of a mailbox, parsed, the oldest first, when none is on its way."""
        self.settle()
        return [
            email.message_from_bytes(file.read_bytes(), policy=email.policy.default)
            for file in self.files(mailbox)
        ]

    def settle(self):
        """Wait until Postfix has nothing in hands; what it keeps for later does not count."""
        spool = self.stack.state / "smtp" / "spool"
        # in the order of a mail's way, and twice: a bounce comes in before its mail goes
        folders = 2 * [spool / name for name in ("maildrop", "incoming", "active")]

        def is_idle():
            return not any(any(folder.iterdir()) for folder in folders)

        wait_for(is_idle, "Postfix to be through")

    def assert_nothing_leaked(self):
        """Assert that no mail in any mailbox outside shows where a user has his own mailbox."""
        for mailbox in self.stack.mail.glob("*"):
            if mailbox.name.endswith(("@home.test", *(f"@{d}" for d in CATCHALL_DOMAINS))):
                continue
            for mail in self.all_mails(mailbox.name):
                assert_not_leaked(mail, "home.test")

    def cycle(self):
        """Do what the scheduled actions do: fetch and process, then send the queue."""
        self.env["fetchmail.server"]._fetch_mails()
        self.env["mail.catchall.queue"]._process_waiting()
        self.env["mail.mail"].process_email_queue()
        self.commit()

    def commit(self):
        self.cr.commit()
        self.env.invalidate_all()

    def make_due(self):
        """Let the time to the next attempt pass."""
        self.cr.execute("UPDATE mail_catchall_inbound SET next_attempt = NULL")
        self.commit()

    def wait_until_decided(self, seconds=180):
        """Wait until other processes are through with all that came in."""
        waiting = (
            "SELECT count(*) FROM mail_catchall_inbound WHERE state IN ('pending', 'processing')"
        )
        wait_for(lambda: self.odoo.psql(waiting) == "0", "a verdict for each mail", seconds)

    def restart(self):
        """Let this process forget the database, and read it again."""
        self.cr.close()
        self.open()

    # ------------------------------------------------------------
    # ODOO
    # ------------------------------------------------------------

    def user(self, login):
        return self.env["res.users"].search([("login", "=", login)])

    def inbox(self, login):
        """Return the Inbox of a user in Discuss, the oldest first."""
        user = self.user(login)
        return (
            self.env["mail.message"].with_user(user).search([("needaction", "=", True)], order="id")
        )

    def inbound(self, message_id):
        return self.env["mail.catchall.inbound"].search([("message_id", "=", message_id)])


def mailbox_of(recipient):
    """Return where Postfix puts the mail for an address."""
    domain = recipient.partition("@")[2]
    return f"catchall@{domain}" if domain in CATCHALL_DOMAINS else recipient


def assert_not_leaked(mail, address):
    """Assert that no header and no text of a mail shows an address."""
    assert address.lower() not in mail.as_string().lower()
    for part in mail.walk():
        for name, value in part.items():
            assert address.lower() not in str(value).lower(), name
        if part.get_content_maintype() == "text":
            assert address.lower() not in part.get_content().lower()
        elif not part.is_multipart():
            assert address.lower().encode() not in part.get_payload(decode=True).lower()
