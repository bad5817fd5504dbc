"""What people are told where something is missing, wrong or refused; each error has its words."""

import errno
import imaplib
import poplib
import socket
import ssl

from odoo.exceptions import UserError, ValidationError
from odoo.tests import Form, tagged
from odoo.tools.safe_eval import safe_eval

from odoo.addons.base.models.ir_mail_server import IrMailServer

from ...models.mailbox.fetch_words import FetchWords, get_error_text
from ...tools.mailbox.mailbox import FetchResult, MailboxError
from ..common import ReviewCommon, SetupCommon, patch

#: What a relay answers, and a part of what Odoo advises.
ADVICE = [
    ("553 5.7.1 <john@acme.com>: Sender address rejected: not owned by user acme", "send as all"),
    ("550 The from address does not match a verified Sender Identity", "Confirm your domain"),
    ("550-5.7.26 Unauthenticated email is not accepted due to DMARC policy", "SPF and DKIM"),
    ("550 5.7.1 Invalid credentials for relay [192.0.2.1]", "address of this machine"),
    ("535 5.7.8 Error: authentication failed", "username and password"),
    ("552 5.3.4 Message size exceeds fixed limit", "as links"),
    ("421 4.7.0 Try again later", ""),
]
#: What fetching raises, and a part of what the form of the mailbox says.
FETCH_ERRORS = [
    (socket.gaierror(-2, "Name or service not known"), "no mail server mail.example"),
    (ssl.SSLError(1, "WRONG_VERSION_NUMBER"), "No secure connection"),
    (TimeoutError(), "in time"),
    (ConnectionRefusedError(errno.ECONNREFUSED, "refused"), "at port 993"),
    (ConnectionResetError(errno.ECONNRESET, "reset by peer"), "broke: "),
    (imaplib.IMAP4.abort(b"socket error: EOF"), "broke: socket error: EOF"),
    (imaplib.IMAP4.error(b"[AUTHENTICATIONFAILED] no"), "answered: [AUTHENTICATIONFAILED] no"),
    (poplib.error_proto(b"-ERR locked"), "answered: -ERR locked"),
    (MailboxError("NO such folder"), "answered: NO such folder"),
    (ValueError("something else"), "something else"),
    (KeyError(), "KeyError"),
]


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestWhatIsSaid(ReviewCommon):
    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def test_what_to_change_when_a_relay_refuses(self):
        for answer, expected in ADVICE:
            with self.subTest(answer):
                advice = self.relay._get_advice(answer)
                self.assertIn(expected, advice)
                self.assertEqual(bool(advice), bool(expected))

    def test_a_connection_that_is_tested(self):
        for answer, expected in ADVICE:
            error = UserError(answer)
            test = patch.object(IrMailServer, "test_smtp_connection", side_effect=error)
            with self.subTest(answer), test, self.assertRaises(UserError) as caught:
                self.relay.test_smtp_connection()
            self.assertIn(answer, str(caught.exception))
            self.assertIn(expected, str(caught.exception))

    # ------------------------------------------------------------
    # FETCHING
    # ------------------------------------------------------------

    def test_why_a_mailbox_cannot_be_read(self):
        mailbox = self._create_mailbox(server="mail.example", port=993)
        for error, expected in FETCH_ERRORS:
            with self.subTest(error=error):
                self.assertIn(expected, mailbox._describe_error(error))

    def test_no_error_tells_the_password(self):
        """Of one with accents Python says all that could not be encoded."""
        mailbox = self._create_mailbox(server="mail.example", port=993)
        with self.assertRaises(UnicodeEncodeError) as caught:
            "geheimwört".encode("ascii")
        text = mailbox._describe_error(caught.exception)
        self.assertNotIn("geheim", text)
        self.assertIn("ASCII", text)
        self.assertNotIn("geheim", get_error_text(caught.exception))

    def test_how_a_fetch_went(self):
        mailbox = self._create_mailbox()
        states = ["delivered", "delivered", "review", "failed", "ignored", "bounced", "pending"]
        good, busy = FetchResult("fetched", has_more=True), FetchResult("busy")
        error = FetchResult("error", text="No.")
        for result, found, expected in (
            (good, [], "0 stored, 0 delivered. There is more: it goes on by itself."),
            (busy, [], "is being fetched by somebody else."),
            (error, states, f"{mailbox.name}: No."),
            (
                error,
                states,
                "7 stored, 2 delivered, 1 for review, 1 failed, 1 ignored, 1 sent back, 1 still",
            ),
        ):
            with self.subTest(expected):
                text = FetchWords(mailbox).describe_fetch({mailbox: result}, found)
                self.assertIn(expected, text)

    def test_fetch_now_tells_how_it_went_and_leads_to_the_mails(self):
        mailbox = self._create_mailbox(name="100 % mail")
        for result, kind in (
            (FetchResult("fetched"), "success"),
            (FetchResult("error", text="No."), "warning"),
        ):
            fetch = patch.object(
                type(mailbox), "_fetch_and_process", lambda servers, r=result: {servers: r}
            )
            with self.subTest(kind), fetch:
                shown = mailbox.action_fetch_now()["params"]
                self.assertEqual((shown["type"], shown["sticky"]), (kind, kind == "warning"))
                self.assertIn(f"active_id={mailbox.id}", shown["links"][0]["url"])
                # the web client puts the link where %s stands
                self.assertTrue((shown["message"] % "x").startswith("x 0 stored"))
        action = self.env.ref("mail_catchall_gateway.mail_catchall_inbound_action_server")
        domain = safe_eval(action.domain, {"active_id": mailbox.id})
        inbound = self.receive(self.make_mail(self.john.alias_email), server=mailbox)
        self.assertEqual(self.env[action.res_model].search(domain), inbound)

    # ------------------------------------------------------------
    # SETTINGS
    # ------------------------------------------------------------

    def test_settings_that_cannot_be(self):
        for values in (
            {"catchall_loop_threshold": 0},
            {"catchall_loop_minutes": 0},
            {"catchall_delivered_days": -1},
            {"catchall_ignored_days": -1},
            {"catchall_fetch_interval": 0},
        ):
            with self.subTest(**values), self.assertRaises(ValidationError):
                self._create_settings(**values)

    def test_senders_that_cannot_be_blocked(self):
        blocked = self.env["mail.catchall.blocked"].create({"email": " Spam@Shop.Example "})
        self.assertEqual(blocked.email, "spam@shop.example")
        for email in ("shop", "@", "spam@", f"@{self.domain}", self.domain):
            with self.subTest(email), self.assertRaises(ValidationError):
                blocked.email = email
        blocked.email = "@Other.Example"
        self.assertEqual(blocked.email, "other.example")
        mail = self.make_mail(self.john.alias_email, sender="x@other.example")
        self.assertVerdict(self.receive(mail), "ignored", "sender_rejected")

    # ------------------------------------------------------------
    # DIALOGS
    # ------------------------------------------------------------

    def test_dialogs_ask_for_what_is_missing(self):
        inbound = self.receive_typo()
        inbounds = {"inbound_ids": [(6, 0, inbound.ids)]}
        route = self.env["mail.catchall.route"].with_user(self.manager)
        nobody = {"user_id": False, "alias_id": False}
        dialogs = [
            route.create({**inbounds, **nobody, "target": "document"}),
            route.create({**inbounds, **nobody, "target": "user"}),
            route.create({**inbounds, **nobody, "target": "alias"}),
            self.env["mail.catchall.alias.wizard"].create({"line_ids": False}),
        ]
        for dialog in dialogs:
            with self.subTest(dialog=dialog), self.assertRaises(UserError):
                dialog.action_apply()
        self.assertVerdict(inbound, "review", "unrouted")

    def test_a_manager_changes_no_addresses_of_another_company(self):
        inbound = self.receive(self.make_mail("x@foreign.example")).with_user(self.manager)
        domain = self.mail_alias_domain_c2
        team = self._create_team_alias("other", alias_domain_id=domain.id)
        values = {"inbound_ids": inbound.ids, "target": "alias", "alias_id": team.id}
        dialog = self.env["mail.catchall.route"].with_user(self.manager)
        dialog = dialog.create({**values, "is_always": True})
        self.assertFalse(dialog.always_help)
        self.act(dialog, "action_apply")
        self.assertVerdict(inbound, "delivered", "alias")
        self.assertFalse(domain.accepted_domain_names)

    def test_the_header_of_a_mail_in_a_window(self):
        inbound = self.receive_typo()
        action = inbound.action_headers()
        record = inbound.browse(action["res_id"])
        form = Form(record, view=self.env["ir.ui.view"].browse(action["views"][0][0]))
        self.assertIn("Subject: Bicycles", form.header_text)


