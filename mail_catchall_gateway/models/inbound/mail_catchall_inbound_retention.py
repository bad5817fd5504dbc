import logging

from odoo import api, fields, models

from ...tools.time_limit import in_days, read_days

_logger = logging.getLogger(__name__)

#: Sources dropped in one transaction.
GC_BATCH = 500
#: Days that sources are kept, by the system parameter that says otherwise.
RETENTION = {
    "mail_catchall_gateway.delivered_days": (30, ("delivered",)),
    "mail_catchall_gateway.ignored_days": (7, ("ignored", "bounced", "discarded")),
}


class MailCatchallInbound(models.Model):
    """How long the sources of mails are kept. What came in and what became of it stays listed."""

    _inherit = "mail.catchall.inbound"

    is_source_dropped = fields.Boolean(readonly=True)

    def init(self):
        res = super().init()
        # most rows have none any more
        self.env.cr.execute(
            """
            CREATE INDEX IF NOT EXISTS mail_catchall_inbound_source_idx
                ON mail_catchall_inbound (state, write_date) WHERE is_source_dropped IS NOT TRUE
            """
        )
        return res

    @api.model
    def _get_retention_days(self, key):
        """Return for how many days sources are kept; 0 is for ever."""
        parameters = self.env["ir.config_parameter"].sudo()
        return read_days(parameters.get_param(key), RETENTION[key][0])

    @api.autovacuum
    def _gc_sources(self):
        """Drop the sources of mail that is done with. Never of what waits for somebody."""
        for key, (_default, states) in RETENTION.items():
            days = self._get_retention_days(key)
            if days:
                self._drop_sources(states, fields.Datetime.now() - in_days(days))

    @api.model
    def _drop_sources(self, states, limit):
        """Drop the sources of mails that are in one of these states since before ``limit``.

        The files go with core's ``_gc_file_store``.
        """
        domain = [
            ("state", "in", states),
            ("write_date", "<", limit),
            ("is_source_dropped", "!=", True),
        ]
        while inbounds := self.sudo().search(domain, limit=GC_BATCH, order="id"):
            inbounds._get_source_attachments().unlink()
            inbounds.write({"is_source_dropped": True})
            _logger.info("Dropped the sources of %d inbound emails", len(inbounds))
            # a transaction that is too long for the worker would drop none of them
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def _get_source_attachments(self):
        domain = [("res_model", "=", self._name), ("res_field", "=", "raw")]
        domain.append(("res_id", "in", self.ids))
        names = ["store_fname", "db_datas", "checksum", "res_id"]
        return self.env["ir.attachment"].sudo().search_fetch(domain, names)
