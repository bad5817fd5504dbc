"""What the gateway decides about mail as real servers hand it over."""

import email.policy

import pytest
from conftest import CUSTOMER
from server import wait_for

JOHN = "john.doe@acme.test"
OWN = "john@home.test"
CATCHALL = "catchall@acme.test"


def decide(world, *args, **kwargs):
    """Send a mail, let it in, and return its inbound email."""
    message_id = world.send(*args, **kwargs)
    world.cycle()
    return world.inbound(message_id)


def verdict(inbound):
    return inbound.state, inbound.verdict_code


def start_conversation(world):
    """Let John answer a customer; return the conversation, and the mail that she got."""
    conversation = decide(world, JOHN).conversation_id
    john = world.user("john")
    conversation.with_user(john).message_post(
        body="Yes, two.", message_type="comment", subtype_xmlid="mail.mt_comment"
    )
    world.commit()
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    return conversation, received


@pytest.mark.parametrize("to", ["list@lists.test", "undisclosed-recipients:;"])
def test_lists_and_forwards_reach_their_alias(world, to):
    inbound = decide(
        world, to, bcc=[JOHN], list_id="<list.lists.test>", delivered_to="old@elsewhere.test"
    )
    assert verdict(inbound) == ("delivered", "user_alias")
    assert inbound.recipients == JOHN


def test_a_redirected_mail_reaches_who_it_is_redirected_to(world):
    inbound = decide(world, "old@elsewhere.test", bcc=[JOHN], resent_to=JOHN)
    assert verdict(inbound) == ("delivered", "user_alias")


def test_subaddress(world):
    inbound = decide(world, "john.doe+invoices@acme.test")
    assert verdict(inbound) == ("delivered", "user_alias")
    assert inbound.subaddress == "invoices"
    assert world.inbox("john")


def test_a_typing_error_waits_and_one_click_delivers_it(world):
    inbound = decide(world, "jon.doe@acme.test")
    assert verdict(inbound) == ("review", "unrouted")
    assert inbound.suggested_alias_id == world.user("john").alias_id
    assert not world.inbox("john")
    wizard = world.env["mail.catchall.route"].create({"inbound_ids": inbound.ids})
    wizard.action_apply()
    world.commit()
    world.cycle()
    assert inbound.state == "delivered"
    (message,) = world.inbox("john")
    (copy,) = world.mails(OWN, 1)
    assert message.message_id == copy["Message-Id"]


def test_who_mistypes_is_told_once_where_the_domain_says_so(world):
    world.env["mail.alias.domain"].search([]).unrouted_policy = "bounce"
    world.commit()
    assert verdict(decide(world, "nobody@acme.test")) == ("bounced", "unrouted")
    assert decide(world, "nobody@acme.test").state == "ignored"
    (rejection,) = world.mails("mary@customer.test", 1)
    assert "nobody@acme.test" in rejection.get_body().get_content()
    assert rejection["Auto-Submitted"] == "auto-generated"


def test_foreign_domain(world):
    inbound = decide(world, "somebody@elsewhere.test", bcc=[CATCHALL])
    assert verdict(inbound) == ("ignored", "foreign_domain")
    assert not world.all_mails("mary@customer.test")


def test_an_outsiders_sales_is_not_ours(world):
    world.env["mail.alias"].search([("alias_name", "=", "sales")]).alias_incoming_local = True
    world.commit()
    inbound = decide(world, f"{JOHN}, sales@elsewhere.test", bcc=[JOHN])
    assert verdict(inbound) == ("delivered", "user_alias")
    assert not world.env["crm.lead"].search([])


def test_out_of_office(world):
    conversation, received = start_conversation(world)
    inbound = decide(
        world,
        received["Return-Path"].strip("<>"),
        in_reply_to=received["Message-Id"],
        subject="Out of office",
        auto_submitted="auto-replied (vacation)",
    )
    assert verdict(inbound) == ("delivered", "auto_reply")
    assert inbound.mail_message_ids.res_id == conversation.id
    assert not conversation.is_unanswered
    inbound = decide(world, JOHN, subject="Out of office", auto_submitted="auto-replied")
    assert verdict(inbound) == ("ignored", "auto_reply")
    world.mails("mary@customer.test", 1)


@pytest.mark.parametrize(
    ("domain", "status", "text"),
    [("gone.test", "bounce", "user unknown"), ("slow.test", "sent", "Not yet")],
)
def test_reports_about_a_mail_that_we_sent(world, domain, status, text):
    conversation = decide(world, JOHN, sender=f"Bob <bob@{domain}>").conversation_id
    john = world.user("john")
    message = conversation.with_user(john).message_post(
        body="Yes, two.", message_type="comment", subtype_xmlid="mail.mt_comment"
    )
    before = len(world.files(CATCHALL))
    world.commit()  # sends it, and the report may be here at once
    world.cycle()
    wait_for(lambda: len(world.files(CATCHALL)) > before, "a report", 30)
    world.cycle()
    report = world.env["mail.catchall.inbound"].search([("verdict_code", "=", "bounce_report")])
    assert report[0].state == "delivered"
    assert text in report[0].reason
    bob = message.notification_ids.filtered(
        lambda n: n.res_partner_id.email_normalized == f"bob@{domain}"
    )
    assert bob.notification_status == status
    if status == "bounce":
        assert text in bob.failure_reason
        assert text in conversation.message_ids[0].body


def test_a_spoofed_colleague(world):
    server = world.env["fetchmail.server"].search([("is_catchall", "=", True)])
    server.trusted_authserv_id = "mx.acme.test"
    world.commit()
    conversation, received = start_conversation(world)
    forged = {
        "sender": f"John <{OWN}>",
        "in_reply_to": received["Message-Id"],
        # what the forger claims, which the server takes away, and what it found itself
        "authentication_results": "mx.acme.test; dmarc=pass header.from=home.test",
        "x_test_checks": "dmarc=fail header.from=home.test",
    }
    inbound = decide(world, CATCHALL, text="Pay at once.", **forged)
    assert verdict(inbound) == ("review", "sender_rejected")
    assert "Pay at once." not in str(conversation.message_ids.mapped("body"))
    world.mails("mary@customer.test", 1)
    forged["x_test_checks"] = "dkim=pass header.d=home.test"
    inbound = decide(world, CATCHALL, text="It was me.", **forged)
    assert verdict(inbound) == ("delivered", "user_reply")
    world.mails("mary@customer.test", 2)


def test_a_source_is_kept_byte_by_byte(world):
    inbound = decide(world, "jon.doe@acme.test", text="Größe ÿ")
    (file,) = world.files(CATCHALL)
    stored = email.message_from_bytes(inbound._get_source(), policy=email.policy.default)
    assert file.read_bytes() == inbound._get_source().replace(b"\r\n", b"\n")
    assert stored.get_content().strip() == "Größe ÿ"
    assert str(stored["From"]) == CUSTOMER
