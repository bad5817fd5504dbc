from odoo import api, fields, models

#: Fields of the company's alias domain, by that of the settings.
DOMAIN_FIELDS = {
    "catchall_unrouted_policy": "unrouted_policy",
    "catchall_unrouted_alias_id": "unrouted_alias_id",
    "catchall_unrouted_autocorrect": "unrouted_autocorrect",
    "catchall_accepted_domain_names": "accepted_domain_names",
    "catchall_subaddress_separator": "subaddress_separator",
    "catchall_authentication_policy": "authentication_policy",
    "catchall_from_policy": "from_policy",
    "catchall_from_address": "from_address",
    "catchall_signed_reply_to": "signed_reply_to",
}


class ResConfigSettings(models.TransientModel):
    """The policies of the company's alias domain, where an administrator looks for them."""

    _inherit = "res.config.settings"

    catchall_unrouted_policy = fields.Selection(
        related="alias_domain_id.unrouted_policy", readonly=False
    )
    catchall_unrouted_alias_id = fields.Many2one(
        related="alias_domain_id.unrouted_alias_id",
        readonly=False,
        domain="[('alias_domain_id', '=', alias_domain_id)]",
    )
    catchall_unrouted_autocorrect = fields.Boolean(
        related="alias_domain_id.unrouted_autocorrect", readonly=False
    )
    catchall_accepted_domain_names = fields.Char(
        related="alias_domain_id.accepted_domain_names", readonly=False
    )
    catchall_subaddress_separator = fields.Char(
        related="alias_domain_id.subaddress_separator", readonly=False
    )
    catchall_authentication_policy = fields.Selection(
        related="alias_domain_id.authentication_policy", readonly=False
    )
    catchall_from_policy = fields.Selection(related="alias_domain_id.from_policy", readonly=False)
    catchall_from_address = fields.Char(related="alias_domain_id.from_address", readonly=False)
    catchall_signed_reply_to = fields.Boolean(
        related="alias_domain_id.signed_reply_to", readonly=False
    )

    @api.model_create_multi
    def create(self, vals_list):
        policies = [self._split_policies(vals) for vals in vals_list]
        records = super().create([others for others, _policies in policies])
        for settings, (_others, values) in zip(records, policies, strict=True):
            settings._write_policies(values)
        return records

    def write(self, vals):
        others, policies = self._split_policies(vals)
        res = super().write(others)
        for settings in self:
            settings._write_policies(policies)
        return res

    @api.model
    def _split_policies(self, vals):
        """Return the values for the settings themselves, and those for the alias domain."""
        policies = {name: vals[key] for key, name in DOMAIN_FIELDS.items() if key in vals}
        return {key: vals[key] for key in vals.keys() - DOMAIN_FIELDS.keys()}, policies

    def _write_policies(self, values):
        """Write what changed to the alias domain, at once: some of it is valid only together.

        Related fields are written one by one, and before or after the domain itself is changed.
        """
        domain = self.company_id.alias_domain_id
        if not domain or not values:
            return
        (old,) = domain.read(list(values), load=None)  # many2one fields as ids
        changed = {name: value for name, value in values.items() if value != old[name]}
        if changed:
            domain.write(changed)
