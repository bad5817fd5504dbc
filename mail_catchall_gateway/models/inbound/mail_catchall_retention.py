import logging

from odoo import api, fields, models

from ...tools.time_limit import in_days, read_days

_logger = logging.getLogger(__name__)

#: Days that sources are kept, by the system parameter that says otherwise.
RETENTION = {
    "mail_catchall_gateway.delivered_days": (30, ("delivered",)),
    "mail_catchall_gateway.ignored_days": (7, ("ignored", "bounced", "discarded")),
}
#: Sources dropped in one transaction.
GC_BATCH = 500


class MailCatchallRetention(models.AbstractModel):
    """How long the sources of mails are kept. What came in and what became of it stays listed."""

    _name = "mail.catchall.retention"
    _description = "Retention of Inbound Emails"

    @api.model
    def _get_retention_days(self, key):
        """Return for how many days sources are kept; 0 is for ever."""
        # sudo: a system parameter, a number
        parameters = self.env["ir.config_parameter"].sudo()
        return read_days(parameters.get_param(key), RETENTION[key][0])

    @api.autovacuum
    def _gc_sources(self):
        """Drop the sources of mail that is done with. Never of what waits for a decision."""
        for key, (_default, states) in RETENTION.items():
            days = self._get_retention_days(key)
            if days:
                self._drop_sources(states, fields.Datetime.now() - in_days(days))

    @api.model
    def _drop_sources(self, states, limit):
        """Drop the sources of mails in these states since then; core collects the files."""
        domain = [("state", "in", states), ("write_date", "<", limit)]
        domain.append(("is_source_dropped", "!=", True))
        # sudo: autovacuum
        rows = self.env["mail.catchall.inbound"].sudo()
        while inbounds := rows.search(domain, limit=GC_BATCH, order="id"):
            inbounds._get_source_attachments().unlink()
            inbounds.write({"is_source_dropped": True})
            _logger.info("Dropped the sources of %d inbound emails", len(inbounds))
            # a transaction that is too long for the worker would drop none of them
            self.env.cr.commit()  # pylint: disable=invalid-commit
