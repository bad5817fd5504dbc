import smtplib
import time

from odoo.exceptions import AccessError, UserError
from odoo.tests import Form, tagged

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...wizards.setup.mail_catchall_setup_probe import TIME_LIMIT
from ..common import SetupCommon


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestSetupGuide(SetupCommon):
    def test_a_company_has_one_guide_that_is_resumed(self):
        self.guide.action_next()
        action = self.env["mail.catchall.setup"].with_company(self.company_admin).action_open()
        self.assertEqual(action["res_id"], self.guide.id)
        self.assertEqual(self.guide.step, "mailbox")
        self.guide.action_back()
        self.guide.action_back()
        self.assertEqual(self.guide.step, "domain")

    def test_only_administrators_see_it(self):
        with self.assertRaises(AccessError):
            self.guide.with_user(self.john).read(["step"])

    # ------------------------------------------------------------
    # DOMAIN
    # ------------------------------------------------------------

    def test_domain(self):
        self.assertEqual(self.guide.domain_state, "ok")
        self.assertIn(self.domain, self.guide.domain_text)
        self.guide.alias_domain_id = self.env["mail.alias.domain"].create({"name": "acme"})
        self.assertEqual(self.company_admin.alias_domain_id.name, "acme")
        self.assertEqual(self.guide.domain_state, "error")
        self.assertFalse(self.guide.dns_records)
        self.company_admin.alias_domain_id = False
        self.assertEqual(self.guide.domain_state, "todo")

    def test_dns_records_are_those_of_the_providers(self):
        with Form(self.guide) as form:
            form.mailbox_provider = "gmail"
            form.smtp_provider = "infomaniak"
        values = [record["value"] for record in self.guide.dns_records]
        self.assertIn("1 smtp.google.com", values)
        spf = "v=spf1 include:_spf.google.com include:spf.infomaniak.ch ~all"
        self.assertIn(spf, values)

    # ------------------------------------------------------------
    # MAILBOX
    # ------------------------------------------------------------

    def test_a_preset_fills_in_the_servers(self):
        with Form(self.guide) as form:
            form.mailbox_provider = "ovh"
            form.step = "mailbox"
            self.assertEqual(form.mailbox_server, "ssl0.ovh.net")
            self.assertEqual((form.mailbox_port, form.mailbox_ssl), (993, True))
        mailbox = self.guide.mailbox_id
        self.assertEqual((mailbox.server, mailbox.state), ("ssl0.ovh.net", "draft"))

    def test_a_mailbox_is_read_when_somebody_could_log_in(self):
        self.assertEqual(self.guide.mailbox_state, "todo")
        self.enter_mailbox()
        mailbox = self.guide.mailbox_id
        self.assertEqual((mailbox.state, mailbox.is_catchall), ("draft", False))
        self.assertEqual((mailbox.password, mailbox.port), ("right", 993))
        self.assertFalse(self.guide.mailbox_password, "a password is never shown")
        self.log_in([rb'() "/" "INBOX"', rb'() "/" "Entw&APw-rfe"'])
        self.assertEqual((mailbox.state, mailbox.is_catchall), ("done", True))
        self.assertEqual(self.guide.mailbox_state, "ok")
        self.assertEqual(self.guide.mailbox_folders, "INBOX, Entwürfe")
        self.assertEqual(self.guide.mailbox_folder, "INBOX")
        self.guide.mailbox_folder = "Entwürfe"
        self.assertEqual((mailbox.folder, mailbox.state), ("Entwürfe", "draft"))

    def test_who_changes_the_server_logs_in_again(self):
        self.enter_mailbox()
        self.log_in()
        self.guide.mailbox_server = "imap.acme.example"
        self.assertEqual(self.guide.mailbox_state, "ok")
        self.guide.mailbox_server = "mail.acme.example"
        self.assertEqual(self.guide.mailbox_state, "todo")

    def test_what_to_do_about_a_failed_login(self):
        self.enter_mailbox()
        for error, expected in [
            (FetchmailServerError(b"[AUTHENTICATIONFAILED] no"), "Check user and password"),
            (UnicodeEncodeError("ascii", "wört", 1, 2, "ordinal"), "User and password"),
            (OSError("Connection refused"), "Check the name of the server, the port"),
            (OSError("[SSL: WRONG_VERSION_NUMBER]"), "Check port and encryption"),
        ]:
            with self.subTest(error=error):
                with self.patch_model("fetchmail.server", "connect", side_effect=error):
                    self.guide.action_check_mailbox()
                self.assertEqual(self.guide.mailbox_state, "error")
                self.assertIn(expected, self.guide.mailbox_text)
                self.assertNotIn("b'", self.guide.mailbox_text)
                self.assertNotIn("wört", self.guide.mailbox_text)
                self.assertFalse(self.guide.mailbox_id.is_catchall)

    def test_a_fetch_that_fails_shows(self):
        self.enter_mailbox()
        self.log_in()
        self.guide.mailbox_id.last_error = "Quota exceeded"
        self.assertEqual(self.guide.mailbox_state, "error")
        self.assertIn("Quota exceeded", self.guide.mailbox_text)

    def test_a_mailbox_that_is_there_is_taken_over(self):
        mailbox = self._create_mailbox(server="imap.gmail.com", state="done")
        guide = self.env["mail.catchall.setup"]._find(self.env["res.company"].create({"name": "B"}))
        self.assertEqual(guide.mailbox_id, mailbox)
        self.assertEqual((guide.mailbox_provider, guide.mailbox_state), ("gmail", "ok"))

    # ------------------------------------------------------------
    # SMTP ACCOUNT
    # ------------------------------------------------------------

    def test_no_mail_leaves_by_an_account_before_somebody_could_log_in(self):
        self.relay.active = False
        with Form(self.guide) as form:
            form.step = "smtp"
            form.smtp_id = self.env["ir.mail_server"]
            form.smtp_host = "smtp.acme.example"
            form.smtp_user = "catchall"
            form.smtp_password = "right"
        account = self.guide.smtp_id
        self.assertEqual((account.active, account.smtp_pass), (False, "right"))
        self.assertEqual((account.smtp_port, account.smtp_encryption), (587, "starttls"))
        self.assertEqual(account.from_filter, self.domain)
        self.log_in_smtp(UserError("b'5.7.8 Authentication failed'"))
        self.assertEqual((self.guide.smtp_state, account.active), ("error", False))
        self.assertIn("Check user and password", self.guide.smtp_text)
        self.log_in_smtp()
        self.assertEqual((self.guide.smtp_state, account.active), ("ok", True))

    def test_as_whom_mail_leaves(self):
        self.assertEqual(self.guide.smtp_id, self.relay)
        self.log_in_smtp()
        self.assertEqual(self.guide.smtp_state, "ok")
        self.assertIn(f"<{self.john.alias_email}>", self.guide.smtp_text)
        self.relay.from_filter = "other.example"
        self.log_in_smtp()
        # builds of 2023 send as John nevertheless
        find = self.env["ir.mail_server"]._find_mail_server
        is_john = find(self.john.alias_email)[1] == self.john.alias_email
        self.assertEqual(self.guide.smtp_state, "ok" if is_john else "error")
        self.assertIn(self.domain, self.guide.smtp_text)

    def test_another_account_that_gets_the_mail(self):
        self.env["ir.mail_server"].create(
            {"name": "Other", "smtp_host": "x.example", "from_filter": self.domain, "sequence": 1}
        )
        self.log_in_smtp()
        self.assertEqual(self.guide.smtp_state, "error")
        self.assertIn("Other", self.guide.smtp_text)

    # ------------------------------------------------------------
    # ALIASES, SETTINGS
    # ------------------------------------------------------------

    def test_aliases(self):
        self.assertEqual(self.guide.aliases_state, "ok")
        users = self.env["res.users"].search([("company_id", "=", self.company_admin.id)])
        users.filtered("alias_id").write({"alias_name": False})
        self.guide.invalidate_recordset()
        self.assertEqual(self.guide.aliases_state, "todo")

    def test_settings_show_the_state_at_a_glance(self):
        self.receive(self.make_mail(f"nobody@{self.domain}"), [f"nobody@{self.domain}"])
        settings = self.env["res.config.settings"].create({"company_id": self.company_admin.id})
        rows = {row["label"]: row for row in settings.catchall_state}
        labels = ["Domain", "Mailbox", "Sending", "Aliases", "Last fetch", "To review"]
        self.assertEqual(list(rows), labels)
        self.assertEqual(rows["Domain"]["state"], "ok")
        self.assertEqual(rows["Mailbox"]["state"], "todo")
        self.assertEqual(rows["To review"]["state"], "todo")
        self.assertTrue(rows["To review"]["text"].strip(".").endswith(("1", "2", "3")))
        for row in rows.values():
            self.assertTrue(self.env.ref(row["action"]))

    def test_looking_at_the_settings_creates_no_guide(self):
        company = self.env["res.company"].create({"name": "B"})
        settings = self.env["res.config.settings"].create({"company_id": company.id})
        self.assertTrue(settings.catchall_state)
        guides = self.env["mail.catchall.setup"].search([("company_id", "=", company.id)])
        self.assertFalse(guides)


