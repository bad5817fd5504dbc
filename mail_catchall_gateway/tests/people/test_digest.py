import datetime

from odoo import fields
from odoo.tests import Form, HttpCase, tagged
from odoo.tools.translate import code_translations

from ..common import CatchallCommon

MODULE = "mail_catchall_gateway"
MANAGER = f"base.group_user,{MODULE}.group_catchall_manager"


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDigest(CatchallCommon):
    """Once a day gateway managers are told what they should look into."""

    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        # what the database has is none of these tests' business
        cls.env["mail.catchall.inbound"].search([]).unlink()
        cls.env["fetchmail.server"].search([]).write({"active": False})
        cls.env.ref(f"{MODULE}.group_catchall_manager").users = False
        cls.manager = cls._create_user("Max", "Moe", groups=MANAGER)

    def send_digests(self):
        """Run the scheduled action and the mail queue; what left is in ``self.emails``."""
        with self.mock_mail_gateway():
            self.env.ref(f"{MODULE}.ir_cron_digest").ir_actions_server_id.run()
            self.env["mail.mail"].process_email_queue()

    def _create_inbound(self, state="review", **values):
        values = {"name": "Bicycles", "state": state, **values}
        return self.env["mail.catchall.inbound"].create(values)

    def _get_digest(self, user=None):
        """Return the one digest of a user, and its text."""
        (digest,) = self.sent_to((user or self.manager).email)
        body = digest.get_body(("html",)).get_content()
        return digest, body

    def _forget(self):
        """Begin another day."""
        self.env["res.users"].search([]).catchall_digest_date = False

    # ------------------------------------------------------------
    # WHO AND WHEN
    # ------------------------------------------------------------

    def test_nothing_when_there_is_nothing(self):
        for state in ("pending", "delivered", "ignored", "bounced", "discarded"):
            self._create_inbound(state)
        self._create_mailbox(state="done", last_success=fields.Datetime.now())
        self.send_digests()
        self.assertFalse(self.emails)
        self.assertFalse(self.manager.catchall_digest_date)

    def test_only_managers_who_want_it(self):
        self._create_inbound()
        leaving = self._create_user("Lea", "Ving", groups=MANAGER, active=False)
        quiet = self._create_user("Quincy", "Quiet", groups=MANAGER)
        quiet.with_user(quiet).catchall_digest = False
        nowhere = self._create_user("No", "Where", groups=MANAGER, email=False)
        self.send_digests()
        self.assertEqual(len(self.emails), 1)
        self.assertTrue(self._get_digest())
        others = leaving | quiet | nowhere | self.john
        self.assertFalse(any(others.mapped("catchall_digest_date")))

    def test_once_a_day(self):
        self._create_inbound()
        self.send_digests()
        self.assertTrue(self._get_digest())
        self.send_digests()
        self.assertFalse(self.emails)
        yesterday = fields.Date.today() - datetime.timedelta(days=1)
        self.manager.catchall_digest_date = yesterday
        self.send_digests()
        self.assertTrue(self._get_digest())

    def test_a_day_that_a_wrong_clock_wrote(self):
        self._create_inbound()
        self.manager.catchall_digest_date = fields.Date.today() + datetime.timedelta(days=400)
        self.send_digests()
        self.assertTrue(self._get_digest())
        self.assertEqual(self.manager.catchall_digest_date, fields.Date.today())

    def test_another_host_that_is_at_it(self):
        """It has taken this user, and not yet committed."""
        admin = self.env.ref("base.user_admin")
        admin.catchall_digest_date = False
        self.assertTrue(self.env["mail.catchall.digest"]._claim(admin))
        with self.registry.cursor() as cr:
            cr.execute("SET LOCAL lock_timeout = '5s'")
            env = self.env(cr=cr)
            self.assertFalse(env["mail.catchall.digest"]._claim(admin.with_env(env)))

    def test_none_to_an_address_of_ours(self):
        """An own address that came to be ours by a detour: the digest would come in again."""
        self._create_inbound()
        self.env.cr.execute(
            "UPDATE res_partner SET email = %s, email_normalized = %s WHERE id = %s",
            [self.john.alias_email, self.john.alias_email, self.manager.partner_id.id],
        )
        self.env.invalidate_all()
        self.send_digests()
        self.assertFalse(self.emails)

    # ------------------------------------------------------------
    # WHAT IS IN IT
    # ------------------------------------------------------------

    def test_numbers_and_links(self):
        for state in ("review", "review", "failed"):
            self._create_inbound(state, company_id=self.company_admin.id)
        self.send_digests()
        digest, body = self._get_digest()
        self.assertEqual(digest["Subject"], "Email gateway: to review 2, failed 1")
        link = f"/web#action={MODULE}.mail_catchall_inbound_action_review"
        self.assertIn(f"{link}&amp;cids={self.company_admin.id}", body)
        self.assertNotIn("No company known", body, "he has one company: nothing to tell apart")

    def test_it_says_what_wrote_it(self):
        """RFC 3834: no machine answers it, and if it comes back it is ignored."""
        self._create_inbound()
        self.send_digests()
        digest, _body = self._get_digest()
        self.assertEqual(digest["Auto-Submitted"], "auto-generated")
        self.env["mail.catchall.inbound"].search([]).unlink()
        del digest["To"]
        digest["To"] = self.john.alias_email
        inbound = self.receive(digest)
        self.assertVerdict(inbound, "ignored", "loop")

    def test_companies_of_the_manager_only(self):
        self._create_inbound(company_id=self.company_admin.id)
        self._create_inbound(company_id=self.company_2.id)
        self._create_inbound("failed")
        both = self._create_user("Bo", "Th", groups=MANAGER)
        both.company_ids |= self.company_2
        self.send_digests()
        digest, body = self._get_digest()
        self.assertEqual(digest["Subject"], "Email gateway: to review 1, failed 1")
        self.assertNotIn(self.company_2.name, body)
        digest, body = self._get_digest(both)
        self.assertEqual(digest["Subject"], "Email gateway: to review 2, failed 1")
        for words in (self.company_2.name, "No company known", f"cids={self.company_2.id}"):
            self.assertIn(words, body)

    def test_mailboxes_for_who_may_see_them(self):
        now, long_ago = fields.Datetime.now(), fields.Datetime.now() - datetime.timedelta(days=3)
        values = {"state": "done", "last_success": now}
        self._create_mailbox(name="Good one", **values)
        self._create_mailbox(name="Draft one", error_count=1)
        failing = {"error_count": 3, "error_since": now, "last_error": "Wrong <b>password"}
        self._create_mailbox(name="Failing one", **values, **failing)
        self._create_mailbox(name="Forgotten one", state="done", last_success=long_ago)
        self.send_digests()
        self.assertFalse(self.emails, "a manager who is no administrator sees no mailboxes")
        self.manager.groups_id |= self.env.ref("base.group_system")
        self.send_digests()
        digest, body = self._get_digest()
        self.assertEqual(digest["Subject"], "Email gateway: mailboxes in trouble 2")
        self.assertIn("Failing one", body)
        self.assertIn("Wrong &lt;b&gt;password", body)
        self.assertIn("Forgotten one", body)
        self.assertNotIn("Good one", body)
        self.assertNotIn("Draft one", body)
        self.assertNotIn("Review Emails", body)

    def test_in_the_managers_language(self):
        self.env["res.lang"]._activate_lang("fr_FR")
        self.env.ref(f"{MODULE}.mail_catchall_digest").update_field_translations(
            "arch_db", {"fr_FR": {"To Review": "À examiner"}}
        )
        known = code_translations.get_python_translations(MODULE, "fr_FR")
        texts = {(MODULE, "fr_FR"): {**known, "to review %s": "à examiner %s"}}
        self.patch(
            code_translations,
            "python_translations",
            {**code_translations.python_translations, **texts},
        )
        french = self._create_user("Luc", "Brun", groups=MANAGER, lang="fr_FR", tz="Europe/Paris")
        inbound = self._create_inbound()
        # create_date is the cursor's
        since = datetime.datetime(2024, 7, 14, 22, 30)
        self.env.cr.execute(
            "UPDATE mail_catchall_inbound SET create_date = %s WHERE id = %s", [since, inbound.id]
        )
        self.send_digests()
        digest, body = self._get_digest(french)
        self.assertIn("à examiner 1", digest["Subject"])
        self.assertIn("À examiner", body)
        self.assertIn("15/07/2024", body, "his format, and the day it was in Paris")
        self.assertIn("To Review", self._get_digest()[1])

    # ------------------------------------------------------------
    # ON OR OFF
    # ------------------------------------------------------------

    def test_the_choice_is_on_the_users_own_form(self):
        view = "base.view_users_form_simple_modif"
        with Form(self.manager.with_user(self.manager), view) as form:
            self.assertTrue(form.catchall_digest)
            form.catchall_digest = False
        self.assertFalse(self.manager.catchall_digest)
        form = Form(self.john.with_user(self.john), view)
        self.assertTrue(form._get_modifier("catchall_digest", "invisible"))


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDigestLink(HttpCase):
    """The link in the digest leads into Odoo."""

    def test_it_opens_the_list_of_mail_to_review(self):
        admin = self.env.ref("base.user_admin")
        url = self.env["mail.catchall.digest"]._prepare(admin)["review_url"].partition("/web#")[2]
        title = "document.querySelector('.o_breadcrumb')?.innerText.includes('To Review')"
        self.browser_js(
            f"/web#{url}",
            "console.log('test successful')",
            ready=f"{title} && document.querySelector('.o_list_view') !== null",
            login="admin",
        )
