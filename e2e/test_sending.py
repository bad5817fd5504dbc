"""A mail server that is down, refuses for now, or goes away in the middle: mail waits for it."""

import contextlib
import datetime
import gc
import os
import socket

import psycopg2
import pytest
from freezegun import freeze_time
from proxy import Proxy

import odoo
from odoo import fields

JOHN = "john.doe@acme.test"
MARY = "mary@customer.test"
#: Mails of each part: before, while and after the server is down.
FLOW = 10
#: Every so many octets the dialogue is cut; 1 takes some minutes.
CUT_STEP = int(os.environ.get("MCG_CUT_STEP", "41"))


@pytest.fixture
def server(world):
    return world.env["ir.mail_server"].search([("name", "=", "Postfix")])


@pytest.fixture
def conversation(world):
    """A conversation of John's with Mary, that he writes in; his mail is sent by the queue."""
    world.send(JOHN)
    world.cycle()
    return world.env["mail.catchall.conversation"].search([])


def answer(world, conversation, subject):
    """Have John answer as he does in Discuss: sent at once, when it is committed."""
    conversation.with_user(world.user("john")).message_post(
        body=subject, subject=subject, message_type="comment", subtype_xmlid="mail.mt_comment"
    )
    world.commit()


def pass_time(world, minutes):
    """Let time pass for what waits: the same as if all of it had been written earlier."""
    world.cr.execute(
        "UPDATE mail_mail SET scheduled_date = scheduled_date - INTERVAL '1 minute' * %s",
        [minutes],
    )
    world.commit()


def run_queue(world):
    world.env["mail.mail"].process_email_queue()
    world.commit()


def waiting(world):
    world.env.invalidate_all()
    return world.env["mail.mail"].search([("state", "=", "outgoing")])


def subjects(world):
    """Return what Mary got, each as often as she got it."""
    return sorted(mail["Subject"] for mail in world.all_mails(MARY))


def sending_state(world):
    """Return what the settings say about sending."""
    rows = world.env["res.config.settings"].create({}).catchall_state
    return next((row["state"], row["text"]) for row in rows if row["label"] == "Sending")


@contextlib.contextmanager
def dead_port():
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def test_the_mail_server_is_down_for_an_hour(world, server, conversation):
    *_others, postfix = world.stack.servers
    port, expected = server.smtp_port, []

    def write(part):
        for number in range(FLOW):
            expected.append(f"{part} {number}")
            answer(world, conversation, expected[-1])

    write("before")
    with dead_port() as server.smtp_port:
        write("during")
        assert len(waiting(world)) == FLOW
        assert sending_state(world)[0] == "error"
        assert "refused" in sending_state(world)[1]
        attempts = 0
        for _minute in range(60):
            run_queue(world)
            attempts = max(waiting(world).mapped("catchall_attempts"))
            pass_time(world, 1)
        assert 5 <= attempts <= 10
        assert len(waiting(world)) == FLOW
        # whoever looks sees no failure yet
        statuses = waiting(world).mail_message_id.notification_ids.mapped("notification_status")
        assert "exception" not in statuses
    server.smtp_port = port
    world.commit()
    write("after")
    pass_time(world, 15)
    run_queue(world)
    world.mails(MARY, len(expected))
    assert subjects(world) == sorted(expected)
    assert not waiting(world)
    assert sending_state(world)[0] != "error"
    assert not world.env["mail.mail"].search([("state", "=", "exception")])


def make_mail(world, subject, **values):
    """Queue a mail of John's."""
    mail = world.env["mail.mail"].create(
        {
            "subject": subject,
            "body_html": "<p>Two, please.</p>",
            "email_from": world.user("john").alias_id.display_name,
            "email_to": MARY,
            **values,
        }
    )
    world.commit()
    return mail


@pytest.mark.parametrize("position", range(3))
def test_who_has_a_mail_does_not_get_it_again(world, server, position):
    """One of three recipients of a mail is refused for now (greylisting)."""
    answers = iter(range(3))

    def refuse(line):
        is_recipient = line.startswith(b"250 2.1.5")
        return b"451 4.7.1 Try again\r\n" if is_recipient and next(answers) == position else line

    partners = world.env["res.partner"].create(
        [{"name": name, "email": f"{name}@customer.test"} for name in ("ann", "bob")]
    )
    mail = make_mail(world, "Bicycles", recipient_ids=partners.ids)
    addresses = [MARY, *partners.mapped("email")]
    with Proxy(server.smtp_port, change=refuse) as proxy:
        port, server.smtp_port = server.smtp_port, proxy.port
        run_queue(world)
    server.smtp_port = port
    assert (mail.state, mail.catchall_attempts) == ("outgoing", 1)
    assert "Try again" in mail.failure_reason
    for address in addresses[:position]:
        world.mails(address, 1)
    run_queue(world)
    assert mail.state == "outgoing", "not before its time"
    pass_time(world, 1)
    run_queue(world)
    assert mail.state == "sent"
    for address in addresses:
        world.mails(address, 1)


def test_what_is_refused_for_good_is_not_tried_again(world, server):
    def refuse(line):
        return b"550 5.1.1 No such user\r\n" if line.startswith(b"250 2.1.5") else line

    mail = make_mail(world, "Bicycles")
    with Proxy(server.smtp_port, change=refuse) as proxy:
        server.smtp_port = proxy.port
        run_queue(world)
    assert (mail.state, mail.catchall_attempts) == ("exception", 0)
    assert "No such user" in mail.failure_reason