@tagged("post_install", "-at_install", "mail_catchall_gateway")
class TestWhatTheGuideSays(SetupCommon):
    def test_a_step_that_is_too_early(self):
        self.guide.write({"mailbox_id": False, "smtp_id": False})
        for action in ("action_check_mailbox", "action_check_smtp", "action_take_over"):
            with self.subTest(action), self.assertRaises(UserError):
                getattr(self.guide, action)()
        self.guide.smtp_id = self.relay
        self.guide.alias_domain_id = False
        with self.assertRaises(UserError):
            self.guide.action_check_smtp()
        self.assertEqual(self.guide.aliases_state, "todo")

    def test_an_account_that_fails(self):
        self.guide.smtp_id = self.relay
        for error, expected in (
            (UserError("535 authentication failed"), "Check user and password"),
            (OSError("[SSL: WRONG_VERSION_NUMBER]"), "Check port and encryption"),
            (OSError("Name or service not known"), "nobody knows it"),
        ):
            with self.subTest(error=error):
                self.log_in_smtp(error)
                self.assertEqual(self.guide.smtp_state, "error")
                self.assertIn(expected, self.guide.smtp_text)
                self.assertIn(expected, self.guide._describe_smtp())

    def test_a_mailbox_that_was_archived(self):
        self.enter_mailbox()
        self.log_in()
        self.assertEqual(self.guide.mailbox_state, "ok")
        self.guide.mailbox_id.active = False
        self.assertEqual(self.guide.mailbox_state, "error")
        self.assertIn("archived", self.guide.mailbox_text)

    def test_a_mailbox_without_folders_and_one_without_the_inbox(self):
        self.enter_mailbox()
        self.log_in([rb'(\HasNoChildren) "/" "All Mail"'])
        self.assertEqual(self.guide.mailbox_id.folder, "All Mail")
        self.guide.mailbox_id.server_type = "pop"
        self.log_in()
        self.assertEqual(self.guide.mailbox_state, "ok")
        self.assertFalse(self.guide.mailbox_folders)

    def test_presets_and_encryption_fill_in_ports(self):
        with Form(self.guide) as form:
            form.step = "mailbox"
            form.mailbox_server, form.mailbox_ssl = "imap.acme.example", False
            self.assertEqual(form.mailbox_port, 143)
            form.mailbox_ssl = True
            self.assertEqual(form.mailbox_port, 993)
            form.step = "smtp"
            form.smtp_provider = "ovh"
            self.assertEqual(form.smtp_host, "ssl0.ovh.net")

    def test_who_has_no_alias_yet(self):
        for number in range(7):
            self._create_user(f"Ann{number}", "Loe", alias_name=False)
        self.assertEqual(self.guide.aliases_state, "ok")
        self.assertTrue(self.guide.aliases_text.endswith("..."))

    def test_what_a_test_mail_told_of_its_sender(self):
        findings = {"authserv_id": "", "authentication": "fail", "authentication_detail": "spf"}
        probe = self.env["mail.catchall.setup.probe"]
        row = probe._report_authentication(findings)
        self.assertEqual((row["state"], "spf" in row["text"]), ("warning", True))
        found = {"mailbox": "Another", "seconds": 2}
        self.assertIn("Another", probe._describe_arrival(self.guide, found))
