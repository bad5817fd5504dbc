"""What people get to see who have a little to do with a conversation."""

import json

from odoo.exceptions import AccessError, ValidationError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import CatchallCommon

CONVERSATION = "mail.catchall.conversation"
SECRET = "zebra"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSecurityPeople(CatchallCommon):
    def start(self, text=f"The {SECRET}"):
        """Return a conversation of John's with a customer."""
        return self.receive(self.make_mail(self.john.alias_email, text=text)).conversation_id

    def bodies(self, user):
        """Return all that a user may read of conversations."""
        messages = self.env["mail.message"].with_user(user)
        found = messages.search([("model", "=", CONVERSATION)])
        return " ".join(filter(None, found.mapped("body")))

    # ------------------------------------------------------------
    # OUTSIDERS
    # ------------------------------------------------------------

    def test_an_outsider_cannot_show_jane_anything_by_any_address(self):
        """Whatever he names, by whatever address."""
        jane, catchall = self.jane.alias_email, self.mail_alias_domain.catchall_email
        self.mail_alias_domain.signed_reply_to = True
        for number, (to, cc) in enumerate(
            [
                (self.john.alias_email, jane),
                (jane, self.john.alias_email),
                (jane, ""),
                (catchall, jane),
                ("signed", jane),
                (jane, "signed"),
                ("signed", f"{jane}, {self.john.alias_email}"),
            ]
        ):
            for sender in (self.customer, "Eve <eve@evil.example>"):
                with self.subTest(to=to, cc=cc, sender=sender):
                    talk = self.start(f"{SECRET} {number} {sender[:3]}")
                    self.post(talk, self.john, f"{SECRET}, says John")
                    (sent,) = self.sent_to("mary@customer.example")
                    signed = sent["Reply-To"].addresses[0].addr_spec
                    first, last = talk.message_ids[-1], talk.message_ids[0]
                    mail = self.make_mail(
                        to.replace("signed", signed),
                        sender,
                        text="Look, Jane",
                        cc=cc.replace("signed", signed),
                        in_reply_to=last.message_id,
                        references=f"{first.message_id} {last.message_id}",
                    )
                    inbound = self.receive(mail)
                    self.assertEqual(inbound.state, "delivered")
                    self.assertIn("Look, Jane", self.bodies(self.jane))
                    self.assertNotIn(SECRET, self.bodies(self.jane))
                    self.assertNotIn(self.jane, talk.user_ids)

    def test_a_correspondent_with_an_account_sees_what_he_was_sent_and_no_more(self):
        portal = self._create_user(
            "Mary",
            "Smith",
            groups="base.group_portal",
            email="mary@customer.example",
            alias_name=False,
            notification_type="email",
        )
        talk = self.start("From Mary herself")
        answer = self.post(talk, self.john, "For Mary")
        note = talk.with_user(self.john).message_post(body=f"A note: {SECRET}")
        self.assertIn("For Mary", self.bodies(portal))
        self.assertNotIn(SECRET, self.bodies(portal))
        with self.assertRaises(AccessError):
            note.with_user(portal).read(["body"])
        as_seen = repr(answer.with_user(portal).message_format())
        as_seen += repr(answer.with_user(portal).read())
        self.assertIn(self.john.alias_email, as_seen)
        self.assertNotIn(self.john.email, as_seen)
        for record in (self.john, self.john.partner_id, talk):
            with self.assertRaises(AccessError), mute_logger("odoo.addons.base.models.ir_rule"):
                record.with_user(portal).read(["display_name"])
        author = portal.env["res.partner"].with_user(portal)
        self.assertFalse(author.search([("email", "=", self.john.email)]))

    # ------------------------------------------------------------
    # MEMBERS
    # ------------------------------------------------------------

    def test_who_left_reads_nothing_that_came_later(self):
        talk = self.start("For both")
        talk.with_user(self.john).user_ids += self.jane
        self.post(talk, self.john, "While Jane was there")
        talk.with_user(self.john).user_ids -= self.jane
        answer = self.make_mail(
            self.john.alias_email,
            text=f"Later: {SECRET}",
            in_reply_to=talk.message_ids[0].message_id,
        )
        self.assertEqual(self.receive(answer).conversation_id, talk)
        self.post(talk, self.john, f"{SECRET}, says John")
        self.assertNotIn(SECRET, self.bodies(self.jane))
        self.assertFalse(self.sent_to(self.jane.email))
        self.assertFalse(talk.with_user(self.jane).search([("id", "=", talk.id)]))
        with self.assertRaises(AccessError):
            talk.with_user(self.jane).user_ids += self.jane

    def test_a_delegate_gets_what_comes_and_not_what_came(self):
        talk = self.start()
        self.john.write({"alias_delegate_id": self.jane.id, "active": False})
        answer = self.make_mail(
            self.john.alias_email, text="Later", in_reply_to=talk.message_ids.message_id
        )
        inbound = self.receive(answer)
        self.assertNotEqual(inbound.conversation_id, talk)
        self.assertIn("Later", self.bodies(self.jane))
        self.assertNotIn(SECRET, self.bodies(self.jane))

    def test_a_colleague_who_is_told_of_one_message_reads_that_one(self):
        talk = self.start()
        shared = self.post(talk, self.john, "Have a look", partner_ids=self.jane.partner_id.ids)
        self.assertIn("Have a look", self.bodies(self.jane))
        self.assertNotIn(SECRET, self.bodies(self.jane))
        # nor by answering it, where core lets who was told of the parent write
        for values in ({"parent_id": shared.id}, {"parent_id": shared.id, "subtype_id": False}):
            with self.assertRaises(AccessError):
                self.env["mail.message"].with_user(self.jane).create(
                    {"model": talk._name, "res_id": talk.id, "body": "From John", **values}
                )
        with self.assertRaises(AccessError):
            talk.with_user(self.jane).message_post(body="From John", parent_id=shared.id)

    def test_nobody_moves_messages_into_somebodys_conversation(self):
        self.jane.groups_id += self.env.ref("base.group_partner_manager")
        talk, document = self.start(), self._create_document()
        message = document.with_user(self.jane).message_post(body="Mine")
        with self.assertRaises(AccessError):
            message.write({"model": talk._name, "res_id": talk.id})

    def test_nobody_takes_messages_of_documents_back_that_were_never_his(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        document = self._create_document()
        message = document.message_post(body="Of the document")
        mine = self.start().with_user(self.john)
        values = {
            "attached_model": document._name,
            "attached_res_id": document.id,
            "attached_message_ids": message.ids,
        }
        for name, value in values.items():
            with self.subTest(name), self.assertRaises(AccessError):
                mine.write({name: value})
        with self.assertRaises(AccessError):
            mine.create({"name": "x", **values})
        self.assertTrue(mine.copy())

    # ------------------------------------------------------------
    # NOTIFICATIONS
    # ------------------------------------------------------------

    def test_only_members_are_told_by_the_bus(self):
        self.env["bus.bus"].search([]).unlink()
        talk = self.start()
        message = self.post(talk, self.john, f"A {SECRET}")
        talk.with_user(self.john).message_post(body=f"A note on the {SECRET}")
        talk.with_user(self.john)._message_update_content(message, f"A new {SECRET}")
        self.john.notification_type = "inbox"
        self.receive(
            self.make_mail(
                self.john.alias_email, text=f"Another {SECRET}", in_reply_to=message.message_id
            )
        )
        self.env.cr.precommit.run()
        told = self.env["bus.bus"].search([]).filtered(lambda each: SECRET in each.message)
        self.assertTrue(told)
        channels = {tuple(json.loads(each.channel)[1:]) for each in told}
        self.assertEqual(channels, {("res.partner", self.john.partner_id.id)})

    def test_nobody_else_follows_by_any_way(self):
        talk = self.start()
        eve = self.jane.partner_id
        values = {"res_model": talk._name, "res_id": talk.id, "partner_id": eve.id}
        with self.assertRaises(ValidationError):
            self.env["mail.followers"].create(values)
        talk.message_subscribe(eve.ids)
        invite = self.env["mail.wizard.invite"].with_user(self.john)
        invite.create(
            {"res_model": talk._name, "res_id": talk.id, "partner_ids": eve.ids}
        ).add_followers()
        self.assertEqual(talk.message_partner_ids, self.john.partner_id)
