from markupsafe import Markup

from odoo import _, api, fields, models, tools
from odoo.exceptions import UserError

from ...tools.message.preview import block_remote, read_content
from ...tools.message.source import parse_header, storable

#: Characters of a header that are shown.
MAX_HEADER = 50_000


class MailCatchallInbound(models.Model):
    """What managers see of a mail: its header, and its text as long as it waits for them."""

    _inherit = "mail.catchall.inbound"

    preview = fields.Html(compute="_compute_preview", sanitize=False)
    header_text = fields.Text("Header", compute="_compute_header_text")
    document_kind = fields.Char(
        "Kind of Document",
        compute="_compute_document_kind",
        help="What the mail opened, or is part of.",
    )

    @api.depends("state")
    def _compute_preview(self):
        """Show what waits for review, without its images: the sender would see it being read."""
        self._origin._check_readable()
        for inbound in self:
            # as it is stored: a form may say of each mail that it waits
            stored = inbound._origin
            inbound.preview = stored.is_open and stored._render_preview()

    def _check_readable(self):
        """Raise if the user may not read these records.

        Nothing else asks where somebody takes a field that is not stored from a record by number
        (``mapped`` by a remote call).

        :raise AccessError:
        """
        self.check_access_rights("read")
        self.check_access_rule("read")

    def _render_preview(self):
        try:
            text, is_html, names = read_content(self._get_source())
        except UserError as error:
            return Markup("<p><i>%s</i></p>") % error
        if is_html:
            html = tools.html_sanitize(
                text, sanitize_attributes=True, strip_style=True, strip_classes=True
            )
            body = Markup(block_remote(storable(str(html))))
        else:
            body = tools.plaintext2html(storable(text)) if text.strip() else ""
        if not body and self.size:
            body = Markup("<p><i>%s</i></p>") % _("It has no text that could be shown.")
        if names:
            attached = _("Attachments: %s", storable(", ".join(names)))
            body += Markup("<p><i>%s</i></p>") % attached
        return body

    def _compute_header_text(self):
        self._origin._check_readable()
        for inbound in self:
            try:
                header = parse_header(inbound._origin._get_source())
            except UserError as error:
                inbound.header_text = str(error)
                continue
            lines = (f"{name}: {value}" for name, value in header.items())
            inbound.header_text = storable("\n".join(lines))[:MAX_HEADER]

    @api.depends("res_model")
    def _compute_document_kind(self):
        for inbound in self:
            model = inbound.res_model and self.env["ir.model"]._get(inbound.res_model)
            inbound.document_kind = model.name if model else False
