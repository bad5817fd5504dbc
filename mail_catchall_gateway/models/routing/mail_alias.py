from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.osv import expression

from ...tools.addresses.addresses import is_domain_name, normalize_domain
from ...tools.judging.delivery import delivery_of
from ...tools.time_limit import in_days, read_days

MANAGER = "mail_catchall_gateway.group_catchall_manager"


class MailAlias(models.Model):
    """Messaging aliases, which lead to a user and not to a document, and their former names.

    Which aliases a stored mail is for is found by ``mail.catchall.recipients``.
    """

    _inherit = "mail.alias"

    is_user_alias = fields.Boolean(
        "Messaging Alias",
        compute="_compute_is_user_alias",
        store=True,
        help="Mail to this address goes to a user, not to a document.",
    )
    # core looks the Reply-To of each message up by it, and reads all aliases without an index
    alias_parent_thread_id = fields.Integer(index="btree_not_null")
    alias_user_id = fields.Many2one(
        "res.users",
        "User",
        compute="_compute_alias_user_id",
        store=True,
        readonly=False,
        index="btree_not_null",
        help="The user who gets the mail written to this messaging alias.",
    )
    alias_is_further = fields.Boolean(
        "Further Address",
        compute="_compute_alias_is_further",
        store=True,
        help="The user receives mail at this address, but does not write as it.",
    )
    alias_expiration = fields.Date(
        "Received Until",
        help="After this day the address is given up. It is the former name of an alias.",
    )
    inbound_ids = fields.Many2many(
        "mail.catchall.inbound",
        string="Inbound Emails",
        readonly=True,
        copy=False,  # documents with an alias would copy it, with the rights of any user
        groups=MANAGER,
        help="Mail that came in for this address through the gateway.",
    )
    last_inbound_date = fields.Datetime(
        "Last Mail",
        compute="_compute_last_inbound_date",
        groups=MANAGER,
        help="When mail last came in for this address through the gateway.",
    )

    def init(self):
        # names of about the same length, see mail.catchall.recipients; constants only
        self.env.cr.execute(
            """
            CREATE INDEX IF NOT EXISTS mail_alias_domain_name_length
                ON mail_alias (alias_domain_id, length(alias_name)) INCLUDE (alias_name)
             WHERE alias_name IS NOT NULL
            """
        )

    @api.depends("alias_parent_model_id", "alias_parent_thread_id")
    def _compute_alias_user_id(self):
        users_model_id = self.env["ir.model"]._get_id("res.users")
        for alias in self:
            # sudo: employees may read aliases, and not all models
            is_user = alias.sudo().alias_parent_model_id.id == users_model_id
            alias.alias_user_id = is_user and alias.alias_parent_thread_id

    @api.depends("alias_user_id")
    def _compute_is_user_alias(self):
        for alias in self:
            alias.is_user_alias = bool(alias.alias_user_id)

    @api.depends("alias_user_id", "alias_user_id.alias_id")
    def _compute_alias_is_further(self):
        for alias in self:
            # sudo: employees may read aliases, and not all users
            user = alias.sudo().alias_user_id
            alias.alias_is_further = bool(user) and user.alias_id != alias

    @api.depends("inbound_ids")
    def _compute_last_inbound_date(self):
        groups = self.env["mail.catchall.inbound"]._read_group(
            [("alias_ids", "in", self.ids)], ["alias_ids"], ["create_date:max"]
        )
        dates = {alias.id: date for alias, date in groups}
        for alias in self:
            alias.last_inbound_date = dates.get(alias.id)

    @api.constrains("alias_name", "alias_domain_id")
    def _check_own_addresses(self):
        addresses = set(self.mapped("alias_full_name"))
        # sudo: a constraint looks at all that exists
        for alias in self.sudo().filtered(lambda a: a.alias_name and a.alias_domain_id):
            names = alias.alias_domain_id._split_accepted()
            addresses.update(f"{alias.alias_name}@{name}" for name in names)
        self.env["res.users"]._check_no_own_address(addresses)

    @api.constrains("alias_name")
    def _check_internal_user(self):
        """An alias without a name stays with a user who is internal no more, and gets none then."""
        # sudo: a constraint; its error names the user of the alias
        self.sudo().alias_user_id._check_alias_internal_user()

    @api.model
    def _sanitize_allowed_domains(self, allowed_domains):
        """Name the entry that is no domain: mail for it would not be received."""
        value = super()._sanitize_allowed_domains(allowed_domains)
        for name in value.split(","):
            if not is_domain_name(normalize_domain(name)):
                raise ValidationError(_("“%s” is not the name of a domain.", name))
        return value

    @api.model_create_multi
    def create(self, vals_list):
        for vals in vals_list:
            if vals.get("alias_user_id"):
                user = self.env["res.users"].browse(vals["alias_user_id"])
                vals.update(user._alias_get_creation_values())
        aliases = super().create(vals_list)
        aliases._clear_identities()
        return aliases

    def write(self, vals):
        former = {}
        if vals.get("alias_name"):
            self._release_further_name(vals["alias_name"])
            main = self.filtered(lambda alias: alias.is_user_alias and not alias.alias_is_further)
            former = {alias: alias.alias_name for alias in main}
        res = super().write(vals)
        for alias, name in former.items():
            if name and name != alias.alias_name:
                alias._keep_receiving(name)
        if vals.keys() & {"alias_name", "alias_domain_id", "alias_parent_thread_id"}:
            self._clear_identities()
        return res

    def unlink(self):
        self._clear_identities()
        return super().unlink()

    def _clear_identities(self):
        """Forget who writes as whom, in all workers when this is committed."""
        # sudo: whether a user has one of them
        if self.sudo().alias_user_id:
            self.env.registry.clear_cache()

    def action_view_inbound(self):
        """Open the list of the mails that came in for this address."""
        self.ensure_one()
        xmlid = "mail_catchall_gateway.mail_catchall_inbound_action"
        action = self.env["ir.actions.act_window"]._for_xml_id(xmlid)
        return {**action, "domain": [("alias_ids", "in", self.ids)], "context": {}}

    def _release_further_name(self, name):
        """Let a user take back a name that is still received for them."""
        name = self._sanitize_alias_name(name)
        for alias in self.filtered("alias_user_id"):
            domain = [
                ("alias_user_id", "=", alias.alias_user_id.id),
                ("alias_is_further", "=", True),
                ("alias_domain_id", "=", alias.alias_domain_id.id),
                ("alias_name", "=", name),
                ("id", "!=", alias.id),
            ]
            # sudo: who may rename an alias may not delete one; only a name of the same user goes
            alias.sudo().search(domain).unlink()

    def _keep_receiving(self, name):
        """Go on receiving mail for the former name of this alias for some time."""
        self.ensure_one()
        days = self._get_renamed_alias_days()
        if days > 0:
            values = self._prepare_further_values(name)
            values["alias_expiration"] = fields.Date.today() + in_days(days)
            # sudo: who may rename an alias may not create one; it is that user's, and expires
            self.sudo().create(values)

    def _prepare_further_values(self, name):
        """Return what makes a further alias, with this local part, that does what this one does."""
        self.ensure_one()
        values = {"alias_name": name, "alias_domain_id": self.alias_domain_id.id}
        if self.alias_user_id:
            return {**values, "alias_user_id": self.alias_user_id.id}
        values["alias_model_id"] = self.alias_model_id.id
        values["alias_parent_model_id"] = self.alias_parent_model_id.id
        for name in ("defaults", "contact", "force_thread_id", "parent_thread_id"):
            values[f"alias_{name}"] = self[f"alias_{name}"]
        return values

    @api.model
    def _get_renamed_alias_days(self):
        # sudo: a system parameter, a number
        parameters = self.env["ir.config_parameter"].sudo()
        return read_days(parameters.get_param("mail_catchall_gateway.renamed_alias_days"), 90)

    @api.autovacuum
    def _gc_expired_aliases(self):
        # sudo: autovacuum
        self.sudo().search([("alias_expiration", "<", fields.Date.today())]).unlink()

    @api.model
    def _get_allowed_domains(self):
        # sudo: a system parameter, names of domains
        parameters = self.env["ir.config_parameter"].sudo()
        allowed = parameters.get_param("mail.catchall.domain.allowed") or ""
        return set(filter(None, allowed.split(",")))

    @api.model
    def _search_addresses(self, full_names, local_parts):
        """Return the aliases with these addresses, or found by these local parts alone."""
        by_local = [("alias_incoming_local", "=", True), ("alias_name", "in", list(local_parts))]
        domain = expression.OR([[("alias_full_name", "in", list(full_names))], by_local])
        # sudo: the gateway works for all companies
        return self.sudo().search(domain) if full_names or local_parts else self.browse()

    @api.model
    def _find_by_addresses(self, addresses):
        """Return the aliases that core would route mail for these addresses to.

        Follows ``message_route``: by the whole (normalized) address, or by the local part where the
        alias allows that and the domain is one of ours or allowed.
        """
        allowed = self._get_allowed_domains()
        if allowed:
            own = self.env["mail.alias.domain"]._get_domain_map().values()
            allowed.update(domain for domain, _separator in own)
        pairs = (address.rpartition("@") for address in addresses)
        local_parts = {local for local, _at, domain in pairs if not allowed or domain in allowed}
        return self._search_addresses(set(addresses), local_parts)

    def _matches(self, address):
        """Tell whether this alias receives mail for an address; see ``_find_by_addresses``."""
        self.ensure_one()
        if address == self.alias_full_name:
            return True
        return self.alias_incoming_local and address.rpartition("@")[0] == self.alias_name

    def _get_receiving_user(self):
        """Return the active user who gets the mail, or none: its own, or whom they left it to."""
        self.ensure_one()
        # sudo: the gateway delivers to any user
        user, seen = self.sudo().alias_user_id, set()
        while user and not user.active and user not in seen:
            seen.add(user)
            user = user.alias_delegate_id
        return user.filtered("active")

    def _alias_bounce_incoming_email(self, message, message_dict, set_invalid=True):
        """Tell the sender of a stored mail that they are rejected, but not that we have a bug.

        The alias is marked; the mail is tried again, and after that it is the managers' affair.
        """
        delivery = delivery_of(self.env)
        if delivery and set_invalid:
            self.alias_status = "invalid"
            return None
        if delivery:
            delivery.outcome.rejected_by = self.display_name
            delivery.outcome.rejection_code = f"alias-{self.id}"
            # core's text is in that of the sender's contact, if it knows one
            lang = self.env["mail.thread"]._with_sender_lang(delivery).env.lang
            self = self.with_context(lang=lang)
        return super()._alias_bounce_incoming_email(message, message_dict, set_invalid=set_invalid)
