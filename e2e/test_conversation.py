"""A customer and John, from mailbox to mailbox."""

from conftest import CUSTOMER, assert_not_leaked

JOHN = "john.doe@acme.test"
OWN = "john@home.test"


def answer(mail, text):
    """Return what a mail program makes of an answer: recipient, header fields and text."""
    quoted = mail.get_body(("plain",)).get_content().replace("\n", "\n> ")
    return {
        "to": mail["Reply-To"] or mail["From"],
        "subject": f"Re: {mail['Subject']}",
        "text": f"{text}\n\nFrom: {mail['From']}\nTo: {mail['To']}\n> {quoted}",
        "in_reply_to": mail["Message-Id"],
        "references": f"{mail['References'] or ''} {mail['Message-Id']}",
    }


def test_a_mail_in_an_answer_out_and_the_next_mail_in(world):
    question = world.send(JOHN, text="Do you have bicycles?")
    world.cycle()

    (message,) = world.inbox("john")
    assert "Do you have bicycles?" in message.body
    assert message.model == "mail.catchall.conversation"
    (copy,) = world.mails(OWN, 1)
    assert "Do you have bicycles?" in copy.get_body(("plain",)).get_content()
    assert "Mary Smith" in copy["From"]
    assert copy["Message-Id"] == question

    reply = answer(copy, "Yes, two.")
    own_id = world.send(sender=f"Johnny <{OWN}>", **reply)
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    assert "Yes, two." in received.get_body(("plain",)).get_content()
    (sender,) = received["From"].addresses
    assert (sender.display_name, sender.addr_spec) == ("John Doe", JOHN)
    assert received["Return-Path"] == "<bounce@acme.test>"
    assert own_id not in received.as_string()
    assert_not_leaked(received, OWN)
    assert_not_leaked(received, "home.test")
    assert world.inbound(own_id).verdict_code == "user_reply"

    thanks = world.send(sender=CUSTOMER, **answer(received, "Thank you!"))
    world.cycle()
    inbound = world.inbound(thanks)
    assert inbound.verdict_code == "reply"
    assert inbound.conversation_id == world.inbound(question).conversation_id
    assert len(inbound.conversation_id.message_ids) == 3
    assert "Thank you!" in world.inbox("john")[-1].body
    world.mails(OWN, 2)
    world.mails("mary@customer.test", 1)


def test_an_answer_from_the_chatter_reaches_the_customer(world):
    world.send(JOHN)
    world.cycle()
    john = world.user("john")
    conversation = world.env["mail.catchall.conversation"].with_user(john).search([])
    conversation.message_post(
        body="On their way", message_type="comment", subtype_xmlid="mail.mt_comment"
    )
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    assert received["From"].addresses[0].addr_spec == JOHN
    assert_not_leaked(received, OWN)
    world.mails(OWN, 1)


def test_a_bcc_arrives_and_nobody_is_bounced(world):
    message_id = world.send("partners@customer.test", bcc=[JOHN])
    world.cycle()
    inbound = world.inbound(message_id)
    assert inbound.recipients == JOHN
    assert inbound.verdict_code == "user_alias"
    assert len(world.inbox("john")) == 1
    assert not world.all_mails("mary@customer.test")


def test_user_and_team_in_one_mail(world):
    """One lead, John is told of it there, and his answer from the own mailbox is on it."""
    john = world.user("john")
    john.groups_id += world.env.ref("sales_team.group_sale_salesman_all_leads")
    world.commit()
    sent = world.send(f"sales@acme.test, {JOHN}")
    world.cycle()
    (lead,) = world.env["crm.lead"].search([("email_from", "ilike", "mary@customer.test")])
    assert world.inbound(sent).mapped("state") == ["ignored", "delivered"]
    assert not world.env["mail.catchall.conversation"].search([])
    (message,) = world.inbox("john")
    assert (message.model, message.res_id) == ("crm.lead", lead.id)

    (copy,) = world.mails(OWN, 1)
    mary = world.env["res.partner"].create({"name": "Mary", "email": "mary@customer.test"})
    lead.message_subscribe(mary.ids)
    world.commit()
    world.send(sender=OWN, **answer(copy, "I will make you an offer."))
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    assert received["From"].addresses[0].addr_spec == JOHN
    world.send(sender=CUSTOMER, **answer(received, "Please do."))
    world.cycle()
    assert "Please do." in lead.message_ids[0].body
    assert len(lead.message_ids.filtered(lambda m: m.message_type == "email")) == 3
    assert world.env["crm.lead"].search_count([("email_from", "ilike", "mary@")]) == 1


