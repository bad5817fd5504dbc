from odoo import _, api, models, tools

from ...tools.addresses.signed_address import BOUNCE
from ...tools.judging.verdict import Verdict
from ...tools.reports.delivery_report import DeliveryReport, read_report


class MailCatchallReport(models.AbstractModel):
    """Understands what mail systems report about mail that was sent.

    Which message it was about, whom it did not reach, and what a manager is told of it. Core marks
    the message and the contacts, see ``mail.thread._routing_handle_bounce``.
    """

    _name = "mail.catchall.report"
    _description = "Delivery Report about Sent Mail"

    @api.model
    def _recognize(self, delivery, message):
        """Return the report that a mail is, or None.

        Automatic replies go to the Return-Path (RFC 3834, 4), which is the bounce address: core
        takes them for bounces, and what people write there, too. But whatever a mail system sends
        to a signed bounce address is one (RFC 5321, 4.5.5), however it words it.
        """
        report = read_report(message)
        if report and report.kind == "unknown" and delivery.mail.is_accepted:
            report = None  # a manager looked at it, and says that it is a mail
        if report or not delivery.mail.get_signed(BOUNCE):
            return report
        return_path = str(message.get("Return-Path", "")).strip()
        is_system = return_path in ("<>", "<MAILER-DAEMON>")
        is_report = is_system and not delivery.mail.is_machine_answer
        return DeliveryReport("failed") if is_report else None

    @api.model
    def _identify(self, delivery, values):
        """Return what core is told of a report: its message, and the first contact not reached.

        :param dict values: core's, see ``mail.thread._message_parse_extract_bounce``
        """
        report, outcome = delivery.outcome.report, delivery.outcome
        signed = delivery.mail.get_signed(BOUNCE)
        message = self._find_signed(delivery, "mail.message", "message_id")
        message_ids = list(report.message_ids) or values["bounced_msg_ids"]
        if message:
            message_ids = list(dict.fromkeys([message.message_id, *(message_ids or [])]))
        else:
            domain = [("message_id", "in", list(report.message_ids))]
            message = values["bounced_message"] or message.search(domain, order="id desc", limit=1)
        addresses = tuple(report.recipients)
        if values["bounced_email"] and report.kind == "failed" and not addresses:
            addresses = (values["bounced_email"],)
        partner = self._find_partner(delivery, message, addresses[:1])
        if signed and signed.partner_id and partner.email:
            addresses = (tools.email_normalize(partner.email) or partner.email,)
        outcome.bounced = addresses
        # mass_mailing counts what stands here as bounced: a delay or a receipt is no failure
        has_failed = report.kind == "failed"
        return {
            "bounced_message": message,
            "bounced_msg_ids": message_ids if has_failed else [],
            "bounced_email": addresses[0] if has_failed and addresses else False,
            "bounced_partner": partner if has_failed else partner.browse(),
        }

    @api.model
    def _find_signed(self, delivery, model, fname):
        """Return the record that the signed bounce address names, if it exists."""
        signed = delivery.mail.get_signed(BOUNCE)
        # sudo: the signature tells that it is the one
        records = self.env[model].sudo()
        return records.browse(getattr(signed, fname)).exists() if signed else records

    @api.model
    def _find_partner(self, delivery, message, addresses):
        """Return the contacts whom a mail did not reach.

        The one that it was made for, else those who were notified. Others only where the report
        has a field for the address: in free text it is a guess.
        """
        partners = self._find_signed(delivery, "res.partner", "partner_id")
        if partners or not addresses:
            return partners
        notified = message.notification_ids.res_partner_id
        found = notified.filtered(lambda partner: partner.email_normalized in addresses)
        if found or not delivery.outcome.report.final_recipients:
            return found
        return partners.search([("email_normalized", "in", addresses)])

    @api.model
    def _get_unreached(self, delivery, message):
        """Return the contacts to mark by the address at which the mail failed to reach them."""
        report, find = delivery.outcome.report, self._find_partner
        # an address in a text that names no mail of ours is a guess
        is_known = message or report.final_recipients or report.message_ids
        if report.kind != "failed" or not is_known:
            return {}
        return {address: find(delivery, message, [address]) for address in delivery.outcome.bounced}

    @api.model
    def _note_reason(self, message, partner, reason):
        """Say why in one line, where core gives the text of the whole report."""
        notifications = message.notification_ids if reason else message.notification_ids.browse()
        for notification in notifications.filtered(lambda n: n.res_partner_id in partner):
            if notification.notification_status == "bounce":
                notification.failure_reason = reason

    @api.model
    def _get_verdict(self, delivery, message):
        # a person's mail without From looks like one, too, and would get lost
        is_told = message or delivery.outcome.bounced or delivery.outcome.report.kind != "unknown"
        is_lost = not is_told and delivery.mail.get_all("alias")
        reason = self._get_report_reason(delivery, message)
        return Verdict("bounce_report", "review" if is_lost else "delivered", reason)

    @api.model
    def _get_report_reason(self, delivery, message):
        """Return what a report says about which mail, in a sentence."""
        report = delivery.outcome.report
        kinds = {
            "failed": _("Not delivered to %s."),
            "delayed": _("Not yet delivered to %s; the mail server goes on trying."),
            "delivered": _("Delivered to %s."),
            "read": _("Read by %s."),
            "complaint": _("Reported as spam by %s."),
        }
        sentence = kinds.get(report.kind, _("A report that names nobody."))
        if "%s" in sentence:
            addresses = report.recipients or delivery.outcome.bounced
            sentence = sentence % (", ".join(addresses) or _("somebody"))
        about = _("It was “%s”.", message.subject or message.record_name) if message else ""
        return " ".join(filter(None, [sentence, report.reason, about]))
