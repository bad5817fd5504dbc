"""The listener: mail in seconds, and nothing lost or twice whatever happens meanwhile."""

import argparse
import contextlib
import itertools
import signal
import smtplib
import socket
import subprocess

import pytest
from conftest import CUSTOMER
from odoo_process import Listener
from proxy import Proxy
from send import send
from server import wait_for
from stack import MAIL_PASSWORD

JOHN = "john.doe@acme.test"
JOHN_LMTP = "john.doe@lmtp.test"
#: Mails that flow while something happens.
FLOW = 40
#: So soon mail is there, on a machine that does other things too: no scheduled action is that fast.
SOON = 20


@pytest.fixture
def listen(world, tmp_path):
    """A function that starts a listener with these arguments; it ends with the test."""
    with contextlib.ExitStack() as stack:

        def start(*arguments):
            listener = Listener(world.odoo, *arguments)
            listener.log = tmp_path / "listener.log"
            listener.start()
            stack.callback(listener.stop)
            return listener

        domain = world.env["mail.alias.domain"].search([("name", "=", "acme.test")])
        domain.write({"accepted_domain_names": "lmtp.test", "unrouted_policy": "bounce"})
        world.commit()
        yield start


def lmtp_option(world, port="listener"):
    return f"--lmtp=127.0.0.1:{world.stack.ports[port]}"


def connect(world):
    return smtplib.LMTP("127.0.0.1", world.stack.ports["listener"], timeout=120)


def count_delivered(world):
    query = "SELECT count(*) FROM mail_catchall_inbound WHERE state = 'delivered'"
    return int(world.odoo.psql(query))


def wait_until_delivered(world, count, seconds=SOON):
    wait_for(lambda: count_delivered(world) >= count, f"{count} delivered mails", seconds)


def assert_each_once(world, sent, conversations=None):
    """Assert that all that was sent is in John's Inbox, once, each in a conversation of its own."""
    # a copy that Postfix handed over again, as it heard no answer, may wait longer than its mail
    world.wait_until_decided()
    world.restart()
    inbounds = world.env["mail.catchall.inbound"].search([("message_id", "in", sent)])
    delivered = inbounds.filtered(lambda inbound: inbound.state == "delivered")
    assert sorted(delivered.mapped("message_id")) == sorted(sent)
    # Postfix may hand one over again even now
    decided = (inbounds - delivered).filtered(lambda i: i.state not in ("pending", "processing"))
    assert set(decided.mapped("verdict_code")) <= {"duplicate"}
    assert len(world.inbox("john")) == len(sent)
    assert world.env["mail.catchall.conversation"].search_count([]) == (conversations or len(sent))


def customer(number):
    """Return a sender: many mails from one are taken for a loop."""
    return f"Mary Smith <mary.{number}@customer.test>"


def mail(to=JOHN_LMTP, number=0, text="Two, please."):
    return (
        f"From: {customer(number)}\r\nTo: {to}\r\nSubject: Mail {number}\r\n"
        f"Message-Id: <{number}@customer.test>\r\n\r\n{text}\r\n"
    )


def post(world, to, number=0):
    return send(world.stack.ports["smtp"], customer(number), to, f"Mail {number}", "Hello")


# ------------------------------------------------------------
# IDLE
# ------------------------------------------------------------


def test_mail_is_there_without_a_scheduled_action(world, listen):
    listen("--idle")
    message_id = post(world, JOHN)
    wait_until_delivered(world, 1)
    assert_each_once(world, [message_id])


def test_an_idle_that_is_renewed_misses_nothing(world, listen):
    listen("--idle", "--renew=1")
    sent = []
    for number in range(5):
        sent.append(post(world, JOHN, number))
        wait_until_delivered(world, number + 1)
    assert_each_once(world, sent)


def test_a_server_without_idle_is_asked(world, listen, mailbox):
    commands = []

    def note(line):
        commands.append(line)
        return line

    hooks = {"change": lambda line: line.replace(b" IDLE", b""), "change_command": note}
    with Proxy(world.stack.ports["imap"], **hooks) as proxy:
        mailbox.port = proxy.port
        world.commit()
        listen("--idle", "--poll=1")
        sent = []
        for number in range(3):
            sent.append(post(world, JOHN, number))
            wait_until_delivered(world, number + 1)
        assert_each_once(world, sent)
    assert any(b"NOOP" in line for line in commands)
    assert not any(b"IDLE" in line for line in commands)