def test_a_server_that_ends_sessions_holds_up_no_mail(world, server):
    """Providers take so many mails in a session, and close it; some without a word."""
    mails = [make_mail(world, f"Mail {number}") for number in range(7)]
    count = 0

    def cut(line):
        nonlocal count
        count = 0 if line.startswith(b"ehlo") else count + line.startswith(b"mail FROM")
        if count > 2:
            raise ConnectionResetError
        return line

    with Proxy(server.smtp_port, change_command=cut) as proxy:
        server.smtp_port = proxy.port
        run_queue(world)
        assert [mail.state for mail in mails].count("sent") == 5
        pass_time(world, 1)
        run_queue(world)
    assert {mail.state for mail in mails} == {"sent"}
    world.mails(MARY, len(mails))
    assert subjects(world) == [f"Mail {number}" for number in range(7)]


@pytest.mark.parametrize("hook", ["cut_after", "cut_command_after"])
def test_cut_after_any_octet(world, server, hook):
    """Whatever the client knows: nothing twice, and what may be lost is said to be."""
    port = server.smtp_port
    make_mail(world, "Measured")
    with Proxy(port) as proxy:
        server.smtp_port = proxy.port
        run_queue(world)
        octets = proxy.octets[hook == "cut_command_after"]
    cuts = [*range(0, octets, CUT_STEP), octets - 1]
    mails = []
    for cut in cuts:
        mails.append(make_mail(world, f"Cut {cut}"))
        with Proxy(port, **{hook: cut}) as proxy:
            server.smtp_port = proxy.port
            run_queue(world)
    server.smtp_port = port
    pass_time(world, 1)
    run_queue(world)
    unsure = [mail for mail in mails if mail.state == "exception"]
    assert {mail.state for mail in mails} <= {"sent", "exception"}
    for mail in unsure:
        assert "may have been sent" in mail.failure_reason
    got = subjects(world)
    assert len(set(got)) == len(got), "twice"
    assert {mail.subject for mail in mails if mail.state == "sent"} <= set(got)
    print(f"{len(cuts)} cuts: {len(unsure)} unsure, {len(set(got)) - 1} arrived")


def restart_database(world):
    (postgres, *_others) = world.stack.servers
    postgres.stop()
    postgres.start()


def read_messages(world):
    """Change the messages at the same moment, as users do who read them."""
    with odoo.sql_db.db_connect(world.database).cursor() as cr:
        cr.execute("SET LOCAL lock_timeout = '10s'")
        cr.execute("UPDATE mail_message SET write_date = write_date")
        cr.commit()


@pytest.fixture
def forgetful(monkeypatch):
    """Have Python collect what nobody holds just before a cursor commits, as it does by chance."""
    leave = odoo.sql_db.Cursor.__exit__

    def collect_and_leave(self, *exc):
        gc.collect()
        return leave(self, *exc)

    monkeypatch.setattr(odoo.sql_db.Cursor, "__exit__", collect_and_leave)


@pytest.mark.usefixtures("forgetful")
@pytest.mark.parametrize("fault", [restart_database, read_messages])
def test_odoo_cannot_note_that_a_mail_was_accepted(world, server, monkeypatch, fault):
    """The mail server has it: it is not sent again."""
    partners = world.env["res.partner"].create(
        [{"name": name, "email": f"{name}@customer.test"} for name in ("ann", "bob")]
    )
    mails = [make_mail(world, "Whole"), make_mail(world, "Part", recipient_ids=partners.ids)]
    mail_ids = [mail.id for mail in mails]
    for mail_id, part in zip(mail_ids, (1, 2), strict=True):
        cls = type(world.env["ir.mail_server"])
        send_email = cls.send_email
        accepted = []

        def send_and_fail(self, *args, _send=send_email, _accepted=accepted, _part=part, **kwargs):
            _accepted.append(_send(self, *args, **kwargs))
            if len(_accepted) == _part:
                fault(world)
            return _accepted[-1]

        with monkeypatch.context() as patch, contextlib.suppress(psycopg2.Error):
            patch.setattr(cls, "send_email", send_and_fail)
            world.env["mail.mail"].browse(mail_id).send(auto_commit=True)
        assert len(accepted) >= part
        world.restart()
    assert world.env["mail.mail"].browse(mail_ids[0]).state == "sent"
    run_queue(world)
    assert set(world.env["mail.mail"].browse(mail_ids).mapped("state")) == {"sent"}
    assert subjects(world) == ["Part", "Whole"]
    for name in ("ann", "bob"):
        world.mails(f"{name}@customer.test", 1)


def test_a_clock_that_was_wrong_holds_up_no_mail(world, server):
    port = server.smtp_port
    mail = make_mail(world, "Bicycles")
    future = fields.Datetime.now() + datetime.timedelta(days=400)
    with dead_port() as server.smtp_port, freeze_time(future):
        run_queue(world)
    server.smtp_port = port
    assert mail.scheduled_date > future
    run_queue(world)
    assert mail.state == "sent"
    world.mails(MARY, 1)
