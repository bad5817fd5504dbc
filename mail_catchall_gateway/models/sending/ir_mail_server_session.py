import smtplib

from odoo import _, api, models

from odoo.addons.base.models.ir_mail_server import MailDeliveryException

from ...tools.sending.smtp_failure import MaybeSent, is_broken, is_session, watch


class IrMailServer(models.Model):
    """Sessions that break, while many mails are sent by ``mail.mail`` (see ``mail_mail_wait``)."""

    _inherit = "ir.mail_server"

    def connect(self, *args, mail_server_id=None, **kwargs):
        """Try a server once that cannot be reached, not once for each sender that uses it."""
        sending = self.env.context.get("catchall_sending")
        key = mail_server_id or False
        if sending and key in sending.unreachable:
            raise sending.unreachable[key]
        try:
            connection = super().connect(*args, mail_server_id=mail_server_id, **kwargs)
        except Exception as error:
            if sending and sending.note(error):
                sending.unreachable[key] = error
            raise
        smtp = getattr(connection, "__obj__", None)
        if is_session(smtp):
            watch(smtp)
        return connection

    @api.model
    def send_email(self, message, *args, smtp_session=None, **kwargs):
        """Note what was accepted, and let a session that broke fail only its own mail.

        Core ends all sending then, and rolls back that mails were sent which the server took.
        """
        sending = self.env.context.get("catchall_sending")
        if not sending or not is_session(getattr(smtp_session, "__obj__", None)):
            return super().send_email(message, *args, smtp_session=smtp_session, **kwargs)
        part = sending.take(str(message["Message-Id"]))
        try:
            self._renew_session(smtp_session)
            message_id = super().send_email(message, *args, smtp_session=smtp_session, **kwargs)
        except smtplib.SMTPServerDisconnected as error:
            sending.note(error)
            text = self._describe_broken_session(error)
            raise MailDeliveryException(_("Mail Delivery Failed"), text) from error
        except MailDeliveryException as error:
            sending.note(unwrap(error))
            raise
        sending.accept(message_id, part)
        return message_id

    @api.model
    def _renew_session(self, session):
        """Connect again where the server closed the session after some mails."""
        if is_broken(session.__obj__):
            server_id = getattr(session, "catchall_server_id", None)
            renewed = self.connect(mail_server_id=server_id, smtp_from=session.smtp_from)
            session.__obj__ = renewed.__obj__

    @api.model
    def _describe_broken_session(self, error):
        if isinstance(error, MaybeSent):
            return _(
                "The connection broke when the mail server had the whole mail, before it said "
                "whether it accepts it. It may have been sent, so that Odoo does not send it "
                "again by itself."
            )
        return _("The connection to the mail server broke: %s", error)


def unwrap(error):
    """Return what is behind the exceptions in which Odoo wraps those of ``smtplib``."""
    while isinstance(error, MailDeliveryException):
        error = error.__cause__ or error.__context__
    return error
