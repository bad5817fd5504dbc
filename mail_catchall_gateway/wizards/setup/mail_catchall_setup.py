from odoo import _, api, fields, models, tools
from odoo.exceptions import UserError

from ...tools.addresses.addresses import is_domain_name
from ...tools.mailbox.mail_providers import PROVIDERS, find_provider, get_provider
from .mail_catchall_setup_servers import MAILBOX_DEFAULTS, SMTP_DEFAULTS

STATES = [("todo", "To Do"), ("ok", "Done"), ("error", "Problem")]
#: Fields of the guide that show a field of its server, which they name.
MAILBOX_FIELDS = {
    "mailbox_server": "server",
    "mailbox_port": "port",
    "mailbox_ssl": "is_ssl",
    "mailbox_user": "user",
    "mailbox_folder": "folder",
}
SMTP_FIELDS = {
    "smtp_host": "smtp_host",
    "smtp_port": "smtp_port",
    "smtp_encryption": "smtp_encryption",
    "smtp_user": "smtp_user",
    "smtp_from_filter": "from_filter",
}
#: The same with the passwords, which are never shown.
MAILBOX_WRITTEN = {**MAILBOX_FIELDS, "mailbox_password": "password"}
SMTP_WRITTEN = {**SMTP_FIELDS, "smtp_password": "smtp_pass"}


