from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

FETCH_ACTION = "mail.ir_cron_mail_gateway_action"


class ResConfigSettings(models.TransientModel):
    """How often mail is fetched: core's scheduled action *Mail: Fetchmail Service*."""

    _inherit = "res.config.settings"

    catchall_fetch_interval = fields.Integer(
        "Look for mail every",
        help="How often the mailboxes are read. A mail waits for so long at most.",
    )
    catchall_fetch_unit = fields.Selection(
        lambda self: self.env["ir.cron"]._fields["interval_type"]._description_selection(self.env),
        "Unit of time",
    )

    @api.constrains("catchall_fetch_interval")
    def _check_fetch_interval(self):
        if any(settings.catchall_fetch_interval < 1 for settings in self):
            raise ValidationError(_("The interval has to be at least 1."))

    @api.model
    def _get_fetch_action(self):
        """Return the scheduled action, or nothing where somebody deleted it."""
        action = self.env.ref(FETCH_ACTION, raise_if_not_found=False)
        return (action or self.env["ir.cron"]).sudo()

    @api.model
    def get_values(self):
        values = super().get_values()
        action = self._get_fetch_action()
        values["catchall_fetch_interval"] = action.interval_number or 5
        values["catchall_fetch_unit"] = action.interval_type or "minutes"
        return values

    def set_values(self):
        res = super().set_values()
        action = self._get_fetch_action()
        wanted = (self.catchall_fetch_interval, self.catchall_fetch_unit)
        # it cannot be written while it runs: not without need
        if action and wanted != (action.interval_number, action.interval_type):
            action.write(dict(zip(("interval_number", "interval_type"), wanted, strict=True)))
        return res
