import datetime

from odoo import fields
from odoo.tests import tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestStranger(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.document = cls._create_document("Order", email="bob@customer.example")
        cls.message = cls.document.message_post(
            body="Bicycles",
            email_from=cls.customer,
            message_type="comment",
            partner_ids=cls.document.ids,
        )

    def answer(self, sender, days_old, limit):
        """Return whether an answer reaches the thread."""
        self.env["ir.config_parameter"].set_param("mail_catchall_gateway.reply_days", limit)
        self.message.date = fields.Datetime.now() - datetime.timedelta(days=days_old)
        to = self.john.alias_email
        mail = self.make_mail(to, sender, in_reply_to=self.message.message_id)
        inbound = self.receive(mail)
        self.assertEqual(inbound.state, "delivered")
        return inbound.res_model == "res.partner"

    def test_an_old_message_opens_its_thread_to_those_who_had_part_in_it(self):
        for sender, days_old, limit, expected in [
            ("Eve <eve@evil.example>", 400, 0, True),
            ("Ivy <ivy@evil.example>", 10, 30, True),
            ("Ian <ian@evil.example>", 400, 999_999, True),
            ("Iva <iva@evil.example>", 400, "for ever", True),
            ("Eva <eva@evil.example>", 31, 30, False),
            (self.customer, 31, 30, True),
            ("bob@customer.example", 31, 30, True),
            ("Jane <jane@home.example>", 31, 30, True),
            (f"Jane <{self.jane.alias_email}>", 31, 30, True),
        ]:
            with self.subTest(sender=sender, days_old=days_old, limit=limit):
                self.assertEqual(self.answer(sender, days_old, limit), expected)

    def test_a_manager_may_let_it_in(self):
        self.answer("Eve <eve@evil.example>", 31, 30)
        inbound = self.env["mail.catchall.inbound"].search([], limit=1, order="id desc")
        gateway = self.env["mail.catchall.gateway"]
        mail = gateway._prepare_mail(inbound, inbound._get_source())
        self.assertFalse(self.env["mail.catchall.parent"]._find(mail))
        mail = mail.replace(is_accepted=True)
        self.assertEqual(self.env["mail.catchall.parent"]._find(mail), self.message)
