import datetime

from odoo import _, api, fields, models
from odoo.tools import format_datetime

from .fetchmail_server import CONNECTION_FIELDS

#: PostgreSQL channel on which a listener hears that mailboxes changed.
CHANNEL = "mail_catchall_mailbox"
#: Seconds between two signs of life.
SIGN_SECONDS = 30
#: After so long without a sign a listener is taken for dead.
DEAD_AFTER = datetime.timedelta(seconds=4 * SIGN_SECONDS)
#: For so long the settings say that one is missing; then it was given up.
FORGET_AFTER = datetime.timedelta(days=7)


class MailCatchallListener(models.Model):
    """A process that takes mail in as soon as it is there, see ``cli/``: when it last gave a sign.

    The listener writes its row itself. A clean end deletes it.
    """

    _name = "mail.catchall.listener"
    _description = "Listener of the Catch-all Gateway"
    _order = "last_sign desc"

    name = fields.Char("Host", required=True, readonly=True)
    pid = fields.Integer("Process", required=True, readonly=True)
    what = fields.Char("Listens To", readonly=True, help="What it listens to.")
    last_sign = fields.Datetime("Last Sign of Life", required=True, readonly=True)

    _sql_constraints = [
        ("name_uniq", "UNIQUE(name, pid)", "A process has one row."),
    ]

    # ------------------------------------------------------------
    # MAILBOXES
    # ------------------------------------------------------------

    @api.model
    def _notify(self):
        """Tell all listeners that mailboxes changed, when this transaction is committed."""
        self.env.cr.execute("SELECT pg_notify(%s, '')", [CHANNEL])

    @api.model
    def _get_watched(self):
        """Return the mailboxes that can say when mail comes.

        :return dict: by id, what changes when the mailbox has to be connected to anew
        """
        domain = [("is_catchall", "=", True), ("state", "=", "done")]
        servers = self.env["fetchmail.server"].search(domain)
        servers = servers.filtered(lambda server: server._get_connection_type() == "imap")
        names = sorted(CONNECTION_FIELDS)
        return {server.id: [server[name] for name in names] for server in servers}

    # ------------------------------------------------------------
    # SIGNS OF LIFE
    # ------------------------------------------------------------

    @api.model
    def _sign(self, host, pid, what):
        """Note that a listener is alive, and forget those that are gone for long.

        :param str host: its name
        :param int pid: its process there
        :param str what: what it listens to, in words
        """
        now = fields.Datetime.now()
        row = self.search([("name", "=", host), ("pid", "=", pid)])
        if row:
            row.last_sign = now
        else:
            self.create({"name": host, "pid": pid, "what": what, "last_sign": now})
        gone = self.search([("last_sign", "<", now - DEAD_AFTER)])
        gone.filtered(
            lambda row: (
                # one that was killed, and does the same again
                (row.name, row.what) == (host, what) or row.last_sign < now - FORGET_AFTER
            )
        ).unlink()

    @api.model
    def _sign_off(self, host, pid):
        self.search([("name", "=", host), ("pid", "=", pid)]).unlink()

    @api.model
    def _find_alive(self, host):
        """Return the listeners of a host that gave a sign of life."""
        since = fields.Datetime.now() - DEAD_AFTER
        return self.search([("name", "=", host), ("last_sign", ">=", since)])

    @api.model
    def _get_state(self):
        """Return how it is about listeners, and that in words, for the settings."""
        # host and last sign of life only; the settings are for administrators
        rows = self.sudo().search([], limit=100)
        if not rows:
            return "ok", _("None: mail comes with the scheduled action.")
        since = fields.Datetime.now() - DEAD_AFTER
        dead = rows.filtered(lambda row: row.last_sign < since)
        row = (dead or rows)[0]
        text = _(
            "%(host)s (%(what)s), last sign of life %(date)s",
            host=row.name,
            what=row.what,
            date=format_datetime(self.env, row.last_sign, dt_format="short"),
        )
        return ("error" if dead else "ok"), text
