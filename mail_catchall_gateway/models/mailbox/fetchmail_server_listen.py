import time

from odoo import api, fields, models

from .fetchmail_server import CONNECTION_FIELDS

#: PostgreSQL channel on which a listener hears that mailboxes changed.
CHANNEL = "mail_catchall_mailbox"
#: Fields that decide whether, and how, a listener watches a mailbox.
WATCHED_FIELDS = CONNECTION_FIELDS | {"active", "is_catchall", "max_message_size", "object_id"}
#: Seconds after which a mailbox is tried again that somebody else reads.
BUSY_SECONDS = 1
#: Seconds of one fetch: after them a listener looks whether it is to end.
SLICE_SECONDS = 20


class FetchmailServer(models.Model):
    """What the listener (``cli/``) asks of mailboxes. It fetches by the same methods."""

    _inherit = "fetchmail.server"

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        servers = super().create(vals_list)
        self._notify_listeners()
        return servers

    def write(self, values):
        res = super().write(values)
        if WATCHED_FIELDS & values.keys():
            self._notify_listeners()
        return res

    def unlink(self):
        self._notify_listeners()
        return super().unlink()

    @api.model
    def _notify_listeners(self):
        """Tell all listeners, when this transaction is committed."""
        self.env.cr.execute("SELECT pg_notify(%s, '')", [CHANNEL])

    # ------------------------------------------------------------
    # LISTENER
    # ------------------------------------------------------------

    @api.model
    def _get_watched(self):
        """Return the mailboxes that can say when mail comes.

        :return dict: by id, what changes when the mailbox has to be connected to anew
        """
        servers = self.search([("is_catchall", "=", True), ("state", "=", "done")])
        servers = servers.filtered(lambda server: server._get_connection_type() == "imap")
        names = sorted(CONNECTION_FIELDS)
        return {server.id: [server[name] for name in names] for server in servers}

    @api.model
    def _get_listener_size(self):
        """Return how many MB a mail may have that comes by LMTP, 0 if no mailbox says so.

        That of this mailbox; without one, the largest that any mailbox takes.
        """
        servers = self or self.search([("is_catchall", "=", True)])
        sizes = servers.mapped("max_message_size")
        return max(sizes) if sizes and all(sizes) else 0

    def _fetch_for_listener(self):
        """Fetch this mailbox now, unless it failed a moment ago. It commits.

        :return: seconds after which it has to be tried again, or None where nothing is left
        """
        self.ensure_one()
        server = self.with_context(fetchmail_cron_running=True, catchall_is_scheduled=True)
        if not server._is_due():
            return self._get_pause()
        until = time.monotonic() + min(
            SLICE_SECONDS, self.env["mail.catchall.queue"]._get_time_limit()
        )
        result = server._fetch_catchall(until)
        if result.code == "busy":
            # who reads it may have looked before the mail came that we were told of
            return BUSY_SECONDS
        if result.code == "error":
            return self._get_pause()
        return 0 if result.has_more else None

    def _get_pause(self):
        pause = (self.next_fetch or fields.Datetime.now()) - fields.Datetime.now()
        return max(BUSY_SECONDS, pause.total_seconds())
