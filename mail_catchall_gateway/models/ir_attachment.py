from odoo import _, models
from odoo.exceptions import AccessError


class IrAttachment(models.Model):
    _inherit = "ir.attachment"

    def check(self, mode, values=None):
        """Keep administrators from sending the sources of mail, which hold other people's letters.

        They cannot read one for a record rule; but here, where core checks what is attached to a
        message, it neither looks at rules nor at the groups of the field.
        """
        if self and not self.env.su and self.env.is_system():
            sources = self.sudo().search_count(
                [
                    ("id", "in", self.ids),
                    ("res_model", "=", "mail.catchall.inbound"),
                    ("res_field", "=", "raw"),
                ]
            )
            if sources:
                raise AccessError(_("The source of an inbound email cannot be read this way."))
        return super().check(mode, values=values)
