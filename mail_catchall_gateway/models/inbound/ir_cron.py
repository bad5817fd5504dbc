import datetime

from odoo import api, fields, models

#: The scheduled actions that mail needs.
MAIL_ACTIONS = (
    "mail.ir_cron_mail_gateway_action",
    "mail.ir_cron_mail_scheduler_action",
    "mail_catchall_gateway.ir_cron_process_inbound",
    "mail_catchall_gateway.ir_cron_digest",
)
#: So much longer than its interval a scheduled action may wait because somebody wants it to.
PATIENCE = datetime.timedelta(days=1)


class IrCron(models.Model):
    """Scheduled actions that a wrong clock put off: a year ahead, and no mail comes for a year."""

    _inherit = "ir.cron"

    def _register_hook(self):
        super()._register_hook()
        self._wake_mail_actions()

    @api.model
    def _wake_mail_actions(self):
        """Let those actions run at once that wait for longer than their interval.

        Each of them does so for the others: the one that runs is locked, and has no date yet.
        """
        ids = map(self.env["ir.model.data"]._xmlid_to_res_id, MAIL_ACTIONS)
        now = fields.Datetime.now()
        self.flush_model(["nextcall"])
        self.env.cr.execute(
            """
            UPDATE ir_cron SET nextcall = %(now)s
             WHERE id IN (
                SELECT id FROM ir_cron
                 WHERE id IN %(ids)s
                   AND nextcall > %(latest)s + interval_number * ('1 ' || interval_type)::interval
                   FOR NO KEY UPDATE SKIP LOCKED)
            """,
            {
                "now": now,
                "latest": now + PATIENCE,
                "ids": tuple(filter(None, ids)) or (0,),
            },
        )
        if self.env.cr.rowcount:
            self.invalidate_model(["nextcall"])
