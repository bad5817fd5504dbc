import contextlib
import datetime
import email
import email.policy
import email.utils
import logging
import smtplib
import time

from odoo import SUPERUSER_ID, _, fields, models
from odoo.exceptions import UserError
from odoo.tools import formataddr

from ...tools.mailbox.imap import quote
from ...tools.mailbox.imap_folders import parse_list
from ...tools.reports.delivery_report import read_report

_logger = logging.getLogger(__name__)

#: Seconds after which a test mail that did not come is given up.
TIME_LIMIT = 300
#: Seconds in which more copies of it may come.
COPIES_WAIT = 5
#: Seconds after which it is looked for in other folders.
FOLDERS_WAIT = 20
MAX_FOLDERS = 40
#: Seconds by which what is stored may be older than what it came after: a transaction has one time.
EARLIER = 3600


class MailCatchallSetup(models.Model):
    """The round-trip test: a mail to an address that nobody has goes out and has to come back.

    Every request does one step and ends. The browser asks again while the mail is on its way;
    without a browser the test waits, and goes on when somebody looks at the guide again.
    """

    _inherit = "mail.catchall.setup"

    test_state = fields.Selection(
        [("todo", "To Do"), ("waiting", "On Its Way"), ("ok", "Done"), ("error", "Problem")],
        default="todo",
        readonly=True,
    )
    test_text = fields.Text(
        readonly=True, default=lambda self: _("Send a test mail, when the other steps are done.")
    )
    test_elapsed = fields.Integer(compute="_compute_test_elapsed")
    test_limit = fields.Integer(compute="_compute_test_elapsed")
    probe_address = fields.Char("Test Address", readonly=True)
    probe_message_id = fields.Char(readonly=True)
    probe_sender = fields.Char(readonly=True)
    probe_started = fields.Float(readonly=True, help="Seconds since 1970.")
    probe_arrived = fields.Float(readonly=True)

    def _compute_test_elapsed(self):
        for guide in self:
            guide.test_limit = TIME_LIMIT
            guide.test_elapsed = min(time.time() - (guide.probe_started or 0), TIME_LIMIT)

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def action_test(self):
        """Send a test mail to a random address of the domain.

        :raise UserError: if an earlier step is missing
        """
        self.ensure_one()
        if self.domain_state != "ok" or not self.smtp_id.active or not self.mailbox_id.is_catchall:
            raise UserError(
                _("First set up the domain, log in to the mailbox, and log in to the account.")
            )
        name, address = self._get_example_sender()
        self.write(
            {
                "test_state": "waiting",
                "test_text": _("The test mail is on its way."),
                "test_findings": False,
                "probe_address": self.env["mail.catchall.setup.probe"]._make_probe_address(
                    self.alias_domain_id.name
                ),
                "probe_message_id": email.utils.make_msgid(domain=self.alias_domain_id.name),
                "probe_sender": address,
                "probe_started": time.time(),
                "probe_arrived": 0,
            }
        )
        try:
            self._send_probe(formataddr((name, address)))
        except (
            Exception
        ) as error:  # whatever the way to the server, and the server, have against it
            self._fail(self._explain_refused(error))

    def _send_probe(self, sender):
        """Send the test mail as any mail is sent, by the account of the guide."""
        servers = self.env["ir.mail_server"].with_company(self.company_id)
        message = servers.build_email(
            sender,
            [self.probe_address],
            _("Test of the email gateway"),
            _("Odoo sent this mail to itself, to see whether its mailbox receives it."),
            message_id=self.probe_message_id,
            headers=self._get_probe_headers(),
        )
        servers.send_email(message, mail_server_id=self.smtp_id.id)

    def _get_probe_headers(self):
        headers = {"Auto-Submitted": "auto-generated"}  # RFC 3834: nobody shall answer
        if "@" in (self.mailbox_id.user or ""):
            # where a report arrives even if the catch-all does not work
            headers["Return-Path"] = self.mailbox_id.user
        return headers

    def _explain_refused(self, error):
        """Return in words why the mail could not be sent."""
        cause = error.__context__ or error
        text = self._clean_error(str(error.args[-1] if error.args else error))
        if isinstance(cause, smtplib.SMTPRecipientsRefused):
            return _(
                "The SMTP server refused the address %(address)s, that nobody has. If it is also "
                "the server of the domain, the catch-all is not switched on there. %(text)s",
                address=self.probe_address,
                text=text,
            )
        if isinstance(cause, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
            return _(
                "The SMTP server does not send as %(sender)s. Let the account send as any address "
                "of the domain, or choose “Replace every address” as its Sender Address. %(text)s",
                sender=self.probe_sender,
                text=text,
            )
        return _("The SMTP server did not take the test mail. %s", self._explain_login(text))

    # ------------------------------------------------------------
    # WAITING
    # ------------------------------------------------------------

    def action_check_now(self):
        """Fetch the mailbox and look for the test mail. It commits, as fetching does.

        :return bool: whether it is still waited for
        """
        self.ensure_one()
        if self.test_state != "waiting":
            return False
        # as the scheduled action does, so that mail of others is not handled as of this user
        fetcher = self.env(user=SUPERUSER_ID, context={})["fetchmail.server"]
        fetcher.browse(self.mailbox_id.id).fetch_mail()
        self.env.invalidate_all()
        self._look_for_probe()
        return self.test_state == "waiting"

    def _look_for_probe(self):
        """Conclude the test if it is known how it ended."""
        elapsed = time.time() - self.probe_started
        arrived = self._find_probes()
        if arrived:
            self.probe_arrived = self.probe_arrived or time.time()
            if time.time() - self.probe_arrived >= COPIES_WAIT:
                self._report_arrival(arrived)
            else:
                self.test_text = _("It arrived. Waiting for further copies of it.")
            return
        problem = self._find_report() or self.mailbox_id.last_error
        if not problem and elapsed > FOLDERS_WAIT:
            problem = self._look_into_folders()
        if not problem and elapsed > TIME_LIMIT:
            problem = self._explain_missing()
        if problem:
            self._fail(problem)

    def _fail(self, text):
        self.write({"test_state": "error", "test_text": text})

    def _get_probe_mails(self):
        """Return the inbound emails that are about this test mail, or one of about its time."""
        # a fetch that began before it was sent may have brought it
        since = datetime.datetime.utcfromtimestamp(self.probe_started - EARLIER)
        domain = [("verdict_code", "=", "probe"), ("create_date", ">=", since)]
        return self.env["mail.catchall.inbound"].sudo().search(domain, order="id")

    def _find_probes(self):
        """Return the copies of the test mail that arrived."""
        address = self.probe_address
        return self._get_probe_mails().filtered(
            lambda mail: address in (mail.recipients or "") or address in (mail.email_to or "")
        )

    def _find_report(self):
        """Return in words why the test mail came back, if it did."""
        for mail in self._get_probe_mails() - self._find_probes():
            source = mail._get_source()
            if self.probe_address.encode() not in source.lower():
                continue
            report = read_report(email.message_from_bytes(source, policy=email.policy.default))
            if report and report.kind not in ("failed", "unknown"):
                continue
            return _(
                "The test mail came back: nobody takes mail to %(address)s. So the catch-all is "
                "not active: switch it on at your mail provider. %(text)s",
                address=self.probe_address,
                text=report.reason if report else "",
            )
        return ""

    def _explain_missing(self):
        return _(
            "Nothing came within %(minutes)s minutes. Mail for %(domain)s is delivered elsewhere "
            "(look at its MX records), the catch-all leads to another mailbox than %(mailbox)s, or "
            "the mail was held back as spam before it reached a folder.",
            minutes=TIME_LIMIT // 60,
            domain=self.alias_domain_id.name,
            mailbox=self.mailbox_id.user or self.mailbox_id.name,
        )

    # ------------------------------------------------------------
    # OTHER FOLDERS
    # ------------------------------------------------------------

    def _look_into_folders(self):
        """Return in words where else in the mailbox the test mail is, if it is there."""
        if self.mailbox_id._get_connection_type() != "imap" or self._is_stored():
            return ""
        connection = None
        try:
            connection = self.mailbox_id.connect()
            folders = [f for f in parse_list(connection.list()[1]) if f.is_selectable]
            for folder in folders[:MAX_FOLDERS]:
                if self._is_in_folder(connection, folder):
                    return self._explain_folder(folder)
        except Exception:  # only a search that nobody asked for: the next fetch tells
            _logger.info("Folders could not be searched for the test mail", exc_info=True)
        finally:
            if connection:
                with contextlib.suppress(Exception):
                    connection.logout()
        return ""

    def _is_stored(self):
        """Tell whether the test mail was fetched and is not processed yet."""
        inbounds = self.env["mail.catchall.inbound"].sudo()
        return bool(inbounds.search_count([("email_to", "ilike", self.probe_address)]))

    def _is_in_folder(self, connection, folder):
        """Tell whether the test mail is in a folder, and would have been fetched from there.

        In the folder that is read, only what somebody has read is not on its way to us.
        """
        is_read_folder = folder.label == (self.mailbox_id.folder or "INBOX")
        if folder.is_own_copy and not is_read_folder:
            return False
        status, _data = connection.select(quote(folder.label), True)
        if status != "OK":
            return False
        criteria = ["SEEN"] if is_read_folder else []
        local_part = self.probe_address.partition("@")[0]
        status, data = connection.search(None, *criteria, "HEADER", "To", quote(local_part))
        return status == "OK" and any(data)

    def _explain_folder(self, folder):
        if folder.label == (self.mailbox_id.folder or "INBOX"):
            return _(
                "It arrived, but somebody else marked it as read before Odoo could fetch it: "
                "another program, or another Odoo, reads this mailbox. End that."
            )
        if folder.is_junk:
            return _(
                "It arrived in the folder “%s”: your provider takes it for spam. Switch off the "
                "spam folder of this mailbox, and see whether SPF, DKIM and DMARC of the domain "
                "are right.",
                folder.label,
            )
        return _(
            "It arrived in the folder “%s” and not in the one that is read. Choose that folder in "
            "the step of the mailbox, or end the rule that moves it.",
            folder.label,
        )
