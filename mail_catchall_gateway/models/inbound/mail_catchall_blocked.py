import re

from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError

from ...tools.addresses.addresses import is_domain_name, normalize_address, normalize_domain


class MailCatchallBlocked(models.Model):
    """Senders whose mail is ignored, as ``mail.gateway.allowed`` has those who may write a lot."""

    _name = "mail.catchall.blocked"
    _description = "Blocked Sender"
    _rec_name = "email"
    _order = "email"

    email = fields.Char(
        "Address or Domain",
        required=True,
        index=True,
        help="spam@shop.example blocks one sender, shop.example everybody of that domain.",
    )
    create_uid = fields.Many2one("res.users", "Blocked By", readonly=True)
    create_date = fields.Datetime("Blocked On", readonly=True)

    _sql_constraints = [("email_uniq", "UNIQUE(email)", "This sender is blocked already.")]

    @api.constrains("email")
    def _check_email(self):
        own = self.env["mail.alias.domain"]._get_domain_map()
        for blocked in self:
            local_part, at, domain = blocked.email.rpartition("@")
            if not is_domain_name(domain) or (at and not local_part):
                raise ValidationError(
                    _("“%s” is neither an address nor the name of a domain.", blocked.email)
                )
            if blocked.email in own:
                raise ValidationError(
                    _("%s is your own domain: its people could not write any more.", blocked.email)
                )

    @api.model_create_multi
    def create(self, vals_list):
        self.env.registry.clear_cache()
        return super().create([self._normalize(vals) for vals in vals_list])

    def write(self, vals):
        self.env.registry.clear_cache()
        return super().write(self._normalize(vals))

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()

    @api.model
    def _normalize(self, vals):
        if not vals.get("email"):
            return vals
        email = re.sub(r"^\*?@", "", vals["email"].strip())  # *@shop.example is all of it
        email = normalize_address(email) if "@" in email else normalize_domain(email)
        return {**vals, "email": email}

    @api.model
    def _find(self, sender):
        """Return what blocks a sender, a normalized address, or nothing."""
        ids = self._get_ids()
        # sudo: the gateway asks, for whoever runs it
        return self.sudo().browse(ids.get(sender) or ids.get(sender.rpartition("@")[2]))

    @api.model
    @tools.ormcache()
    def _get_ids(self):
        """Return the ids of all by their address or domain: asked for each mail, changed rarely."""
        # sudo: only addresses and ids
        # pylint: disable-next=no-search-all
        return {blocked.email: blocked.id for blocked in self.sudo().search([])}
