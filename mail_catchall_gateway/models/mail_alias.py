import datetime

from odoo import api, fields, models
from odoo.osv import expression


class MailAlias(models.Model):
    """Messaging aliases: aliases whose owner is a user, and that lead to him."""

    _inherit = "mail.alias"

    is_user_alias = fields.Boolean(
        "Messaging Alias",
        compute="_compute_is_user_alias",
        store=True,
        help="Mail to this address goes to a user, not to a document.",
    )
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

    @api.depends("alias_parent_model_id", "alias_parent_thread_id")
    def _compute_alias_user_id(self):
        users_model_id = self.env["ir.model"]._get_id("res.users")
        for alias in self:
            is_user = alias.sudo().alias_parent_model_id.id == users_model_id
            alias.alias_user_id = is_user and alias.alias_parent_thread_id

    @api.depends("alias_user_id")
    def _compute_is_user_alias(self):
        for alias in self:
            alias.is_user_alias = bool(alias.alias_user_id)

    @api.depends("alias_user_id", "alias_user_id.alias_id")
    def _compute_alias_is_further(self):
        for alias in self:
            user = alias.sudo().alias_user_id
            alias.alias_is_further = bool(user) and user.alias_id != alias

    # ------------------------------------------------------------
    # CONSTRAINTS
    # ------------------------------------------------------------

    @api.constrains("alias_name", "alias_domain_id")
    def _check_own_addresses(self):
        self.env["res.users"]._check_no_own_address(self.mapped("alias_full_name"))

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

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
            former = {alias: alias.alias_name for alias in self if alias._is_main_user_alias()}
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
        if self.sudo().alias_user_id:
            self.env.registry.clear_cache()

    # ------------------------------------------------------------
    # RENAMING
    # ------------------------------------------------------------

    def _is_main_user_alias(self):
        self.ensure_one()
        return self.is_user_alias and not self.alias_is_further

    def _release_further_name(self, name):
        """Let a user take back a name that is still received for him."""
        name = self._sanitize_alias_name(name)
        for alias in self.filtered("alias_user_id"):
            alias.sudo().search(
                [
                    ("alias_user_id", "=", alias.alias_user_id.id),
                    ("alias_is_further", "=", True),
                    ("alias_domain_id", "=", alias.alias_domain_id.id),
                    ("alias_name", "=", name),
                    ("id", "!=", alias.id),
                ]
            ).unlink()

    def _keep_receiving(self, name):
        """Go on receiving mail for the former name of this alias for some time."""
        self.ensure_one()
        days = self._get_renamed_alias_days()
        if days > 0:
            self.sudo().create(
                {
                    "alias_user_id": self.alias_user_id.id,
                    "alias_name": name,
                    "alias_domain_id": self.alias_domain_id.id,
                    "alias_expiration": fields.Date.today() + datetime.timedelta(days=days),
                }
            )

    @api.model
    def _get_renamed_alias_days(self):
        parameters = self.env["ir.config_parameter"].sudo()
        return int(parameters.get_param("mail_catchall_gateway.renamed_alias_days", 90))

    @api.autovacuum
    def _gc_expired_aliases(self):
        self.sudo().search([("alias_expiration", "<", fields.Date.today())]).unlink()

    # ------------------------------------------------------------
    # GATEWAY
    # ------------------------------------------------------------

    @api.model
    def _find_by_addresses(self, addresses):
        """Return the aliases that core would route mail for these addresses to.

        Follows ``message_route``: by the whole address, or by the local part where the alias
        allows that and the domain is one of ours or allowed.

        :param addresses: normalized addresses
        """
        if not addresses:
            return self.browse()
        domain = [("alias_full_name", "in", list(addresses))]
        if local_parts := self._get_local_parts(addresses):
            domain = expression.OR(
                [domain, [("alias_incoming_local", "=", True), ("alias_name", "in", local_parts)]]
            )
        return self.sudo().search(domain)

    @api.model
    def _get_local_parts(self, addresses):
        """Return the local parts of addresses that local-part detection may look at."""
        parameters = self.env["ir.config_parameter"].sudo()
        allowed = (parameters.get_param("mail.catchall.domain.allowed") or "").split(",")
        allowed = set(filter(None, allowed))
        if allowed:
            allowed.update(self.env["mail.alias.domain"]._get_domain_names())
        pairs = (address.rpartition("@") for address in addresses)
        return sorted({local for local, _at, domain in pairs if not allowed or domain in allowed})

    def _matches(self, address):
        """Tell whether this alias receives mail for an address; see ``_find_by_addresses``."""
        self.ensure_one()
        if address == self.alias_full_name:
            return True
        return self.alias_incoming_local and address.rpartition("@")[0] == self.alias_name

    def _get_receiving_user(self):
        """Return who gets the mail of a messaging alias: its user, or whom he left it to.

        :return: active user, or none where nobody was named
        """
        self.ensure_one()
        user, seen = self.sudo().alias_user_id, set()
        while user and not user.active and user not in seen:
            seen.add(user)
            user = user.alias_delegate_id
        return user.filtered("active")

    def _alias_bounce_incoming_email(self, message, message_dict, set_invalid=True):
        """Tell the sender of a stored mail that he is rejected, but not that we have a bug.

        The alias is marked; the mail is tried again, and after that it is the managers' affair.
        """
        delivery = self.env.context.get("catchall_delivery")
        if delivery is not None and set_invalid:
            self.alias_status = "invalid"
            return None
        if delivery is not None:
            delivery.rejected_by = self.display_name
        return super()._alias_bounce_incoming_email(message, message_dict, set_invalid=set_invalid)
