from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

RETENTION_FIELDS = {
    "catchall_delivered_days": "mail_catchall_gateway.delivered_days",
    "catchall_ignored_days": "mail_catchall_gateway.ignored_days",
}
DAYS_FIELDS = [*RETENTION_FIELDS, "catchall_renamed_alias_days", "catchall_reply_days"]


class ResConfigSettings(models.TransientModel):
    _inherit = "res.config.settings"

    catchall_automatic_alias = fields.Boolean(
        "Messaging aliases for new users",
        config_parameter="mail_catchall_gateway.automatic_alias",
        help="Give every new internal user a messaging alias made of his name.",
    )
    catchall_renamed_alias_days = fields.Integer(
        "Days to receive at a former name",
        help="When a messaging alias is renamed, mail to the former name still arrives for so "
        "many days. 0 gives it up at once.",
    )

    catchall_review_spam = fields.Boolean(
        "Keep marked spam for review",
        config_parameter="mail_catchall_gateway.review_spam",
        help="Mail that your mail server marked as spam waits for review.",
    )
    catchall_loop_threshold = fields.Integer(
        "Mails before a sender is stopped",
        config_parameter="mail.gateway.loop.threshold",
        default=20,
        help="Who writes more mails than this within so many minutes, on one document or opening "
        "something new, is taken for a machine that answers ours.",
    )
    catchall_loop_minutes = fields.Integer(
        "Minutes in which they are counted",
        config_parameter="mail.gateway.loop.minutes",
        default=120,
    )
    catchall_reply_days = fields.Integer(
        "Days in which anybody may answer",
        config_parameter="mail_catchall_gateway.reply_days",
        help="An answer to an older message opens its thread only to those who had part in it, or "
        "to whom the message was sent with a signed address. From anybody else it is a new mail. "
        "0 is without limit.",
    )
    catchall_delivered_days = fields.Integer(
        "Days to keep the source of delivered mail",
        help="Then only what came in, when and for whom stays listed. 0 keeps it for ever.",
    )
    catchall_ignored_days = fields.Integer(
        "Days to keep the source of ignored mail",
        help="And of mail that was sent back or discarded. 0 keeps it for ever. Mail for review, "
        "and mail that failed, is always kept.",
    )
    catchall_domain_allowed = fields.Char(
        "Other domains whose local parts count",
        help="For aliases that are found by what stands before the @ alone: domains, separated "
        "by commas, in which that counts beside your own.",
    )

    @api.constrains("catchall_loop_threshold", "catchall_loop_minutes")
    def _check_loop_numbers(self):
        for settings in self:
            if settings.catchall_loop_threshold < 1 or settings.catchall_loop_minutes < 1:
                raise ValidationError(_("Loops are found by counting: use numbers above zero."))

    @api.constrains(*DAYS_FIELDS)
    def _check_days(self):
        if any(settings[name] < 0 for settings in self for name in DAYS_FIELDS):
            raise ValidationError(_("A number of days cannot be negative."))

    @api.model
    def get_values(self):
        values = super().get_values()
        retention = self.env["mail.catchall.retention"]
        for field, key in RETENTION_FIELDS.items():
            values[field] = retention._get_retention_days(key)
        values["catchall_renamed_alias_days"] = self.env["mail.alias"]._get_renamed_alias_days()
        parameters = self.env["ir.config_parameter"].sudo()
        values["catchall_domain_allowed"] = parameters.get_param("mail.catchall.domain.allowed")
        return values

    def set_values(self):
        res = super().set_values()
        # not by config_parameter: a 0 would delete the parameter, and bring the default back
        self.env["ir.config_parameter"].set_param(
            "mail_catchall_gateway.renamed_alias_days", str(self.catchall_renamed_alias_days)
        )
        for field, key in RETENTION_FIELDS.items():
            self.env["ir.config_parameter"].set_param(key, str(self[field]))
        # nor this: core refuses to save an empty one, and means none by its absence
        self.env["ir.config_parameter"].set_param(
            "mail.catchall.domain.allowed", (self.catchall_domain_allowed or "").strip() or False
        )
        return res
