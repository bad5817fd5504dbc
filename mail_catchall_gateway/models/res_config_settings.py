from odoo import api, fields, models


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

    @api.model
    def get_values(self):
        values = super().get_values()
        values["catchall_renamed_alias_days"] = self.env["mail.alias"]._get_renamed_alias_days()
        return values

    def set_values(self):
        res = super().set_values()
        # not by config_parameter: a 0 would delete the parameter, and bring the default back
        self.env["ir.config_parameter"].set_param(
            "mail_catchall_gateway.renamed_alias_days", str(self.catchall_renamed_alias_days)
        )
        return res
