from odoo import api, models

from ...tools.judging.delivery import delivery_of


class MailThread(models.AbstractModel):
    """In which language those are told whose mail is not taken.

    Core writes these texts while it routes, in the language of this process; only that of who may
    not write to an alias is in the sender's. Asked for when there is something to say: core asks
    for each mail whether it is to be rejected.
    """

    _inherit = "mail.thread"

    @api.model
    def _with_sender_lang(self, delivery):
        """Return this model in the language in which the sender of a mail is told something."""
        domain = self._get_rejecting_domain(delivery)
        company = domain.company_ids[0] if domain else self.env.company
        return self.with_context(
            lang=self.env["res.partner"]._find_lang(delivery.mail.sender, company)
        )

    @api.model
    def message_route(self, message, message_dict, model=None, thread_id=None, custom_values=None):
        """Say in the sender's language that nobody reads the catchall address."""
        delivery = delivery_of(self.env)
        is_new = delivery is not None and not message_dict.get("parent_id")
        if (
            is_new
            and not delivery.mail.get_all("alias")
            and self._detect_write_to_catchall(message_dict)
        ):
            self = self._with_sender_lang(delivery)
        return super().message_route(message, message_dict, model, thread_id, custom_values)

    @api.model
    def _detect_loop_sender(self, message, message_dict, routes):
        """Say in the sender's language that he wrote too much."""
        delivery = delivery_of(self.env)
        if delivery is None:
            return super()._detect_loop_sender(message, message_dict, routes)
        silent = self.with_context(catchall_tell_nobody=True)
        if not super(MailThread, silent)._detect_loop_sender(message, message_dict, routes):
            return False
        told = self._with_sender_lang(delivery)
        return super(MailThread, told)._detect_loop_sender(message, message_dict, routes)
