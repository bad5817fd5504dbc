from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...tools.addresses.addresses import is_domain_name, normalize_domain
from ...tools.time_limit import in_days, read_days


class MailAlias(models.Model):
    """Messaging aliases: aliases whose owner is a user, and that lead to him."""

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
        addresses = set(self.mapped("alias_full_name"))
        for alias in self.sudo().filtered(lambda a: a.alias_name and a.alias_domain_id):
            names = alias.alias_domain_id._split_accepted()
            addresses.update(f"{alias.alias_name}@{name}" for name in names)
        self.env["res.users"]._check_no_own_address(addresses)

    @api.constrains("alias_name")
    def _check_internal_user(self):
        """An alias without a name stays with a user who is internal no more, and gets none then."""
        self.sudo().alias_user_id._check_alias_internal_user()

    @api.model
    def _sanitize_allowed_domains(self, allowed_domains):
        """Name the entry that is no domain: mail for it would not be received."""
        value = super()._sanitize_allowed_domains(allowed_domains)
        for name in value.split(","):
            if not is_domain_name(normalize_domain(name)):
                raise ValidationError(_("“%s” is not the name of a domain.", name))
        return value

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
                    "alias_expiration": fields.Date.today() + in_days(days),
                }
            )

    def _prepare_further_values(self, name):
        """Return what makes a further alias that does what this one does.

        :param str name: its local part
        """
        self.ensure_one()
        values = {"alias_name": name, "alias_domain_id": self.alias_domain_id.id}
        if self.alias_user_id:
            return {**values, "alias_user_id": self.alias_user_id.id}
        fnames = ("alias_model_id", "alias_parent_model_id")
        values.update({fname: self[fname].id for fname in fnames})
        fnames = ("alias_defaults", "alias_contact", "alias_force_thread_id")
        values.update({fname: self[fname] for fname in (*fnames, "alias_parent_thread_id")})
        return values

    @api.model
    def _get_renamed_alias_days(self):
        parameters = self.env["ir.config_parameter"].sudo()
        return read_days(parameters.get_param("mail_catchall_gateway.renamed_alias_days"), 90)

    @api.autovacuum
    def _gc_expired_aliases(self):
        self.sudo().search([("alias_expiration", "<", fields.Date.today())]).unlink()
