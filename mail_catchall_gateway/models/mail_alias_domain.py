from odoo import api, models, tools


class MailAliasDomain(models.Model):
    """Knows which addresses are the gateway's own: nobody's, and not to be written to."""

    _inherit = "mail.alias.domain"

    @api.constrains("name", "bounce_alias", "catchall_alias", "default_from")
    def _check_own_addresses(self):
        for domain in self:
            addresses = [domain.bounce_email, domain.catchall_email, domain.default_from_email]
            self.env["res.users"]._check_no_own_address(addresses)

    @api.model_create_multi
    def create(self, vals_list):
        domains = super().create(vals_list)
        self.env.registry.clear_cache()
        return domains

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & {"name", "bounce_alias", "catchall_alias", "default_from"}:
            self.env.registry.clear_cache()
        return res

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()

    @api.model
    @tools.ormcache()
    def _get_domain_names(self):
        """Return the names of all alias domains, as a frozenset."""
        # pylint: disable-next=no-search-all
        return frozenset(self.sudo().search([]).mapped("name"))

    @api.model
    @tools.ormcache()
    def _get_service_addresses(self):
        """Return the catchall, bounce and default-from addresses of all domains."""
        # pylint: disable-next=no-search-all
        domains = self.sudo().search([])
        fnames = ("catchall_email", "bounce_email", "default_from_email")
        addresses = {address for fname in fnames for address in domains.mapped(fname) if address}
        return frozenset(tools.email_normalize(address) or address for address in addresses)

    @api.model
    def _is_gateway_address(self, email):
        """Tell whether mail to an address comes back to this Odoo.

        :param str email: normalized address, or what stands for one
        """
        if not email or "@" not in email:
            return False
        if email in self._get_service_addresses():
            return True
        if email.rpartition("@")[2] not in self._get_domain_names():
            return False
        return bool(self.env["mail.alias"].sudo().search_count([("alias_full_name", "=", email)]))
