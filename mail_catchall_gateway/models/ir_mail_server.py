from odoo import api, models
from odoo.tools import consteq

from ..tools.inline_images import embed_images, find_image_links
from ..tools.sendable import make_sendable


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def build_email(self, *args, object_id=False, **kwargs):
        """Embed the images of a conversation: who gets the mail may not reach this Odoo.

        What mail servers would refuse, is repaired.
        """
        message = super().build_email(*args, object_id=object_id, **kwargs)
        make_sendable(message)
        if object_id and object_id.endswith("-mail.catchall.conversation"):
            part = message.get_body(("html",))
            images = self._read_images(part.get_content()) if part else {}
            if images:
                embed_images(part, images)
        return message

    @api.model
    def _read_images(self, html):
        """Return the images that a body links to: (name, mimetype, content) by URL."""
        images = {}
        for url, (attachment_id, token) in find_image_links(html).items():
            image = self.env["ir.attachment"].sudo().browse(attachment_id).exists()
            # as /web/image does: the token stands for the right to read
            if image and consteq(image.access_token or "", token):
                if (image.mimetype or "").startswith("image/") and image.raw:
                    images[url] = (image.name, image.mimetype, image.raw)
        return images
