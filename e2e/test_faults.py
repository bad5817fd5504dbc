"""What the machine does to a fetch: kills at random, a full disk, a restarted database."""

import contextlib
import os
import resource
import secrets
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from test_fetching import count_files, drop, fetch, flags, put_again, put_mail, stored

#: Mails and kills; ``setup/test.sh --all`` takes 10,000 and 100.
MAILS, KILLS = map(int, os.environ.get("MCG_KILLS", "300,20").split(","))
#: Mails that two workers process in a second, at least: so long are the kills spread.
SPEED = 40


def test_two_workers_killed_at_random(world):
    ids = drop(world, MAILS)
    world.commit()
    script = Path(__file__).with_name("random_kills.py")
    seconds = 0.6 * MAILS / SPEED / KILLS
    arguments = [world.config, world.database, KILLS, seconds, MAILS]
    subprocess.run([sys.executable, str(script), *map(str, arguments)], check=True)
    world.restart()
    world.cr.execute("SELECT message_id, state FROM mail_catchall_inbound ORDER BY message_id")
    assert world.cr.fetchall() == [(message_id, "delivered") for message_id in sorted(ids)]
    world.cr.execute(
        "SELECT message_id FROM mail_message WHERE model = 'mail.catchall.conversation'"
        " ORDER BY message_id"
    )
    assert [row[0] for row in world.cr.fetchall()] == sorted(ids)
    assert world.env["mail.catchall.conversation"].search_count([]) == MAILS
    assert len(world.inbox("john")) == MAILS
    assert flags(world) == ["S"] * MAILS
    world.cr.execute("SELECT max(attempt_count), sum(attempt_count) FROM mail_catchall_inbound")
    most, attempts = world.cr.fetchone()
    print(f"{MAILS} mails, {KILLS} kills: {attempts} attempts, at most {most} for one mail")


