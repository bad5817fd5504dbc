from odoo import api, models
from odoo.tools import consteq

from ...tools.message.header_text import plain_line
from ...tools.message.header_text import safe_value as one_line
from ...tools.sending.inline_images import embed_images, find_image_links
from ...tools.sending.sendable import as_plain, make_sendable


class IrMailServer(models.Model):
    _inherit = "ir.mail_server"

    def build_email(
        self,
        email_from,
        email_to,
        subject,
        body,
        email_cc=None,
        email_bcc=None,
        reply_to=False,
        attachments=None,
        *,
        message_id=None,
        references=None,
        headers=None,
        **kwargs,
    ):
        """Let no name begin another header field, and embed the images of a conversation.

        Core puts the names of contacts and the Message-Ids of other people's mail into the header
        as they are, and fails at the names of files. Who gets the mail of a conversation may not
        reach this Odoo, and so its images. What mail servers would refuse is repaired.
        """
        headers = {name: one_line(value) for name, value in (headers or {}).items()}
        if "Return-Path" in headers:
            headers["Return-Path"] = as_plain("Return-Path", headers["Return-Path"])
        message = super().build_email(
            as_plain("From", one_line(email_from)),
            one_line(email_to),
            one_line(subject),
            body,
            email_cc=one_line(email_cc),
            email_bcc=one_line(email_bcc),
            reply_to=as_plain("Reply-To", one_line(reply_to)),
            attachments=[(one_line(name), *rest) for name, *rest in attachments or []],
            message_id=plain_line(message_id),
            references=plain_line(references),
            headers=headers,
            **kwargs,
        )
        make_sendable(message)
        object_id = kwargs.get("object_id")
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