def test_a_team_with_an_alias_can_be_duplicated(world):
    """What belongs to its alias is copied too, with the rights of who does it."""
    jane = world.user("jane")
    jane.groups_id += world.env.ref("sales_team.group_sale_manager")
    team = world.env.ref("sales_team.team_sales_department")
    assert team.alias_email == "sales@acme.test"
    copied = team.with_user(jane).copy()
    assert copied != team and not copied.alias_name


def test_a_blind_copy_and_its_answers(world):
    sent = world.send(JOHN, bcc=[JOHN, "jane.roe@acme.test"])
    world.cycle()
    assert len(world.inbound(sent)) == 2
    (johns,), (janes,) = world.inbox("john"), world.inbox("jane")
    assert johns.res_id != janes.res_id
    (copy,) = world.mails("jane@home.test", 1)
    world.send(sender="jane@home.test", **answer(copy, "Between us."))
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    assert received["From"].addresses[0].addr_spec == "jane.roe@acme.test"
    assert len(world.inbox("john")) == 1
    world.send(sender=CUSTOMER, **answer(received, "Between us."))
    world.cycle()
    assert len(world.inbox("jane")) == 2
    assert len(world.inbox("john")) == 1
    world.mails(OWN, 1)


def test_three_addressees_in_three_copies(world):
    users = [JOHN, "jane.roe@acme.test", "max.power@acme.test"]
    sent = world.send(", ".join(users))
    world.cycle()
    assert sorted(world.inbound(sent).mapped("state")) == ["delivered", "ignored", "ignored"]
    messages = {world.inbox(login).id for login in ("john", "jane", "max")}
    assert len(messages) == 1
    for login in ("john", "jane", "max"):
        world.mails(f"{login}@home.test", 1)


def test_a_user_forwards_to_a_colleague(world):
    world.send(JOHN, text="Who can repair bicycles?")
    world.cycle()
    (copy,) = world.mails(OWN, 1)
    forwarded = {**answer(copy, "Can you?"), "to": "jane.roe@acme.test", "subject": "Fwd: Bicycles"}
    world.send(sender=OWN, **forwarded)
    world.cycle()
    (message,) = world.inbox("jane")
    assert message.author_id == world.user("john").partner_id
    conversation = world.env["mail.catchall.conversation"].browse(message.res_id)
    assert conversation.user_ids == world.user("john") | world.user("jane")
    (hers,) = world.mails("jane@home.test", 1)
    assert hers["From"].addresses[0].addr_spec == JOHN
    assert_not_leaked(hers, OWN)

    world.send(sender="jane@home.test", **answer(hers, "Yes, I can."))
    world.cycle()
    assert "Yes, I can." in world.inbox("john")[-1].body
    back = world.mails(OWN, 2)[-1]
    assert_not_leaked(back, "jane@home.test")
    assert not world.all_mails("mary@customer.test"), "the customer is not told"
    assert len(world.env["mail.catchall.conversation"].search([])) == 2


def test_two_users_share_a_conversation(world):
    world.send(f"{JOHN}, jane.roe@acme.test", bcc=[JOHN])
    world.cycle()
    assert world.inbox("john") == world.inbox("jane").with_user(world.user("john"))
    (copy,) = world.mails("jane@home.test", 1)
    world.send(sender="jane@home.test", **answer(copy, "I will."))
    world.cycle()
    (received,) = world.mails("mary@customer.test", 1)
    assert received["From"].addresses[0].addr_spec == "jane.roe@acme.test"
    assert_not_leaked(received, "home.test")
    assert "I will." in world.inbox("john")[-1].body
