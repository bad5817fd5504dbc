import re

from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError

from ...tools.addresses.addresses import (
    is_domain_name,
    normalize_address,
    normalize_domain,
    split_subaddress,
)
from ...tools.addresses.signed_address import (
    Signer,
    build_local_part,
    parse_local_part,
    split_mailbox,
)
from ...tools.sending.from_policy import POLICIES, FromPolicy


class MailAliasDomain(models.Model):
    """Which addresses are the gateway's own, and what each domain wants done with its mail.

    With mail to unknown addresses, mail in the name of its own people, and the sender address of
    mail that leaves. Addresses made for one mail each (``tools/addresses/signed_address.py``) are
    made and understood here; they are understood for ever, also where ``signed_reply_to`` is off.
    """

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

    from_policy = fields.Selection(
        POLICIES,
        "Sender Address",
        default="native",
        required=True,
        help="What becomes of the address in From, where a mail server accepts only your own.\n"
        "As Odoo does: by the FROM Filtering of the outgoing servers.\n"
        'Replace other people\'s addresses: "Mary (mary@customer.com)" <outgoing@acme.com>; '
        "addresses in your own domains stay.\n"
        "Replace every address: all mail leaves as the one address.",
    )
    from_address = fields.Char(
        "Send As",
        help="The one address as which mail leaves where From is replaced, such as "
        "outgoing@acme.com. Empty is the “Default From Alias”.",
    )
    signed_reply_to = fields.Boolean(
        "Signed Addresses",
        help="Answers and bounces come back to an address made for each mail, like "
        "reply.abcd…@acme.com. They find their place even where a mail server replaced all that "
        "Odoo knows a mail by. Needs a mailbox that receives the mail for all addresses of the "
        "domain.",
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
        all_domains = self._get_all()
        # sudo: a constraint looks at the users of all companies, archived ones too
        users = self.env["res.users"].sudo().with_context(active_test=False)
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
                # a user's own address would come back to Odoo through the domain
                values = [("email_normalized", "=like", f"%@{name}"), ("share", "=", False)]
                users.search(values)._check_own_address()

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

    @api.constrains("from_address")
    def _check_from_address(self):
        for domain in self:
            domain._check_sender_address(domain.from_address)

    @api.model
    def _check_sender_address(self, address):
        """Raise a ValidationError if no mail can be sent as this."""
        if not address:
            return
        plain = address.strip().lower()
        if tools.email_normalize(address) != plain or plain.startswith("@"):
            raise ValidationError(
                _("“%s” is not one plain address, like outgoing@acme.com.", address)
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
    # OUR ADDRESSES
    # ------------------------------------------------------------

    @api.model
    def _get_all(self):
        # sudo: asked for all users; names and addresses of domains, which stand in every mail
        return self.sudo().search([])  # pylint: disable=no-search-all

    def _split_accepted(self):
        self.ensure_one()
        return [name for name in (self.accepted_domain_names or "").split(", ") if name]

    def _get_names(self):
        return [self.name, *self._split_accepted()]

    @api.model
    @tools.ormcache()
    def _get_domain_map(self):
        """Return what the domains of our addresses stand for.

        :return dict: (name of the alias domain, its subaddress separator) by the name of each
            alias domain and accepted domain
        """
        found = {}
        for domain in self._get_all():
            for name in domain._get_names():
                found.setdefault(name, (domain.name, domain.subaddress_separator or ""))
        return found

    @api.model
    @tools.ormcache()
    def _get_company_map(self):
        """Return the id of the first company that uses a domain, by its name and accepted ones."""
        found = {}
        for domain in self._get_all().filtered("company_ids"):
            for name in domain._get_names():
                found.setdefault(name, domain.company_ids[0].id)
        return found

    @api.model
    @tools.ormcache()
    def _get_service_addresses(self):
        """Return the catchall, bounce and default-from addresses of all domains."""
        domains = self._get_all()
        fnames = ("catchall_email", "bounce_email", "default_from_email")
        addresses = {address for fname in fnames for address in domains.mapped(fname) if address}
        return frozenset(tools.email_normalize(address) or address for address in addresses)

    @api.model
    @tools.ormcache()
    def _get_catchall_addresses(self):
        """Return the catchall addresses of all domains, in their accepted domains too."""
        domains = self._get_all()
        return [
            f"{domain.catchall_alias}@{name}" for domain in domains for name in domain._get_names()
        ]

    @api.model
    def _find_by_address(self, address):
        """Return the alias domain that a normalized address belongs to, or none."""
        name = self._get_domain_map().get(address.rpartition("@")[2], ("", ""))[0]
        # sudo: the gateway works for all companies
        return self.sudo().search([("name", "=", name)], limit=1) if name else self.browse()

    @api.model
    def _get_candidates(self, address):
        """Return what a normalized address of ours may stand for, the likeliest first.

        In its alias domain, with and without the detail of a subaddress (RFC 5233).

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
    def _is_service_address(self, address):
        """Tell whether a normalized address is the gateway's itself, and so nobody's."""
        return address in self._get_service_addresses() or bool(self._parse_signed(address))

    @api.model
    def _is_gateway_address(self, email):
        """Tell whether mail to a normalized address, or what stands for one, comes back to us."""
        if not email or "@" not in email:
            return False
        if self._is_service_address(email):
            return True
        candidates = [candidate for candidate, _detail in self._get_candidates(email)]
        if not self._get_service_addresses().isdisjoint(candidates):
            return True
        domain = [("alias_full_name", "in", candidates)]
        # sudo: asked for whoever sends a mail; yes or no
        return bool(candidates and self.env["mail.alias"].sudo().search_count(domain))

    @api.model
    @tools.ormcache()
    def _get_ownership_test(self):
        """Return what tells fast, for each mail sent, of most addresses that they are not ours."""
        names, service = self._get_domain_map(), self._get_service_addresses()
        return lambda address: address.rpartition("@")[2] in names or address in service

    # ------------------------------------------------------------
    # SIGNED ADDRESSES
    # ------------------------------------------------------------

    @api.model
    @tools.ormcache()
    def _get_signing_key(self):
        scope = "mail_catchall_gateway-signed-address"
        # su: the secret of the database; the key stays in the process
        return tools.hmac(self.env(su=True), scope, "1").encode()

    @api.model
    @tools.ormcache("model")
    def _get_signer(self, model):
        """Return what signs mails about documents of a model, None where they are not signed.

        One look-up for each mail, as each costs as much as a signature.
        """
        signing = self._get_all().filtered("signed_reply_to").mapped("name")
        signing = set(map(normalize_domain, signing))
        domains = {
            name: domain
            for name, (domain, _separator) in self._get_domain_map().items()
            if normalize_domain(domain) in signing
        }
        if not domains:
            return None
        is_thread = model in self.env and hasattr(self.env[model], "message_update")
        return Signer(
            key=self._get_signing_key(),
            domains=domains,
            service=self._get_service_addresses(),
            model_id=self.env["ir.model"]._get_id(model) if is_thread else 0,
        )

    @api.model
    def _sign_address(self, email, signed, signer):
        """Return a signed address in place of one of our addresses.

        :param SignedAddress signed: what it stands for
        :param Signer signer: see ``_get_signer``
        :return str: with the same name; ``email`` where it is not to be signed
        """
        begin, address, end = split_mailbox(email or "")
        address = normalize_address(address)
        domain = signer.domains.get(address.rpartition("@")[2])
        if domain and (address in signer.service or self._is_gateway_address(address)):
            return f"{begin}{build_local_part(signer.key, signed)}@{domain}{end}"
        return email

    @api.model
    def _parse_signed(self, address):
        """Return what a normalized signed address stands for, None if it is not one of ours."""
        local_part, _at, name = address.rpartition("@")
        if not local_part.startswith(("reply.", "bounce.")) or name not in self._get_domain_map():
            return None
        return parse_local_part(self._get_signing_key(), local_part)

    # ------------------------------------------------------------
    # SENDER OF WHAT LEAVES
    # ------------------------------------------------------------

    @api.model
    def _get_from_policies(self):
        """Return policies by the domains' name, bounce address and id; empty if all are Odoo's."""
        found = {}
        for domain in self._get_all():
            address = tools.email_normalize(domain.from_address or domain.default_from_email)
            policy = FromPolicy(domain.from_policy, address or "")
            found.setdefault(normalize_domain(domain.name), policy)
            found[domain.bounce_email] = found[domain.id] = policy
        return {} if all(policy.is_native for policy in found.values()) else found

    @api.model
    def _find_from_policy(self, found, bounce_address):
        """Return the policy of the alias domain that a mail is sent for.

        :param dict found: see ``_get_from_policies``
        :param str bounce_address: all that core tells of the alias domain while it sends; without
            it, that of the company
        """
        if not found:
            return FromPolicy()
        address = normalize_address(bounce_address or "")
        # sudo: the alias domain of the user's own company
        company_domain_id = self.env.company.sudo().alias_domain_id.id
        keys = (address, address.rpartition("@")[2], company_domain_id)
        return next((found[key] for key in keys if key in found), FromPolicy())
