import re

from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError

from ...tools.addresses.addresses import is_domain_name, normalize_domain, split_subaddress


class MailAliasDomain(models.Model):
    """Knows which addresses are the gateway's own, and what to do with those that nobody has."""

    _inherit = "mail.alias.domain"

    accepted_domain_names = fields.Char(
        "Accepted Domains",
        help="Other domains whose mail counts as this domain's, separated by commas. With "
        "acme.org, mail to sales@acme.org is mail to sales@acme.com.",
    )
    subaddress_separator = fields.Char(
        default="+",
        help="What follows it in an address is a note of the recipient: john.doe+invoices is "
        "john.doe, unless an alias has that exact name. Empty switches that off.",
    )
    unrouted_policy = fields.Selection(
        [
            ("review", "Keep it for review"),
            ("bounce", "Tell the sender"),
            ("forward", "Deliver it to an alias"),
        ],
        "Mail to Unknown Addresses",
        default="review",
        required=True,
        help="What becomes of mail to an address of this domain that nobody has.",
    )
    unrouted_alias_id = fields.Many2one(
        "mail.alias",
        "Alias for Unknown Addresses",
        domain="[('alias_domain_id', '=', id)]",
        ondelete="restrict",
    )
    unrouted_autocorrect = fields.Boolean(
        "Correct Typing Errors",
        help="Mail to an unknown address that is one typing error away from a single alias is "
        "delivered there. The message says which address it was written to.",
    )
    authentication_policy = fields.Selection(
        [
            ("off", "Do not check"),
            ("review", "Keep forgeries for review"),
            ("reject", "Ignore whatever is not proven"),
        ],
        "Mail From Your Own People",
        default="review",
        required=True,
        help="What becomes of mail that names one of your users or domains as its sender, and "
        "that your mail server could not confirm. It counts for mailboxes that know the name "
        "under which your mail server writes its check results (Authentication-Results).",
    )

    # ------------------------------------------------------------
    # CONSTRAINTS
    # ------------------------------------------------------------

    @api.constrains("name", "bounce_alias", "catchall_alias", "default_from")
    def _check_own_addresses(self):
        for domain in self:
            addresses = [domain.bounce_email, domain.catchall_email, domain.default_from_email]
            self.env["res.users"]._check_no_own_address(addresses)

    @api.constrains("name", "accepted_domain_names")
    def _check_accepted_domain_names(self):
        # pylint: disable-next=no-search-all
        all_domains = self.sudo().search([])
        for domain in self:
            for name in domain._split_accepted():
                if not is_domain_name(name):
                    raise ValidationError(_("“%s” is not the name of a domain.", name))
                if name in all_domains.mapped("name"):
                    raise ValidationError(_("%s is an alias domain itself.", name))
                others = (all_domains - domain).filtered(lambda d, n=name: n in d._split_accepted())
                if others:
                    raise ValidationError(
                        _("%(name)s already counts as %(other)s.", name=name, other=others[0].name)
                    )
            domain._check_no_user_at(domain._split_accepted())

    def _check_no_user_at(self, names):
        """Raise if a user's own address would come back to Odoo through an accepted domain."""
        Users = self.env["res.users"].sudo().with_context(active_test=False)
        for name in names:
            users = Users.search(
                [("email_normalized", "=like", f"%@{name}"), ("share", "=", False)]
            )
            users._check_own_address()

    @api.constrains("subaddress_separator")
    def _check_subaddress_separator(self):
        for domain in self:
            separator = domain.subaddress_separator
            if separator and not re.fullmatch(r"[-+=_#~!$%&*/?^{}|]{1,4}", separator):
                raise ValidationError(
                    _(
                        "“%s” cannot divide an address: use a character like + or -, that is "
                        "neither a letter, a digit nor a dot.",
                        separator,
                    )
                )

    @api.constrains("unrouted_policy", "unrouted_alias_id", "name")
    def _check_unrouted_alias(self):
        for domain in self:
            alias = domain.unrouted_alias_id
            if domain.unrouted_policy == "forward" and not alias:
                raise ValidationError(
                    _("Choose the alias that gets mail to unknown addresses of %s.", domain.name)
                )
            if alias and alias.alias_domain_id != domain:
                raise ValidationError(
                    _(
                        "%(alias)s is no alias of the domain %(domain)s.",
                        alias=alias.display_name,
                        domain=domain.name,
                    )
                )

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            self._normalize_names(vals)
        domains = super().create(vals_list)
        self.env.registry.clear_cache()
        return domains

    def write(self, vals):
        vals = self._normalize_names(dict(vals))
        res = super().write(vals)
        cached = {"name", "bounce_alias", "catchall_alias", "default_from"}
        if vals.keys() & (cached | {"accepted_domain_names", "subaddress_separator"}):
            self.env.registry.clear_cache()
        return res

    def unlink(self):
        self.env.registry.clear_cache()
        return super().unlink()

    @api.model
    def _normalize_names(self, vals):
        if vals.get("name"):
            # as addresses are compared; core keeps Acme.com, and finds none of its aliases
            vals["name"] = vals["name"].lower()
        if vals.get("accepted_domain_names"):
            names = re.split(r"[\s,;]+", vals["accepted_domain_names"])
            names = [normalize_domain(name.lstrip("@")) for name in names]
            vals["accepted_domain_names"] = ", ".join(dict.fromkeys(filter(None, names)))
        return vals

    # ------------------------------------------------------------
    # ADDRESSES
    # ------------------------------------------------------------

    def _split_accepted(self):
        """Return the names of the accepted domains."""
        self.ensure_one()
        return [name for name in (self.accepted_domain_names or "").split(", ") if name]

    @api.model
    @tools.ormcache()
    def _get_domain_map(self):
        """Return what the domains of our addresses stand for.

        :return dict: (name of the alias domain, its subaddress separator) by the name of each
            alias domain and accepted domain
        """
        found = {}
        # pylint: disable-next=no-search-all
        for domain in self.sudo().search([]):
            separator = domain.subaddress_separator or ""
            for name in [domain.name, *domain._split_accepted()]:
                found.setdefault(name, (domain.name, separator))
        return found

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
    @tools.ormcache()
    def _get_catchall_addresses(self):
        """Return the catchall addresses of all domains, in their accepted domains too."""
        return [
            f"{domain.catchall_alias}@{name}"
            # pylint: disable-next=no-search-all
            for domain in self.sudo().search([])
            for name in [domain.name, *domain._split_accepted()]
        ]

    @api.model
    def _find_by_address(self, address):
        """Return the alias domain that an address belongs to, or none.

        :param str address: normalized address
        """
        name = self._get_domain_map().get(address.rpartition("@")[2], ("", ""))[0]
        # pylint: disable-next=no-search-all
        return self.sudo().search([("name", "=", name)], limit=1) if name else self.browse()

    @api.model
    def _get_candidates(self, address):
        """Return what an address of ours may stand for, the likeliest first.

        In its alias domain, with and without the detail of a subaddress (RFC 5233).

        :param str address: normalized address
        :return list: (address in an alias domain, detail); empty if the domain is not ours
        """
        local_part, _at, name = address.rpartition("@")
        domain, separator = self._get_domain_map().get(name, ("", ""))
        if not domain or not local_part:
            return []
        candidates = [(f"{local_part}@{domain}", "")]
        user, detail = split_subaddress(local_part, separator)
        if user != local_part:
            candidates.append((f"{user}@{domain}", detail))
        return candidates

    @api.model
    def _is_gateway_address(self, email):
        """Tell whether mail to an address comes back to this Odoo.

        :param str email: normalized address, or what stands for one
        """
        if not email or "@" not in email:
            return False
        if email in self._get_service_addresses():
            return True
        candidates = [candidate for candidate, _detail in self._get_candidates(email)]
        if not self._get_service_addresses().isdisjoint(candidates):
            return True
        domain = [("alias_full_name", "in", candidates)]
        return bool(candidates and self.env["mail.alias"].sudo().search_count(domain))
