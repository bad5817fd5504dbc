"""The setup guide, from a database without mail servers to a test mail that came back."""

import contextlib
import imaplib
import time
from unittest.mock import patch

import pytest
from server import wait_for
from stack import MAIL_PASSWORD

GUIDE = "mail.catchall.setup"
PROBE = "mail.catchall.setup.probe"


@pytest.fixture
def guide(world):
    """The guide of a company that has no mail server yet."""
    world.env["fetchmail.server"].search([]).unlink()
    world.env["ir.mail_server"].search([]).unlink()
    action = world.env[GUIDE].action_open()
    yield world.env[GUIDE].browse(action["res_id"])


def set_up(world, guide, domain="acme.test", password=MAIL_PASSWORD):
    """Do what an administrator does in the steps of mailbox and account."""
    ports = world.stack.ports
    guide.alias_domain_id = guide.alias_domain_id.search([("name", "=", domain)]) or (
        guide.alias_domain_id.create({"name": domain})
    )
    guide.write(
        {
            "mailbox_server": "127.0.0.1",
            "mailbox_port": ports["imap"],
            "mailbox_ssl": False,
            "mailbox_user": f"catchall@{domain}",
            "mailbox_password": password,
            "smtp_host": "127.0.0.1",
            "smtp_port": ports["smtp"],
            "smtp_encryption": "none",
        }
    )
    guide.action_check_mailbox()
    guide.action_check_smtp()
    world.commit()


def run_test(world, guide, seconds=60):
    """Send the test mail, and press Check Now until it is known how it ended."""
    guide.action_test()
    world.commit()
    wait_for(lambda: not check(world, guide), "the round trip", seconds)


def check(world, guide):
    time.sleep(0.2)
    waiting = guide.action_check_now()
    world.commit()
    return waiting


@contextlib.contextmanager
def open_mailbox(world, user="catchall@acme.test"):
    """Another mail program in the same mailbox."""
    with imaplib.IMAP4("127.0.0.1", world.stack.ports["imap"]) as connection:
        connection.login(user, MAIL_PASSWORD)
        connection.select("INBOX")
        yield connection


def send_only(world, guide):
    """Send the test mail, and wait until it lies in its mailbox."""
    before = len(world.files("catchall@acme.test"))
    guide.action_test()
    world.commit()
    wait_for(lambda: len(world.files("catchall@acme.test")) > before, "the test mail")


def test_from_nothing_to_a_green_round_trip(world, guide):
    assert (guide.mailbox_state, guide.smtp_state) == ("todo", "todo")
    set_up(world, guide)
    assert guide.mailbox_state == "ok", guide.mailbox_text
    assert "INBOX" in guide.mailbox_folders
    assert guide.smtp_state == "ok", guide.smtp_text
    assert "<john.doe@acme.test>" in guide.smtp_text
    headers = {"Auto-Submitted": "auto-generated", "Return-Path": "catchall@acme.test"}
    # what Postfix is to say of our own mail, in the place of a milter
    checks = {**headers, "X-Test-Checks": "dkim=pass header.d=acme.test"}
    with patch.object(type(world.env[PROBE]), "_get_probe_headers", return_value=checks):
        run_test(world, guide)
    assert guide.test_state == "ok", guide.test_text
    findings = guide.test_findings
    assert findings["recipient_header"] == "X-Original-To"
    assert findings["is_message_id_kept"]
    assert findings["sender"] == "john.doe@acme.test"
    assert findings["seconds"] < 120
    guide.action_take_over()
    world.commit()
    mailbox = guide.mailbox_id
    assert mailbox.recipient_headers.startswith("X-Original-To")
    assert (mailbox.trusted_hops, mailbox.trusted_authserv_id) == (2, "mx.acme.test")
    assert not world.env["mail.catchall.inbound"].search([("state", "!=", "ignored")])
    # with what was taken over, a customer's mail reaches its alias, and a forged one does not
    world.send("undisclosed-recipients:;", bcc=["john.doe@acme.test"])
    world.cycle()
    assert world.inbox("john")
    forged = world.send(
        "catchall@acme.test",
        sender="John <john.doe@acme.test>",
        x_test_checks="dmarc=fail header.from=acme.test",
    )
    world.cycle()
    assert world.inbound(forged).verdict_code == "sender_rejected"


def test_a_server_that_names_the_recipient_in_received_alone(world, guide):
    set_up(world, guide, "plain.test")
    run_test(world, guide)
    assert guide.test_state == "ok", guide.test_text
    assert guide.test_findings["recipient_header"] == "Received"


def test_the_catchall_is_not_active(world, guide):
    set_up(world, guide, "gone.test")
    assert (guide.mailbox_state, guide.smtp_state) == ("ok", "ok"), guide.smtp_text
    run_test(world, guide)
    assert guide.test_state == "error"
    assert "the catch-all is not active" in guide.test_text
    assert "user unknown" in guide.test_text
    assert not world.env["mail.catchall.inbound"].search([("state", "!=", "ignored")])


def test_a_wrong_password(world, guide):
    set_up(world, guide, password="wrong")
    assert guide.mailbox_state == "error"
    assert "Check user and password" in guide.mailbox_text
    assert not guide.mailbox_id.is_catchall


def test_an_account_that_nobody_listens_for(world, guide):
    set_up(world, guide)
    guide.smtp_port = 1
    guide.action_check_smtp()
    assert guide.smtp_state == "error"
    assert "Check the name of the server, the port" in guide.smtp_text
    guide.action_test()
    assert guide.test_state == "error"
    assert "did not take the test mail" in guide.test_text


def test_it_arrived_in_the_spam_folder(world, guide):
    set_up(world, guide)
    send_only(world, guide)
    with open_mailbox(world) as mailbox:
        mailbox.create("Junk")
        mailbox.copy("1:*", "Junk")
        mailbox.store("1:*", "+FLAGS", r"(\Deleted)")
        mailbox.expunge()
    guide.probe_started = time.time()
    assert check(world, guide), "it may still come"
    guide.probe_started -= 301
    assert not check(world, guide)
    assert "the spam folder first" in guide.test_text
