from odoo import api, fields, models


class MailAlias(models.Model):
    _inherit = "mail.alias"

    is_user_alias = fields.Boolean(
        "Messaging Alias",
        compute="_compute_alias_user_id",
        store=True,
        help="Mail to this address goes to a user, not to a document.",
    )
    alias_user_id = fields.Many2one(
        "res.users",
        "User",
        compute="_compute_alias_user_id",
        store=True,
        index="btree_not_null",
        help="The user who gets the mail written to this messaging alias.",
    )

    @api.depends("alias_parent_model_id", "alias_parent_thread_id")
    def _compute_alias_user_id(self):
        users_model_id = self.env["ir.model"]._get_id("res.users")
        for alias in self:
            is_user = alias.sudo().alias_parent_model_id.id == users_model_id
            alias.alias_user_id = is_user and alias.alias_parent_thread_id
            alias.is_user_alias = bool(alias.alias_user_id)

    @api.model_create_multi
    def create(self, vals_list):
        aliases = super().create(vals_list)
        if aliases.alias_user_id:
            self.env["res.users"]._clear_identities()
        return aliases

    def write(self, vals):
        res = super().write(vals)
        if vals.keys() & {"alias_name", "alias_domain_id"} and self.alias_user_id:
            self.env["res.users"]._clear_identities()
        return res

    # ------------------------------------------------------------
    # MAIL GATEWAY
    # ------------------------------------------------------------

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
