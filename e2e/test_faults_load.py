"""Odoo runs with its scheduled actions, mail flows, and something happens to it meanwhile."""

import contextlib
import datetime
import itertools
import os
import threading
import xmlrpc.client

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from odoo_process import Listener, Odoo
from send import send
from server import free_port, wait_for
from stack import Dovecot
from test_fetching import drop, fetch, stored

import odoo

JOHN = "john.doe@acme.test"
#: Mails that flow before something happens, and after it.
FLOW = 10
#: So many mails wait at most: the server is to be busy, not late.
MOST_WAITING = 30
#: Seconds that this machine may take for anything, which does other things too.
LIMIT = 240


class Flow:
    """Mails to John, one after another, and a server whose scheduled actions handle them."""

    def __init__(self, world):
        self.world = world
        self.database = odoo.sql_db.db_connect(world.database)
        self.sent = []
        self.wakes = True
        self._numbers = itertools.count()
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self):
        self._thread.start()
        return self

    def __exit__(self, *_exc):
        self._is_over.set()
        self._thread.join()

    def _run(self):
        while not self._is_over.wait(0.3):
            if len(self.sent) - self.count() > MOST_WAITING:
                self.wake()
                continue
            number = next(self._numbers)
            # one sender who writes so much would be taken for a machine
            sender = f"Mary Smith <mary.{number}@customer.test>"
            port = self.world.stack.ports["smtp"]
            self.sent.append(send(port, sender, JOHN, f"Mail {number}", "Hello", [JOHN]))
            self.wake()

    def wake(self):
        """Have the server run its scheduled actions now, as soon as it can."""
        if not self.wakes:
            return
        with self.database.cursor() as cr, contextlib.suppress(odoo.sql_db.psycopg2.Error):
            cr.execute(
                "INSERT INTO ir_cron_trigger (cron_id, call_at)"
                " SELECT id, now() AT TIME ZONE 'UTC' FROM ir_cron WHERE id IN %s",
                [self.actions],
            )
            cr.commit()
        with odoo.sql_db.db_connect("postgres").cursor() as cr:
            cr.execute("SELECT pg_notify('cron_trigger', %s)", [self.world.database])

    @property
    def actions(self):
        names = ("ir_cron_mail_gateway_action", "ir_cron_process_inbound")
        query = "SELECT res_id FROM ir_model_data WHERE model = 'ir.cron' AND name IN %s"
        with self.database.cursor() as cr:
            cr.execute(query, [names])
            return tuple(row[0] for row in cr.fetchall())

    def make_due(self):
        """Let the time to the next attempt pass; by psql, which is never too late for its turn."""
        self.world.odoo.psql("UPDATE mail_catchall_inbound SET next_attempt = NULL")
        self.world.odoo.psql("UPDATE fetchmail_server SET next_fetch = NULL")

    def count(self, state="delivered"):
        with self.database.cursor() as cr:
            cr.execute("SELECT count(*) FROM mail_catchall_inbound WHERE state = %s", [state])
            return cr.fetchone()[0]

    def wait_for_more(self, count=FLOW):
        """Wait until so many more mails are delivered."""
        goal = self.count() + count
        wait_for(lambda: self.count() >= goal, f"{count} more mails", LIMIT)

    def finish(self):
        """End the flow, and wait until all of it is there, each mail once."""
        self.__exit__()
        self._wait_until_all_came()
        world = self.world
        world.restart()
        inbounds = world.env["mail.catchall.inbound"].search([])
        assert sorted(inbounds.mapped("message_id")) == sorted(self.sent)
        assert inbounds.mapped("state") == ["delivered"] * len(self.sent)
        assert len(world.inbox("john")) == len(self.sent)
        assert world.env["mail.catchall.conversation"].search_count([]) == len(self.sent)
        world.mails("john@home.test", len(self.sent))

    def _wait_until_all_came(self):
        def came():
            self.wake()
            copies = len(self.world.files("john@home.test"))
            return min(copies, self.count()) >= len(self.sent)

        wait_for(came, "the last mails", LIMIT)


@pytest.fixture
def flow(world):
    with Flow(world) as flow:
        yield flow


