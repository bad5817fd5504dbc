from odoo import _, api, fields, models, tools
from odoo.exceptions import ValidationError


class ResUsers(models.Model):
    _name = "res.users"
    _inherit = ["res.users", "mail.alias.mixin.optional"]

    alias_id = fields.Many2one(
        help="Business address of this user. Mail written to it arrives in his Inbox, and what "
        "he writes goes out as it. It exists only in Odoo.",
    )
    alias_copy_to_mailbox = fields.Boolean(
        "Copy to own mailbox",
        default=True,
        help="Mail that arrives in the Inbox through the messaging alias is also sent to the "
        "user's own email address. An answer from there leaves as the messaging alias.",
    )

    # ------------------------------------------------------------
    # CONSTRAINTS
    # ------------------------------------------------------------

    @api.constrains("alias_id", "groups_id")
    def _check_alias_internal_user(self):
        for user in self:
            if user.alias_id and user.share:
                raise ValidationError(
                    _(
                        "%(user)s cannot have the messaging alias %(alias)s: only internal users "
                        "can have one.",
                        user=user.name,
                        alias=user.sudo().alias_id.display_name,
                    )
                )

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @property
    def SELF_READABLE_FIELDS(self):
        alias_fields = ["alias_id", "alias_name", "alias_domain_id", "alias_domain", "alias_email"]
        return super().SELF_READABLE_FIELDS + alias_fields + ["alias_copy_to_mailbox"]

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return super().SELF_WRITEABLE_FIELDS + ["alias_copy_to_mailbox"]

    def write(self, vals):
        if vals.keys() & set(self.ALIAS_WRITEABLE_FIELDS):
            # the mixin writes aliases as superuser, and nothing at all without the right to
            self.check_access_rights("write")
            self.check_access_rule("write")
        res = super().write(vals)
        if vals.keys() & {"alias_id", "active", "partner_id"}:
            self._clear_identities()
        return res

    def unlink(self):
        self._clear_identities()
        return super().unlink()

    # ------------------------------------------------------------
    # ALIAS
    # ------------------------------------------------------------

    def _alias_get_creation_values(self):
        """A messaging alias creates conversations, in the domain of the user's company."""
        values = super()._alias_get_creation_values()
        values["alias_model_id"] = self.env["ir.model"]._get_id("mail.catchall.conversation")
        if self.company_id.alias_domain_id:
            values["alias_domain_id"] = self.company_id.alias_domain_id.id
        return values

    # ------------------------------------------------------------
    # IDENTITY
    # ------------------------------------------------------------

    @api.model
    @tools.ormcache()
    def _get_identities(self):
        """Return who writes as a messaging alias.

        :return dict: by normalized own address: (user id, '"Name" <alias@domain>')
        """
        users = self.sudo().search([("alias_email", "!=", False)], order="id desc")
        return {
            user.email_normalized: (user.id, tools.formataddr((user.name, user.alias_email)))
            for user in users
            if user.email_normalized and user.alias_email
        }

    @api.model
    def _clear_identities(self):
        """Forget ``_get_identities``, in all workers when the transaction is committed."""
        self.env.registry.clear_cache()

    @api.model
    def _replace_own_address(self, email):
        """Return a messaging alias instead of a user's own address.

        :param str email: address, with or without a name; several are left alone
        :return str: formatted messaging alias, or ``email`` where it is nobody's own address
        """
        identities = self._get_identities()
        if not identities:
            return email
        return identities.get(tools.email_normalize(email), (0, email))[1]