class FetchmailServerError(Exception):
    """What imaplib raises: the server's words, as bytes."""


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestRoundTripTest(SetupCommon):
    def start(self):
        """Set up what comes before, and send the test mail; return it as it left."""
        self.enter_mailbox()
        self.log_in()
        with self.mock_mail_gateway():
            self.guide.action_test()
        (sent,) = self.sent_to(self.guide.probe_address)
        return sent

    def arrive(self, sent, **headers):
        """Let the test mail arrive as a provider hands it over."""
        for name, value in headers.items():
            sent[name.replace("_", "-").title()] = value
        return self.receive(sent, server=self.guide.mailbox_id)

    def check(self, seconds=0):
        """Press Check Now, so many seconds after the last time."""
        self.guide.probe_started -= seconds
        with self.patch_model("fetchmail.server", "fetch_mail"):
            return self.guide.action_check_now()

    # ------------------------------------------------------------
    # THE STEP
    # ------------------------------------------------------------

    def test_a_test_mail_is_nobodys(self):
        inbound = self.arrive(self.start())
        self.assertVerdict(inbound, "ignored", "probe")
        self.assertFalse(inbound.mail_message_ids)

    def test_nobody_can_make_such_an_address(self):
        address = self.start()["To"]
        forged = str(address).replace("probe.", "probe.0")
        self.assertVerdict(self.receive(self.make_mail(forged), [forged]), "review", "unrouted")
        last = "0" if str(address).split("@")[0][-1] != "0" else "1"
        forged = f"{str(address).split('@')[0][:-1]}{last}@{self.domain}"
        self.assertVerdict(self.receive(self.make_mail(forged), [forged]), "review", "unrouted")

    def test_such_an_address_hides_no_mail_to_others(self):
        to = f"{self.start()['To']}, {self.john.alias_email}"
        inbound = self.receive(self.make_mail(to), [self.john.alias_email])
        self.assertVerdict(inbound, "delivered", "user_alias")

    def test_the_case_of_the_address_does_not_matter(self):
        sent = self.start()
        address = str(sent["To"]).upper()
        self.assertVerdict(self.receive(self.make_mail(address), [address]), "ignored", "probe")

    # ------------------------------------------------------------
    # THE GUIDE
    # ------------------------------------------------------------

    def test_it_works(self):
        sent = self.start()
        self.assertEqual(self.guide.test_state, "waiting")
        self.assertEqual(sent["Auto-Submitted"], "auto-generated")
        self.assertTrue(self.check())
        self.arrive(sent, x_rcpt=self.guide.probe_address)
        self.assertFalse(self.check())
        self.assertEqual(self.guide.test_state, "ok", self.guide.test_text)
        findings = self.guide.test_findings
        self.assertEqual(findings["recipient_header"], "X-Rcpt")
        self.assertTrue(findings["is_message_id_kept"])
        self.assertEqual(findings["sender"], self.john.alias_email)
        states = {row["label"]: row["state"] for row in self.guide.test_report}
        self.assertEqual(states["Sender"], "ok")

    def test_what_was_found_is_taken_over_when_somebody_wants_it(self):
        sent = self.start()
        fields = [
            ("X-Rcpt", self.guide.probe_address),
            ("Received", "from smtp.relay.example by mx.acme.example; date"),
            ("Authentication-Results", f"mx.acme.example; dkim=pass header.d={self.domain}"),
            ("Received", "from odoo by smtp.relay.example; date"),
        ]
        head = "".join(f"{name}: {value}\r\n" for name, value in fields).encode()
        self.receive(head + sent.as_bytes(), server=self.guide.mailbox_id)
        self.check()
        mailbox = self.guide.mailbox_id
        self.assertEqual((mailbox.trusted_hops, mailbox.trusted_authserv_id), (0, False))
        self.assertFalse(self.guide.is_taken_over)
        self.guide.action_take_over()
        self.assertTrue(self.guide.is_taken_over)
        self.assertEqual(mailbox.trusted_hops, 1)
        self.assertEqual(mailbox.trusted_authserv_id, "mx.acme.example")
        self.assertTrue(mailbox.recipient_headers.startswith("X-Rcpt, X-Original-To"))

    def test_what_the_account_replaces_is_told(self):
        sent = self.start()
        sent.replace_header("From", "Catchall <catchall@gmail.example>")
        sent.replace_header("Message-Id", "<1@ses.example>")
        self.arrive(sent)
        self.check()
        states = {row["label"]: row["state"] for row in self.guide.test_report}
        self.assertEqual((states["Sender"], states["Message-Id"]), ("warning", "warning"))

    def test_it_came_back_as_undeliverable(self):
        sent = self.start()
        inbound = self.receive(
            self.make_bounce(sent, self.guide.probe_address), server=self.guide.mailbox_id
        )
        self.assertVerdict(inbound, "ignored", "probe")
        self.assertFalse(self.check())
        self.assertEqual(self.guide.test_state, "error")
        self.assertIn("the catch-all is not active", self.guide.test_text)
        self.assertIn("5.1.1", self.guide.test_text)

    def test_a_report_about_another_mail_is_none_of_it(self):
        self.start()
        other = self.make_mail("x@elsewhere.example")
        inbound = self.receive(self.make_bounce(other, "x@elsewhere.example"))
        self.assertNotEqual(inbound.verdict_code, "probe")
        self.assertTrue(self.check())

    def test_the_server_does_not_take_it(self):
        self.enter_mailbox()
        self.log_in()
        refused = smtplib.SMTPRecipientsRefused({"x": (550, b"5.1.1 User unknown")})
        sender = smtplib.SMTPSenderRefused(553, b"5.7.1 not owned", "x")
        for cause, expected in [
            (refused, "the catch-all is not switched on"),
            (sender, "does not send as"),
            (OSError("Connection refused"), "Check the name of the server"),
        ]:
            plain = MailDeliveryException("Failed", f"Mail delivery failed: {cause}")
            plain.__context__ = cause
            # as it comes where our advice was added
            error = MailDeliveryException("Failed", f"Mail delivery failed: {cause}\nDo this.")
            error.__cause__ = plain
            with self.subTest(cause=cause):
                with self.patch_model("ir.mail_server", "send_email", side_effect=error):
                    self.guide.action_test()
                self.assertEqual(self.guide.test_state, "error")
                self.assertIn(expected, self.guide.test_text)

    def test_nothing_comes(self):
        self.start()
        with self.patch_model("fetchmail.server", "connect", side_effect=OSError):
            self.assertTrue(self.check(TIME_LIMIT - 10))
            self.assertFalse(self.check(11))
        self.assertIn("Nothing came within 5 minutes", self.guide.test_text)
        self.assertIn("spam folder", self.guide.test_text)

    def test_a_mailbox_that_cannot_be_read_ends_it(self):
        self.start()
        self.guide.mailbox_id.last_error = "Quota exceeded"
        self.assertFalse(self.check())
        self.assertIn("Quota exceeded", self.guide.test_text)

    def test_it_needs_the_steps_before(self):
        with self.assertRaises(UserError):
            self.guide.action_test()
        with self.assertRaises(UserError):
            self.guide.action_take_over()

    def test_it_can_be_left_and_goes_on_later(self):
        sent = self.start()
        self.guide.step = "domain"
        self.arrive(sent)
        self.guide.probe_started = time.time() - 3600
        self.assertFalse(self.check())
        self.assertEqual(self.guide.test_state, "ok")
