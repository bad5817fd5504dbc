import io
import zipfile

import odoo.sql_db
from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, HttpCase, tagged
from odoo.tools import mute_logger

from ..common import ReviewCommon
from .queue_common import patch_processing


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestReview(ReviewCommon):
    """What managers do with mail that waits."""

    # ------------------------------------------------------------
    # DELIVER
    # ------------------------------------------------------------

    def test_one_click_delivers_to_the_suggested_user(self):
        inbound = self.receive_typo()
        self.route(inbound)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertIn("Two, please.", self.inbox(self.john).body)
        self.assertEqual(inbound.log_ids.mapped("action"), ["Delivered"])
        self.assertEqual(inbound.log_ids.create_uid, self.manager)
        (copy,) = self.sent_to(self.john.email)
        self.assertEqual(copy["Message-Id"], inbound.message_id)

    def test_always_gives_the_user_the_address(self):
        inbound = self.receive_typo()
        action = inbound.action_route()
        wizard = self.env[action["res_model"]].with_context(**action["context"]).create({})
        self.assertIn(self.typo, wizard.always_help)
        self.route(inbound, is_always=True)
        self.assertIn(self.typo, self.john.further_alias_ids.mapped("alias_full_name"))
        self.assertVerdict(self.receive(self.make_mail(self.typo)), "delivered", "user_alias")

    def open_dialog(self, mail):
        """Return the dialog *Deliver To* of the manager, with John chosen."""
        action = self.receive(mail).with_user(self.manager).action_route()
        dialogs = self.env[action["res_model"]].with_user(self.manager)
        return dialogs.with_context(**action["context"]).create({"user_id": self.john.id})

    def test_always_makes_one_foreign_domain_ours_if_an_administrator_says_so(self):
        mail = self.make_mail("john@acme.example")
        self.assertFalse(self.open_dialog(mail).always_help, "the user is no administrator")
        self.manager.groups_id += self.env.ref("base.group_system")
        self._create_document(email="mary@customer.example")
        for to in ("x@customer.example", "x@gmail.com", "x@one.example, y@two.example"):
            with self.subTest(to):
                self.assertFalse(self.open_dialog(self.make_mail(to)).always_help)
        inbound = self.receive(self.make_mail("john@acme.example")).with_user(self.manager)
        self.assertVerdict(inbound, "ignored", "foreign_domain")
        self.route(inbound, user_id=self.john, is_always=True)
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(self.mail_alias_domain.accepted_domain_names, "acme.example")
        inbound = self.receive(self.make_mail("john.doe@acme.example"))
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_always_adds_what_was_unrouted_and_nothing_that_stands_beside_it(self):
        self.manager.groups_id += self.env.ref("base.group_system")
        dialog = self.open_dialog(self.make_mail(self.typo, cc="Boss <boss@elsewhere.example>"))
        self.assertIn(self.typo, dialog.always_help)
        self.assertNotIn("elsewhere", dialog.always_help)
        dialog.is_always = True
        self.act(dialog, "action_apply")
        self.assertFalse(self.mail_alias_domain.accepted_domain_names)
        self.assertIn(self.typo, self.john.further_alias_ids.mapped("alias_full_name"))

    def test_always_gives_a_team_another_alias(self):
        team = self._create_team_alias(alias_defaults="{'comment': 'By mail'}")
        inbound = self.receive(self.make_mail(f"teem@{self.domain}")).with_user(self.manager)
        self.assertEqual(inbound.suggested_alias_id, team)
        self.route(inbound, target="alias", is_always=True)
        self.assertVerdict(inbound, "delivered", "alias")
        inbound = self.receive(self.make_mail(f"teem@{self.domain}", subject="Another"))
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertIn("By mail", self.env["res.partner"].browse(inbound.res_id).comment)

    def test_to_a_document(self):
        document = self._create_document()
        self.manager.groups_id += self.env.ref("base.group_partner_manager")
        inbound = self.receive_typo()
        self.route(inbound, target="document", document=f"res.partner,{document.id}")
        self.assertEqual(inbound.state, "delivered")
        self.assertEqual((inbound.res_model, inbound.res_id), ("res.partner", document.id))
        self.assertEqual(document.message_ids[0].message_id, inbound.message_id)

    def test_not_to_a_document_that_the_manager_may_not_write_to(self):
        inbound = self.receive_typo()
        wizard = self.env["mail.catchall.route"].with_user(self.manager)
        document = self._create_document()
        wizard = wizard.sudo().create(
            {
                "inbound_ids": inbound.ids,
                "target": "document",
                "document": f"res.partner,{document.id}",
            }
        )
        with self.assertRaises(AccessError):
            wizard.with_user(self.manager).action_apply()
        self.assertEqual(inbound.state, "review")

    def test_many_at_once(self):
        inbounds = self.receive_typo() + self.receive_typo()
        self.route(inbounds)
        self.assertEqual(inbounds.mapped("state"), ["delivered"] * 2)
        self.assertEqual(len(self.inbox(self.john)), 2)

    def test_an_answer_to_what_was_delivered_by_hand_finds_its_conversation(self):
        inbound = self.receive_typo()
        self.route(inbound)
        mail = self.make_mail(self.john.alias_email, in_reply_to=inbound.message_id)
        self.assertEqual(self.receive(mail).conversation_id, inbound.sudo().conversation_id)

    def test_who_may_not_write_to_a_team_is_let_in_by_hand(self):
        team = self._create_team_alias(alias_contact="partners")
        inbound = self.receive(self.make_mail(team.alias_full_name)).with_user(self.manager)
        self.assertVerdict(inbound, "bounced", "sender_rejected")
        self.route(inbound, target="alias", alias_id=team)
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertFalse(self.emails, "not rejected again")

    def test_what_was_taken_for_a_loop_is_delivered_by_hand(self):
        self.env["ir.config_parameter"].set_param("mail.gateway.loop.threshold", 1)
        self.receive(self.make_mail(self.john.alias_email))
        inbound = self.receive(self.make_mail(self.john.alias_email)).with_user(self.manager)
        self.assertVerdict(inbound, "ignored", "loop")
        self.route(inbound, user_id=self.john)
        self.assertVerdict(inbound, "delivered", "user_alias")

    # ------------------------------------------------------------
    # AGAIN
    # ------------------------------------------------------------

    def test_processing_again_decides_afresh(self):
        inbound = self.receive_typo()
        self.act(inbound, "action_process")
        self.assertVerdict(inbound, "review", "unrouted")
        self.john.alias_name = "jon.doe"
        self.act(inbound, "action_process")
        self.assertVerdict(inbound, "delivered", "user_alias")
        self.assertEqual(len(self.inbox(self.john)), 1)
        self.assertEqual(len(inbound.log_ids), 2)

    def test_accepting_overrules_what_speaks_against_the_sender(self):
        mailbox = self._create_mailbox(trusted_authserv_id="mx.acme.example")
        mail = self.make_mail(self.jane.alias_email, sender=self.john.email)
        mail["Authentication-Results"] = "mx.acme.example; dmarc=fail header.from=home.example"
        inbound = self.receive(mail, server=mailbox).with_user(self.manager)
        self.assertVerdict(inbound, "review", "sender_rejected")
        self.act(inbound, "action_accept")
        self.assertVerdict(inbound, "delivered", "user_alias")

    @mute_logger("odoo.addons.mail_catchall_gateway.models.inbound.mail_catchall_review")
    def test_an_error_stops_nobody_else_and_loses_nothing(self):
        inbounds = self.receive_typo(subject="One") + self.receive_typo(subject="Two")
        self.john.alias_name = "jon.doe"

        def process(inbound, processed):
            verdict = processed()
            if inbound.name == "One":
                raise ValueError("no luck")
            return verdict

        with patch_processing(self.env, process):
            self.act(inbounds, "action_process")
        self.assertVerdict(inbounds[0], "failed", "error")
        self.assertEqual(inbounds[0].reason, "no luck")
        self.assertVerdict(inbounds[1], "delivered", "user_alias")
        self.assertEqual(self.inbox(self.john).mapped("subject"), ["Two"])

    def test_a_copy_that_a_worker_has_in_hands_is_waited_for(self):
        inbound = self.receive_typo()
        with odoo.sql_db.db_connect(self.cr.dbname).cursor() as cr:  # another connection
            cr.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [inbound.message_id])
            with self.assertRaises(UserError):
                inbound.action_process()
        self.act(inbound, "action_process")

    # ------------------------------------------------------------
    # SEND BACK, DISCARD
    # ------------------------------------------------------------

    def test_sending_back_tells_the_sender_what_was_written(self):
        inbound = self.receive_typo()
        action = inbound.action_bounce()
        form = Form(
            self.env[action["res_model"]].with_user(self.manager).with_context(**action["context"])
        )
        self.assertIn(self.typo, form.body)
        form.body = "<p>Try it with an h.</p>"
        self.act(form.save(), "action_apply")
        self.assertVerdict(inbound, "bounced", "unrouted")
        (rejection,) = self.sent_to("mary@customer.example")
        self.assertIn("Try it with an h.", rejection.get_body().get_content())
        self.assertEqual(rejection["Auto-Submitted"], "auto-generated")

    def test_no_address_is_called_unknown_that_is_somebodys(self):
        inbound = self.receive_typo()
        inbound.sudo().recipients = self.john.alias_email
        action = inbound.action_bounce()
        form = Form(
            self.env[action["res_model"]].with_user(self.manager).with_context(**action["context"])
        )
        self.assertFalse(form.body, "the manager says what it is")

    def test_who_cannot_be_told_is_not_sent_anything(self):
        inbound = self.receive_typo(return_path="<>")
        wizard = self.env["mail.catchall.bounce"].with_user(self.manager)
        wizard = wizard.create({"inbound_ids": inbound.ids, "body": "<p>No</p>"})
        with self.assertRaises(UserError):
            wizard.action_apply()
        self.assertEqual(inbound.state, "review")

    def test_discarding_says_who_did_it(self):
        inbound = self.receive_typo()
        self.act(inbound, "action_discard")
        self.assertVerdict(inbound, "discarded", "unrouted")
        self.assertIn("Max Moe", inbound.reason)
        self.assertTrue(inbound.sudo()._get_source())

    # ------------------------------------------------------------
    # SENDERS
    # ------------------------------------------------------------

    def test_blocking_a_sender_counts_from_now_on(self):
        inbound = self.receive_typo()
        self.act(inbound, "action_block_sender")
        self.assertVerdict(inbound, "discarded", "sender_rejected")
        later = self.receive(self.make_mail(self.john.alias_email))
        self.assertVerdict(later, "ignored", "sender_rejected")
        self.assertIn("Max Moe", later.reason)
        self.act(later.with_user(self.manager), "action_allow_sender")
        self.assertVerdict(later, "delivered", "user_alias")

    def test_allowing_a_sender_lets_marked_mail_in(self):
        self.env["ir.config_parameter"].set_param("mail_catchall_gateway.review_spam", "True")
        mail = self.make_mail(self.john.alias_email, x_spam_flag="YES")
        inbound = self.receive(mail).with_user(self.manager)
        self.assertVerdict(inbound, "review", "spam")
        self.act(inbound, "action_allow_sender")
        self.assertVerdict(inbound, "delivered", "user_alias")
        mail = self.make_mail(self.john.alias_email, x_spam_flag="YES")
        self.assertVerdict(self.receive(mail), "delivered", "user_alias")

    def test_the_actions_of_the_list_do_the_same(self):
        for name, state in [("block_sender", "discarded"), ("allow_sender", "review")]:
            inbounds = self.receive_typo()
            action = self.env.ref(f"mail_catchall_gateway.mail_catchall_inbound_action_{name}")
            action = action.with_user(self.manager).with_context(
                active_model=inbounds._name, active_ids=inbounds.ids
            )
            with self.subTest(name):
                self.assertFalse(action.run())
                self.assertEqual(inbounds.state, state)
                self.env["mail.catchall.blocked"].search([]).unlink()

    # ------------------------------------------------------------
    # WHO MAY WHAT
    # ------------------------------------------------------------

    def test_others_decide_nothing(self):
        inbound = self.receive_typo().with_user(self.jane)
        for action in (
            "process",
            "accept",
            "route",
            "bounce",
            "discard",
            "block_sender",
            "download",
        ):
            with self.subTest(action), self.assertRaises(AccessError):
                getattr(inbound, f"action_{action}")()

    def test_what_is_delivered_is_no_more_to_be_decided_about(self):
        inbound = self.receive(self.make_mail(self.john.alias_email)).with_user(self.manager)
        for action in ("process", "accept", "route", "bounce", "discard", "block_sender"):
            with self.subTest(action), self.assertRaises(UserError):
                getattr(inbound, f"action_{action}")()

    def test_only_what_waits_may_be_looked_into(self):
        inbound = self.receive_typo()
        as_on_screen = inbound.with_context(bin_size=True).web_read({"preview": {}})
        self.assertIn("Two, please.", as_on_screen[0]["preview"])
        with self.assertRaises(AccessError):
            inbound.with_user(self.john).read(["preview"])
        self.act(inbound, "action_discard")
        self.assertFalse(inbound.preview)
        with self.assertRaises(AccessError):
            inbound.action_download()
        inbound = self.receive(self.make_mail(self.john.alias_email)).with_user(self.manager)
        self.assertFalse(inbound.preview)

    def test_the_header_is_shown_and_no_more(self):
        inbound = self.receive_typo(x_mailer="Test\0")
        self.assertIn("X-Mailer: Test", inbound.header_text)
        self.assertNotIn("Two, please.", inbound.header_text)

    def test_the_preview_is_harmless(self):
        mail = self.make_mail(self.typo)
        mail.set_content(
            "<p onclick='x()'>Hi<img src='https://spy.example/1.png' alt='a bike'>"
            "<script>alert(1)</script><a href='javascript:x()'>y</a>"
            "<div style='background:url(https://spy.example/2)'>z</div>"
            "<table background='https://spy.example/3'></table></p>",
            subtype="html",
        )
        preview = self.receive(mail).with_user(self.manager).preview
        for bad in ("spy.example", "onclick", "script", "<img"):
            self.assertNotIn(bad, preview)
        self.assertIn("[a bike]", preview)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestDownload(ReviewCommon, HttpCase):
    """The source of a mail as a file."""

    def get_source(self, inbound, user):
        self.authenticate(user.login, user.login + "x" * (8 - len(user.login)))
        return self.url_open(f"/mail_catchall_gateway/source/{inbound.id}")

    @mute_logger("odoo.http")
    def test_managers_download_what_waits(self):
        mail = self.make_mail(self.typo)
        inbound = self.receive(mail).with_user(self.manager)
        response = self.get_source(inbound, self.manager)
        self.assertEqual(response.content, mail.as_bytes())
        self.assertIn("attachment", response.headers["Content-Disposition"])
        self.assertEqual(inbound.log_ids.create_uid, self.manager)
        self.assertEqual(self.get_source(inbound, self.jane).status_code, 403)
        self.act(inbound, "action_discard")
        self.assertEqual(self.get_source(inbound, self.manager).status_code, 403)

    @mute_logger("odoo.http")
    def test_many_sources_are_one_archive(self):
        mails = [self.make_mail(self.typo, subject=subject) for subject in ("One", "Two")]
        inbounds = self.env["mail.catchall.inbound"].union(*map(self.receive, mails))
        inbounds = inbounds.with_user(self.manager)
        self.authenticate(self.manager.login, self.manager.login + "xxxxx")
        response = self.url_open(inbounds.action_download()["url"])
        with zipfile.ZipFile(io.BytesIO(response.content)) as archive:
            contents = [archive.read(name) for name in archive.namelist()]
        self.assertEqual(contents, [mail.as_bytes() for mail in mails])
        for ids in ("x", "1;2", "0"):
            response = self.url_open(f"/mail_catchall_gateway/source/{ids}")
            self.assertEqual(response.status_code, 404)
