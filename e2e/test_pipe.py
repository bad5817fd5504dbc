"""Postfix hands mail over by the addon's script, and keeps it as long as Odoo cannot take it."""

import shutil
import subprocess
import xmlrpc.client

import pytest
from odoo_process import Odoo
from send import send
from server import free_port, wait_for
from stack import PIPE

JOHN = "john.doe@pipe.test"
PASSWORD = "only for the pipe"


@pytest.fixture
def receiver(world):
    """Who may hand mail over, and the domain of the pipe."""
    world.env["mail.alias.domain"].search([("name", "=", "acme.test")]).write(
        {"accepted_domain_names": "pipe.test"}
    )
    user = world.env["res.users"].create(
        {
            "name": "Mail receiver",
            "login": "receiver",
            "password": PASSWORD,
            "groups_id": [
                (6, 0, world.env.ref("mail_catchall_gateway.group_catchall_receiver").ids)
            ],
        }
    )
    world.commit()
    yield user
    world.stack.pipe_config.unlink(missing_ok=True)


def write_config(world, url, password=PASSWORD):
    config = world.stack.pipe_config
    config.write_text(
        f"[odoo]\nurl = {url}\ndatabase = {world.database}\nlogin = receiver\n"
        f"password = {password}\n"
    )
    config.chmod(0o600)
    shutil.chown(config, "nobody")


def queued(world):
    command = ["postqueue", "-c", str(world.stack.state / "smtp" / "etc"), "-j"]
    return subprocess.check_output(command, text=True)


def test_mail_is_handed_over_when_odoo_is_there(world, receiver):
    odoo = Odoo(world.stack, world.database, free_port())
    write_config(world, odoo.url)
    blind = "jane.roe@pipe.test"
    message_id = send(
        world.stack.ports["smtp"], "mary@customer.test", JOHN, "Bicycles", "Two.", [JOHN, blind]
    )
    wait_for(lambda: "temporary failure" in queued(world), "Postfix to keep the mail")
    assert not world.inbound(message_id)

    write_config(world, odoo.url, "wrong")
    odoo.start()
    try:
        wait_for(lambda: "does not know this login" in queued(world), "a refused login", 60)
        write_config(world, odoo.url)
        # the queue alone does not tell: its list leaves out a mail that is on its way from one
        # of Postfix's folders to the next, one time in some 30,000
        taken = f"SELECT 1 FROM mail_catchall_inbound WHERE message_id = '{message_id}'"
        wait_for(lambda: world.odoo.psql(taken), "Odoo to have the mail", 60)
        wait_for(lambda: "@pipe.test" not in queued(world), "Postfix to be rid of it")
        # by Odoo's own scheduled action: what it has in hands when it is stopped waits a minute
        world.wait_until_decided()
    finally:
        odoo.stop()
    world.commit()
    assert world.inbound(message_id).envelope_to.split(", ") == [blind, JOHN]
    assert len(world.inbox("john")) == 1
    assert len(world.inbox("jane")) == 1, "the envelope tells of a blind copy"
    subjects = {mail["Subject"] for mail in world.all_mails("mary@customer.test")}
    assert subjects <= {"Delayed Mail (still being retried)"}, "nothing was sent back"


def test_who_hands_mail_over_may_do_nothing_else(world, receiver):
    odoo = Odoo(world.stack, world.database, free_port())
    odoo.start()
    try:
        call = odoo.login("receiver", PASSWORD)
        raw = b"From: mary@customer.test\nTo: john.doe@acme.test\nSubject: Hello\n\nHello"
        number = call("mail.catchall.inbound", "receive", xmlrpc.client.Binary(raw), [JOHN])
        for model, method, *arguments in [
            ("mail.catchall.inbound", "read", [number]),
            ("mail.catchall.inbound", "search", []),
            ("mail.catchall.inbound", "create", {}),
            ("mail.catchall.inbound", "action_process", [number]),
            ("ir.attachment", "search_read", [("res_model", "=", "mail.catchall.inbound")]),
            ("mail.catchall.conversation", "search", []),
            ("mail.message", "search_read", [("model", "!=", False)]),
            ("res.partner", "search_read", [("id", "!=", receiver.partner_id.id)]),
            ("mail.alias", "search", []),
            ("fetchmail.server", "search", []),
            ("crm.lead", "create", {"name": "x"}),
        ]:
            try:
                result = call(model, method, *arguments)
            except xmlrpc.client.Fault as fault:
                assert fault.faultCode in (3, 4), fault  # AccessDenied, AccessError
            else:
                assert result == [], (model, method)
    finally:
        odoo.stop()
    world.commit()
    assert world.env["mail.catchall.inbound"].browse(number)._get_source() == raw
    with pytest.raises(Exception, match="hand mail over"):
        world.env["mail.catchall.inbound"].with_user(world.user("john")).receive(raw)


def test_the_script_keeps_mail_whatever_is_wrong(world, receiver, tmp_path):
    odoo_less = f"http://127.0.0.1:{free_port()}"
    good = tmp_path / "good.conf"
    good.write_text(f"[odoo]\nurl = {odoo_less}\ndatabase = x\nlogin = x\npassword = x\n")
    broken = tmp_path / "broken.conf"
    broken.write_text("nothing of the kind")
    for arguments, mail in [
        ([str(good), JOHN], b"Subject: x\n\nx"),
        ([str(good), JOHN], b""),
        ([str(broken), JOHN], b"x"),
        ([str(tmp_path / "none.conf"), JOHN], b"x"),
        ([], b"x"),
    ]:
        result = subprocess.run([str(PIPE), *arguments], input=mail, capture_output=True)
        assert result.returncode == 75, arguments
        assert result.stderr.startswith(b"catchall_pipe: "), arguments
        assert b"Traceback" not in result.stderr
