from odoo import models, tools

from ...tools.addresses.signed_address import BOUNCE, REPLY, SignedAddress

#: What a machine says of its mails (RFC 3834, 5).
AUTO_SUBMITTED = "auto-generated"
#: Types of messages that no person writes, but for what is put into their text.
MACHINE_TYPES = ("notification", "auto_comment", "user_notification")


class MailMail(models.Model):
    """What is written on a mail for those who answer it: people, and mail servers."""

    _inherit = "mail.mail"

    def _prepare_outgoing_list(self, recipients_follower_status=None):
        emails = super()._prepare_outgoing_list(recipients_follower_status)
        automatic = self._get_automatic_headers() if emails else {}
        signer = self.env["mail.alias.domain"]._get_signer(self.model)
        for values in emails:
            # core gives all of them the same dict
            values["headers"] = {**automatic, **values["headers"]}
            if signer:
                self._sign(values, signer)
        return emails

    # ------------------------------------------------------------
    # SIGNED ADDRESSES
    # ------------------------------------------------------------

    def _sign(self, values, signer):
        """Sign Reply-To and Return-Path of one mail, for one recipient.

        :param dict values: see ``_prepare_outgoing_list``
        :param Signer signer: that of the model of the document
        """
        domains = self.env["mail.alias.domain"]
        partner = values["partner_id"]
        message = self.mail_message_id
        ids = {"message_id": message.id, "partner_id": partner.id if partner else 0}
        if signer.model_id and self.res_id and not message.reply_to_force_new:
            # answers belong to the document that the mail is about
            ids.update(model_id=signer.model_id, res_id=self.res_id)
            signed = SignedAddress(REPLY, **ids)
            values["reply_to"] = domains._sign_address(values["reply_to"], signed, signer)
        headers = values["headers"]
        signed = SignedAddress(BOUNCE, **ids)
        headers["Return-Path"] = domains._sign_address(headers.get("Return-Path"), signed, signer)

    # ------------------------------------------------------------
    # AUTOMATIC MAIL
    # ------------------------------------------------------------

    def _get_automatic_headers(self):
        """Return the header fields that tell that no person wrote this (RFC 3834, 5.1)."""
        if not self._is_automatic():
            return {}
        headers = {"Auto-Submitted": AUTO_SUBMITTED}
        if not self._is_sent_to_ourselves():
            mark = self.env["mail.catchall.rejection"]._get_loop_mark()
            headers["X-Catchall-Loop"] = mark
        return headers

    def _is_automatic(self):
        """Tell whether a machine wrote this, as far as is sure.

        What is sent by a template or a mailing is told by nothing: a person may have pressed the
        button, and a contact form is sent by OdooBot too.
        """
        message = self.mail_message_id
        if message.message_type != "comment":
            return message.message_type in MACHINE_TYPES
        # not env.ref, which asks the database each time
        odoobot_id = self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root")
        return message.author_id.id == odoobot_id

    def _is_sent_to_ourselves(self):
        """Tell whether the mail is meant to come back, like that of a contact form."""
        addresses = tools.email_normalize_all(f"{self.email_to or ''},{self.email_cc or ''}")
        addresses += self.recipient_ids.mapped("email_normalized")
        return any(map(self.env["mail.alias.domain"]._is_gateway_address, filter(None, addresses)))
