import re

from odoo import _, api, fields, models
from odoo.exceptions import ValidationError

from ...tools.addresses.recipients import RECIPIENT_HEADERS

#: Fields whose change may mend what is wrong: the mailbox is tried again at once.
CONNECTION_FIELDS = {"server", "port", "is_ssl", "user", "password", "server_type"} | {
    "folder",
    "archive_folder",
    "after_fetch",
    "state",
}


class FetchmailServer(models.Model):
    """A catch-all mailbox: what is set about it. How it is read: ``fetchmail_server_fetch.py``."""

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

    # ------------------------------------------------------------
    # CONSTRAINTS
    # ------------------------------------------------------------

    @api.constrains("is_catchall", "after_fetch", "archive_folder", "folder")
    def _check_archive_folder(self):
        for server in self.filtered(lambda s: s.is_catchall and s.after_fetch == "move"):
            if not server.archive_folder:
                raise ValidationError(
                    _("Name the folder that mail from %s is moved to.", server.display_name)
                )
            folders = [server.archive_folder, server.folder or "INBOX"]
            # RFC 3501, 5.1: that one name in any case
            folders = ["INBOX" if name.upper() == "INBOX" else name for name in folders]
            if folders[0] == folders[1]:
                raise ValidationError(
                    _("Mail from %s cannot be moved to where it is.", server.display_name)
                )

    @api.constrains("folder", "archive_folder")
    def _check_folders(self):
        for name in filter(None, [*self.mapped("folder"), *self.mapped("archive_folder")]):
            if not name.isprintable():
                raise ValidationError(_("The name of a folder has no line breaks."))

    @api.constrains("batch_size", "trusted_hops", "max_message_size", "leave_days")
    def _check_numbers(self):
        if any(not 1 <= server.batch_size <= 500 for server in self):
            raise ValidationError(_("A batch holds at least one mail, and at most 500."))
        numbers = ("trusted_hops", "max_message_size", "leave_days")
        if any(server[name] < 0 for server in self for name in numbers):
            raise ValidationError(_("A number of lines, megabytes or days cannot be negative."))

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    def write(self, values):
        """Try a mailbox again at once when somebody changed how it is reached."""
        if CONNECTION_FIELDS & values.keys() and "next_fetch" not in values:
            values = {**values, "next_fetch": False}
        return super().write(values)

    # ------------------------------------------------------------
    # FINDING
    # ------------------------------------------------------------

    @api.model
    def _find_catchall_candidates(self):
        """Return the mailboxes that may be the catch-all, though nobody said so; likeliest first.

        Those of a catchall address, and those whose mail only aliases find the way for.
        """
        addresses = set(self.env["mail.alias.domain"]._get_catchall_addresses())
        mailboxes = self.search([("is_catchall", "=", False), ("server_type", "!=", "local")])
        mailboxes = mailboxes.filtered(lambda m: m.user in addresses or not m.object_id)
        return mailboxes.sorted(lambda m: m.user not in addresses)

    # ------------------------------------------------------------
    # RECIPIENTS
    # ------------------------------------------------------------

    def _get_recipient_settings(self):
        """Return the names of recipient headers, and the addresses of the mailbox itself.

        A mail that the mailbox's own address is all that is known of was written to the catchall.
        """
        own = [self.user] if "@" in (self.user or "") else []
        # written as in a mail too, with the colon
        names = [name for name in re.split(r"[\s,;:]+", self.recipient_headers or "") if name]
        catchalls = self.env["mail.alias.domain"]._get_catchall_addresses()
        return names or list(RECIPIENT_HEADERS), own + catchalls
