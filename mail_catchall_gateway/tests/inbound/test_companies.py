from odoo.exceptions import AccessError, UserError
from odoo.tests import tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon
from .queue_common import QueueCommon, patch_processing

QUEUE = "odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_queue"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestCompanies(ReviewCommon):
    """Managers of one company learn nothing of the mail of another, whatever becomes of it."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        cls.other_domain = cls.mail_alias_domain_c2.name
        cls.mailbox = cls._create_mailbox(trusted_authserv_id="mx.acme.example")
        cls.mailbox.max_message_size = 1
        cls.env["mail.catchall.blocked"].create({"email": "spam@shop.example"})
        cls.env["ir.config_parameter"].set_param("mail_catchall_gateway.review_spam", "True")

    def assertHidden(self, inbound):
        """Assert that the mail is the second company's, and hidden from the first's manager."""
        self.assertEqual(inbound.company_id, self.company_2)
        rows = self.env["mail.catchall.inbound"].with_user(self.manager)
        self.assertFalse(rows.search_count([("id", "=", inbound.id)]))
        for action in ("action_process", "action_route", "action_discard", "action_download"):
            with self.subTest(action), self.assertRaises(AccessError):
                getattr(inbound.with_user(self.manager), action)()

    def test_mail_is_its_companys_in_every_state(self):
        to = f"jim.poe@{self.other_domain}"
        big = "x" * 1_500_000
        cases = {
            "unrouted": {},
            "spam": {"x_spam_flag": "YES"},
            "sender_rejected": {"sender": "spam@shop.example"},
            "too_large": {"text": big},
            "loop": {"sender": self.mail_alias_domain_c2.catchall_email},
        }
        for code, values in cases.items():
            with self.subTest(code):
                inbound = self.receive(self.make_mail(to, **values), server=self.mailbox)
                self.assertEqual(inbound.verdict_code, code, inbound.reason)
                self.assertHidden(inbound)
        forged = self.make_mail(to, sender=f"ceo@{self.other_domain}")
        forged["Authentication-Results"] = "mx.acme.example; dmarc=fail header.from=x.example"
        inbound = self.receive(forged, server=self.mailbox)
        self.assertVerdict(inbound, "review", "sender_rejected")
        self.assertHidden(inbound)

    def test_mail_that_waits_is_its_companys_too(self):
        mail = self.make_mail(f"jim.poe@{self.other_domain}")
        inbounds = self.env["mail.catchall.inbound"]
        self.assertHidden(inbounds._store([(mail.as_bytes(), {})]))
        blind = self.make_mail("list@elsewhere.example").as_bytes()
        self.assertHidden(
            inbounds._store([(blind, {"envelope_to": f"jim.poe@{self.other_domain}"})])
        )

    def test_mail_to_a_user_is_of_the_users_company(self):
        """Where several companies share a domain."""
        self.company_2.alias_domain_id = self.mail_alias_domain
        self.john.write({"company_ids": [(4, self.company_2.id)], "company_id": self.company_2.id})
        self.env["mail.catchall.blocked"].create({"email": "ann@shop.example"})
        mail = self.make_mail(self.john.alias_email, sender="ann@shop.example")
        self.assertHidden(self.receive(mail))

    def test_a_domain_that_changes_hands(self):
        mail = self.make_mail(f"jim.poe@{self.other_domain}")
        self.assertHidden(self.receive(mail))
        self.company_2.alias_domain_id = False
        self.company_admin.alias_domain_id = self.mail_alias_domain_c2
        mail = self.make_mail(f"jim.poe@{self.other_domain}")
        self.assertEqual(self.receive(mail).company_id, self.company_admin)

    # ------------------------------------------------------------
    # LETTERS TO OTHERS
    # ------------------------------------------------------------

    @mute_logger("odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_review")
    def test_no_manager_reads_an_ignored_letter_by_delivering_it_to_themselves(self):
        self.env["mail.catchall.blocked"].create({"email": "mary@customer.example"})
        mail = self.make_mail(self.john.alias_email)
        inbound = self.receive(mail).with_user(self.manager)
        self.assertVerdict(inbound, "ignored", "sender_rejected")
        document = self._create_document()
        self.manager.groups_id += self.env.ref("base.group_partner_manager")
        with self.assertRaises(UserError):
            self.route(inbound, target="user", user_id=self.manager)
        with self.assertRaises(UserError):
            self.route(inbound, target="document", document=f"res.partner,{document.id}")
        self.assertFalse(self.inbox(self.manager))
        self.route(inbound, target="user", user_id=self.john)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(len(self.inbox(self.john)), 1)

    def test_mail_that_is_written_to_no_alias_may_go_anywhere(self):
        inbound = self.receive(self.make_mail("x@elsewhere.example")).with_user(self.manager)
        self.assertVerdict(inbound, "ignored", "foreign_domain")
        self.route(inbound, target="user", user_id=self.manager)
        self.assertVerdict(inbound, "delivered", "user_alias")


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestProcessing(QueueCommon):
    """Whoever has mail processed, OdooBot does it."""

    def test_nothing_becomes_the_users_who_has_it_processed(self):
        team = self._create_team_alias("office")
        self.env.flush_all()
        mail = self.make_mail(team.alias_full_name, subject="Bikes")
        inbound = self.model._store([(mail.as_bytes(), {})])
        self.committing_env.cr.commit()
        admin = self.committing_env["res.users"].browse(self.user_admin.id)
        queue = self.queue.with_user(admin).with_context(lang="fr_FR")
        queue._process_waiting()
        self.assertVerdict(inbound, "delivered", "alias")
        contact = self.committing_env["res.partner"].browse(inbound.res_id)
        self.assertEqual(contact.name, "Bikes")
        self.assertEqual(contact.create_uid, self.env.ref("base.user_root"))

    @mute_logger(QUEUE)
    def test_what_waits_for_its_next_attempt_is_tried_at_once(self):
        inbound = self.store()

        def fail(_inbound, _processed):
            raise ValueError("no luck")

        with patch_processing(self.env, fail):
            self.queue._process_waiting()
        self.assertEqual(inbound.state, "pending")
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "pending", "it is not due")
        groups = "base.group_user,mail_catchall_gateway.group_catchall_manager"
        manager = self._create_user("Max", "Moe", groups=groups)
        with self.assertRaises(AccessError):
            inbound.with_user(self.jane).action_process()
        inbound.with_user(manager).action_process()
        self.committing_env.cr.commit()
        self.queue._process_waiting()
        self.assertEqual(inbound.state, "delivered")
