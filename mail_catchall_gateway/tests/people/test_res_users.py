from odoo.exceptions import AccessError, UserError, ValidationError
from odoo.tests import tagged
from odoo.tests.common import users

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestMessagingAlias(CatchallCommon):
    def test_a_name_makes_an_alias_in_the_domain_of_the_users_company(self):
        self.assertEqual(self.john.alias_email, f"john.doe@{self.domain}")
        alias = self.john.alias_id
        self.assertTrue(alias.is_user_alias)
        self.assertEqual(alias.alias_user_id, self.john)
        self.assertEqual(alias.alias_model_id.model, "mail.catchall.conversation")

        other = self._create_user(
            "Ann", "Lee", company_id=self.company_2.id, company_ids=[(6, 0, self.company_2.ids)]
        )
        self.assertEqual(other.alias_email, f"ann.lee@{self.alias_domain_c2_name}")

    def test_an_alias_given_later(self):
        late = self._create_user("Late", "Comer", alias_name=False)
        self.assertFalse(late.alias_id)
        late.alias_name = "Late Comer"
        self.assertEqual(late.alias_email, f"late-comer@{self.domain}")
        self.assertEqual(late.alias_id.alias_user_id, late)

        other = self._create_user(
            "Ann", "Lee", alias_name=False, company_id=self.company_2.id,
            company_ids=[(6, 0, self.company_2.ids)],
        )  # fmt: skip
        other.alias_name = "ann"
        self.assertEqual(other.alias_email, f"ann@{self.alias_domain_c2_name}")

    def test_other_aliases_are_not_messaging_aliases(self):
        alias = self.env["mail.alias"].create(
            {"alias_name": "team", "alias_model_id": self.env["ir.model"]._get_id("res.partner")}
        )
        self.assertFalse(alias.is_user_alias)
        found = self.env["mail.alias"].search([("is_user_alias", "=", True)])
        self.assertIn(self.john.alias_id, found)
        self.assertNotIn(alias, found)

    def test_two_users_cannot_have_the_same_alias(self):
        with self.assertRaises(UserError) as caught:
            self.jane.alias_name = "john.doe"
        self.assertIn("John Doe", str(caught.exception))

    def test_only_internal_users_have_one(self):
        portal = self._create_portal_user()
        with self.assertRaises(ValidationError) as caught:
            portal.alias_name = "chell"
        self.assertIn("only internal users", str(caught.exception))

    def test_who_gives_his_alias_up_may_become_a_portal_user(self):
        portal = self.env.ref("base.group_portal")
        with self.assertRaises(ValidationError):
            self.john.groups_id = portal
        self.john.alias_name = False
        self.john.groups_id = portal
        self.assertTrue(self.john.share)
        with self.assertRaises(ValidationError):
            self.john.alias_name = "john.doe"

    def test_the_alias_goes_with_its_user(self):
        alias = self.john.alias_id
        self.john.unlink()
        self.assertFalse(alias.exists())

    @users("john")
    def test_users_read_their_own_alias_and_choose_about_copies(self):
        me = self.john.with_user(self.env.uid)  # env.user would be a superuser's record
        values = me.read(["alias_email", "alias_name", "alias_domain_id", "alias_copy_to_mailbox"])[
            0
        ]
        self.assertEqual(values["alias_email"], f"john.doe@{self.domain}")
        me.write({"alias_copy_to_mailbox": False})
        self.assertFalse(me.alias_copy_to_mailbox)
        with self.assertRaises(AccessError):
            me.write({"alias_name": "boss"})
        with self.assertRaises(AccessError):
            self.jane.with_user(me).write({"alias_copy_to_mailbox": False})


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestIdentity(CatchallCommon):
    def replace(self, email):
        return self.env["res.users"]._replace_own_address(email)

    def test_an_own_address_becomes_the_alias(self):
        identity = f'"John Doe" <john.doe@{self.domain}>'
        for email in ("john@home.example", "Johnny <JOHN@home.example>", '"J" <john@home.example>'):
            with self.subTest(email=email):
                self.assertEqual(self.replace(email), identity)

    def test_everything_else_stays(self):
        plain = self._create_user("Plain", "User", alias_name=False)
        for email in (
            self.customer,
            plain.email_formatted,
            f"john.doe@{self.domain}",
            "",
            False,
            None,
            f"{self.customer}, bob@customer.example",
        ):
            with self.subTest(email=email):
                self.assertEqual(self.replace(email), email)

    def test_the_identity_follows_every_change(self):
        def identity(email="john@home.example"):
            return self.replace(email)

        self.assertIn("john.doe@", identity())
        self.john.alias_name = "jd"
        self.assertEqual(identity(), f'"John Doe" <jd@{self.domain}>')
        self.john.name = "John D. Doe"
        self.assertEqual(identity(), f'"John D. Doe" <jd@{self.domain}>')
        self.john.partner_id.email = "john@new.example"
        self.assertEqual(identity(), "john@home.example")
        self.assertEqual(identity("john@new.example"), f'"John D. Doe" <jd@{self.domain}>')
        self.mail_alias_domain.name = "new.mycompany.com"
        self.assertEqual(identity("john@new.example"), '"John D. Doe" <jd@new.mycompany.com>')
        self.john.active = False
        self.assertEqual(identity("john@new.example"), "john@new.example")
        self.john.active = True
        self.assertIn("jd@", identity("john@new.example"))
        self.john.alias_name = False
        self.assertEqual(identity("john@new.example"), "john@new.example")

    def test_the_alias_goes_out_from_a_documents_chatter(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        customer = self.env["res.partner"].create({"name": "Bob", "email": "bob@customer.example"})
        document = self.env["res.partner"].create({"name": "A document"})
        with self.mock_mail_gateway():
            document.with_user(self.john).message_post(
                body="Hello", message_type="comment", subtype_xmlid="mail.mt_comment",
                partner_ids=customer.ids,
            )  # fmt: skip
        sent = self.sent_to("bob@customer.example")[0]
        self.assertFrom(sent, self.john)
        self.assertNotLeaked("john@home.example", "bob@customer.example")

    def test_the_alias_goes_out_from_the_composer_and_later(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        document = self.env["res.partner"].create({"name": "Bob", "email": "bob@customer.example"})
        composer = self.env["mail.compose.message"].with_user(self.john)
        composer = composer.with_context(
            default_model="res.partner",
            default_res_ids=document.ids,
            default_composition_mode="comment",
        )
        for mode in ("comment", "mass_mail"):
            with self.subTest(mode=mode), self.mock_mail_gateway():
                composer.create(
                    {"body": "<p>Hi</p>", "subject": "Hi", "partner_ids": document.ids,
                     "composition_mode": mode}
                )._action_send_mail()  # fmt: skip
                self.env["mail.mail"].process_email_queue()
                (sent,) = self.sent_to("bob@customer.example")
                self.assertFrom(sent, self.john)
                self.assertNotLeaked("john@home.example", "bob@customer.example")
        with self.mock_mail_gateway():
            document.with_user(self.john).message_post(
                body="Later", message_type="comment", subtype_xmlid="mail.mt_comment",
                partner_ids=document.ids, scheduled_date="2100-01-01 00:00:00",
            )  # fmt: skip
            self.assertFalse(self.emails)
            self.env["mail.message.schedule"].search([]).force_send()
        (sent,) = self.sent_to("bob@customer.example")
        self.assertFrom(sent, self.john)
        self.assertNotLeaked("john@home.example", "bob@customer.example")

    def test_the_alias_goes_out_from_a_template_and_the_mail_queue(self):
        document = self.env["res.partner"].create({"name": "Bob", "email": "bob@customer.example"})
        template = self.env["mail.template"].create(
            {
                "name": "Offer",
                "model_id": self.env["ir.model"]._get_id("res.partner"),
                "email_from": "{{ user.email_formatted }}",
                "reply_to": "{{ user.email_formatted }}",
                "email_to": "bob@customer.example",
                "subject": "Offer",
                "body_html": "<p>Hello</p>",
            }
        )
        with self.mock_mail_gateway():
            template.with_user(self.john).send_mail(document.id)
            self.env["mail.mail"].create(
                {
                    "email_from": "john@home.example",
                    "email_to": "bob@customer.example",
                    "body_html": "x",
                }
            )
            self.env["mail.mail"].process_email_queue()
        sent = self.sent_to("bob@customer.example")
        self.assertEqual(
            [mail["From"].addresses[0].addr_spec for mail in sent], [self.john.alias_email] * 2
        )
        self.assertEqual(sent[0]["Reply-To"].addresses[0].addr_spec, self.john.alias_email)
        self.assertNotLeaked("john@home.example", "bob@customer.example")
