"""The mails of the demo that are not plainly for somebody, sent through the real servers."""

import dataclasses

from odoo_process import Odoo
from send import send
from server import wait_for

CUSTOMER = "Mary Smith <mary@customer.test>"
CHECKED = {"x_test_checks": "dmarc=fail header.from=acme.test"}


@dataclasses.dataclass(frozen=True)
class Sample:
    """A mail of somebody outside; ``headers`` as :func:`send` takes them."""

    what: str
    to: str
    subject: str
    text: str = "Hello!"
    sender: str = CUSTOMER
    headers: dict = dataclasses.field(default_factory=dict)


SAMPLES = (
    Sample("a typing error", "jhon.doe@acme.test", "Does the warranty cover the brakes?"),
    Sample("an address that nobody has", "careers@acme.test", "Application as a mechanic"),
    Sample("marked as spam", "jane.roe@acme.test", "YOU WON!!!", headers={"x_spam_flag": "YES"}),
    Sample(
        "in the name of John, by somebody else",
        "jane.roe@acme.test",
        "Urgent payment",
        "Please pay the bill today, and tell nobody.",
        "John Doe <john.doe@acme.test>",
        CHECKED,
    ),
    Sample(
        "larger than the mailbox takes",
        "max.power@acme.test",
        "All my photos",
        "a picture of a bicycle\n" * 60000,
    ),
    Sample(
        "a blocked sender",
        "john.doe@acme.test",
        "Our 17th reminder",
        sender="Offers <sales@pushy.test>",
    ),
    Sample("to the catch-all itself", "catchall@acme.test", "Who is in charge of repairs?"),
    Sample(
        "written by a machine",
        "max.power@acme.test",
        "Your invoice 2026-0077",
        "4 tyres, 2 saddles. Total: 154.00",
        "Bike Parts Shop <billing@shop.test>",
        {"auto_submitted": "auto-generated"},
    ),
    Sample("to two of us", "john.doe@acme.test, jane.roe@acme.test", "Meeting next week"),
)


def send_more(odoo: Odoo, say):
    """Send the samples to a database that has none of them yet, and tell what became of each."""
    call, port = odoo.login(), odoo.stack.ports["smtp"]
    if call("mail.catchall.inbound", "search_count", [("state", "=", "review")]):
        return
    say("\nSending mails that are not plainly for somebody (Email Gateway / To Review):")
    sent = [
        send(port, mail.sender, mail.to, mail.subject, mail.text, **mail.headers)
        for mail in SAMPLES
    ]
    for mail, message_id in zip(SAMPLES, sent, strict=True):
        decision = wait_for(lambda m=message_id: _decided(call, m), mail.what, 150)
        say(f"  {mail.what:<37} -> {decision}")


def _decided(call, message_id: str) -> str:
    """Return in words what was decided about a mail, or nothing while one of its copies waits."""
    domain = [("message_id", "=", message_id)]
    found = call("mail.catchall.inbound", "search_read", domain, ["state", "reason"], order="id")
    if not found or any(mail["state"] in ("pending", "processing") for mail in found):
        return ""
    return ": ".join(filter(None, [found[0]["state"], found[0]["reason"]]))


def answer(odoo: Odoo, say):
    """Let John answer Mary where he reads her mail, once."""
    john = odoo.login("john", "john")
    domain = [("name", "=", "Hello John"), ("is_unanswered", "=", True)]
    conversations = john("mail.catchall.conversation", "search", domain, limit=1)
    if not conversations:
        return
    mailbox = odoo.stack.mail / "mary@customer.test" / "new"
    before = len(list(mailbox.glob("*")))
    john(
        "mail.catchall.conversation",
        "message_post",
        conversations,
        body="Hello Mary, thank you for writing.",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
    )
    wait_for(lambda: len(list(mailbox.glob("*"))) > before, "John's answer", 180)
    say("  John answered Mary: she has it, from John Doe <john.doe@acme.test>.")
