import logging

from odoo import api, models, tools

from ...tools.judging.delivery import delivery_of
from ...tools.judging.verdict import Verdict
from ...tools.reports.delivery_report import read_report

_logger = logging.getLogger(__name__)

#: What the gateway says of its own mails (RFC 3834, 5; the second is Microsoft's).
AUTOMATIC_HEADERS = {"Auto-Submitted": "auto-generated", "X-Auto-Response-Suppress": "All"}


class MailThread(models.AbstractModel):
    """Loops, rejections that the gateway sends, and reports about mails that were sent."""

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # LOOPS
    # ------------------------------------------------------------

    @api.model
    def _detect_loop_headers(self, msg_dict):
        is_loop = super()._detect_loop_headers(msg_dict)
        if is_loop and (delivery := delivery_of(self.env)):
            delivery.outcome.loop = "header"
        return is_loop

    @api.model
    def _detect_loop_sender(self, message, message_dict, routes):
        delivery = delivery_of(self.env)
        if delivery is None:
            return super()._detect_loop_sender(message, message_dict, routes)
        if delivery.mail.is_accepted:
            return False
        delivery.outcome.rejection_code = "loop"
        is_loop = super()._detect_loop_sender(message, message_dict, routes)
        if is_loop:
            delivery.outcome.loop = "threshold"
        return is_loop

    # ------------------------------------------------------------
    # REJECTIONS
    # ------------------------------------------------------------

    @api.model
    def _routing_create_bounce_email(self, email_from, body_html, message, **mail_values):
        """Answer no machine, nobody twice a day, and only when the transaction is committed.

        :return: as core, nothing
        """
        delivery = delivery_of(self.env)
        arguments = (email_from, body_html, message)
        if self.env.context.get("catchall_tell_nobody"):
            return None
        if delivery is None:
            return super()._routing_create_bounce_email(*arguments, **mail_values)
        delivery.outcome.is_rejected = True
        rejections = self.env["mail.catchall.rejection"]
        # the topmost: two servers that both write one make core send to two recipients
        address = tools.email_normalize(str(message.get("Return-Path", "")) or email_from)
        delivery.outcome.silence = rejections._get_silence(delivery, address)
        if delivery.outcome.silence:
            _logger.info("%s is not told (%s)", email_from, delivery.outcome.silence)
            return None
        delivery.outcome.rejection = (address, delivery.outcome.rejection_code)
        headers = {**AUTOMATIC_HEADERS, "X-Catchall-Loop": rejections._get_loop_mark()}
        mail_values.update(email_to=address, headers=repr(headers))
        gateway = self.with_context(catchall_queue_mail=True)
        if domain := self._get_rejecting_domain(delivery):
            gateway = gateway.with_company(domain.company_ids[0])
            mail_values.update(gateway._prepare_company_values(domain, mail_values))
        return super(MailThread, gateway)._routing_create_bounce_email(*arguments, **mail_values)

    @api.model
    def message_route(self, *args, **kwargs):
        """Let the text of a rejection be that of the company that was written to.

        Core writes it while it routes, as the company of this process.
        """
        delivery = delivery_of(self.env)
        may_be_rejected = delivery is not None and not delivery.mail.get_all("alias")
        if may_be_rejected and (domain := self._get_rejecting_domain(delivery)):
            self = self.with_company(domain.company_ids[0])
        return super().message_route(*args, **kwargs)

    @api.model
    def _get_rejecting_domain(self, delivery):
        """Return the alias domain that a mail was written to, if a company uses it."""
        find = self.env["mail.alias.domain"]._find_by_address
        recipients = delivery.mail.get_all("service", "alias", "unknown")
        found = (find(recipient.address) for recipient in recipients)
        return next((domain for domain in found if domain.company_ids), None)

    @api.model
    def _prepare_company_values(self, domain, mail_values):
        """Let a rejection be the company's that was written to, not that of this process."""
        company = self.env.company
        values = {"record_alias_domain_id": domain.id, "record_company_id": company.id}
        if "reply_to" in mail_values:
            values["reply_to"] = company.email or domain.bounce_email
        return values

    # ------------------------------------------------------------
    # REPORTS
    # ------------------------------------------------------------

    @api.model
    def _detect_is_bounce(self, message, message_dict):
        """Tell a report about a mail that was sent from what only looks like one to core.

        Automatic replies go to the Return-Path (RFC 3834, 4), which is the bounce address; core
        would take them, and what people write there, for bounces.
        """
        delivery = delivery_of(self.env)
        if delivery is None:
            return super()._detect_is_bounce(message, message_dict)
        report = read_report(message)
        # what tells nothing may be no report: a manager who looked at it says so
        is_mail = report and report.kind == "unknown" and delivery.mail.is_accepted
        delivery.outcome.report = None if is_mail else report
        return delivery.outcome.report is not None

    @api.model
    def _message_parse_extract_bounce(self, email_message, message_dict):
        """Find the message by what the report tells, where core finds none."""
        values = super()._message_parse_extract_bounce(email_message, message_dict)
        delivery = delivery_of(self.env)
        if not delivery or not delivery.outcome.report:
            return values
        message = values["bounced_message"]
        if not message:
            message = self._find_reported_message(delivery.outcome.report.message_ids)
        addresses = list(delivery.outcome.report.recipients)
        if values["bounced_email"] and delivery.outcome.report.kind == "failed" and not addresses:
            addresses = [values["bounced_email"]]
        delivery.outcome.bounced = tuple(addresses)
        values.update(
            bounced_message=message,
            bounced_msg_ids=list(delivery.outcome.report.message_ids) or values["bounced_msg_ids"],
            bounced_email=addresses[0] if addresses else False,
            bounced_partner=self._find_bounced_partner(
                delivery.outcome.report, message, addresses[:1]
            ),
        )
        return values

    @api.model
    def _find_reported_message(self, message_ids):
        messages = self.env["mail.message"].sudo()
        if not message_ids:
            return messages
        return messages.search([("message_id", "in", list(message_ids))], order="id desc", limit=1)

    @api.model
    def _find_bounced_partner(self, report, message, addresses):
        """Return the contacts whom a mail did not reach: of who was notified, if it is known.

        Others only where the report has a field for the address: in free text it is a guess.
        """
        partners = self.env["res.partner"].sudo()
        if not addresses:
            return partners
        notified = message.notification_ids.res_partner_id
        found = notified.filtered(lambda partner: partner.email_normalized in addresses)
        if found or not report.final_recipients:
            return found
        return partners.search([("email_normalized", "in", addresses)])

    @api.model
    def _routing_handle_bounce(self, email_message, message_dict):
        """Mark all who were not reached: core does it for one, and takes a delay for a failure."""
        delivery = delivery_of(self.env)
        if not delivery or not delivery.outcome.report:
            return super()._routing_handle_bounce(email_message, message_dict)
        report, message = delivery.outcome.report, message_dict["bounced_message"]
        if report.kind == "failed":
            # an address in a text that names no mail of ours is a guess
            is_known = message or report.final_recipients or report.message_ids
            for address in delivery.outcome.bounced if is_known else ():
                partner = self._find_bounced_partner(report, message, [address])
                values = {**message_dict, "bounced_email": address, "bounced_partner": partner}
                super()._routing_handle_bounce(email_message, values)
                self._note_bounce_reason(message, partner, report.reason)
        delivery.outcome.verdict = self._get_report_verdict(delivery, message)
        return None

    @api.model
    def _note_bounce_reason(self, message, partner, reason):
        """Say why in one line, where core gives the text of the whole report."""
        if reason:
            message.notification_ids.filtered(
                lambda notification: (
                    notification.res_partner_id in partner
                    and notification.notification_status == "bounce"
                )
            ).failure_reason = reason

    @api.model
    def _get_report_verdict(self, delivery, message):
        reason = self.env["mail.catchall.inbound"]._get_report_reason(delivery, message)
        # a person's mail without From looks like one, too, and nobody would read it
        is_told = message or delivery.outcome.bounced or delivery.outcome.report.kind != "unknown"
        is_lost = not is_told and delivery.mail.get_all("alias")
        return Verdict("bounce_report", "review" if is_lost else "delivered", reason)
