from odoo import _, api, models
from odoo.exceptions import UserError

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...tools.sending import refusal


class IrMailServer(models.Model):
    """Says what to change when a mail server refused a mail."""

    _inherit = "ir.mail_server"

    @api.model
    def send_email(self, message, mail_server_id=None, *args, smtp_session=None, **kwargs):
        try:
            return super().send_email(
                message, mail_server_id, *args, smtp_session=smtp_session, **kwargs
            )
        except MailDeliveryException as error:
            server_id = mail_server_id or getattr(smtp_session, "catchall_server_id", False)
            advice = self.sudo().browse(server_id or [])._get_advice(error.args[-1])
            if not advice:
                raise
            raise MailDeliveryException(*error.args[:-1], f"{error.args[-1]}\n{advice}") from error

    def test_smtp_connection(self):
        try:
            return super().test_smtp_connection()
        except UserError as error:
            advice = self[:1]._get_advice(error)
            if not advice:
                raise
            raise UserError(_("%(error)s\n\n%(advice)s", error=error, advice=advice)) from error

    def _get_advice(self, error):
        """Return what to change after an error, or an empty text.

        :param error: the answer of the mail server, or an exception that contains it
        """
        name = self.name or _("Odoo's configuration file")
        code = refusal.explain(error)
        if code == refusal.SENDER:
            return _(
                "The mail server does not let its account send as this address. On the outgoing "
                "server “%s” choose “Replace other people's addresses”, or “Replace every address” "
                "if the account may use no other one, and let it send as its own address. Or "
                "allow the account at your provider to send as all addresses of your domain.",
                name,
            )
        if code == refusal.UNVERIFIED:
            return _(
                "The mail service sends only for addresses and domains that were confirmed there. "
                "Confirm your domain with it, and on the outgoing server “%s” replace the "
                "addresses of others by one in that domain.",
                name,
            )
        if code == refusal.POLICY:
            return _(
                "The owner of the domain in From forbids that others send for it. On the outgoing "
                "server “%s” choose “Replace other people's addresses”. If the domain is your own, "
                "let its SPF and DKIM records name the mail server.",
                name,
            )
        if code == refusal.RELAY:
            return _(
                "The mail server does not know Odoo as one that may send for you. Allow the "
                "address of this machine there, and check that the outgoing server “%s” sends as "
                "an address in your domain.",
                name,
            )
        if code == refusal.LOGIN:
            return _("Check username and password of the outgoing server “%s”.", name)
        if code == refusal.SIZE:
            return _("The mail is larger than the mail server takes: send its files as links.")
        return ""
