import logging

from odoo import _, api, models, tools

from ...tools.addresses.signed_address import BOUNCE, TokenFilter
from ...tools.judging.delivery import delivery_of
from ...tools.reports.delivery_report import DeliveryReport

# core's gateway, and what is ours, log the recipients of each mail
for _name in (
    "mail.models.mail_thread",
    "mail_catchall_gateway.models.inbound.mail_catchall_queue",
):
    logging.getLogger(f"odoo.addons.{_name}").addFilter(TokenFilter())


class MailThread(models.AbstractModel):
    """Answers and bounces that are known by the address they were sent to."""

    _inherit = "mail.thread"

    # ------------------------------------------------------------
    # ANSWERS
    # ------------------------------------------------------------

    def _get_parent_message(self, msg_dict):
        """Find the message that a signed address names: it knows better than the header."""
        parent = super()._get_parent_message(msg_dict)
        delivery = delivery_of(self.env)
        signed = delivery and delivery.mail.get_signed()
        found = signed and self._find_signed_message(signed)
        if not found or (parent and (parent.model, parent.res_id) == (found.model, found.res_id)):
            return parent
        # message_route looks for the references once more
        msg_dict.update(references=found.message_id, in_reply_to="")
        return found

    @api.model
    def _find_signed_message(self, signed):
        """Return the message that a signed address names, else one of the same document.

        A mail that was sent by a template is mostly deleted, and its message with it.

        :return: one with a document that exists, or none
        """
        messages = self.env["mail.message"].sudo()
        message = messages.browse(signed.message_id).exists()
        model = self.env["ir.model"].sudo().browse(signed.model_id).exists().model
        if not message and model:
            found = messages.search(
                [("model", "=", model), ("res_id", "=", signed.res_id)],
                order="is_internal, id desc",
                limit=20,
            )
            # core would take the newest of those that one mail became on several documents
            shared = messages.search([("message_id", "in", found.mapped("message_id"))]) - found
            shared = set(shared.mapped("message_id"))
            public = found.filtered(lambda m: not m.is_internal and m.message_id not in shared)
            message = (public or found)[:1]
        if not message.res_id or message.model not in self.env:
            return messages
        document = self.env[message.model].sudo().browse(message.res_id).exists()
        return message if document else messages

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Follow nothing that came to a signed address that is none: somebody altered it."""
        delivery = delivery_of(self.env)
        if delivery and delivery.mail.is_tampered():
            delivery.outcome.routes = []
            delivery.outcome.unrouted = _("The address it was sent to is not one that Odoo made.")
            return []
        return super().message_route(message, message_dict, model, thread_id, custom_values)

    # ------------------------------------------------------------
    # BOUNCES
    # ------------------------------------------------------------

    @api.model
    def _get_signed_bounce(self):
        delivery = delivery_of(self.env)
        return delivery and delivery.mail.get_signed(BOUNCE)

    @api.model
    def _detect_is_bounce(self, message, message_dict):
        """Take for a failure whatever a mail system sends to a bounce address (RFC 5321, 4.5.5).

        However it words it, and whatever it quotes: the address tells what it is about.
        """
        is_bounce = super()._detect_is_bounce(message, message_dict)
        signed, delivery = self._get_signed_bounce(), delivery_of(self.env)
        if is_bounce or not signed or delivery.mail.automatic.kind == "replied":
            return is_bounce
        return_path = str(message.get("Return-Path", "")).strip()
        if return_path in ("<>", "<MAILER-DAEMON>"):
            delivery.outcome.report = DeliveryReport("failed")
        return delivery.outcome.report is not None

    @api.model
    def _message_parse_extract_bounce(self, email_message, message_dict):
        values = super()._message_parse_extract_bounce(email_message, message_dict)
        signed, delivery = self._get_signed_bounce(), delivery_of(self.env)
        if not signed or not delivery.outcome.report:
            return values
        message = self.env["mail.message"].sudo().browse(signed.message_id).exists()
        if message:
            ids = [message.message_id, *(values["bounced_msg_ids"] or [])]
            values.update(bounced_message=message, bounced_msg_ids=list(dict.fromkeys(ids)))
        partner = self._find_bounced_partner(
            delivery.outcome.report, message, delivery.outcome.bounced[:1]
        )
        if signed.partner_id and partner.email:
            delivery.outcome.bounced = (tools.email_normalize(partner.email) or partner.email,)
        bounced_email = (
            delivery.outcome.bounced[0] if delivery.outcome.bounced else values["bounced_email"]
        )
        values.update(bounced_partner=partner, bounced_email=bounced_email)
        return values

    @api.model
    def _find_bounced_partner(self, report, message, addresses):
        """Return the contact that the mail was made for, whatever the report calls him."""
        signed = self._get_signed_bounce()
        partner = (
            self.env["res.partner"].sudo().browse(signed.partner_id if signed else []).exists()
        )
        return partner or super()._find_bounced_partner(report, message, addresses)
