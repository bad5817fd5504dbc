from odoo import api, fields, models


class FetchmailServer(models.Model):
    """How a mailbox is, in a word."""

    _inherit = "fetchmail.server"

    fetch_status = fields.Selection(
        [
            ("draft", "Not Confirmed"),
            ("new", "Not Fetched Yet"),
            ("ok", "Works"),
            ("failing", "Fails"),
        ],
        "Fetching",
        compute="_compute_fetch_status",
    )

    @api.depends("state", "error_count", "last_success")
    def _compute_fetch_status(self):
        for server in self:
            if server.state != "done":
                server.fetch_status = "draft"
            elif server.error_count:
                server.fetch_status = "failing"
            else:
                server.fetch_status = "ok" if server.last_success else "new"
