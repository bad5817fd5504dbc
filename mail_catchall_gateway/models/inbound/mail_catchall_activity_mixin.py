from odoo import models


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

    def _schedule_for_managers(self, summary, note):
        """Ask each manager who may read this record to look into it, not by mail: it may fail."""
        # sudo: whoever meets what is wrong tells the managers of it
        quiet = self.sudo().with_context(mail_activity_quick_update=True)
        access = self.env["ir.model.access"]
        for user in quiet.env.ref("mail_catchall_gateway.group_catchall_manager").users:
            if access.with_user(user).check(self._name, "read", raise_exception=False):
                quiet.activity_schedule(
                    "mail.mail_activity_data_warning", summary=summary, note=note, user_id=user.id
                )

    def _close_activities(self):
        # sudo: whoever mended it closes what the managers were asked
        self.sudo().activity_ids.unlink()
