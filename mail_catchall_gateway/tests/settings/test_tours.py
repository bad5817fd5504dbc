from odoo.tests import HttpCase, tagged

from ..common import ReviewCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestTours(ReviewCommon, HttpCase):
    """What people do with the screens, in a browser. The setup guide: ``test_setup_tour.py``."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        for user in cls.john | cls.manager:
            user.login = f"tour.{user.login}"  # a password is the login, and must be long
            user.password = user.login

    def url(self, xmlid):
        return f"/web#action={xmlid}"

    def test_a_manager_delivers_to_the_suggested_alias(self):
        self.env["mail.catchall.inbound"].search([]).write({"state": "ignored"})
        inbound = self.receive_typo()
        self.start_tour(
            self.url("mail_catchall_gateway.mail_catchall_inbound_action"),
            "catchall_review",
            login=self.manager.login,
        )
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertIn("Two, please.", self.inbox(self.john).body)

    def test_a_user_reads_answers_and_attaches(self):
        self.john.groups_id += self.env.ref("base.group_partner_manager")
        document = self._create_document("Customer file")
        inbound = self.receive(self.make_mail(f"john.doe@{self.domain}"))
        self.start_tour(
            self.url("mail_catchall_gateway.mail_catchall_conversation_action"),
            "catchall_conversation",
            login=self.john.login,
        )
        mail, answer = (
            inbound.mail_message_ids,
            document.message_ids.filtered(lambda message: "They leave today." in message.body),
        )
        self.assertEqual((mail.model, mail.res_id), (document._name, document.id))
        self.assertFalse(inbound.conversation_id.active)
        self.assertEqual(answer.email_from, f'"John Doe" <john.doe@{self.domain}>')
        self.assertIn("mary@customer.example", answer.notified_partner_ids.mapped("email"))

    def test_settings_are_saved_and_read_back(self):
        company = self.env.ref("base.main_company")
        domain = self.env["mail.alias.domain"].create({"name": "settings.example"})
        company.alias_domain_id = domain
        self._create_team_alias("office", alias_domain_id=domain.id)
        admin = self.env.ref("base.user_admin")
        admin.write({"company_ids": [(4, company.id)], "company_id": company.id})
        self.start_tour(
            self.url("base_setup.action_general_configuration"), "catchall_settings", login="admin"
        )
        self.assertEqual(domain.unrouted_policy, "forward")
        self.assertEqual(domain.unrouted_alias_id.alias_name, "office")
        self.assertEqual(domain.from_policy, "dynamic")
        self.assertEqual(domain.subaddress_separator, "-")
        self.assertEqual(domain.authentication_policy, "reject")
        self.assertTrue(domain.signed_reply_to)
        fetching = self.env.ref("mail.ir_cron_mail_gateway_action")
        self.assertEqual((fetching.interval_number, fetching.interval_type), (7, "minutes"))
        get_param = self.env["ir.config_parameter"].get_param
        self.assertEqual(get_param("mail.gateway.loop.threshold"), "33")
        self.assertEqual(get_param("mail_catchall_gateway.delivered_days"), "44")

    def test_the_user_form(self):
        self.start_tour(self.url("base.action_res_users"), "catchall_user_form", login="admin")
        self.assertEqual(self.john.alias_email, f"johnny.doe@{self.domain}")
        self.assertFalse(self.john.alias_copy_to_mailbox)
        self.assertEqual(self.john.alias_delegate_id, self.jane)
        further = self.john.further_alias_ids.mapped("alias_name")
        self.assertEqual(sorted(further), ["jd", "john.doe"])

    def test_the_profile(self):
        self.start_tour("/web", "catchall_profile", login=self.john.login)
        self.assertFalse(self.john.alias_copy_to_mailbox)
