import logging

from odoo import _, api, fields, models
from odoo.exceptions import UserError, ValidationError

from ..tools import imap
from ..tools.recipients import RECIPIENT_HEADERS

_logger = logging.getLogger(__name__)

#: Octets fetched together: a batch is held in memory.
BATCH_OCTETS = 10 * 1024 * 1024


class FetchmailServer(models.Model):
    """A catch-all mailbox: read by UID, stored and committed before it is acknowledged."""

    _inherit = "fetchmail.server"

    is_catchall = fields.Boolean(
        "Catch-all mailbox",
        help="This mailbox receives the mail for all addresses of a domain. Mail is stored in "
        "Odoo before the mail server may forget it, and delivered by its envelope recipient.",
    )
    folder = fields.Char(default="INBOX", help="Folder of the mailbox that is read.")
    recipient_headers = fields.Char(
        default=", ".join(RECIPIENT_HEADERS),
        help="Header fields in which your mail server names the address that a mail was "
        "delivered for, the most trusted first, separated by commas.",
    )
    trusted_hops = fields.Integer(
        help="How many Received lines your own mail servers write on top of a mail. Only what "
        "stands above them counts then, so that nobody can forge it. 0 if you do not know.",
    )
    trusted_authserv_id = fields.Char(
        "Name of the Checking Server",
        help="The name with which your mail server begins its field Authentication-Results, for "
        "instance mx.google.com. Without it Odoo believes what a mail says about its sender.",
    )
    max_message_size = fields.Integer(
        "Largest Mail",
        help="In MB. A larger mail is kept for review. 0 is without limit.",
    )
    batch_size = fields.Integer(default=50, help="Mails fetched together.")
    last_success = fields.Datetime("Last Successful Fetch", readonly=True)
    last_error = fields.Char(readonly=True)

    # ------------------------------------------------------------
    # CONSTRAINTS
    # ------------------------------------------------------------

    @api.constrains("is_catchall", "server_type")
    def _check_catchall_server_type(self):
        for server in self:
            if server.is_catchall and server._get_connection_type() != "imap":
                raise ValidationError(
                    _("The catch-all mailbox %s must be read by IMAP.", server.display_name)
                )

    @api.constrains("batch_size", "trusted_hops", "max_message_size")
    def _check_numbers(self):
        if any(server.batch_size < 1 for server in self):
            raise ValidationError(_("A batch holds at least one mail."))
        if any(server.trusted_hops < 0 or server.max_message_size < 0 for server in self):
            raise ValidationError(_("A number of lines or megabytes cannot be negative."))

    # ------------------------------------------------------------
    # FETCHING
    # ------------------------------------------------------------

    def fetch_mail(self):
        """Fetch catch-all mailboxes our way. It commits, as core's method does."""
        catchall_servers = self.filtered("is_catchall")
        super(FetchmailServer, self - catchall_servers).fetch_mail()
        for server in catchall_servers.with_context(fetchmail_cron_running=True):
            server._fetch_catchall()
        if catchall_servers:
            self.env["mail.catchall.inbound"]._process_waiting()
        return True

    def _fetch_catchall(self):
        """Store what is unseen in this mailbox. An error stops only this mailbox."""
        self.ensure_one()
        self.env.cr.execute("SELECT pg_try_advisory_lock(hashtext(%s), %s)", [self._name, self.id])
        if not self.env.cr.fetchone()[0]:
            _logger.info("Mailbox %s is being fetched by another process", self.name)
            return
        try:
            count = self._fetch_imap()
            self.write({"last_success": fields.Datetime.now(), "last_error": False})
            _logger.info("Fetched %d email(s) from mailbox %s", count, self.name)
        except Exception as error:
            _logger.warning("Mailbox %s could not be fetched", self.name, exc_info=True)
            self.env.cr.rollback()
            self.write({"last_error": str(error) or type(error).__name__})
        finally:
            self.write({"date": fields.Datetime.now()})
            self.env.cr.execute(
                "SELECT pg_advisory_unlock(hashtext(%s), %s)", [self._name, self.id]
            )
            # what was stored before an error is committed already
            self.env.cr.commit()  # pylint: disable=invalid-commit

    def _fetch_imap(self):
        """Store the unseen mails of an IMAP mailbox.

        :return int: how many
        :raise Exception: whatever the connection raises, and UserError if the server says no
        """
        connection = self.connect()
        try:
            self._imap_check(connection.select(imap.quote(self.folder or "INBOX")))
            uid_validity = (connection.response("UIDVALIDITY")[1][0] or b"").decode()
            unseen = imap.parse_search(self._imap_check(connection.uid("SEARCH", "UNSEEN")))
            count = 0
            for uids in self._imap_batches(connection, unseen):
                known = self._imap_stored(uid_validity, uids)
                new = self._imap_store(connection, uid_validity, set(uids) - known)
                # only what is committed may be acknowledged
                self.env.cr.commit()  # pylint: disable=invalid-commit
                self._imap_acknowledge(connection, known | new)
                count += len(new)
            return count
        finally:
            try:
                connection.logout()
            except Exception:
                _logger.debug("Mailbox %s did not say goodbye", self.name, exc_info=True)

    def _imap_batches(self, connection, uids):
        """Yield UIDs to fetch together, not more than memory likes."""
        for start in range(0, len(uids), 1000):
            some = imap.sequence_set(uids[start : start + 1000])
            data = self._imap_check(connection.uid("FETCH", some, "(RFC822.SIZE)"))
            yield from imap.split_batches(imap.parse_sizes(data), self.batch_size, BATCH_OCTETS)

    def _imap_key(self, uid_validity):
        """Return what tells a mail of this mailbox from all others, but for its UID."""
        return {
            "server_id": self.id,
            "folder": self.folder or "INBOX",
            "uid_validity": uid_validity,
        }

    def _imap_stored(self, uid_validity, uids):
        """Return those of the UIDs that an earlier run stored, and could not acknowledge."""
        domain = [(name, "=", value) for name, value in self._imap_key(uid_validity).items()]
        domain.append(("uid", "in", [str(uid) for uid in uids]))
        stored = self.env["mail.catchall.inbound"].sudo().search(domain)
        return {int(uid) for uid in stored.mapped("uid")}

    def _imap_store(self, connection, uid_validity, uids):
        """Fetch and store the mails of these UIDs.

        :return set: UIDs of those that the server handed over
        """
        if not uids:
            return set()
        data = connection.uid("FETCH", imap.sequence_set(uids), "(BODY.PEEK[])")
        bodies = imap.parse_bodies(self._imap_check(data))
        if left := uids - bodies.keys():
            # gone meanwhile, or seen again by the next run
            _logger.warning("Mailbox %s did not hand over UIDs %s", self.name, sorted(left))
        key = self._imap_key(uid_validity)
        self.env["mail.catchall.inbound"]._store(
            [
                (body, {**key, "uid": str(uid)})
                for uid, body in sorted(bodies.items())
                if uid in uids
            ]
        )
        return uids & bodies.keys()

    def _imap_acknowledge(self, connection, uids):
        """Tell the server that it need not show these mails again."""
        if not uids:
            return
        some = imap.sequence_set(uids)
        self._imap_check(connection.uid("STORE", some, "+FLAGS.SILENT", r"(\Seen)"))

    def _imap_check(self, response):
        """Return the data of a response, or raise what the server said instead of OK."""
        status, data = response
        if status != "OK":
            text = b" ".join(line for line in data if isinstance(line, bytes))
            raise UserError(_("The mail server answered: %s", text.decode(errors="replace")))
        return data

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def _get_recipient_settings(self):
        """Return the names of recipient headers, and the addresses of the mailbox itself.

        A mail that the mailbox's own address is all that is known of was written to the catchall.
        """
        own = [self.user] if "@" in (self.user or "") else []
        names = [name.strip() for name in (self.recipient_headers or "").split(",") if name.strip()]
        catchalls = self.env["mail.alias.domain"]._get_catchall_addresses()
        return names or list(RECIPIENT_HEADERS), own + catchalls
