from odoo import _, api, fields, models, tools

from ...tools.mailbox.mail_providers import find_provider, get_provider
from .mail_catchall_setup import STATES

#: Fields of the guide that show a field of its server, which they name.
MAILBOX_FIELDS = {
    "mailbox_server": "server",
    "mailbox_port": "port",
    "mailbox_ssl": "is_ssl",
    "mailbox_user": "user",
}
SMTP_FIELDS = {
    "smtp_host": "smtp_host",
    "smtp_port": "smtp_port",
    "smtp_encryption": "smtp_encryption",
    "smtp_user": "smtp_user",
    "smtp_from_filter": "from_filter",
}
SHOWN_FIELDS = {*MAILBOX_FIELDS, *SMTP_FIELDS, "mailbox_password", "smtp_password"}
#: What is likely for a server that is not set up yet.
MAILBOX_DEFAULTS = {"port": 993, "is_ssl": True}
SMTP_DEFAULTS = {"smtp_port": 587, "smtp_encryption": "starttls"}


class MailCatchallSetup(models.Model):
    """The steps that log in: the catch-all mailbox and the SMTP account."""

    _inherit = "mail.catchall.setup"

    # mailbox
    mailbox_id = fields.Many2one(
        "fetchmail.server",
        domain=[("server_type", "!=", "local")],
        ondelete="set null",
        help="Leave it empty to set up a new server.",
    )
    mailbox_type = fields.Selection(related="mailbox_id.server_type")
    mailbox_server = fields.Char("IMAP Server", compute="_compute_mailbox", readonly=False)
    mailbox_port = fields.Integer("IMAP Port", compute="_compute_mailbox", readonly=False)
    mailbox_ssl = fields.Boolean("SSL/TLS", compute="_compute_mailbox", readonly=False)
    mailbox_user = fields.Char("User", compute="_compute_mailbox", readonly=False)
    mailbox_password = fields.Char("Password", compute="_compute_passwords", readonly=False)
    mailbox_folder_ids = fields.One2many("mail.catchall.setup.folder", "setup_id", readonly=True)
    mailbox_folder_id = fields.Many2one(
        "mail.catchall.setup.folder",
        "Folder",
        compute="_compute_mailbox_folder_id",
        inverse="_inverse_mailbox_folder_id",
        domain="[('setup_id', '=', id)]",
        help="The folder that mail for all addresses arrives in. Nearly always the inbox.",
    )
    mailbox_error = fields.Text(readonly=True)
    mailbox_state = fields.Selection(STATES, compute="_compute_mailbox_state")
    mailbox_text = fields.Text(compute="_compute_mailbox_state")
    # SMTP account
    smtp_id = fields.Many2one(
        "ir.mail_server",
        "SMTP Account",
        ondelete="set null",
        help="Leave it empty to set up a new server.",
    )
    smtp_host = fields.Char("SMTP Server", compute="_compute_smtp", readonly=False)
    smtp_port = fields.Integer("SMTP Port", compute="_compute_smtp", readonly=False)
    smtp_encryption = fields.Selection(
        lambda self: (
            self.env["ir.mail_server"]._fields["smtp_encryption"]._description_selection(self.env)
        ),
        "Encryption",
        compute="_compute_smtp",
        readonly=False,
    )
    smtp_user = fields.Char("SMTP User", compute="_compute_smtp", readonly=False)
    smtp_password = fields.Char("SMTP Password", compute="_compute_passwords", readonly=False)
    smtp_from_filter = fields.Char(
        "May Send As",
        compute="_compute_smtp",
        readonly=False,
        help="Domains and addresses, separated by commas, that the account may send as. For mail "
        "from others Odoo replaces the sender.",
    )
    smtp_state = fields.Selection(STATES, default="todo", readonly=True)
    smtp_text = fields.Text(
        readonly=True,
        default=lambda self: _("Enter how the account is reached, then press Log In."),
    )

    # ------------------------------------------------------------
    # COMPUTE AND ONCHANGE
    # ------------------------------------------------------------

    @api.depends(*(f"mailbox_id.{name}" for name in MAILBOX_FIELDS.values()))
    def _compute_mailbox(self):
        for guide in self:
            for name, shown in MAILBOX_FIELDS.items():
                default = False if guide.mailbox_id else MAILBOX_DEFAULTS.get(shown, False)
                guide[name] = guide.mailbox_id[shown] or default

    @api.depends(*(f"smtp_id.{name}" for name in SMTP_FIELDS.values()))
    def _compute_smtp(self):
        for guide in self:
            for name, shown in SMTP_FIELDS.items():
                default = False if guide.smtp_id else SMTP_DEFAULTS.get(shown, False)
                guide[name] = guide.smtp_id[shown] or default

    def _compute_passwords(self):
        """Passwords are only written: none is sent to the browser."""
        self.mailbox_password = False
        self.smtp_password = False

    @api.depends("mailbox_id.folder", "mailbox_folder_ids")
    def _compute_mailbox_folder_id(self):
        for guide in self:
            name = guide.mailbox_id.folder or "INBOX"
            folders = guide.mailbox_folder_ids.filtered(lambda f, n=name: f.name == n)
            guide.mailbox_folder_id = folders[:1]

    def _inverse_mailbox_folder_id(self):
        for guide in self.filtered("mailbox_folder_id"):
            guide.mailbox_id.folder = guide.mailbox_folder_id.name

    @api.depends(
        "mailbox_error",
        "mailbox_id.state",
        "mailbox_id.active",
        "mailbox_id.is_catchall",
        "mailbox_id.last_error",
        "mailbox_id.last_success",
    )
    def _compute_mailbox_state(self):
        for guide in self:
            guide.mailbox_state, guide.mailbox_text = guide._check_mailbox()

    def _check_mailbox(self):
        """Return state and text of the step of the mailbox."""
        mailbox = self.mailbox_id
        if not mailbox.server and mailbox.server_type in (False, "imap", "pop"):
            return "todo", _("Enter how the mailbox is reached, then press Log In.")
        if self.mailbox_error:
            return "error", self.mailbox_error
        if mailbox.state != "done" or not mailbox.is_catchall:
            return "todo", _("Press Log In to see whether it works.")
        if not mailbox.active:
            return "error", _("The mailbox %s is archived.", mailbox.name)
        if mailbox.last_error:
            return "error", _("The last fetch failed. %s", mailbox.last_error)
        if not mailbox.last_success:
            return "ok", _("%s is read from now on. Nothing was fetched yet.", mailbox.name)
        date = tools.format_datetime(self.env, mailbox.last_success)
        return "ok", _("%(name)s is read. Last fetch: %(date)s", name=mailbox.name, date=date)

    @api.onchange("mailbox_provider")
    def _onchange_mailbox_provider(self):
        provider = get_provider(self.mailbox_provider)
        if not self.smtp_id and not self.smtp_host:
            self.smtp_provider = self.mailbox_provider
            self._onchange_smtp_provider()
        if provider.imap_host:
            self.mailbox_server, self.mailbox_port = provider.imap_host, 993
            self.mailbox_ssl = True

    @api.onchange("mailbox_ssl")
    def _onchange_mailbox_ssl(self):
        if self.mailbox_port in (0, 143, 993):
            self.mailbox_port = 993 if self.mailbox_ssl else 143

    @api.onchange("smtp_provider")
    def _onchange_smtp_provider(self):
        provider = get_provider(self.smtp_provider)
        if provider.smtp_host:
            self.smtp_host, self.smtp_port = provider.smtp_host, provider.smtp_port
            self.smtp_encryption = provider.smtp_encryption

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model
    def _prepare_guide(self, company):
        values = super()._prepare_guide(company)
        mailboxes = self.env["fetchmail.server"].search([("is_catchall", "=", True)])
        taken = self.search([]).mailbox_id  # pylint: disable=no-search-all
        mailbox = (mailboxes - taken)[:1] or mailboxes[:1]
        mailbox = mailbox or self.env["fetchmail.server"]._find_catchall_candidates()[:1]
        accounts = self.env["ir.mail_server"].search([])  # pylint: disable=no-search-all
        name = company.alias_domain_id.name
        named = accounts.filtered(lambda a: name and name in (a.from_filter or "").split(","))
        account = named[:1] or accounts[:1]
        return {
            **values,
            "mailbox_id": mailbox.id,
            "mailbox_provider": find_provider(mailbox.server).code,
            "smtp_id": account.id,
            "smtp_provider": find_provider(account.smtp_host).code,
        }

    def write(self, vals):
        """Write what is shown of a server to it; one that is not there yet is set up.

        What is reached in another way than before has to log in again.
        """
        mailbox_vals = self._pick(vals, {**MAILBOX_FIELDS, "mailbox_password": "password"})
        smtp_vals = self._pick(vals, {**SMTP_FIELDS, "smtp_password": "smtp_pass"})
        others = {name: vals[name] for name in vals if name not in SHOWN_FIELDS}
        res = super().write(others)
        for guide in self:
            if mailbox_vals or "mailbox_id" in vals:
                guide._write_mailbox(mailbox_vals)
            if smtp_vals or "smtp_id" in vals:
                guide._write_smtp(smtp_vals)
        return res

    @api.model
    def _pick(self, vals, names):
        """Return the values for a server; an empty password is none that was entered."""
        picked = {shown: vals[name] for name, shown in names.items() if name in vals}
        passwords = ("password", "smtp_pass")
        return {name: value for name, value in picked.items() if value or name not in passwords}

    def _write_mailbox(self, values):
        self.mailbox_error = False
        if self.mailbox_id:
            if any(self.mailbox_id[name] != value for name, value in values.items()):
                self.mailbox_id.write({**values, "state": "draft"})
        elif values.get("server"):
            name = _("Catch-all %s", self.alias_domain_id.name or self.company_id.name)
            values = {"name": name, "server_type": "imap", **MAILBOX_DEFAULTS, **values}
            self.mailbox_id = self.env["fetchmail.server"].create(values)

    def _write_smtp(self, values):
        self.smtp_state = "todo"
        self.smtp_text = _("Press Log In to see whether it works.")
        if self.smtp_id:
            self.smtp_id.write(values)
        elif values.get("smtp_host"):
            domain = self.alias_domain_id.name
            values = {"name": domain or self.company_id.name, **SMTP_DEFAULTS, **values}
            # so that Odoo knows that it may send as any address of it
            values["from_filter"] = values.get("from_filter") or domain
            # no mail shall leave by it before somebody could log in
            values["active"] = False
            self.smtp_id = self.env["ir.mail_server"].create(values)


class MailCatchallSetupFolder(models.Model):
    """A folder of the mailbox, as its server listed it."""

    _name = "mail.catchall.setup.folder"
    _description = "Folder of the Catch-all Mailbox"
    _order = "id"

    setup_id = fields.Many2one("mail.catchall.setup", required=True, ondelete="cascade")
    name = fields.Char(required=True)
