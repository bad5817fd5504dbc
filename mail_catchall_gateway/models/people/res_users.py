import functools

from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError

from ...tools.addresses.alias_names import make_unique, propose_local_part

ALIAS_FIELDS = ("alias_name", "alias_domain_id", "alias_id", "further_alias_ids")


@functools.lru_cache(maxsize=4096)
def _split(emails):
    """Return (name, normalized address, formatted) of each: many mails ask for the same few."""
    return tuple(
        (name, tools.email_normalize(address), tools.formataddr((name, address)))
        for name, address in tools.mail.email_split_tuples(emails)
    )


class ResUsers(models.Model):
    """Users with messaging aliases, which they receive at, and write as in all they send."""

    _name = "res.users"
    _inherit = ["res.users", "mail.alias.mixin.optional"]

    alias_id = fields.Many2one(
        help="Business address of this user. Mail written to it arrives in his Inbox, and what "
        "he writes goes out as it. It exists only in Odoo.",
    )
    further_alias_ids = fields.One2many(
        "mail.alias",
        "alias_user_id",
        "Further Addresses",
        domain=[("alias_is_further", "=", True)],
        help="Mail to these addresses arrives too. What the user writes goes out as his "
        "messaging alias.",
    )
    alias_copy_to_mailbox = fields.Boolean(
        "Copy to own mailbox",
        default=True,
        help="Mail that arrives in the Inbox through the messaging alias is also sent to the "
        "user's own email address. An answer from there leaves as the messaging alias.",
    )
    alias_delegate_id = fields.Many2one(
        "res.users",
        "When Archived, Mail Goes To",
        domain="[('share', '=', False), ('id', '!=', id)]",
        help="Who gets the mail written to this user's addresses while he is archived. Without "
        "one it is treated like mail to an address that does not exist.",
    )
    is_catchall_manager = fields.Boolean(
        "Gateway Manager",
        compute="_compute_is_catchall_manager",
        compute_sudo=True,  # users may not read groups: it shows a setting in their profile
    )
    catchall_digest = fields.Boolean(
        "Daily digest of the gateway",
        default=True,
        help="An email in the morning when mail waits for review, has failed, or a catch-all "
        "mailbox cannot be read. None when there is nothing to look into.",
    )
    catchall_digest_date = fields.Date(
        "Last Digest", readonly=True, copy=False, groups="base.group_system"
    )

    @api.depends("groups_id")
    def _compute_is_catchall_manager(self):
        managers = self.env.ref("mail_catchall_gateway.group_catchall_manager")
        for user in self:
            user.is_catchall_manager = managers in user.groups_id._origin

    @api.constrains("alias_id", "groups_id")
    def _check_alias_internal_user(self):
        for user in self:
            if user.alias_name and user.share:
                raise ValidationError(
                    _(
                        "%(user)s cannot have the messaging alias %(alias)s: only internal users "
                        "can have one.",
                        user=user.name,
                        alias=user.sudo().alias_id.display_name,  # sudo: for the error
                    )
                )

    @api.constrains("partner_id", "groups_id")
    def _check_own_address(self):
        """Refuse an own address at which Odoo itself receives mail: it would go round for ever."""
        for user in self.filtered(lambda user: not user.share and user.email_normalized):
            if self.env["mail.alias.domain"]._is_gateway_address(user.email_normalized):
                raise user._get_mail_loop_error()

    @api.model
    def _check_no_own_address(self, addresses):
        """Raise a ValidationError if one of these addresses of ours is the own one of a user."""
        addresses = {tools.email_normalize(address) for address in addresses if address}
        addresses = list(filter(None, addresses))  # no domain yet, no address
        domain = [("email_normalized", "in", addresses), ("share", "=", False)]
        # sudo: users of all companies count; the error names one to who sets up aliases
        user = self.sudo().with_context(active_test=False).search(domain, limit=1)
        if user:
            raise user._get_mail_loop_error()

    def _get_mail_loop_error(self):
        return ValidationError(
            _(
                "%(email)s cannot be both the own address of %(user)s and an address at which "
                "Odoo receives mail: what Odoo sends to it would come back to Odoo, in a loop.",
                email=self.email,
                user=self.name,
            )
        )

    @property
    def SELF_READABLE_FIELDS(self):
        return super().SELF_READABLE_FIELDS + [
            *ALIAS_FIELDS,
            "alias_domain",
            "alias_email",
            "alias_copy_to_mailbox",
            "catchall_digest",
            "is_catchall_manager",
        ]

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return super().SELF_WRITEABLE_FIELDS + ["alias_copy_to_mailbox", "catchall_digest"]

    @api.model_create_multi
    def create(self, vals_list):
        further = [vals.pop("further_alias_ids", False) for vals in vals_list]
        users = super().create(vals_list)
        for user, commands in zip(users, further, strict=True):
            if commands:
                # sudo: who creates users gives them addresses, and may not write to aliases
                user.sudo().further_alias_ids = commands
        # sudo: a switch, and no secret
        parameters = self.env["ir.config_parameter"].sudo()
        value = parameters.get_param("mail_catchall_gateway.automatic_alias") or "0"
        if value.lower() not in ("0", "false"):
            unnamed = users.filtered(lambda user: not user.share and not user.alias_id)
            for user, name in unnamed._propose_alias_names().items():
                if name:
                    user.alias_name = name
        return users

    def write(self, vals):
        if vals.keys() & set(self.ALIAS_WRITEABLE_FIELDS + list(ALIAS_FIELDS)):
            # aliases are written as superuser, by the mixin too; it writes nothing, and says
            # nothing, where the user may not
            self.check_access_rights("write")
            self.check_access_rule("write")
        if "further_alias_ids" in vals and not self.env.su:
            vals = dict(vals)
            # sudo: users may not write to aliases; write access to the user was checked above
            self.sudo().write({"further_alias_ids": vals.pop("further_alias_ids")})
        res = super().write(vals)
        if "company_id" in vals:
            self._move_further_aliases()
        if vals.keys() & {"alias_id", "active", "partner_id"}:
            self.env.registry.clear_cache()
        return res

    def unlink(self):
        self.env.registry.clear_cache()
        # sudo: the addresses go with their user
        further = self.sudo().with_context(active_test=False).further_alias_ids
        res = super().unlink()
        further.unlink()
        return res

    def _alias_get_creation_values(self):
        """A messaging alias creates conversations, in the domain of the user's company."""
        values = super()._alias_get_creation_values()
        values["alias_model_id"] = self.env["ir.model"]._get_id("mail.catchall.conversation")
        if self.company_id.alias_domain_id:
            values["alias_domain_id"] = self.company_id.alias_domain_id.id
        return values

    def _move_further_aliases(self):
        """Take further addresses along to the domain of another company, as core does the alias.

        Former names are given up: who wrote to them wrote to the old company.
        """
        for user in self:
            # sudo: addresses move with their user, after core wrote the company
            further = user.sudo().further_alias_ids
            left = further.filtered("alias_expiration")
            (further - left).alias_domain_id = user.company_id.alias_domain_id
            left.unlink()

    def _propose_alias_names(self, source="name"):
        """Return a free local part by user, made of name or login; empty where nothing is."""
        proposals, taken = {}, {}
        for user in self:
            domain = user.company_id.alias_domain_id
            if domain not in taken:
                taken[domain] = self._get_taken_names(domain)
            wish = propose_local_part(user[source]) or propose_local_part(user.login)
            if not domain or not wish:
                proposals[user] = ""
                continue
            proposals[user] = make_unique(wish, taken[domain])
            taken[domain].add(proposals[user])
        return proposals

    @api.model
    def _get_taken_names(self, domain):
        # sudo: those of other companies are taken, too
        aliases = self.env["mail.alias"].sudo().search([("alias_domain_id", "=", domain.id)])
        # sudo: as above
        own = self.sudo().search([("email_normalized", "=like", f"%@{domain.name}")])
        names = aliases.mapped("alias_name") + [domain.catchall_alias, domain.bounce_alias]
        names += [(domain.default_from or "").partition("@")[0]]
        names += [address.partition("@")[0] for address in own.mapped("email_normalized")]
        return set(filter(None, names))

    @api.model
    @tools.ormcache("with_archived")
    def _get_identities(self, with_archived=False):
        """Return the users who write as a messaging alias.

        :param bool with_archived: also users who left; the one who has the address now comes first
        :return dict: by normalized own address, of which a user may have several, and where users
            share one by (address, name) too: (user id, '"Name" <alias@domain>')
        """
        # sudo: cached for all users; callers put the alias in place of the own address
        users = self.sudo().with_context(active_test=not with_archived)
        main, identities = {}, {}
        for user in users.search([("alias_email", "!=", False)], order="active, id desc"):
            if not user.email_normalized or not user.alias_email:
                continue
            identity = (user.id, tools.formataddr((user.name, user.alias_email)))
            main[user.email_normalized] = identity
            for address in tools.email_normalize_all(user.email):
                identities[address] = identities[address, user.name] = identity
        return {**identities, **main}

    @api.model
    def _replace_own_address(self, emails, with_archived=False):
        """Return addresses with messaging aliases in the place of users' own ones.

        :param str emails: with or without names; returned as it is where there is no own address
        :param bool with_archived: also of users who left
        """
        identities = self._get_identities(with_archived)
        mailboxes = _split(emails) if identities and emails else ()
        if not any(address in identities for _name, address, _email in mailboxes):
            return emails
        replaced = []
        for name, address, email in mailboxes:
            found = identities.get((address, name)) or identities.get(address)
            replaced.append(found[1] if found else email)
        return ", ".join(dict.fromkeys(replaced))

    @api.model
    def _find_by_alias(self, address):
        """Return the active user whose messaging alias a normalized address is."""
        candidates = self.env["mail.alias.domain"]._get_candidates(address) if address else []
        names = [name for name, _detail in candidates]
        if not names:
            return self.browse()
        # sudo: whom an address means; callers get a user and no address
        aliases = self.env["mail.alias"].sudo().search([("alias_full_name", "in", names)])
        alias = min(aliases, key=lambda a: names.index(a.alias_full_name), default=aliases)
        return alias.alias_user_id.filtered("active")