@contextlib.contextmanager
def full_disk():
    """No file grows beyond a limit: what is written ends in the middle, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_the_disk_of_the_filestore_is_full(world, mailbox):
    ids = drop(world, 1, text="large\n" * 100_000)
    with full_disk():
        result = fetch(mailbox)
        again = fetch(mailbox)
    assert (result.code, again.code) == ("error", "error")
    assert "full" in mailbox.last_error
    assert (stored(world), flags(world)) == ([], [""])
    assert fetch(mailbox).count == 1
    assert stored(world) == ids
    source = world.env["mail.catchall.inbound"].search([])._get_source()
    assert source.count(b"large") == 100_000


def test_the_disk_is_full_while_mail_is_delivered(world, mailbox):
    """Core only logs that an attachment could not be written."""
    text = secrets.token_hex(150_000)  # in no file of an earlier run
    put_mail(
        world,
        'Content-Type: multipart/mixed; boundary="b"\n\n--b\n\nSee there.\n--b\n'
        "Content-Type: text/plain\nContent-Disposition: attachment; filename=plan.txt\n\n"
        f"{text}\n--b--\n",
    )
    fetch(mailbox)
    with full_disk():
        world.env["mail.catchall.queue"]._process_waiting()
    inbound = world.env["mail.catchall.inbound"].search([])
    assert (inbound.state, inbound.mail_message_ids.ids) == ("pending", [])
    assert "full" in inbound.reason
    world.make_due()
    world.cycle()
    assert inbound.state == "delivered"
    assert inbound.mail_message_ids.attachment_ids.raw.decode().strip() == text


def test_a_copy_leaves_although_its_message_is_read_meanwhile(world):
    put_mail(world, "\n\nTwo, please.\n")
    world.env["fetchmail.server"]._fetch_mails()
    world.env["mail.catchall.queue"]._process_waiting()
    world.commit()
    world.cr.execute("SELECT id FROM mail_mail WHERE state = 'outgoing'")  # the run has begun
    assert world.cr.rowcount == 1
    world.odoo.psql("UPDATE mail_notification SET is_read = true")
    world.env["mail.mail"].process_email_queue()
    world.commit()
    assert not world.env["mail.mail"].search([])
    world.mails("john@home.test", 1)


def test_a_file_torn_by_a_kill_does_not_block_its_mail(world, mailbox):
    ids = drop(world, 1)
    fetch(mailbox)
    inbound = world.env["mail.catchall.inbound"].search([])
    attachment = inbound._get_source_attachments()
    path, raw = Path(attachment._full_path(attachment.store_fname)), inbound._get_source()
    # as if the process had been killed in the middle of it, and so its transaction
    attachment.unlink()
    inbound.unlink()
    world.commit()
    path.write_bytes(raw[:10])
    (file,) = world.files("catchall@acme.test")
    file.rename(file.parent.parent / "new" / file.name.partition(":")[0])
    assert fetch(mailbox).count == 1
    assert stored(world) == ids
    assert path.read_bytes() == raw


@pytest.fixture
def restart_before(world, monkeypatch):
    """A function that has PostgreSQL restart before a method of inbound emails is called, once.

    It returns a list that has an entry when that happened.
    """
    (postgres, *_others) = world.stack.servers
    cls = type(world.env["mail.catchall.inbound"])

    def patch(name):
        method, restarts = getattr(cls, name), []

        def restart(self, *args):
            monkeypatch.undo()
            postgres.stop()
            postgres.start()
            restarts.append(name)
            return method(self, *args)

        monkeypatch.setattr(cls, name, restart)
        return restarts

    return patch


def test_the_database_is_restarted_in_between(world, mailbox, restart_before):
    ids = drop(world, 3)
    restarts = restart_before("_store")
    with pytest.raises(psycopg2.Error):
        fetch(mailbox)
    assert restarts
    world.restart()
    assert (stored(world), flags(world)) == ([], [""] * 3)
    world.cycle()
    assert stored(world) == sorted(ids)
    assert len(world.inbox("john")) == 3


def test_the_database_is_restarted_while_mail_is_processed(world, mailbox, restart_before):
    ids = drop(world, 3)
    fetch(mailbox)
    restarts = restart_before("_finish")
    with pytest.raises(psycopg2.Error):
        world.env["mail.catchall.queue"]._process_waiting()
    assert restarts
    world.restart()
    inbounds = world.env["mail.catchall.inbound"].search([])
    assert inbounds.mapped("state") == ["processing"] * 3
    assert not world.inbox("john")
    world.make_due()
    world.cycle()
    assert (stored(world), inbounds.mapped("state")) == (sorted(ids), ["delivered"] * 3)
    assert len(world.inbox("john")) == 3
    world.mails("john@home.test", 3)


def test_a_mail_that_the_database_cannot_store_holds_up_no_other(world, mailbox, monkeypatch):
    """As long as one thing about a mail is wrong, it alone stays in the mailbox."""
    ids = drop(world, 3)
    cls = type(world.env["mail.catchall.inbound"])
    store = cls._store

    def store_and_fail(self, mails):
        inbounds = store(self, mails)
        if bad := inbounds.filtered(lambda inbound: inbound.message_id == ids[1]):
            # PostgreSQL indexes no value that is so long and cannot be compressed
            bad.message_id = "".join(secrets.token_hex(32) for _number in range(500))
            bad.flush_recordset()
        return inbounds

    monkeypatch.setattr(cls, "_store", store_and_fail)
    result = fetch(mailbox)
    assert result.count == 2
    assert "index" in mailbox.last_error
    assert flags(world).count("S") == 2
    monkeypatch.undo()
    assert fetch(mailbox).count == 1
    assert not mailbox.last_error
    assert stored(world) == sorted(ids)


def test_a_message_id_without_end(world, mailbox):
    message_id = f"<{secrets.token_hex(20_000)}@customer.test>"
    put_mail(world, "\nHello", message_id=message_id)
    ids = drop(world, 1)
    world.cycle()
    assert world.inbound(ids[0]).state == "delivered"
    other = world.env["mail.catchall.inbound"].search([("message_id", "!=", ids[0])])
    assert other.state == "delivered", other.error
    assert not mailbox.last_error
    again = world.files("catchall@acme.test")[0]
    put_again(again)
    world.cycle()
    assert len(world.inbox("john")) == 2, "a copy of it is known"


def test_a_form_that_is_saved_meanwhile_makes_no_error(world, mailbox, monkeypatch):
    from odoo.addons.mail_catchall_gateway.models.mailbox.mailbox_reader import MailboxReader

    close = MailboxReader._close

    def save_and_close(self, *args):
        with self.env.registry.cursor() as cr:
            cr.execute("UPDATE fetchmail_server SET name = 'Renamed'")
        return close(self, *args)

    monkeypatch.setattr(MailboxReader, "_close", save_and_close)
    assert mailbox.name != "Renamed"  # reads it: the transaction began before
    assert fetch(mailbox).code == "fetched"
    assert (mailbox.name, mailbox.last_error) == ("Renamed", False)


def test_no_lock_of_a_mailbox_outlives_what_fails(world, mailbox, monkeypatch):
    cls = type(mailbox)

    def fail(self, result):
        self.env.cr.execute("SELECT 1 / 0", log_exceptions=False)

    monkeypatch.setattr(cls, "_prepare_error", fail)
    monkeypatch.setattr(cls, "_prepare_success", fail)
    with pytest.raises(psycopg2.Error):
        fetch(mailbox)
    monkeypatch.undo()
    world.env.cr.rollback()
    world.cr.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND database ="
        " (SELECT oid FROM pg_database WHERE datname = current_database())"
    )
    assert world.cr.fetchone() == (0,)


@pytest.mark.parametrize("server_type", ["gmail", "outlook"])
def test_servers_that_log_in_by_oauth(world, mailbox, server_type, monkeypatch):
    """Core's classes log in; of theirs, only what the provider would check is not."""
    import imaplib

    from stack import MAIL_PASSWORD

    logins = []

    def authenticate(connection, mechanism, get_token):
        logins.append((mechanism, get_token(b"")))
        return connection.login("catchall@acme.test", MAIL_PASSWORD)

    cls = type(world.env["fetchmail.server"])
    monkeypatch.setattr(imaplib.IMAP4, "authenticate", authenticate)
    monkeypatch.setattr(cls, "_generate_oauth2_string", lambda *_args: "token")
    monkeypatch.setattr(cls, "_generate_outlook_oauth2_string", lambda *_args: "token")
    # by SQL: an Outlook server insists on TLS, which our Dovecot does not speak
    world.cr.execute("UPDATE fetchmail_server SET server_type = %s", [server_type])
    world.commit()
    ids = drop(world, 3)
    world.cycle()
    assert logins == [("XOAUTH2", "token")]
    assert stored(world) == sorted(ids)
    assert flags(world) == ["S"] * 3
    assert len(world.inbox("john")) == 3
    mailbox.write({"after_fetch": "move", "archive_folder": "Done"})
    drop(world, 2)
    world.cycle()
    assert count_files(world, ".Done") == 2
