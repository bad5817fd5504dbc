from odoo import fields, models


class MailCatchallInboundLog(models.Model):
    """Who did what with an inbound email, and when."""

    _name = "mail.catchall.inbound.log"
    _description = "Action on an Inbound Email"
    _order = "id desc"
    _rec_name = "action"

    inbound_id = fields.Many2one(
        "mail.catchall.inbound", required=True, ondelete="cascade", index=True
    )
    action = fields.Char(required=True)
    note = fields.Char()
    create_uid = fields.Many2one("res.users", "By", readonly=True)
    create_date = fields.Datetime("On", readonly=True)