class Worker(Odoo):
    """Odoo as a server that may not write where the owner of a folder may not, as root may."""

    def command(self):
        lost = "-dac_override"
        drop = ["--bounding-set", lost, "--inh-caps", lost] if os.geteuid() == 0 else []
        program, *arguments = super().command()
        return [program, *drop, *arguments]


@pytest.fixture
def server(world):
    """Odoo as a server of its own, with scheduled actions, on the database of this test."""
    worker = Worker(world.stack, world.database, free_port())
    world.commit()
    worker.start()
    yield worker
    worker.stop()


# ------------------------------------------------------------
# ODOO
# ------------------------------------------------------------


def test_another_process_installs_a_module(world, flow):
    """A listener works on while tables change, and reads its registry anew.

    A listener, because core lets no scheduled action run meanwhile.
    """
    listener = Listener(world.odoo, "--idle")
    other = Odoo(world.stack, world.database, free_port())
    world.commit()
    flow.wakes = False
    listener.log = world.odoo.folder / f"{world.database}.listener.log"
    with contextlib.ExitStack() as stack:
        for process in (listener, other):
            process.start()
            stack.callback(process.stop)
        flow.wait_for_more()
        call = other.login()
        ids = call("ir.module.module", "search", [("name", "=", "rating")])

        def install():
            """Core refuses it as long as a scheduled action runs."""
            with contextlib.suppress(xmlrpc.client.Fault):
                return call("ir.module.module", "button_immediate_install", ids)

        wait_for(install, "installing", LIMIT)
        flow.wait_for_more()
        flow.finish()
    assert "rating_ids" in world.env["mail.message"]._fields
    assert "Reloading the model registry" in listener.log.read_text()


def test_the_addon_is_upgraded_while_mails_wait(world, server, flow):
    """Odoo and the listener are stopped, as docs/OPERATORS.md says; mail waits outside."""
    domain = world.env["mail.alias.domain"].search([("name", "=", "acme.test")])
    domain.accepted_domain_names = "lmtp.test"
    world.commit()
    ports = world.stack.ports
    listener = Listener(world.odoo, "--idle", f"--lmtp=127.0.0.1:{ports['listener']}")

    def send_by_lmtp(subject):
        recipient = JOHN.replace("acme", "lmtp")
        sender = "Mary Smith <mary@customer.test>"
        flow.sent.append(send(ports["smtp"], sender, recipient, subject, "Hello", [recipient]))

    with contextlib.ExitStack() as stack:
        listener.start()
        stack.callback(listener.stop)
        send_by_lmtp("Before")
        flow.wait_for_more()
        states = ("processing", "pending")  # in the hands of a dead worker; failed a moment ago
        for state in states:
            message_id = f"<{state}@customer.test>"
            source = f"From: {state}@customer.test\nTo: {JOHN}\nMessage-Id: {message_id}\n\nHello\n"
            inbounds = world.env["mail.catchall.inbound"]
            inbound = inbounds.browse(inbounds.receive(source))
            later = odoo.fields.Datetime.add(odoo.fields.Datetime.now(), minutes=10)
            inbound.write({"state": state, "attempt_count": 1, "next_attempt": later})
            flow.sent.append(message_id)
        world.commit()

        flow.wakes = False
        for process in (listener, server):
            process.stop()
        send_by_lmtp("Meanwhile")
        wait_for(lambda: len(flow.sent) - flow.count() >= FLOW, "mail that waits", LIMIT)
        Odoo(world.stack, world.database).run("-u", "mail_catchall_gateway")
        assert [flow.count(state) for state in states] >= [1, 1]
        for process in (server, listener):
            process.start()
        flow.wakes = True

        flow.make_due()
        flow.wait_for_more()
        flow.finish()


# ------------------------------------------------------------
# FILESTORE
# ------------------------------------------------------------


@contextlib.contextmanager
def read_only(folder):
    """Take the right to write from a folder, as a disk that is mounted anew after an error."""
    folders = [folder, *(path for path in folder.rglob("*") if path.is_dir())]
    for path in folders:
        path.chmod(0o555)
    try:
        yield
    finally:
        for path in folders:
            path.chmod(0o755)


