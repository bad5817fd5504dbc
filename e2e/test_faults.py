"""What the machine does to a fetch: kills at random, a full disk, a restarted database."""

import os
import resource
import subprocess
import sys
from pathlib import Path

import psycopg2
import pytest
from test_fetching import count_files, drop, fetch, flags, stored

#: Mails and kills; ``setup/test.sh --all`` takes 10,000 and 100.
MAILS, KILLS = map(int, os.environ.get("MCG_KILLS", "300,20").split(","))
#: Mails that two workers process in a second, at least: so long are the kills spread.
SPEED = 40


@pytest.fixture
def mailbox(world):
    return world.env["fetchmail.server"].search([("is_catchall", "=", True)])


def test_two_workers_killed_at_random(world):
    ids = drop(world, MAILS)
    world.commit()
    script = Path(__file__).with_name("random_kills.py")
    seconds = 0.6 * MAILS / SPEED / KILLS
    subprocess.run(
        [sys.executable, str(script), str(world.config), world.database, str(KILLS), str(seconds)],
        check=True,
    )
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


def test_the_disk_of_the_filestore_is_full(world, mailbox):
    """A file cannot grow beyond a limit: what is written ends in the middle, as on a full disk."""
    ids = drop(world, 1, text="large\n" * 100_000)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, before[1]))
    try:
        result = fetch(mailbox)
        again = fetch(mailbox)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert (result.code, again.code) == ("error", "error")
    assert "full" in mailbox.last_error
    assert (stored(world), flags(world)) == ([], [""])
    assert fetch(mailbox).count == 1
    assert stored(world) == ids
    source = world.env["mail.catchall.inbound"].search([])._get_source()
    assert source.count(b"large") == 100_000


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


def test_the_database_is_restarted_in_between(world, mailbox, monkeypatch):
    ids = drop(world, 3)
    (postgres, *_others) = world.stack.servers
    cls = type(world.env["mail.catchall.inbound"])
    store = cls._store

    def restart_and_store(self, mails):
        monkeypatch.undo()
        postgres.stop()
        postgres.start()
        return store(self, mails)

    monkeypatch.setattr(cls, "_store", restart_and_store)
    with pytest.raises(psycopg2.Error):
        fetch(mailbox)
    assert cls._store is store
    world.restart()
    assert (stored(world), flags(world)) == ([], [""] * 3)
    world.cycle()
    assert stored(world) == sorted(ids)
    assert len(world.inbox("john")) == 3


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
