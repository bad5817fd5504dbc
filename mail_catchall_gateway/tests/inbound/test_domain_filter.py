from odoo.exceptions import ValidationError
from odoo.tests import tagged

from ..common import CatchallCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDomainFilter(CatchallCommon):
    """Whose address counts: domains, accepted domains, local parts, subaddresses."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.mailbox = cls._create_mailbox()
        cls.team_alias = cls._create_team_alias()
        cls.team = f"team@{cls.domain}"
        cls.alias_domain = cls.mail_alias_domain

    # ------------------------------------------------------------
    # FOREIGN
    # ------------------------------------------------------------

    def test_mail_for_nobody_here_is_ignored_and_kept(self):
        mail = self.make_mail("somebody@elsewhere.example")
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "ignored", "foreign_domain")
        self.assertIn("somebody@elsewhere.example", inbound.reason)
        self.assertEqual(inbound._get_source(), mail.as_bytes())

    def test_an_answer_is_an_answer_whoever_it_is_written_to(self):
        document = self._create_document()
        sent = document.message_post(body="Hello", message_type="comment")
        mail = self.make_mail("list@elsewhere.example", in_reply_to=sent.message_id)
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertEqual(inbound.mail_message_ids.res_id, document.id)

    def test_local_parts_of_mail_that_no_catchall_mailbox_received(self):
        """As core finds them: in our domains and the allowed ones, if some are allowed."""
        self.team_alias.alias_incoming_local = True
        find = self.env["mail.alias"]._find_by_addresses
        set_param = self.env["ir.config_parameter"].set_param
        for allowed, found in (
            (False, {"acme.example", "other.example", self.domain}),
            ("acme.example", {"acme.example", self.domain}),
        ):
            set_param("mail.catchall.domain.allowed", allowed)
            for name in ("acme.example", "other.example", self.domain):
                with self.subTest(allowed=allowed, name=name):
                    self.assertEqual(self.team_alias in find([f"team@{name}"]), name in found)

    def test_an_outsiders_local_part_is_not_ours(self):
        """odoo#69782, odoo#244272: sales@other.com in Cc made a lead of ours."""
        self.team_alias.alias_incoming_local = True
        mail = self.make_mail(self.john.alias_email, cc="team@elsewhere.example")
        inbound = self.receive(mail, [self.john.alias_email])
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.mail_message_ids.mapped("model"), ["mail.catchall.conversation"])

        inbound = self.receive(self.make_mail("team@elsewhere.example"))
        self.assertVerdict(inbound, "ignored", "foreign_domain")

    def test_an_outsiders_local_part_does_not_make_an_answer_a_forward(self):
        channels = self.env["ir.model"]._get_id("discuss.channel")
        self.team_alias.write({"alias_incoming_local": True, "alias_model_id": channels})
        document = self._create_document()
        sent = document.message_post(body="Hello", message_type="comment")
        mail = self.make_mail(
            f"{self.alias_domain.catchall_email}, team@elsewhere.example",
            in_reply_to=sent.message_id,
        )
        inbound = self.receive(mail)
        self.assertVerdict(inbound, "delivered", "reply")
        self.assertEqual(inbound.mail_message_ids.res_id, document.id)

    def test_without_any_domain_it_is_as_in_core(self):
        self.env["mail.alias"].search([]).alias_domain_id = False
        self.env["res.company"].search([]).alias_domain_id = False
        self.env["mail.alias.domain"].search([]).unlink()
        self.team_alias.alias_incoming_local = True
        nowhere = self._create_team_alias("nowhere")
        self.assertFalse(nowhere.alias_domain_id)
        inbound = self.receive(self.make_mail("team@acme.example", subject="As before"))
        self.assertVerdict(inbound, "delivered", "alias")
        inbound = self.receive(self.make_mail("nobody@acme.example"))
        self.assertVerdict(inbound, "review", "unrouted")

    # ------------------------------------------------------------
    # LOCAL PARTS
    # ------------------------------------------------------------

    def test_local_parts_count_where_the_mail_server_delivered_for(self):
        self.team_alias.alias_incoming_local = True
        mail = self.make_mail("team@acme.example", subject="By its local part")
        inbound = self.receive(mail, ["team@acme.example"])
        self.assertVerdict(inbound, "delivered", "alias")

    def test_local_parts_count_in_allowed_domains_only(self):
        self.team_alias.alias_incoming_local = True
        self.env["ir.config_parameter"].set_param("mail.catchall.domain.allowed", "acme.example")
        inbound = self.receive(self.make_mail("team@acme.example", subject="Allowed"))
        self.assertVerdict(inbound, "delivered", "alias")
        inbound = self.receive(self.make_mail("team@acme.test"), ["team@acme.test"])
        self.assertVerdict(inbound, "ignored", "foreign_domain")

    def test_local_parts_do_not_count_for_other_aliases(self):
        inbound = self.receive(self.make_mail("team@acme.example"), ["team@acme.example"])
        self.assertVerdict(inbound, "ignored", "foreign_domain")

    def test_local_parts_never_cross_companies(self):
        other = self.mail_alias_domain_c2
        self.assertTrue(other.company_ids, "another company's")
        self.team_alias.alias_incoming_local = True
        inbound = self.receive(self.make_mail(f"team@{other.name}"), [f"team@{other.name}"])
        self.assertVerdict(inbound, "review", "unrouted")

    def test_the_other_companys_own_alias_gets_its_mail_alone(self):
        other = self.mail_alias_domain_c2
        self.team_alias.alias_incoming_local = True
        theirs = self._create_team_alias(alias_domain_id=other.id)
        inbound = self.receive(self.make_mail(theirs.alias_full_name, subject="For them alone"))
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertEqual(inbound.alias_ids, theirs)
        self.assertEqual(len(inbound.mail_message_ids), 1)

    # ------------------------------------------------------------
    # ACCEPTED DOMAINS
    # ------------------------------------------------------------

    def test_an_accepted_domain_counts_as_ours(self):
        self.alias_domain.accepted_domain_names = "acme.example"
        for to, code in [
            ("john.doe@acme.example", "user_alias"),
            ("John.Doe@ACME.example", "user_alias"),
            ("team@acme.example", "alias"),
        ]:
            with self.subTest(to=to):
                inbound = self.receive(self.make_mail(to, subject=to))
                self.assertVerdict(inbound, "delivered", code)
        inbound = self.receive(self.make_mail("nobody@acme.example"))
        self.assertVerdict(inbound, "review", "unrouted")
        self.assertIn("nobody@acme.example", inbound.reason)

    def test_written_with_two_domains_it_arrives_once(self):
        self.alias_domain.accepted_domain_names = "acme.example"
        inbound = self.receive(self.make_mail(f"{self.john.alias_email}, john.doe@acme.example"))
        self.assertEqual(len(inbound.mail_message_ids), 1)
        self.assertEqual(len(self.inbox(self.john)), 1)

    def test_a_catchall_in_an_accepted_domain_is_the_catchall(self):
        self.alias_domain.accepted_domain_names = "acme.example"
        mail = self.make_mail(f"{self.alias_domain.catchall_alias}@acme.example")
        self.assertVerdict(self.receive(mail), "bounced", "unrouted")

    def test_nobody_becomes_a_contact_at_an_accepted_domain(self):
        self.alias_domain.accepted_domain_names = "acme.example"
        partner = self.env["mail.thread"]._mail_find_partner_from_emails(
            ["jane.roe@acme.example"], force_create=True
        )[0]
        self.assertEqual(partner, self.jane.partner_id)

    def test_names_are_kept_tidy(self):
        self.alias_domain.accepted_domain_names = " @Acme.Example; bücher.example,acme.example "
        self.assertEqual(
            self.alias_domain.accepted_domain_names, "acme.example, xn--bcher-kva.example"
        )

    def test_a_domain_written_with_capitals_is_the_domain(self):
        """Core keeps them, and finds no alias of it."""
        self.alias_domain.name = "Acme.Example"
        other = self.env["mail.alias.domain"].create({"name": "Other.Example"})
        self.assertEqual((self.alias_domain.name, other.name), ("acme.example", "other.example"))
        inbound = self.receive(self.make_mail("John.Doe@Acme.Example"))
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_the_wrong_entry_is_named(self):
        other = self.mail_alias_domain_c2
        other.accepted_domain_names = "taken.example"
        for value, wrong in [
            ("acme.example, not a domain", "“not”"),
            ("acme.example, acme", "“acme”"),
            ("acme..example", "“acme..example”"),
            ("x@acme.example", "“x@acme.example”"),
            (f"acme.example, {other.name}", other.name),
            ("acme.example, taken.example", "taken.example already counts as"),
        ]:
            with self.subTest(value=value), self.assertRaises(ValidationError) as caught:
                self.alias_domain.accepted_domain_names = value
            self.assertIn(wrong, str(caught.exception))

    def test_the_wrong_allowed_domain_is_named(self):
        parameters = self.env["ir.config_parameter"]
        with self.assertRaises(ValidationError) as caught:
            parameters.set_param("mail.catchall.domain.allowed", "acme.example,acme")
        self.assertIn("“acme”", str(caught.exception))

    def test_no_users_own_address_may_come_back_to_odoo(self):
        self.jane.email = "john.doe@acme.example"
        with self.assertRaises(ValidationError) as caught:
            self.alias_domain.accepted_domain_names = "acme.example"
        self.assertIn("john.doe@acme.example", str(caught.exception))
        self.jane.email = "jane@home.example"
        self.alias_domain.accepted_domain_names = "acme.example"
        with self.assertRaises(ValidationError):
            self.jane.email = "john.doe@acme.example"
        self.jane.email = "new@acme.example"
        with self.assertRaises(ValidationError):
            self.john.alias_name = "new"

    # ------------------------------------------------------------
    # SUBADDRESSES
    # ------------------------------------------------------------

    def test_the_detail_is_a_note_of_the_recipient(self):
        inbound = self.receive(self.make_mail(f"john.doe+invoices@{self.domain}"))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.conversation_id.user_ids, self.john)
        self.assertEqual(inbound.subaddress, "invoices")

    def test_an_alias_with_that_exact_name_wins(self):
        exact = self._create_team_alias("john.doe+invoices")
        inbound = self.receive(self.make_mail(exact.alias_full_name, subject="Exactly"))
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertEqual(inbound.alias_ids, exact)
        self.assertFalse(inbound.subaddress)

    def test_the_separator_is_the_domains(self):
        self.alias_domain.subaddress_separator = "-"
        inbound = self.receive(self.make_mail(f"john.doe-invoices@{self.domain}"))
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(inbound.subaddress, "invoices")
        self.alias_domain.subaddress_separator = False
        for separator in "-+":
            with self.subTest(separator=separator):
                mail = self.make_mail(f"john.doe{separator}invoices@{self.domain}")
                self.assertVerdict(self.receive(mail), "review", "unrouted")

    def test_a_separator_must_divide(self):
        for separator in ("a", ".", "@", " ", "+a", "+++++"):
            with self.subTest(separator=separator), self.assertRaises(ValidationError):
                self.alias_domain.subaddress_separator = separator
