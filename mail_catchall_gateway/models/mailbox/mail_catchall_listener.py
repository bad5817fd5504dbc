import datetime

from odoo import _, api, fields, models
from odoo.tools import format_datetime

#: Seconds between two signs of life.
SIGN_SECONDS = 30
#: After so long without a sign a listener is taken for dead.
DEAD_AFTER = datetime.timedelta(seconds=4 * SIGN_SECONDS)
#: So much the clocks of two hosts may differ.
MAX_SKEW = datetime.timedelta(hours=1)
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

    @api.model
    def _sign(self, host, pid, what):
        """Note that a listener is alive, and forget those that are gone for long.

        :param str host: its name
        :param int pid: its process there
        :param str what: what it listens to, in words
        """
        now = fields.Datetime.now()
        values = {"name": host, "pid": pid, "what": what, "last_sign": now}
        row = self.search([("name", "=", host), ("pid", "=", pid)])
        if row:
            row.write(values)
        else:
            row.create(values)
        domain = ["|", ("last_sign", "<", now - DEAD_AFTER), ("last_sign", ">", now + MAX_SKEW)]
        gone = self.search(domain)
        # one that was killed, and does the same again
        again = gone.filtered(lambda row: (row.name, row.what) == (host, what))
        old = gone.filtered(lambda row: abs(now - row.last_sign) > FORGET_AFTER)
        (again | old).unlink()

    @api.model
    def _sign_off(self, host, pid):
        self.search([("name", "=", host), ("pid", "=", pid)]).unlink()

    def _is_alive(self):
        """A sign that is yet to come was written by a clock that was wrong."""
        self.ensure_one()
        return -MAX_SKEW <= fields.Datetime.now() - self.last_sign <= DEAD_AFTER

    @api.model
    def _find_alive(self, host=None):
        """Return the listeners that gave a sign of life, of all hosts or of one."""
        domain = [("name", "=", host)] if host else []
        return self.search(domain).filtered(lambda row: row._is_alive())

    @api.model
    def _get_state(self):
        """Return how it is about listeners, and that in words, for the settings."""
        rows = self.sudo().search([], limit=100)
        if not rows:
            return "ok", _("None: mail comes with the scheduled action.")
        dead = rows.filtered(lambda row: not row._is_alive())
        row = (dead or rows)[0]
        text = _(
            "%(host)s (%(what)s), last sign of life %(date)s",
            host=row.name,
            what=row.what,
            date=format_datetime(self.env, row.last_sign, dt_format="short"),
        )
        return ("error" if dead else "ok"), text
