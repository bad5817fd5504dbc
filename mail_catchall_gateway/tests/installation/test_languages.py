from odoo.tests import Form, tagged
from odoo.tools.translate import code_translations

from ..common import CatchallCommon

MODULE = "mail_catchall_gateway"
#: What the tests expect of our own texts, whatever the translators write.
TEXTS = {
    "Written to %(address)s, delivered to %(alias)s.": "Écrit à %(address)s, remis à %(alias)s.",
    "(no subject)": "(pas de sujet)",
}
MARY = "mary@customer.example"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestLanguages(CatchallCommon):
    """What people outside are told is in their language where it is known, else the company's."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.env["res.lang"]._activate_lang("fr_FR")
        core = cls.env["ir.module.module"].search([("name", "=", "mail")])
        core._update_translations(["fr_FR"])
        cls.env.ref(f"{MODULE}.bounce_unrouted").update_field_translations(
            "arch_db", {"fr_FR": {"Hello,": "Bonjour à vous,", "Regards,": "Salutations,"}}
        )
        known = {**code_translations.get_python_translations(MODULE, "fr_FR"), **TEXTS}
        translations = {(MODULE, "fr_FR"): known}
        cls.classPatch(
            code_translations,
            "python_translations",
            {**code_translations.python_translations, **translations},
        )
        cls.company_admin.partner_id.lang = "en_US"
        cls.alias_domain = cls.mail_alias_domain
        cls.typo = f"jon.doe@{cls.domain}"

    def _create_contact(self, **values):
        values = {"name": "Mary Smith", "email": self.customer, "lang": "fr_FR", **values}
        return self.env["res.partner"].create(values)

    def _get_rejection(self, mail):
        """Return the text in which a sender is told that nobody gets his mail."""
        inbound = self.receive(mail)
        self.assertEqual(inbound.state, "bounced", inbound.reason)
        (rejection,) = self.sent_to(MARY)
        self.assertNotIn("Bonjour", inbound.reason, "managers read it")
        return rejection.get_body().get_content()

    def assertLanguages(self, make_mail, english, french):
        """Assert in which language Mary is told: her own, else the company's, else ours."""
        company = self.company_admin.partner_id
        for case, contact_lang, company_lang, expected in (
            ("nothing is known", False, "en_US", english),
            ("a contact", "fr_FR", "en_US", french),
            ("a contact with another language than the company", "en_US", "fr_FR", english),
            ("nobody, in a French company", False, "fr_FR", french),
        ):
            with self.subTest(case=case):
                company.lang = company_lang
                self.env["res.partner"].search([("email_normalized", "=", MARY)]).unlink()
                if contact_lang:
                    self._create_contact(lang=contact_lang)
                text = self._get_rejection(make_mail())
                self.assertIn(expected, text)
                self.assertNotIn(french if expected == english else english, text)
                self.env["mail.catchall.inbound"].search([]).rejection_date = False

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    def test_who_wrote_to_an_unknown_address(self):
        self.alias_domain.unrouted_policy = "bounce"
        self.assertLanguages(lambda: self.make_mail(self.typo), "Hello,", "Bonjour à vous,")

    def test_who_wrote_to_the_catchall(self):
        catchall = self.alias_domain.catchall_email
        self.assertLanguages(
            lambda: self.make_mail(catchall), "cannot be processed", "ne peut pas être"
        )

    def test_who_may_not_write_to_an_alias(self):
        alias = self._create_team_alias(
            alias_contact="followers",
            alias_parent_model_id=self.env["ir.model"]._get_id("res.partner"),
            alias_parent_thread_id=self._create_document().id,
        )
        self.assertLanguages(
            lambda: self.make_mail(alias.alias_full_name), "Dear Sender", "Cher expéditeur"
        )

    def test_who_wrote_too_much(self):
        self.env["ir.config_parameter"].set_param("mail.gateway.loop.threshold", "1")
        self._create_contact()
        self.receive(self.make_mail(self.john.alias_email))
        inbound = self.receive(self.make_mail(self.john.alias_email))
        self.assertVerdict(inbound, "ignored", "loop")
        (rejection,) = self.sent_to(MARY)
        self.assertIn("contacté trop souvent", rejection.get_body().get_content())
        self.assertIn("Too many mails", inbound.reason)

    def test_a_contact_of_another_company_tells_nothing(self):
        self.alias_domain.unrouted_policy = "bounce"
        self._create_contact(company_id=self.company_2.id)
        self.assertIn("Hello,", self._get_rejection(self.make_mail(self.typo)))

    # ------------------------------------------------------------
    # SENT BACK BY HAND
    # ------------------------------------------------------------

    def _get_proposed(self, inbounds):
        action = inbounds.action_bounce()
        return Form(self.env[action["res_model"]].with_context(**action["context"])).body

    def test_what_a_manager_sends_back_is_proposed_in_their_language(self):
        self.env.user.groups_id |= self.env.ref(f"{MODULE}.group_catchall_manager")
        self._create_contact()
        french = self.receive(self.make_mail(self.typo))
        english = self.receive(self.make_mail(self.typo, sender="bob@customer.example"))
        self.assertIn("Bonjour à vous,", self._get_proposed(french))
        self.assertIn("Hello,", self._get_proposed(english))
        both = self._get_proposed(french | english)
        self.assertIn("Hello,", both, "for several languages that of the company")
        self.company_admin.partner_id.lang = "fr_FR"
        self.assertIn("Bonjour à vous,", self._get_proposed(french | english))

    # ------------------------------------------------------------
    # CONVERSATIONS
    # ------------------------------------------------------------

    def test_a_corrected_address_is_told_to_the_user_in_his_language(self):
        self.alias_domain.unrouted_autocorrect = True
        inbound = self.receive(self.make_mail(self.typo))
        self.assertIn("Written to", inbound.mail_message_ids.body)
        self.john.lang = "fr_FR"
        inbound = self.receive(self.make_mail(self.typo))
        self.assertIn("Écrit à", inbound.mail_message_ids.body)

    def test_an_answer_to_a_mail_without_subject(self):
        self._create_contact()
        inbound = self.receive(self.make_mail(self.john.alias_email, subject=""))
        self.post(inbound.conversation_id, self.john, "Two it is.")
        (answer,) = self.sent_to(MARY)
        self.assertEqual(answer["Subject"], "(pas de sujet)")

    def test_correspondents_of_several_languages_get_one_mail(self):
        self._create_contact()
        self._create_contact(name="Bob", email="bob@customer.example", lang="en_US")
        mail = self.make_mail(self.john.alias_email, cc="Bob <bob@customer.example>")
        conversation = self.receive(mail).conversation_id
        conversation.reply_to_all = True
        self.post(conversation, self.john, "Two it is.")
        (answer,) = self.sent_to(MARY)
        self.assertEqual(answer["To"].addresses[0].addr_spec, MARY)
        self.assertEqual(answer["Cc"].addresses[0].addr_spec, "bob@customer.example")
        self.assertIn('lang="fr_FR"', answer.get_body(("html",)).get_content())

    def test_the_layout_is_in_the_recipients_language(self):
        """The text is what was written; what Odoo adds is for members, each in his language."""
        self._create_contact()
        self.john.lang = "fr_FR"
        inbound = self.receive(self.make_mail(self.john.alias_email))
        (copy,) = self.sent_to(self.john.email)
        copy = copy.get_body(("html",)).get_content()
        self.assertIn('lang="fr_FR"', copy)
        self.assertIn("Voir", copy)
        self.post(inbound.conversation_id, self.john, "Two it is.")
        (answer,) = self.sent_to(MARY)
        answer = answer.get_body(("html",)).get_content()
        self.assertIn('lang="fr_FR"', answer)
        self.assertNotIn("Voir", answer)
