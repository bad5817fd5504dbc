from odoo import api, models


class MailCatchallActivityMixin(models.AbstractModel):
    """Activities of the managers on records that have no chatter."""

    _name = "mail.catchall.activity.mixin"
    _inherit = ["mail.activity.mixin"]
    _description = "Activities for Gateway Managers"

    def message_subscribe(self, partner_ids=None, subtype_ids=None):
        """Whom an activity is for would follow the record: there is nothing to follow."""
        return True

    def message_post_with_source(self, *_args, **_kwargs):
        """An activity that is done would be noted in the chatter: there is none."""
        return self.env["mail.message"]

    @api.model
    def _get_activity_users(self):
        """Return the managers who may read such a record."""
        # sudo: only which users are managers
        managers = self.env.ref("mail_catchall_gateway.group_catchall_manager").sudo().users
        access = self.env["ir.model.access"]
        return managers.filtered(
            lambda user: (
                user.active
                and not user.share
                and access.with_user(user).check(self._name, "read", raise_exception=False)
            )
        )

    def _schedule_for_managers(self, summary, note):
        """Ask each manager to look into this record; without a mail, which may be what fails."""
        # sudo: whoever runs the gateway asks the managers
        quiet = self.sudo().with_context(mail_activity_quick_update=True)
        for user in self._get_activity_users():
            quiet.activity_schedule(
                "mail.mail_activity_data_warning", summary=summary, note=note, user_id=user.id
            )

    def _close_activities(self):
        """Take back what the managers were asked: it is no more to be done."""
        # sudo: activities of all managers
        self.sudo().activity_ids.unlink()
