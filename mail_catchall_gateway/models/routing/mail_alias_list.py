from odoo import api, fields, models

GROUPS = "mail_catchall_gateway.group_catchall_manager"


class MailAlias(models.Model):
    """What the list of aliases shows: where each leads, and when mail last came for it."""

    _inherit = "mail.alias"

    inbound_ids = fields.Many2many(
        "mail.catchall.inbound",
        string="Inbound Emails",
        readonly=True,
        copy=False,  # documents with an alias would copy it, with the rights of any user
        groups=GROUPS,
        help="Mail that came in for this address through the gateway.",
    )
    last_inbound_date = fields.Datetime(
        "Last Mail",
        compute="_compute_last_inbound_date",
        groups=GROUPS,
        help="When mail last came in for this address through the gateway.",
    )

    @api.depends("inbound_ids")
    def _compute_last_inbound_date(self):
        groups = self.env["mail.catchall.inbound"]._read_group(
            [("alias_ids", "in", self.ids)], ["alias_ids"], ["create_date:max"]
        )
        dates = {alias.id: date for alias, date in groups}
        for alias in self:
            alias.last_inbound_date = dates.get(alias.id)

    def action_view_inbound(self):
        """Open the list of the mails that came in for this address."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_catchall_gateway.mail_catchall_inbound_action"
        )
        return {**action, "domain": [("alias_ids", "in", self.ids)], "context": {}}