class MailCatchallSetup(models.Model):
    """Leads an administrator from nothing to a gateway that works: one guide for each company.

    It holds only what is not held elsewhere, so that it can be left, resumed and run again at any
    time. What is done with servers is in ``mail.catchall.setup.servers``, the round-trip test in
    ``mail.catchall.setup.probe``.
    """

    _name = "mail.catchall.setup"
    _description = "Setup Guide of the Email Gateway"

    company_id = fields.Many2one("res.company", required=True, readonly=True, ondelete="cascade")
    step = fields.Selection(
        [
            ("domain", "Domain"),
            ("mailbox", "Catch-all Mailbox"),
            ("smtp", "SMTP Account"),
            ("aliases", "Aliases"),
            ("test", "Round-trip Test"),
        ],
        default="domain",
        required=True,
    )
    found_notes = fields.Html("Found in This Database", compute="_compute_found_notes")
    # domain
    alias_domain_id = fields.Many2one(
        "mail.alias.domain",
        "Domain",
        related="company_id.alias_domain_id",
        readonly=False,
        help="What stands behind the @ in the addresses of your employees, like acme.com.",
    )
    mailbox_provider = fields.Selection(
        "_get_provider_selection",
        default="other",
        required=True,
        help="Who has the mailbox that receives the mail for all addresses of the domain.",
    )
    smtp_provider = fields.Selection(
        "_get_provider_selection",
        "SMTP Provider",
        default="other",
        required=True,
        help="Who takes the mail that Odoo sends.",
    )
    dns_records = fields.Json(compute="_compute_dns_records")
    domain_state = fields.Selection(STATES, compute="_compute_states")
    domain_text = fields.Text(compute="_compute_states")
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
    mailbox_password = fields.Char("Password", store=False)  # only written, never shown
    mailbox_folder = fields.Char(
        "Folder",
        compute="_compute_mailbox",
        readonly=False,
        help="The folder that mail for all addresses arrives in. Nearly always the inbox.",
    )
    mailbox_folders = fields.Char("Folders", readonly=True, help="As the mail server lists them.")
    mailbox_error = fields.Text(readonly=True)
    mailbox_state = fields.Selection(STATES, compute="_compute_states")
    mailbox_text = fields.Text(compute="_compute_states")
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
    smtp_password = fields.Char("SMTP Password", store=False)  # only written, never shown
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
    # aliases
    aliases_state = fields.Selection(STATES, compute="_compute_states")
    aliases_text = fields.Text(compute="_compute_states")
    # round-trip test
    test_state = fields.Selection(
        [("todo", "To Do"), ("waiting", "On Its Way"), ("ok", "Done"), ("error", "Problem")],
        default="todo",
        readonly=True,
    )
    test_text = fields.Text(
        readonly=True, default=lambda self: _("Send a test mail, when the other steps are done.")
    )
    test_findings = fields.Json(readonly=True)
    test_report = fields.Json(compute="_compute_test_report")
    is_taken_over = fields.Boolean(compute="_compute_test_report")
    probe_address = fields.Char("Test Address", readonly=True)
    probe_message_id = fields.Char(readonly=True)
    probe_sender = fields.Char(readonly=True)
    probe_started = fields.Float(readonly=True, help="Seconds since 1970.")

    _sql_constraints = [
        ("company_uniq", "UNIQUE(company_id)", "A company has one setup guide."),
    ]

    @api.model
    def _get_provider_selection(self):
        providers = [(provider.code, provider.name) for provider in PROVIDERS]
        return [*providers, ("other", _("Another provider"))]

    # ------------------------------------------------------------
    # COMPUTE: WHAT IS SHOWN
    # ------------------------------------------------------------

    @api.depends("company_id")
    def _compute_display_name(self):
        self.display_name = _("Setup Guide")

    @api.depends("company_id", "mailbox_id.is_catchall")
    def _compute_found_notes(self):
        servers = self.env["mail.catchall.setup.servers"]
        self.found_notes = servers._format_found(servers._get_found()) or False

    @api.depends("alias_domain_id.name", "mailbox_provider", "smtp_provider")
    def _compute_dns_records(self):
        servers = self.env["mail.catchall.setup.servers"]
        for guide in self:
            is_named = guide._check_domain()[0] == "ok"
            guide.dns_records = servers._prepare_dns_records(guide) if is_named else []

    @api.depends(*(f"mailbox_id.{name}" for name in MAILBOX_FIELDS.values()))
    def _compute_mailbox(self):
        for guide in self:
            for name, field in MAILBOX_FIELDS.items():
                default = MAILBOX_DEFAULTS.get(field)
                guide[name] = guide.mailbox_id[field] if guide.mailbox_id else default

    @api.depends(*(f"smtp_id.{name}" for name in SMTP_FIELDS.values()))
    def _compute_smtp(self):
        for guide in self:
            for name, field in SMTP_FIELDS.items():
                default = SMTP_DEFAULTS.get(field)
                guide[name] = guide.smtp_id[field] if guide.smtp_id else default

    @api.depends(
        "test_findings",
        "mailbox_id.trusted_hops",
        "mailbox_id.trusted_authserv_id",
        "mailbox_id.recipient_headers",
    )
    def _compute_test_report(self):
        probe = self.env["mail.catchall.setup.probe"]
        for guide in self:
            guide.test_report = guide.test_findings and probe._report(guide)
            proposal = probe._prepare_mailbox_values(guide) if guide.test_findings else {}
            guide.is_taken_over = all(
                guide.mailbox_id[name] == value for name, value in proposal.items()
            )

    # ------------------------------------------------------------
    # COMPUTE: STATE AND TEXT OF EACH STEP
    # ------------------------------------------------------------

    @api.depends(
        "alias_domain_id.name",
        "mailbox_error",
        "mailbox_id.state",
        "mailbox_id.active",
        "mailbox_id.is_catchall",
        "mailbox_id.last_error",
        "mailbox_id.last_success",
    )
    def _compute_states(self):
        for guide in self:
            # first: it is read only by users who may read the guide, the domain with all rights
            guide.mailbox_state, guide.mailbox_text = guide._check_mailbox()
            guide.domain_state, guide.domain_text = guide._check_domain()
            guide.aliases_state, guide.aliases_text = guide._check_aliases()

    def _check_domain(self):
        name = self.alias_domain_id.name
        if not name:
            return "todo", _("Enter the domain of your addresses, like acme.com.")
        if not is_domain_name(name):
            return "error", _("“%s” is not the name of a domain. It is like acme.com.", name)
        return "ok", _("The addresses of your employees end in @%s.", name)

    def _check_mailbox(self):
        mailbox = self.mailbox_id
        if not mailbox.server and mailbox.server_type in (False, "imap", "pop"):
            return "todo", _("Enter how the mailbox is reached, then press Log In.")
        if mailbox and not mailbox.active:
            return "error", _("The mailbox %s is archived.", mailbox.name)
        if self.mailbox_error:
            return "error", self.mailbox_error
        if mailbox.state != "done" or not mailbox.is_catchall:
            return "todo", _("Press Log In to see whether it works.")
        if mailbox.last_error:
            return "error", _("The last fetch failed. %s", mailbox.last_error)
        if not mailbox.last_success:
            return "ok", _("%s is read from now on. Nothing was fetched yet.", mailbox.name)
        date = tools.format_datetime(self.env, mailbox.last_success)
        return "ok", _("%(name)s is read. Last fetch: %(date)s", name=mailbox.name, date=date)

    def _check_aliases(self):
        if not self.alias_domain_id:
            return "todo", _("Enter the domain first.")
        users = self.env["res.users"].search(
            [("share", "=", False), ("company_id", "=", self.company_id.id)]
        )
        missing = users.filtered(lambda user: not user.alias_email)
        if missing == users:
            return "todo", _("Nobody has a messaging alias yet (users: %s).", len(users))
        if not missing:
            return "ok", _("Everybody has a messaging alias (%s).", len(users))
        names = ", ".join(missing[:5].mapped("name")) + ("..." if len(missing) > 5 else "")
        return "ok", _(
            "%(count)s of %(total)s users have a messaging alias. Not yet: %(names)s",
            count=len(users - missing),
            total=len(users),
            names=names,
        )

    def _describe_smtp(self):
        if not self.smtp_id.active:
            return _("There is no SMTP account that is tested.")
        if self.smtp_state == "todo":
            return _("%s was not tested by the setup guide.", self.smtp_id.name)
        if self.smtp_state == "ok":
            return _("Mail leaves by %s.", self.smtp_id.name)
        return self.smtp_text

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
    def _find(self, company=None):
        """Return the guide of a company; one that is not stored, if it was never opened."""
        company = company or self.env.company
        guide = self.search([("company_id", "=", company.id)], limit=1)
        return guide or self.new(self._prepare_guide(company))

    @api.model
    def _prepare_guide(self, company):
        """Return the values of a new guide: what is set up already is taken over."""
        servers = self.env["mail.catchall.setup.servers"]
        mailbox, account = servers._find_mailbox(), servers._find_account(company)
        return {
            "company_id": company.id,
            "mailbox_id": mailbox.id,
            "mailbox_provider": find_provider(mailbox.server).code,
            "smtp_id": account.id,
            "smtp_provider": find_provider(account.smtp_host).code,
        }

    def write(self, vals):
        """Write what is shown of a server to it; one that is not there yet is set up."""
        servers = self.env["mail.catchall.setup.servers"]
        mailbox_vals, smtp_vals = self._pick(vals, MAILBOX_WRITTEN), self._pick(vals, SMTP_WRITTEN)
        own = vals.keys() - MAILBOX_WRITTEN.keys() - SMTP_WRITTEN.keys()
        res = super().write({name: vals[name] for name in own})
        for guide in self:
            if mailbox_vals or "mailbox_id" in vals:
                servers._write_mailbox(guide, mailbox_vals)
            if smtp_vals or "smtp_id" in vals:
                servers._write_account(guide, smtp_vals)
        return res

    @api.model
    def _pick(self, vals, names):
        """Return the values for a server; an empty password was not entered."""
        return {
            field: vals[name]
            for name, field in names.items()
            if name in vals and (vals[name] or not name.endswith("_password"))
        }

    # ------------------------------------------------------------
    # ACTIONS
    # ------------------------------------------------------------

    @api.model
    def action_open(self):
        """Open the guide of the current company where it was left."""
        guide = self._find()._origin or self.create(self._prepare_guide(self.env.company))
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_catchall_gateway.mail_catchall_setup_action"
        )
        return {**action, "res_id": guide.id}

    def action_next(self):
        """Go on to the next step, done or not."""
        self._move(1)

    def action_back(self):
        self._move(-1)

    def _move(self, number):
        self.ensure_one()
        steps = self._fields["step"].get_values(self.env)
        position = steps.index(self.step) + number
        self.step = steps[min(max(position, 0), len(steps) - 1)]

    def action_check_domain(self):
        """Show what the check says: the form is saved before."""

    def action_check_mailbox(self):
        """Log in to the mailbox. From then on it is read as a catch-all."""
        self.ensure_one()
        if not self.mailbox_id:
            raise UserError(_("Enter the server, the user and the password of the mailbox first."))
        self.write(self.env["mail.catchall.setup.servers"]._log_in_mailbox(self.mailbox_id))

    def action_check_smtp(self):
        """Log in to the SMTP account, and see as whom mail would leave. Nothing is sent."""
        self.ensure_one()
        if not self.smtp_id:
            raise UserError(_("Enter the server, the user and the password first."))
        if not self.alias_domain_id:
            raise UserError(_("Enter the domain first."))
        state, text = self.env["mail.catchall.setup.servers"]._log_in_account(self)
        self.write({"smtp_state": state, "smtp_text": text})

    def action_test(self):
        """Send a test mail to a random address of the domain.

        :raise UserError: if an earlier step is missing
        """
        self.ensure_one()
        if self.domain_state != "ok" or not self.smtp_id.active or not self.mailbox_id.is_catchall:
            raise UserError(
                _("First set up the domain, log in to the mailbox, and log in to the account.")
            )
        self.env["mail.catchall.setup.probe"]._send(self)

    def action_check_now(self):
        """Fetch the mailbox and look for the test mail. It commits, as fetching does.

        :return bool: whether it is still waited for
        """
        self.ensure_one()
        if self.test_state == "waiting":
            self.env["mail.catchall.setup.probe"]._fetch_and_look(self)
        return self.test_state == "waiting"

    def action_take_over(self):
        """Set the mailbox to what was found."""
        self.ensure_one()
        if not self.test_findings:
            raise UserError(_("Run the test first."))
        probe = self.env["mail.catchall.setup.probe"]
        self.mailbox_id.write(probe._prepare_mailbox_values(self))