def test_mailboxes_are_taken_up_and_left_without_a_restart(world, listen, mailbox):
    mailbox.active = False
    world.commit()
    listener = listen("--idle")
    assert "is watched" not in listener.log.read_text()
    mailbox.active = True
    world.commit()
    wait_for(lambda: "is watched by IDLE" in listener.log.read_text(), "the mailbox", SOON)
    first = post(world, JOHN, 1)
    wait_until_delivered(world, 1)

    mailbox.active = False
    world.commit()
    wait_for(lambda: idle_connections(world) == 0, "the connection to end", SOON)
    second = world.send(JOHN)
    assert world.odoo.psql("SELECT count(*) FROM mail_catchall_inbound") == "1"
    mailbox.active = True
    world.commit()
    wait_until_delivered(world, 2)
    assert_each_once(world, [first, second])


def idle_connections(world):
    """Return how many IMAP sessions Dovecot has."""
    conf = world.stack.state / "imap" / "dovecot.conf"
    who = subprocess.check_output(["doveadm", "-c", conf, "who", "-1"], text=True)
    return sum(" imap " in f" {line} ".replace("\t", " ") for line in who.splitlines()[1:])


def test_a_mailbox_that_somebody_else_reads_is_read_afterwards(world, listen, mailbox):
    listener = listen("--idle")
    wait_for(lambda: "Fetched 0 email" in listener.log.read_text(), "the first look", SOON)
    wait_for(mailbox._lock_mailbox, "the listener to let go of it", SOON)
    world.commit()  # the lock is the session's
    message_id = world.send(JOHN)
    wait_for(lambda: "by another process" in listener.log.read_text(), "a look in vain", SOON)
    assert count_delivered(world) == 0
    mailbox._unlock_mailbox()
    world.commit()
    wait_until_delivered(world, 1)
    assert_each_once(world, [message_id])


def test_sighup_connects_anew(world, listen):
    listener = listen("--idle")
    log = "is watched by IDLE"
    wait_for(lambda: listener.log.read_text().count(log) >= 1, "the mailbox", SOON)
    listener.process.send_signal(signal.SIGHUP)
    wait_for(lambda: listener.log.read_text().count(log) >= 2, "the mailbox again", SOON)
    message_id = post(world, JOHN)
    wait_until_delivered(world, 1)
    assert_each_once(world, [message_id])


def test_a_token_is_renewed_before_it_is_over(world, mailbox, monkeypatch):
    """Core's class for Gmail logs in; of it, only what the provider would check is not."""
    import imaplib

    from odoo.addons.mail_catchall_gateway.cli import threads

    logins = []

    def authenticate(connection, mechanism, get_token):
        logins.append((mechanism, get_token(b"")))
        return connection.login("catchall@acme.test", MAIL_PASSWORD)

    tokens = (f"token {number}" for number in itertools.count())
    cls = type(world.env["fetchmail.server"])
    monkeypatch.setattr(imaplib.IMAP4, "authenticate", authenticate)
    monkeypatch.setattr(cls, "_generate_oauth2_string", lambda *_args: next(tokens))
    monkeypatch.setattr(threads, "MAX_AGE", 1)
    world.cr.execute("UPDATE fetchmail_server SET server_type = 'gmail'")
    world.commit()
    options = argparse.Namespace(renew=540, poll=30)
    thread = threads.MailboxThread(world.database, mailbox.id, [], options, lambda: None)
    thread.start()
    try:
        wait_for(lambda: ("XOAUTH2", "token 4") in logins, "another token", SOON)
        message_id = world.send(JOHN)
        stored = "SELECT message_id FROM mail_catchall_inbound"
        wait_for(lambda: world.odoo.psql(stored) == message_id, "the mail", SOON)
    finally:
        thread.signal.end()
        thread.join(30)
    assert not thread.is_alive()


