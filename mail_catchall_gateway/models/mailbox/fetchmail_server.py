import datetime
import logging
import re
import time

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...tools import pauses
from ...tools.addresses.recipients import RECIPIENT_HEADERS
from ...tools.mailbox.imap_mailbox import ImapMailbox
from ...tools.mailbox.mailbox import FetchResult
from ...tools.mailbox.pop_mailbox import PopMailbox
from .fetch_words import FetchWords
from .mailbox_reader import MailboxReader

_logger = logging.getLogger(__name__)

#: Fields whose change may mend what is wrong: the mailbox is tried again at once.
CONNECTION_FIELDS = set(
    "server port is_ssl user password server_type folder archive_folder after_fetch state".split()
)
#: Fields that decide whether, and how, a listener watches a mailbox.
WATCHED_FIELDS = CONNECTION_FIELDS | {"active", "is_catchall", "max_message_size", "object_id"}
#: PostgreSQL channel on which a listener (``cli/``) hears that mailboxes changed.
CHANNEL = "mail_catchall_mailbox"
#: Managers hear of a mailbox that fails for so long.
ALARM_AFTER = datetime.timedelta(days=1)
#: Seconds that a listener fetches or processes: then it looks whether it is to end.
SLICE_SECONDS = 20
#: Seconds after which a listener tries a mailbox again that another process reads.
BUSY_SECONDS = 1


