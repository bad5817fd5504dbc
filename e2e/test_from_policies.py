"""As whom mail leaves through a Postfix that takes only our own addresses, and what arrives."""

import re

import pytest
from conftest import CUSTOMER
from test_conversation import answer

OUT = "outgoing@acme.test"
BOUNCE = "bounce@acme.test"
DEFAULT = "notifications@acme.test"

#: sender: (name, address) in From, under native, dynamic and forced. Each writes to a mailbox of
#: his own: see :func:`send_all`.
EXPECTED = {
    "alias": (
        *2 * [("John Doe", "john.doe@acme.test")],
        ("John Doe (john.doe@acme.test)", OUT),
    ),
    "template": (
        *2 * [("John Doe", "john.doe@acme.test")],
        ("John Doe (john.doe@acme.test)", OUT),
    ),
    "user": (("Jim Poe", DEFAULT), *2 * [("Jim Poe (jim@agency.test)", OUT)]),
    "odoobot": (("OdooBot", DEFAULT), *2 * [("OdooBot (odoobot@example.com)", OUT)]),
    "customer": (("Mary Smith", DEFAULT), *2 * [("Mary Smith (mary@customer.test)", OUT)]),
    "rejection": (*2 * [("MAILER-DAEMON", BOUNCE)], (f"MAILER-DAEMON ({BOUNCE})", OUT)),
}
POLICIES = {"native": 0, "dynamic": 1, "forced": 2}


@pytest.fixture
def relay(world):
    """Let everything leave through the strict Postfix; Jim is a user without a messaging alias."""
    server = world.env["ir.mail_server"].search([])
    server.smtp_port = world.stack.ports["submission"]
    jim = world.env["res.users"].with_context(no_reset_password=True)
    jim = jim.create({"name": "Jim Poe", "login": "jim", "email": "jim@agency.test"})
    managers = world.env.ref("base.group_partner_manager")
    (world.user("john") | jim).groups_id += managers
    world.commit()
    return server


def set_domain(world, **values):
    domain = world.env["mail.alias.domain"].search([("name", "=", "acme.test")])
    domain.write({"from_address": OUT, **values})
    world.commit()


def make_document(world, mailbox):
    return world.env["res.partner"].create({"name": "Order", "email": f"{mailbox}@customer.test"})


def write(document, user):
    document.with_user(user).message_post(
        body="Bicycles",
        message_type="comment",
        subtype_xmlid="mail.mt_comment",
        partner_ids=document.ids,
    )


def send_template(document, user):
    """Send what names the user's own address as its author."""
    template = document.env["mail.template"].create(
        {
            "name": "Offer",
            "model_id": document.env["ir.model"]._get_id("res.partner"),
            "email_from": "{{ user.email_formatted }}",
            "partner_to": "{{ object.id }}",
            "subject": "Offer",
            "body_html": "<p>Bicycles</p>",
        }
    )
    template.with_user(user).send_mail(document.id)


def redistribute(world):
    """Let Mary answer what John wrote to her and a follower, who gets her answer too."""
    document = make_document(world, "customer")
    mary = world.env["res.partner"].create({"name": "Mary", "email": "mary@customer.test"})
    document.message_subscribe((document | mary).ids)
    write(document, world.user("john"))
    world.cycle()
    (question,) = world.mails("mary@customer.test", 1)
    world.mails("customer@customer.test", 1)
    answered = world.send(sender=CUSTOMER, **answer(question, "Three, please."))
    world.cycle()
    assert world.inbound(answered).verdict_code == "reply"


def send_all(world):
    """Let everybody send something, and return the last mail in the mailbox of each sender."""
    john, jim = world.user("john"), world.user("jim")
    write(make_document(world, "alias"), john)
    write(make_document(world, "user"), jim)
    write(make_document(world, "odoobot"), world.env.ref("base.user_root"))
    send_template(make_document(world, "template"), john)
    redistribute(world)
    world.send("nobody@acme.test", sender="Con <rejection@customer.test>")
    world.cycle()
    counts = {sender: 2 if sender == "customer" else 1 for sender in EXPECTED}
    return {
        sender: world.mails(f"{sender}@customer.test", count)[-1]
        for sender, count in counts.items()
    }


@pytest.mark.parametrize(
    ("policy", "signed"),
    [("native", False), ("dynamic", False), ("forced", False), ("forced", True)],
)
def test_what_arrives_where_only_our_own_may_send(world, relay, policy, signed):
    set_domain(world, from_policy=policy, signed_reply_to=signed, unrouted_policy="bounce")
    arrived = send_all(world)
    for sender, mail in arrived.items():
        case = f"{sender}: {mail['From']}, {mail['Return-Path']}, {mail['Reply-To']}"
        (author,), (reply_to,) = mail["From"].addresses, mail["Reply-To"].addresses
        expected = EXPECTED[sender][POLICIES[policy]]
        assert (author.display_name, author.addr_spec) == expected, case
        envelope = r"bounce[.]a[a-z2-7]+@acme[.]test" if signed else re.escape(BOUNCE)
        assert re.fullmatch(f"<{envelope}>", mail["Return-Path"]), case
        if sender == "template":
            assert reply_to.addr_spec == "john.doe@acme.test", case
        elif signed and sender != "rejection":
            assert re.fullmatch(r"reply[.]a[a-z2-7]+@acme[.]test", reply_to.addr_spec), case
        else:
            assert reply_to.addr_spec == "catchall@acme.test", case
    assert not world.env["mail.mail"].search([("state", "!=", "sent")])


@pytest.mark.parametrize(
    ("from_filter", "refusal", "envelope"),
    [
        # the bounce address is the envelope sender, so that the header alone is wrong
        (False, "5.7.60 no permission to send as this sender", BOUNCE),
        # core sends as nobody else there
        ("elsewhere.test", "5.7.1 <mary@customer.test>: Sender address rejected", OUT),
    ],
    ids=["header", "envelope"],
)
def test_what_native_sends_as_a_customer_is_refused(world, relay, from_filter, refusal, envelope):
    """Where neither FROM Filtering nor a default address keeps core from sending as anybody."""
    relay.from_filter = from_filter
    set_domain(world, from_policy="native", default_from=False)
    redistribute(world)
    (refused,) = world.env["mail.mail"].search([("state", "=", "exception")])
    assert refused.email_from == '"Mary Smith" <mary@customer.test>'
    assert refusal in refused.failure_reason
    world.mails("customer@customer.test", 1)

    refused.auto_delete = False
    for count, policy in enumerate(("dynamic", "forced"), 2):
        set_domain(world, from_policy=policy)
        refused.mark_outgoing()
        world.cycle()
        assert refused.state == "sent", policy
        mail = world.mails("customer@customer.test", count)[-1]
        assert mail["From"] == f'"Mary Smith (mary@customer.test)" <{OUT}>', policy
        assert mail["Return-Path"] == f"<{envelope}>", policy
        assert mail["Reply-To"].addresses[0].addr_spec == "catchall@acme.test", policy