def test_systemd_hears_how_it_is(world, listen, tmp_path, monkeypatch):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.settimeout(SOON)
        systemd.bind(str(tmp_path / "notify"))
        monkeypatch.setenv("NOTIFY_SOCKET", str(tmp_path / "notify"))
        listener = listen("--idle", lmtp_option(world))
        assert systemd.recv(64) == b"READY=1"
        connect(world).close()
        assert systemd.recv(64) == b"WATCHDOG=1"
        listener.process.send_signal(signal.SIGTERM)
        told = [systemd.recv(64)]
        while told[-1] == b"WATCHDOG=1":
            told.append(systemd.recv(64))
        assert told[-1] == b"STOPPING=1"


# ------------------------------------------------------------
# LMTP
# ------------------------------------------------------------


def test_lmtp_through_postfix(world, listen):
    listen(lmtp_option(world))
    blind = "jane.roe@lmtp.test"
    message_id = send(
        world.stack.ports["smtp"], CUSTOMER, JOHN_LMTP, "Bicycles", "Two.", [JOHN_LMTP, blind]
    )
    wait_until_delivered(world, 1)
    assert_each_once(world, [message_id], conversations=2)
    assert sorted(world.inbound(message_id).envelope_to.split(", ")) == [blind, JOHN_LMTP]
    assert len(world.inbox("jane")) == 1
    raw = world.inbound(message_id)._get_source()
    assert raw.startswith(b"Return-Path: <mary@customer.test>\r\n")


def test_who_mistypes_an_address_is_told_at_once(world, listen):
    listen(lmtp_option(world))
    with smtplib.SMTP("127.0.0.1", world.stack.ports["smtp"]) as smtp:
        smtp.ehlo()
        smtp.mail("mary@customer.test")
        code, text = smtp.rcpt("jon.doe@lmtp.test")
    assert code == 550, text
    assert b"5.1.1" in text
    assert b"Did you mean john.doe@acme.test?" in text
    assert world.odoo.psql("SELECT count(*) FROM mail_catchall_inbound") == "0"


def test_each_recipient_is_answered_on_its_own(world, listen):
    listen(lmtp_option(world), "--recipients=3")
    with connect(world) as lmtp:
        lmtp.ehlo()
        for name in ("pipelining", "8bitmime", "smtputf8", "enhancedstatuscodes", "size"):
            assert lmtp.has_extn(name), name
        # pipelined, with a null sender, as delivery reports have it
        recipients = [
            JOHN_LMTP,
            "nobody.at.all@lmtp.test",
            "jane.roe@acme.test",
            JOHN,
            "a@acme.test",
        ]
        lines = ["MAIL FROM:<> BODY=8BITMIME SMTPUTF8"]
        lines += [f"RCPT TO:<{address}>" for address in recipients]
        lmtp.sock.sendall("".join(f"{line}\r\n" for line in [*lines, "DATA"]).encode())
        codes = [lmtp.getreply() for _line in [*lines, "DATA"]]
        assert [code for code, _text in codes] == [250, 250, 550, 250, 250, 452, 354]
        lmtp.sock.sendall(mail(text="Grüße").encode() + b".\r\n")
        replies = [lmtp.getreply() for _recipient in range(3)]
        assert all(code == 250 and text.startswith(b"2.1.5 ") for code, text in replies), replies
        lmtp.sock.sendall(b"NOOP\r\n")
        assert lmtp.getreply() == (250, b"2.0.0 OK"), "no answer is left over"
    world.commit()
    (inbound,) = world.env["mail.catchall.inbound"].search([])
    assert inbound.envelope_to.split(", ") == [JOHN_LMTP, "jane.roe@acme.test", JOHN]
    assert inbound._get_source().startswith(b"Return-Path: <>\r\n")
    assert "Grüße".encode() in inbound._get_source()


