from odoo import api, fields, models

from ...tools.judging.verdict import Verdict


class MailCatchallInbound(models.Model):
    """The test mails of the setup guide, which are nobody's."""

    _inherit = "mail.catchall.inbound"

    verdict_code = fields.Selection(selection_add=[("probe", "Test Mail")])

    @api.model
    def _get_steps(self):
        # before all others: our own test mail is nobody's, and of no other kind
        return ["_step_probe", *super()._get_steps()]

    def _step_probe(self, delivery):
        """A test mail of the setup guide, or what a mail server reports about one."""
        reason = self.env["mail.catchall.setup.probe"]._recognize(self, delivery.mail)
        return Verdict("probe", "ignored", reason) if reason else None
