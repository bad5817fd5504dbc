import dataclasses
import datetime
import email
import email.policy
import email.utils
import re
import secrets
import smtplib
import time

from odoo import SUPERUSER_ID, _, models, tools
from odoo.tools import consteq, formataddr

from ...models.sending.ir_mail_server import unwrap
from ...tools.mailbox.round_trip import examine
from ...tools.message.source import header_fields
from ...tools.reports.delivery_report import read_report

#: Seconds after which a test mail that did not come is given up.
TIME_LIMIT = 300
#: Seconds by which a fetch that brings the test mail may have begun before it was sent.
EARLIER = 3600
#: Seconds in which a mail server may still report about a test mail.
REPORT_SECONDS = 24 * 3600
#: A report quotes the header of what it is about, which stands in its beginning.
REPORT_OCTETS = 200_000
_PROBE = re.compile(r"probe\.([0-9a-f]{12})\.([0-9a-f]{32})@.+")


class MailCatchallSetupProbe(models.AbstractModel):
    """The round-trip test: a mail to an address that nobody has goes out and has to come back.

    Every request does one step and ends. The browser asks again while the mail is on its way;
    without one the test goes on when somebody looks at the guide, which notes all that is known.
    """

    _name = "mail.catchall.setup.probe"
    _description = "Round-trip Test"

    # ------------------------------------------------------------
    # TEST ADDRESSES
    # ------------------------------------------------------------

    def _make_probe_address(self, domain_name):
        """Return a new address: a random number and its HMAC, without characters that divide it."""
        number = secrets.token_hex(6)
        return f"probe.{number}.{self._sign_probe(number)}@{domain_name}"

    def _sign_probe(self, number):
        # su: core's hmac reads the secret of the database; half of an HMAC leaves
        return tools.hmac(self.env(su=True), "mail_catchall_gateway-probe", number)[:32]

    def _is_probe_address(self, address):
        match = _PROBE.fullmatch(address)
        return bool(match) and consteq(self._sign_probe(match[1]), match[2])

    def _recognize(self, inbound, mail):
        """Return in words that an inbound email is a test mail or a report on one, else "".

        :param InboundMail mail: what is known about it
        """
        addresses = [recipient.address for recipient in mail.get_all("alias", "unknown")]
        # one who saw such an address must not be able to hide a mail to others with it
        if addresses and all(map(self._is_probe_address, addresses)):
            return _("The test mail of the setup guide.")
        if mail.automatic.kind and self._is_probe_report(inbound):
            return _("A report on the test mail of the setup guide.")
        return ""

    def _is_probe_report(self, inbound):
        """Tell whether a mail quotes a test mail that was sent a short time ago."""
        start = time.time() - REPORT_SECONDS
        # sudo: the addresses of test mails of the last day; yes or no
        guides = self.env["mail.catchall.setup"].sudo().search([("probe_started", ">", start)])
        addresses = [address.encode() for address in guides.mapped("probe_address") if address]
        if not addresses:
            return False
        source = inbound._get_source()[:REPORT_OCTETS].lower()
        return any(address in source for address in addresses)

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    def _send(self, guide):
        """Send a new test mail as any mail is sent, by the account of the guide."""
        domain_name = guide.alias_domain_id.name
        name, address = self.env["mail.catchall.setup.servers"]._get_example_sender(guide)
        guide.write(
            {
                "test_state": "waiting",
                "test_text": _("The test mail is on its way."),
                "test_findings": False,
                "probe_address": self._make_probe_address(domain_name),
                "probe_message_id": email.utils.make_msgid(domain=domain_name),
                "probe_sender": address,
                "probe_started": time.time(),
            }
        )
        servers = self.env["ir.mail_server"].with_company(guide.company_id)
        try:
            message = servers.build_email(
                formataddr((name, address)),
                [guide.probe_address],
                _("Test of the email gateway"),
                _("Odoo sent this mail to itself, to see whether its mailbox receives it."),
                message_id=guide.probe_message_id,
                headers=self._get_probe_headers(guide),
            )
            servers.send_email(message, mail_server_id=guide.smtp_id.id)
        except Exception as error:  # whatever the way there, and the server, have against it
            text = self._explain_refused(guide, error)
            guide.write({"test_state": "error", "test_text": text})

    def _get_probe_headers(self, guide):
        headers = {"Auto-Submitted": "auto-generated"}  # RFC 3834: nobody shall answer
        if "@" in (guide.mailbox_id.user or ""):
            # where a report arrives even if the catch-all does not work
            headers["Return-Path"] = guide.mailbox_id.user
        return headers

    def _explain_refused(self, guide, error):
        servers = self.env["mail.catchall.setup.servers"]
        cause = unwrap(error)
        text = servers._clean_error(str(error.args[-1] if error.args else error))
        if isinstance(cause, smtplib.SMTPRecipientsRefused):
            return _(
                "The SMTP server refused the address %(address)s, that nobody has. If it is also "
                "the server of the domain, the catch-all is not switched on there. %(text)s",
                address=guide.probe_address,
                text=text,
            )
        if isinstance(cause, (smtplib.SMTPSenderRefused, smtplib.SMTPDataError)):
            return _(
                "The SMTP server does not send as %(sender)s. Let the account send as any address "
                "of the domain, or choose “Replace every address” as its Sender Address. %(text)s",
                sender=guide.probe_sender,
                text=text,
            )
        return _("The SMTP server did not take the test mail. %s", servers._explain_login(text))

    # ------------------------------------------------------------
    # WAITING
    # ------------------------------------------------------------

    def _fetch_and_look(self, guide):
        """Fetch the mailbox of a guide, and conclude its test if it is known how it ended."""
        # SUPERUSER_ID: as the scheduled action; mail of others is not handled as of this user
        fetcher = self.env(user=SUPERUSER_ID, context={})["fetchmail.server"]
        fetcher.browse(guide.mailbox_id.id).fetch_mail()
        self.env.invalidate_all()
        # sudo: test mails, which no person wrote; only administrators have a guide
        inbounds = self.env["mail.catchall.inbound"].sudo()
        since = datetime.datetime.utcfromtimestamp(guide.probe_started - EARLIER)
        domain = [("verdict_code", "=", "probe"), ("create_date", ">=", since)]
        mails, address = inbounds.search(domain, order="id"), guide.probe_address
        arrived = mails.filtered(
            lambda mail: address in (mail.recipients or "") or address in (mail.email_to or "")
        )
        if arrived:
            self._conclude(guide, arrived[0])
        elif problem := self._find_problem(guide, mails):
            guide.write({"test_state": "error", "test_text": problem})

    def _find_problem(self, guide, mails):
        """Return in words why the test mail will not arrive, if that is known."""
        problem = self._find_report(guide, mails) or guide.mailbox_id.last_error
        if problem or time.time() - guide.probe_started <= TIME_LIMIT:
            return problem
        return _(
            "Nothing came within %(minutes)s minutes. Check the MX records of %(domain)s, and that "
            "the catch-all leads to the mailbox %(mailbox)s. Look into its other folders, the spam "
            "folder first. End what else reads it: another program may have marked the mail as "
            "read before Odoo could fetch it.",
            minutes=TIME_LIMIT // 60,
            domain=guide.alias_domain_id.name,
            mailbox=guide.mailbox_id.user or guide.mailbox_id.name,
        )

    def _find_report(self, guide, mails):
        """Return in words why the test mail came back, if it did."""
        for mail in mails:
            source = mail._get_source()
            if guide.probe_address.encode() not in source.lower():
                continue
            report = read_report(email.message_from_bytes(source, policy=email.policy.default))
            if report and report.kind not in ("failed", "unknown"):
                continue
            return _(
                "The test mail came back: nobody takes mail to %(address)s. So the catch-all is "
                "not active: switch it on at your mail provider. %(text)s",
                address=guide.probe_address,
                text=report.reason if report else "",
            )
        return ""

    # ------------------------------------------------------------
    # REPORT
    # ------------------------------------------------------------

    def _conclude(self, guide, mail):
        """Note what the test mail that arrived tells."""
        mailbox = mail.server_id or guide.mailbox_id
        names, own = mailbox._get_recipient_settings()
        trip = examine(
            header_fields(mail._get_source()),
            guide.probe_address,
            guide.probe_message_id,
            names,
            own,
            mailbox.server or "",
            mailbox.trusted_hops,
        )
        findings = {
            **dataclasses.asdict(trip),
            "seconds": round(max(mail.create_date.timestamp() - guide.probe_started, 0)),
            "mailbox": mailbox.name if mailbox != guide.mailbox_id else "",
        }
        text = self._describe_arrival(guide, findings)
        guide.write({"test_state": "ok", "test_text": text, "test_findings": findings})

    def _describe_arrival(self, guide, findings):
        if findings["mailbox"]:
            return _(
                "The test mail came back after %(seconds)s seconds, but in the mailbox "
                "%(mailbox)s.",
                seconds=findings["seconds"],
                mailbox=findings["mailbox"],
            )
        return _(
            "It works: the test mail came back after %(seconds)s seconds. Mail to any address of "
            "%(domain)s reaches Odoo.",
            seconds=findings["seconds"],
            domain=guide.alias_domain_id.name,
        )

    def _report(self, guide):
        """Return what was found out, as rows."""
        found = guide.test_findings
        return [
            self._report_recipient(found["recipient_header"]),
            self._report_sender(found["sender"], guide.probe_sender),
            self._report_message_id(found["is_message_id_kept"]),
            self._report_hops(found["trusted_hops"]),
            self._report_authentication(found),
        ]

    def _report_recipient(self, header):
        label = _("Named recipient")
        if header == "Received":
            text = _("The line with which your mail server took the mail tells for whom it was.")
            return _row(label, "ok", header, text)
        if header:
            text = _("This field tells for whom a mail was, also where To and Cc do not.")
            return _row(label, "ok", header, text)
        text = _(
            "No field names for whom a mail was delivered. Mail in Bcc, through lists and "
            "forwards can only be found by To and Cc: ask your provider for such a field."
        )
        return _row(label, "warning", _("None"), text)

    def _report_sender(self, sender, written):
        if sender == written:
            return _row(_("Sender"), "ok", sender, _("It came back as it left."))
        text = _(
            "It left as %s and was replaced on the way. Your customers see what it became: let "
            "the account send as any address of the domain.",
            written,
        )
        return _row(_("Sender"), "warning", sender, text)

    def _report_message_id(self, is_kept):
        if is_kept:
            return _row(_("Message-Id"), "ok", _("Kept"), _("Answers find their thread by it."))
        text = _(
            "Your SMTP account replaces it, so that answers may not find their thread by it. "
            "Switch on “Signed Addresses” on the alias domain."
        )
        return _row(_("Message-Id"), "warning", _("Replaced"), text)

    def _report_hops(self, count):
        label = _("Received lines of your servers")
        if count:
            text = _("What stands below them may be forged, and does not count.")
            return _row(label, "ok", str(count), text)
        text = _(
            "How many lines your own servers write is not certain, and a wrong number would do "
            "harm. So the topmost field counts, which is your server's."
        )
        return _row(label, "info", _("Unknown"), text)

    def _report_authentication(self, found):
        label, detail = _("Checked sender"), found["authentication_detail"]
        if found["authserv_id"]:
            text = _(
                "Your mail server checks who sends (%s), and confirmed our own mail. Forged mail "
                "from your people can be told.",
                detail,
            )
            return _row(label, "ok", found["authserv_id"], text)
        if found["authentication"] == "fail":
            text = _(
                "Your mail server checked our own mail, and it failed (%s). Enter SPF and DKIM as "
                "shown in the first step: others may take your mail for spam.",
                detail,
            )
            return _row(label, "warning", _("Failed"), text)
        text = _(
            "No result of your mail server was found on our own mail. Until its name is set on "
            "the mailbox, Odoo believes what a mail says of its sender: whoever writes as one of "
            "your people is taken for him."
        )
        return _row(label, "warning", _("Unknown"), text)

    def _prepare_mailbox_values(self, guide):
        findings = guide.test_findings
        values = {"trusted_hops": findings["trusted_hops"]}
        if findings["authserv_id"]:
            values["trusted_authserv_id"] = findings["authserv_id"]
        header = findings["recipient_header"]
        if header and header != "Received":
            names, _own = guide.mailbox_id._get_recipient_settings()
            values["recipient_headers"] = ", ".join(dict.fromkeys((header, *names)))
        return values


def _row(label, state, value, text):
    return {"label": label, "state": state, "value": value, "text": text}