def test_mail_that_is_too_large_is_refused(world, listen, mailbox):
    mailbox.max_message_size = 1
    world.commit()
    listen(lmtp_option(world))
    large = mail(text="large\r\n" * 200_000)
    with connect(world) as lmtp:
        lmtp.ehlo()
        assert lmtp.esmtp_features["size"] == str(1024 * 1024)
        code, text = lmtp.mail("mary@customer.test", [f"SIZE={len(large)}"])
        assert (code, text[:5]) == (552, b"5.3.4")
        # who does not say how large it is
        lmtp.mail("mary@customer.test")
        for address in (JOHN_LMTP, "jane.roe@lmtp.test"):
            assert lmtp.rcpt(address)[0] == 250
        lmtp.docmd("DATA")
        lmtp.sock.sendall(large.encode() + b".\r\n")
        assert [lmtp.getreply()[0] for _recipient in range(2)] == [552, 552]
        assert lmtp.noop()[0] == 250
    assert world.odoo.psql("SELECT count(*) FROM mail_catchall_inbound") == "0"


def test_the_mail_server_keeps_mail_while_the_database_is_away(world, listen):
    listen(lmtp_option(world))
    (postgres, *_others) = world.stack.servers
    with connect(world) as lmtp:
        lmtp.ehlo()
        lmtp.mail("mary@customer.test")
        assert lmtp.rcpt(JOHN_LMTP)[0] == 250
        postgres.stop()
        try:
            code, text = lmtp.rcpt("jane.roe@lmtp.test")
            assert (code, text[:5]) == (451, b"4.3.0")
            lmtp.docmd("DATA")
            lmtp.sock.sendall(mail().encode() + b".\r\n")
            assert lmtp.getreply()[0] == 451
        finally:
            postgres.start()
    world.restart()
    assert not world.env["mail.catchall.inbound"].search([])
    with connect(world) as lmtp:
        lmtp.sendmail("mary@customer.test", [JOHN_LMTP], mail())
    wait_until_delivered(world, 1)
    assert_each_once(world, ["<0@customer.test>"])


def test_who_may_not_connect_is_refused(world, listen):
    listen(lmtp_option(world), "--peers=192.0.2.1,198.51.100.0/24")
    with pytest.raises(smtplib.SMTPConnectError) as error:
        connect(world)
    assert error.value.smtp_code == 554


def test_a_socket_in_the_file_system(world, listen, tmp_path):
    path = tmp_path / "lmtp"
    listener = listen(f"--lmtp=unix:{path}", "--socket-mode=600")
    assert path.stat().st_mode & 0o777 == 0o600
    with smtplib.LMTP(str(path)) as lmtp:
        lmtp.sendmail("mary@customer.test", [JOHN_LMTP], mail())
    wait_until_delivered(world, 1)
    assert_each_once(world, ["<0@customer.test>"])
    listener.stop()
    assert not path.exists()


# ------------------------------------------------------------
# WHATEVER HAPPENS
# ------------------------------------------------------------


def restart_postgres(world, _listener):
    postgres = world.stack.servers[0]
    postgres.stop()
    postgres.start()
    make_abandoned_due(world)


def make_abandoned_due(world):
    """Let the minute pass for which nobody else takes what a worker had in hands."""
    world.odoo.psql(
        "UPDATE mail_catchall_inbound SET next_attempt = NULL WHERE state = 'processing'"
    )


def restart_dovecot(world, _listener):
    dovecot = world.stack.servers[1]
    dovecot.stop()
    dovecot.start()


def kill_listener(world, listener):
    listener.process.kill()
    listener.process.wait()
    make_abandoned_due(world)
    listener.start()