def test_the_filestore_is_read_only(world, server, flow, mailbox):
    flow.wait_for_more()
    attached = (
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nSee there.\n--b\n'
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=plan.txt\n\n"
        f"plan {world.database} {os.getpid()}\n--b--\n"
    )
    message_id = "<attached@customer.test>"
    source = f"From: a@customer.test\nTo: {JOHN}\nMessage-Id: {message_id}\n{attached}"
    with read_only(world.odoo.filestore):
        # stored by this process, which may write there: the server is to deliver it
        world.env["mail.catchall.inbound"].receive(source)
        world.commit()
        flow.sent.append(message_id)

        def is_told():
            flow.wake()
            world.commit()
            inbound = world.inbound(message_id)
            return mailbox.last_error and inbound.state == "pending" and inbound.reason

        reason = wait_for(is_told, "words about the filestore", LIMIT)
        assert "may not write" in reason
        assert "may not write" in mailbox.last_error
    flow.make_due()
    flow.wait_for_more()
    flow.finish()
    (inbound,) = world.inbound(message_id)
    assert inbound.mail_message_ids.attachment_ids.name == "plan.txt"


# ------------------------------------------------------------
# TLS
# ------------------------------------------------------------


class SecureDovecot(Dovecot):
    """IMAP with TLS at a port of its own, or without, on the mail of the other one."""

    name = "imaps"

    def __init__(self, stack):
        super().__init__(stack)
        stack.ports[self.name] = free_port()
        self.is_secure = True

    def prepare(self):
        super().prepare()
        ports, folder = self.stack.ports, self.folder
        tls = f"ssl = yes\nssl_cert = <{folder}/cert.pem\nssl_key = <{folder}/key.pem\n"
        port = f"port = {ports[self.name]}\n    ssl = {'yes' if self.is_secure else 'no'}\n"
        text = self.conf.read_text().replace("imap pop3 lmtp", "imap").replace("ssl = no\n", tls)
        self.conf.write_text(text.replace(f"port = {ports['imap']}\n", port))

    def certify(self, days):
        """Write a certificate that is valid for so many days from now on, or was until then."""
        self.folder.mkdir(parents=True, exist_ok=True)
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        now = datetime.datetime.utcnow()
        certificate = (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - datetime.timedelta(days=400))
            .not_valid_after(now + datetime.timedelta(days=days))
            .sign(key, hashes.SHA256())
        )
        pem = serialization.Encoding.PEM
        (self.folder / "cert.pem").write_bytes(certificate.public_bytes(pem))
        (self.folder / "key.pem").write_bytes(
            key.private_bytes(
                pem, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
            )
        )

    def restart(self):
        self.stop()
        self.start()


def test_the_certificate_of_the_mail_server_expires(world, mailbox):
    """Odoo checks no certificate, so that mail goes on; but not without TLS."""
    dovecot = SecureDovecot(world.stack)
    dovecot.certify(days=30)
    ids = drop(world, FLOW)
    with contextlib.ExitStack() as stack:
        dovecot.start()
        stack.callback(dovecot.stop)
        mailbox.write({"port": world.stack.ports["imaps"], "is_ssl": True})
        world.cycle()
        dovecot.certify(days=-1)
        dovecot.restart()
        ids += drop(world, FLOW)
        world.cycle()
        assert (stored(world), mailbox.last_error) == (sorted(ids), False)

        # whoever renews it may leave the port without TLS
        dovecot.is_secure = False
        dovecot.restart()
        ids += drop(world, FLOW)
        pauses = []
        for _attempt in range(4):
            assert fetch(mailbox).code == "error"
            pauses.append(round((mailbox.next_fetch - mailbox.date).total_seconds() / 60))
            ids += drop(world, 1)
        assert pauses == [1, 5, 15, 60]
        assert mailbox.last_error.startswith("No secure connection to 127.0.0.1: ")
        assert mailbox.fetch_status == "failing"
        world.cycle()
        assert mailbox.error_count == 4, "left alone for an hour"

        dovecot.certify(days=30)
        dovecot.is_secure = True
        dovecot.restart()
        world.cr.execute("UPDATE fetchmail_server SET next_fetch = next_fetch - INTERVAL '1 hour'")
        world.commit()
        world.cycle()
    assert (mailbox.last_error, mailbox.fetch_status) == (False, "ok")
    assert stored(world) == sorted(ids)
    assert len(world.inbox("john")) == len(ids)
