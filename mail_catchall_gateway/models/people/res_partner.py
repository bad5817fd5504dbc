from odoo import api, models, tools


class ResPartner(models.Model):
    """Contacts as the gateway meets them: behind users, and behind addresses of correspondents."""

    _inherit = "res.partner"

    @api.constrains("email")
    def _check_own_address(self):
        # sudo: all users of a contact, archived ones too
        self.sudo().with_context(active_test=False).user_ids._check_own_address()

    def write(self, vals):
        res = super().write(vals)
        # sudo: only whether there are users, whose names are in a cache
        users = self.sudo().with_context(active_test=False).user_ids
        if vals.keys() & {"name", "email"} and users:
            self.env.registry.clear_cache()
        return res

    def _is_readable(self):
        """Tell whether the user may read these contacts, also where the superuser asks for them."""
        contacts = self.with_user(self.env.uid)
        may = contacts.check_access_rights("read", raise_exception=False)
        return may and contacts == contacts._filter_access_rules("read")

    @api.model
    def _find_lang(self, email, company):
        """Return the language in which a company writes to an address, formatted or not."""
        address, contact = tools.email_normalize(email), self.browse()
        if address:
            domain = [("email_normalized", "=", address), ("lang", "!=", False)]
            company_domain = [("company_id", "in", (company.id, False))]
            # sudo: the code of a language, and nothing else of the contact
            contact = self.sudo().search(domain + company_domain, limit=1)
        return contact._get_mail_lang(company)

    def _get_mail_lang(self, company):
        """Return the language in which a company writes to this contact, or without one."""
        # sudo (both): as in ``_find_lang``
        return self.sudo().lang or company.sudo().partner_id.lang or self.env.lang

    @api.model
    def _find_or_create_from_emails(self, emails, additional_values=None):
        """Make no contact of an address of ours: a user's alias means the user.

        Follows core: a list, in the order of the emails; an empty record where none is found.
        """
        ours = {}
        for email in emails:
            normalized = tools.email_normalize(email)
            if self.env["mail.alias.domain"]._is_gateway_address(normalized):
                ours[email] = self.env["res.users"]._find_by_alias(normalized).partner_id
        others = [email for email in emails if email not in ours]
        found = iter(super()._find_or_create_from_emails(others, additional_values))
        return [ours[email] if email in ours else next(found) for email in emails]
