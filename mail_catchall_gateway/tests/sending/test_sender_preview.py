from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools import mute_logger

from ...models.sending.refusal_advice import ADVICE
from ...tools.sending import refusal
from .. import smtp_relay as relays
from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSenderPreview(CatchallCommon):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.out = f"outgoing@{cls.domain}"
        cls.env["ir.config_parameter"].search([("key", "like", "mail.%.smtp.from")]).unlink()
        # whom the form shows
        cls.env["res.users"].search([("alias_email", "!=", False)])
        (cls.jane.alias_id | cls.john.alias_id).flush_recordset()

    def open_form(self, server=None):
        return Form(server or self.relay, view="base.ir_mail_server_form")

    def test_the_form_says_as_whom_mail_leaves_while_it_is_filled_in(self):
        user = self.env["res.users"].search([("alias_email", "!=", False)], limit=1)
        default_from = self.mail_alias_domain.default_from_email
        bounce, catchall = (
            self.mail_alias_domain.bounce_email,
            self.mail_alias_domain.catchall_email,
        )
        with self.open_form() as form:
            for text in (
                f"{user.name} &lt;{user.alias_email}&gt;",
                f"OdooBot &lt;{default_from}&gt;",
                f"Mary &lt;{default_from}&gt;",
                bounce,
                catchall,
            ):
                self.assertIn(text, form.from_preview)
            self.assertFalse(form.from_warning)
            form.from_policy, form.from_address = "forced", self.out
            for text in (
                f"&#34;{user.name} ({user.alias_email})&#34; &lt;{self.out}&gt;",
                f"&#34;Mary (mary@customer.com)&#34; &lt;{self.out}&gt;",
            ):
                self.assertIn(text, form.from_preview)
            self.assertFalse(form.from_warning)

    def test_an_administrator_opens_the_form(self):
        """The superuser, as whom tests run, has values of his own in the cache."""
        admin = self._create_user("Ada", "Min", groups="base.group_system")
        (values,) = self.relay.with_user(admin).read(["from_warning", "from_preview"])
        self.assertIn("leaves From", values["from_preview"])

    def test_a_new_server_and_an_archived_one(self):
        with Form(self.env["ir.mail_server"]) as form:
            form.name, form.smtp_host, form.from_filter = "New", "x.example", self.domain
            form.from_policy, form.from_address = "dynamic", self.out
            self.assertIn(f"&lt;{self.out}&gt;", form.from_preview)
        self.relay.active = False
        self.assertIn("OdooBot", self.relay.from_preview)

    def test_signed_addresses_are_told(self):
        self.mail_alias_domain.signed_reply_to = True
        self.relay.invalidate_recordset()
        self.assertIn(f"reply.…@{self.domain}", self.relay.from_preview)
        self.assertIn(f"bounce.…@{self.domain}", self.relay.from_preview)

    def test_what_cannot_work_together_is_told_before_a_mail_is_refused(self):
        other = "elsewhere.example"
        rows = [
            # policy, address, FROM Filtering, host, user, a word of the warning
            (False, "", self.domain, "x.example", "", ""),
            (False, "", False, "x.example", "", "does not leave as itself"),
            (False, "", self.john.alias_email, "x.example", "", None),
            (False, "", f"outgoing@{other}", "x.example", "", "does not leave as itself"),
            ("forced", self.out, self.domain, "x.example", "", ""),
            ("forced", self.out, self.out, "x.example", "", ""),
            ("forced", self.out, other, "x.example", "", "add it there"),
            ("forced", f"me@{other}", other, "x.example", "", "none of your alias domains"),
            ("dynamic", self.out, False, "x.example", "", ""),
            ("dynamic", self.out, self.out, "x.example", "", "replaced as well"),
            ("forced", self.out, self.out, "smtp.gmail.com", self.out, ""),
            ("dynamic", self.out, False, "smtp.gmail.com", self.out, "only as its own"),
            (False, "", self.domain, "smtp.office365.com", self.out, "only as its own"),
        ]
        for policy, address, from_filter, host, user, word in rows:
            with self.subTest(policy=policy, address=address, from_filter=from_filter, host=host):
                self.relay.write(
                    {
                        "from_policy": policy,
                        "from_address": address,
                        "from_filter": from_filter,
                        "smtp_host": host,
                        "smtp_user": user,
                    }
                )
                if word:
                    self.assertIn(word, self.relay.from_warning or "")
                elif word == "":
                    self.assertFalse(self.relay.from_warning)
        self.mail_alias_domain.default_from = False
        self.relay.write({"from_policy": "forced", "from_address": ""})
        self.assertIn("no address to send as", self.relay.from_warning)

    def test_only_one_plain_address_can_be_sent_as(self):
        for address in ("Acme <a@acme.com>", "acme", "@acme.com", "a@acme.com, b@acme.com"):
            for record in (self.relay, self.mail_alias_domain):
                with self.subTest(address=address), self.assertRaises(ValidationError):
                    record.from_address = address
        self.relay.from_address = "Outgoing@acme.com"

    def test_there_is_advice_for_all_that_is_recognized(self):
        codes = {code for _pattern, code in refusal._RULES}
        self.assertEqual(codes, set(ADVICE))
        self.assertEqual(self.relay._get_advice("250 OK"), "")
        advice = self.env["ir.mail_server"]._get_advice("535 5.7.8 authentication failed")
        self.assertIn("“Odoo's configuration file”", advice)

    def test_a_refused_mail_says_what_to_change(self):
        relay = relays.Relay(rf"[^@\s]+@{self.domain}")
        with (
            relays.running(self.env, relay) as port,
            mute_logger("odoo.addons.mail.models.mail_mail"),
        ):
            self.relay.write({"smtp_host": relays.HOST, "smtp_port": port, "from_filter": False})
            mail = self.env["mail.mail"].create(
                {
                    "email_from": "ann@agency.example",
                    "email_to": "bob@customer.example",
                    "mail_server_id": self.relay.id,
                    "headers": "{'Return-Path': 'ann@agency.example'}",
                }
            )
            mail.send()
            self.assertIn("not owned by user", mail.failure_reason)
            self.assertIn("“Relay” choose “Replace other", mail.failure_reason)
            self.env.user.email = "ann@agency.example"
            with self.assertRaisesRegex(UserError, "“Relay” choose “Replace other"):
                self.relay.test_smtp_connection()