class FetchmailServer(models.Model):
    """A catch-all mailbox: what is set about it, when and by whom it is fetched, how that went.

    How it is read: ``mailbox_reader.py``. All other mailboxes are core's.
    """

    _name = "fetchmail.server"
    _inherit = ["fetchmail.server", "mail.catchall.activity.mixin"]

    is_catchall = fields.Boolean(
        "Catch-all mailbox",
        help="This mailbox receives the mail for all addresses of a domain. Mail is stored in "
        "Odoo before the mail server may forget it, and delivered by its envelope recipient.",
    )
    # reading
    folder = fields.Char(default="INBOX", help="Folder of the mailbox that is read.")
    after_fetch = fields.Selection(
        [
            ("seen", "Mark it as read"),
            ("move", "Move it to another folder"),
            ("delete", "Delete it"),
        ],
        "After Fetching",
        default="seen",
        required=True,
        help="What becomes of a mail in the mailbox when Odoo has stored it.",
    )
    archive_folder = fields.Char(help="Where fetched mail is moved. It is made if it is not there.")
    leave_days = fields.Integer(
        "Days on the Server",
        help="How long fetched mail stays in the mailbox, for other programs that read it by "
        "POP. 0 deletes it when Odoo has stored it.",
    )
    batch_size = fields.Integer(default=50, help="Mails fetched together.")
    max_message_size = fields.Integer(
        "Largest Mail",
        help="In MB. A larger mail is kept for review. 0 is without limit.",
    )
    # recipients
    recipient_headers = fields.Char(
        default=", ".join(RECIPIENT_HEADERS),
        help="Header fields in which your mail server names the address that a mail was "
        "delivered for, the most trusted first, separated by commas.",
    )
    trusted_hops = fields.Integer(
        help="How many Received lines your own mail servers write on top of a mail. Only what "
        "stands above the last of them counts then, so that nobody can forge it. 0 if you do not "
        "know.",
    )
    # senders
    trusted_authserv_id = fields.Char(
        "Name of the Checking Server",
        help="The name with which your mail server begins its field Authentication-Results, for "
        "instance mx.google.com. Without it Odoo believes what a mail says about its sender.",
    )
    # how it goes
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
    last_success = fields.Datetime("Last Successful Fetch", readonly=True, copy=False)
    last_error = fields.Char(readonly=True, copy=False)
    error_count = fields.Integer("Errors in a Row", readonly=True, copy=False)
    error_since = fields.Datetime("Failing Since", readonly=True, copy=False)
    next_fetch = fields.Datetime(
        "Not Before",
        readonly=True,
        copy=False,
        help="After an error the mailbox is left alone for a while, longer after each further one. "
        "“Fetch Now” tries it at once.",
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

    @api.constrains("is_catchall", "after_fetch", "archive_folder", "folder")
    def _check_folders(self):
        for server in self:
            # RFC 3501, 5.1: that one name in any case
            folder, archive = (
                "INBOX" if name.upper() == "INBOX" else name
                for name in (server.folder or "INBOX", server.archive_folder or "")
            )
            if not (folder + archive).isprintable():
                raise ValidationError(_("The name of a folder has no line breaks."))
            if not server.is_catchall or server.after_fetch != "move":
                continue
            name = server.display_name
            if not archive:
                raise ValidationError(_("Name the folder that mail from %s is moved to.", name))
            if archive == folder:
                raise ValidationError(_("Mail from %s cannot be moved to where it is.", name))

    @api.constrains("batch_size", "trusted_hops", "max_message_size", "leave_days")
    def _check_numbers(self):
        for server in self:
            if not 1 <= server.batch_size <= 500:
                raise ValidationError(_("A batch holds at least one mail, and at most 500."))
            if min(server.trusted_hops, server.max_message_size, server.leave_days) < 0:
                raise ValidationError(_("A number of lines, megabytes or days cannot be negative."))

    @api.model_create_multi
    def create(self, vals_list):
        servers = super().create(vals_list)
        self._notify_listeners()
        return servers

    def write(self, values):
        """Try a mailbox again at once when somebody changes how it is reached."""
        if CONNECTION_FIELDS & values.keys() and "next_fetch" not in values:
            values = {**values, "next_fetch": False}
        res = super().write(values)
        if WATCHED_FIELDS & values.keys():
            self._notify_listeners()
        return res

    def unlink(self):
        self._notify_listeners()
        return super().unlink()

    def action_fetch_now(self):
        """Fetch these catch-all mailboxes, whether they failed before or not, and say how it went.

        :return dict: a notification, that leads to the mails
        :raise AccessError: if the user has nothing to do with mailboxes
        """
        # an empty selection reads nothing that would refuse, and has the queue processed
        self.check_access_rights("read")
        # administrators may not read inbound emails: only how many are in which state
        inbounds = self.env["mail.catchall.inbound"].sudo()
        last = inbounds.search([], order="id desc", limit=1).id or 0
        results = self._fetch_and_process()
        states = inbounds.search([("id", ">", last), ("server_id", "in", self.ids)]).mapped("state")
        is_good = all(result.code == "fetched" and not result.text for result in results.values())
        message = FetchWords(self).describe_fetch(results, states)
        action = self.env.ref("mail_catchall_gateway.mail_catchall_inbound_action_server")
        url = f"#action={action.id}&model={inbounds._name}&view_type=list&active_id={self[:1].id}"
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success" if is_good else "warning",
                "sticky": not is_good,
                "message": "%s " + message.replace("%", "%%"),
                "links": [{"label": _("Inbound emails:"), "url": url}],
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    @api.model
    def _find_catchall_candidates(self):
        """Return the mailboxes that may be the catch-all, though nobody said so; likeliest first.

        Those of a catchall address, and those whose mail only aliases find the way for.
        """
        addresses = set(self.env["mail.alias.domain"]._get_catchall_addresses())
        mailboxes = self.search([("is_catchall", "=", False), ("server_type", "!=", "local")])
        mailboxes = mailboxes.filtered(lambda m: m.user in addresses or not m.object_id)
        return mailboxes.sorted(lambda m: m.user not in addresses)

    def _get_recipient_settings(self):
        """Return the names of recipient headers, and the addresses of the catchall itself."""
        own = [self.user] if "@" in (self.user or "") else []
        # written as in a mail too, with the colon
        names = [name for name in re.split(r"[\s,;:]+", self.recipient_headers or "") if name]
        catchalls = self.env["mail.alias.domain"]._get_catchall_addresses()
        return names or list(RECIPIENT_HEADERS), own + catchalls

    # ------------------------------------------------------------
    # FETCHING
    # ------------------------------------------------------------

    def _fetch_mails(self):
        """Let the scheduled action leave a mailbox alone that failed a moment ago."""
        return super(FetchmailServer, self.with_context(catchall_is_scheduled=True))._fetch_mails()

    def fetch_mail(self):
        """Fetch catch-all mailboxes our way. It commits, as core's method does."""
        catchalls = self.filtered("is_catchall")
        super(FetchmailServer, self - catchalls).fetch_mail()
        if catchalls:
            catchalls._fetch_and_process()
        return True

    def _fetch_and_process(self):
        """Fetch these mailboxes and process what is waiting, within the time that Odoo gives.

        :return dict: FetchResult by mailbox
        """
        start, limit = time.monotonic(), self.env["mail.catchall.queue"]._get_time_limit()
        due = self.filtered(lambda server: server._is_due())
        results = {}
        for position, server in enumerate(due.with_context(fetchmail_cron_running=True)):
            # half of the time is for fetching, and no mailbox takes what is another's
            now = time.monotonic()
            left = max(0, start + limit / 2 - now)
            results[server] = server._fetch_catchall(now + left / (len(due) - position))
        if any(result.has_more for result in results.values()):
            self.env.ref("mail.ir_cron_mail_gateway_action")._trigger()
        self.env["mail.catchall.queue"]._process_waiting(start + limit)
        return results

    def _is_due(self):
        if self._get_connection_type() == "local":
            return False
        if not self.next_fetch or not self.env.context.get("catchall_is_scheduled"):
            return True
        now = fields.Datetime.now()
        return not now < self.next_fetch <= now + pauses.LONGEST

    def _fetch_catchall(self, until):
        """Store what is new in this mailbox until a time, as ``time.monotonic`` counts.

        :return FetchResult: an error too, that stops only this mailbox
        """
        if not self._lock_mailbox():
            _logger.info("Mailbox %s is being fetched by another process", self.name)
            return FetchResult("busy")
        try:
            # what another process stored while we waited for our turn must be seen
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.env.invalidate_all()
            return self._fetch_locked(until)
        finally:
            self._unlock_mailbox()

    def _fetch_locked(self, until):
        """Fetch, and note how it went. What was stored before an error is committed already."""
        try:
            result = MailboxReader(self, self._open_mailbox()).read_new(until)
            # whoever saved the form meanwhile must not make an error of it
            self.env.cr.commit()  # pylint: disable=invalid-commit
            self.write(self._prepare_success(result))
            self._close_activities()
            _logger.info("Fetched %d email(s) from mailbox %s", result.count, self.name)
        except Exception as error:
            _logger.warning("Mailbox %s could not be fetched", self.name, exc_info=True)
            self.env.cr.rollback()
            result = FetchResult("error", text=self._describe_error(error))
            self.write(self._prepare_error(result))
            self._alarm_managers()
        # released to others only when they can see it
        self.env.cr.commit()  # pylint: disable=invalid-commit
        return result

    def _lock_mailbox(self):
        """Take the mailbox for this process: two at once would store every mail twice."""
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [self._name, self.id])
        return self.env.cr.fetchone()[0]

    def _unlock_mailbox(self):
        # a transaction that failed unlocks nothing, and the lock would outlive it
        self.env.cr.rollback()
        self.env.cr.execute("SELECT pg_advisory_unlock(hashtext(%s), %s)", [self._name, self.id])
        # nothing to write; leaves no transaction open
        self.env.cr.commit()  # pylint: disable=invalid-commit

    def _open_mailbox(self):
        """Connect, by core's method that other modules extend (Gmail, Outlook)."""
        connection = self.connect()
        if self._get_connection_type() == "pop":
            return PopMailbox(connection)
        return ImapMailbox(
            connection, self.folder or "INBOX", self.after_fetch, self.archive_folder or ""
        )

    def _prepare_success(self, result):
        now = fields.Datetime.now()
        return {
            "date": now,
            "last_success": now,
            "last_error": result.text or False,
            "error_count": 0,
            "error_since": False,
            "next_fetch": False,
        }

    def _prepare_error(self, result):
        now = fields.Datetime.now()
        count = self.error_count + 1
        return {
            "date": now,
            "last_error": result.text,
            "error_count": count,
            "error_since": self.error_since or now,
            "next_fetch": now + pauses.pause_after("mailbox", count),
        }

    def _alarm_managers(self):
        """Tell those who can mend it, once, that a mailbox fails for a day."""
        if not self.activity_ids and fields.Datetime.now() - self.error_since >= ALARM_AFTER:
            self._schedule_for_managers(_("Mailbox %s cannot be read", self.name), self.last_error)

    def _describe_error(self, error):
        return FetchWords(self).describe_error(error)

    # ------------------------------------------------------------
    # FOR A LISTENER
    # ------------------------------------------------------------

    @api.model
    def _notify_listeners(self):
        """Tell all listeners that mailboxes changed, when this transaction is committed."""
        self.env.cr.execute("SELECT pg_notify(%s, '')", [CHANNEL])

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
        """Return how many MB this mailbox takes, without one the largest that any takes; or 0."""
        servers = self or self.search([("is_catchall", "=", True)])
        sizes = servers.mapped("max_message_size")
        return max(sizes) if sizes and all(sizes) else 0

    def _fetch_for_listener(self):
        """Fetch this mailbox now, unless it failed a moment ago. It commits.

        :return: seconds after which it has to be tried again, or None where nothing is left
        """
        server = self.with_context(fetchmail_cron_running=True, catchall_is_scheduled=True)
        if server._is_due():
            limit = self.env["mail.catchall.queue"]._get_time_limit()
            result = server._fetch_catchall(time.monotonic() + min(SLICE_SECONDS, limit))
            if result.code == "busy":
                # who reads it may have looked before the mail came that we were told of
                return BUSY_SECONDS
            if result.code == "fetched":
                return 0 if result.has_more else None
        pause = (self.next_fetch or fields.Datetime.now()) - fields.Datetime.now()
        return max(BUSY_SECONDS, pause.total_seconds())
