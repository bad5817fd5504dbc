from odoo import _, api, models


class MailCatchallConversation(models.Model):
    """In which language the correspondents are written to."""

    _inherit = "mail.catchall.conversation"

    @api.model
    def _get_missing_subject(self, msg_dict):
        """Return what stands for the subject, also in what the correspondent is answered."""
        lang = self.env["res.partner"]._find_lang(msg_dict["email_from"], self.env.company)
        self = self.with_context(lang=lang)
        return _("(no subject)")

    def _notify_get_recipients(self, message, msg_vals, **kwargs):
        """Keep those who get one mail together, in the language of the first.

        Core makes a mail for each language: they would not see each other.
        """
        recipients = super()._notify_get_recipients(message, msg_vals, **kwargs)
        outside = [data for data in recipients if data["share"]]
        first = self._match_correspondent([data["id"] for data in outside])
        langs = {data["id"]: data["lang"] for data in outside}
        for data in outside:
            data["lang"] = langs.get(first.id) or outside[0]["lang"]
        return recipients
