from odoo import models

from ...tools.sending.from_policy import FORCED


class MailThread(models.AbstractModel):
    """Shows in the chatter as whom a user writes, before he does."""

    _inherit = "mail.thread"

    def _get_mail_thread_data(self, request_list):
        res = super()._get_mail_thread_data(request_list)
        if self and "suggestedRecipients" in request_list:
            res["catchallSender"] = self._get_chatter_sender()
        return res

    def _get_chatter_sender(self):
        """Return the From of what the user would write here, as people read it.

        :return str: empty where he has no messaging alias, and all is as in stock Odoo
        """
        self.ensure_one()
        user = self.env.user
        if not user.alias_email:
            return ""
        domain = self.sudo()._mail_get_alias_domains(default_company=self.env.company)[self.id]
        policy = (
            self.env["ir.mail_server"]
            .with_context(domain_bounce_address=domain.bounce_email)
            ._get_from_policy()
        )
        is_forced = policy.name == FORCED and not policy.is_native
        return f"{user.name} <{policy.address if is_forced else user.alias_email}>"
