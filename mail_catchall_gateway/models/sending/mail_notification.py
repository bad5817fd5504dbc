from odoo import fields, models


class MailNotification(models.Model):
    _inherit = "mail.notification"

    # core lets portal users read all notifications; a mail server names the own address of a user
    failure_reason = fields.Text(groups="base.group_user")