@pytest.mark.parametrize("to", [JOHN, JOHN_LMTP])
@pytest.mark.parametrize("fault", [restart_postgres, restart_dovecot, kill_listener])
def test_faults_while_mail_flows(world, listen, fault, to):
    listener = listen("--idle", lmtp_option(world))
    sent = [post(world, to, 0)]  # Postfix knows the address from here on
    wait_until_delivered(world, 1)
    sent += [post(world, to, number) for number in range(1, FLOW // 2)]
    wait_until_delivered(world, 2)
    fault(world, listener)
    sent += [post(world, to, number) for number in range(FLOW // 2, FLOW)]
    # one that met the fault is tried again after a minute
    wait_until_delivered(world, FLOW, 180)
    assert_each_once(world, sent)


def test_two_listeners_share_the_work(world, listen):
    listen("--idle")
    listen("--idle", lmtp_option(world))
    sent = [post(world, (JOHN, JOHN_LMTP)[number % 2], number) for number in range(FLOW)]
    wait_until_delivered(world, FLOW, 300)
    assert_each_once(world, sent)


def test_many_slow_and_silent_connections_hold_nobody_up(world, listen):
    listener = listen(lmtp_option(world), "--connections=201", "--timeout=40")
    address = ("127.0.0.1", world.stack.ports["listener"])
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection(address)) for _n in range(200)]
        for client in clients:
            client.settimeout(120)
            assert client.recv(1024).startswith(b"220 ")
        for client in clients[::2]:  # the others never say a word
            client.sendall(b"LHLO slow\r\nMAIL FROM:<mary@customer.test>\r\n")
            client.sendall(f"RCPT TO:<{JOHN_LMTP}>\r\nDATA\r\nSubject: slow".encode())
        with connect(world) as lmtp:
            with pytest.raises(smtplib.SMTPConnectError) as error:
                connect(world)
            assert error.value.smtp_code == 421
            lmtp.sendmail("mary@customer.test", [JOHN_LMTP], mail())
        wait_until_delivered(world, 1)
        for client in clients:  # the server does not wait for ever
            while client.recv(4096):
                pass
    assert memory(listener) < 400
    with connect(world) as lmtp:
        lmtp.sendmail("mary@customer.test", [JOHN_LMTP], mail(number=1))
    wait_until_delivered(world, 2)
    assert_each_once(world, ["<0@customer.test>", "<1@customer.test>"])


def memory(server):
    """Return the resident memory of a process in MB."""
    with open(f"/proc/{server.process.pid}/status") as status:
        line = next(line for line in status if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def test_200_connections_at_once_deliver(world, listen):
    listen(lmtp_option(world))
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(connect(world)) for _number in range(200)]
        for number, lmtp in enumerate(clients):
            text = mail(number=number)
            lmtp.sock.sendall(
                f"LHLO mx\r\nMAIL FROM:<mary@customer.test>\r\nRCPT TO:<{JOHN_LMTP}>\r\n"
                f"DATA\r\n{text}.\r\n".encode()
            )
        for lmtp in clients:
            assert [lmtp.getreply()[0] for _reply in range(5)] == [250, 250, 250, 354, 250]
    wait_until_delivered(world, 200, 300)
    assert_each_once(world, [f"<{number}@customer.test>" for number in range(200)])


def test_sigterm_finishes_what_is_coming_in(world, listen):
    listener = listen("--idle", lmtp_option(world))
    with connect(world) as begun, connect(world) as silent:
        begun.ehlo()
        begun.mail("mary@customer.test")
        begun.rcpt(JOHN_LMTP)
        begun.docmd("DATA")
        begun.sock.sendall(mail().encode()[:50])
        silent.ehlo()
        listener.process.send_signal(signal.SIGTERM)
        assert silent.getreply()[0] == 421
        begun.sock.sendall(mail().encode()[50:] + b".\r\n")
        assert begun.getreply()[0] == 250
        assert begun.getreply()[0] == 421
    assert listener.process.wait(120) == 0
    world.commit()
    world.cycle()
    assert_each_once(world, ["<0@customer.test>"])


def test_the_log_tells_of_each_mail_and_nothing_of_its_content(world, listen):
    listener = listen("--idle", lmtp_option(world), "--log-level=debug")
    with connect(world) as lmtp:
        lmtp.sendmail("mary@customer.test", [JOHN_LMTP], mail(text="between us"))
        lmtp.mail("mary@customer.test")
        lmtp.rcpt("jon.doe@lmtp.test")
    wait_until_delivered(world, 1)
    listener.stop()
    log = listener.log.read_text()
    assert f"Mail from mary@customer.test to {JOHN_LMTP} with Message-Id <0@customer.test>" in log
    assert "delivered (user_alias)" in log
    assert "mail from mary@customer.test to jon.doe@lmtp.test refused: 550" in log
    assert "between us" not in log
    assert world.stack.db_password not in log
