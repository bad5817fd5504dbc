from odoo import _, api, fields, models

from ...tools.addresses.addresses import is_domain_name
from ...tools.mailbox.mail_providers import PROVIDERS, dns_records, get_provider

STEPS = ("domain", "mailbox", "smtp", "aliases", "test")
STATES = [("todo", "To Do"), ("ok", "Done"), ("error", "Problem")]


class MailCatchallSetup(models.Model):
    """Leads an administrator from nothing to a gateway that works: one guide for each company.

    It holds only what is not held elsewhere: what it shows of the alias domain, the mailbox and
    the SMTP account are their own fields. So it can be left, resumed and run again at any time.
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
    domain_state = fields.Selection(STATES, compute="_compute_domain_state")
    domain_text = fields.Text(compute="_compute_domain_state")
    # aliases
    aliases_state = fields.Selection(STATES, compute="_compute_aliases_state")
    aliases_text = fields.Text(compute="_compute_aliases_state")

    _sql_constraints = [
        ("company_uniq", "UNIQUE(company_id)", "A company has one setup guide."),
    ]

    @api.model
    def _get_provider_selection(self):
        """Return the providers whose settings are known, and that there are others."""
        providers = [(provider.code, provider.name) for provider in PROVIDERS]
        return [*providers, ("other", _("Another provider"))]

    # ------------------------------------------------------------
    # COMPUTE
    # ------------------------------------------------------------

    @api.depends("company_id")
    def _compute_display_name(self):
        for guide in self:
            guide.display_name = _("Setup Guide")

    @api.depends("alias_domain_id", "alias_domain_id.name")
    def _compute_domain_state(self):
        for guide in self:
            guide.domain_state, guide.domain_text = guide._check_domain()

    def _check_domain(self):
        """Return state and text of the first step."""
        name = self.alias_domain_id.name
        if not name:
            return "todo", _("Enter the domain of your addresses, like acme.com.")
        if not is_domain_name(name):
            return "error", _("“%s” is not the name of a domain. It is like acme.com.", name)
        return "ok", _("The addresses of your employees end in @%s.", name)

    @api.depends("alias_domain_id", "alias_domain_id.name", "mailbox_provider", "smtp_provider")
    def _compute_dns_records(self):
        for guide in self:
            guide.dns_records = guide._prepare_dns_records()

    def _prepare_dns_records(self):
        """Return the DNS records to enter, each with what it is for."""
        if self._check_domain()[0] != "ok":
            return []
        receiving = get_provider(self.mailbox_provider)
        sending = get_provider(self.smtp_provider)
        purposes = {
            "mx": _("MX: where mail for the domain is delivered."),
            "spf": _("SPF: who may send for the domain. A domain has only one such record."),
            "dkim": _("DKIM: the key with which your mail is signed. Your provider shows it."),
            "dmarc": _(
                "DMARC: what others do with mail that passes neither SPF nor DKIM. p=none asks "
                "them to do nothing yet."
            ),
        }
        return [
            {
                "purpose": purposes[record.purpose],
                "name": record.name,
                "type": record.type,
                "value": record.value,
            }
            for record in dns_records(self.alias_domain_id.name, receiving, sending)
        ]

    @api.depends("alias_domain_id")
    def _compute_aliases_state(self):
        for guide in self:
            guide.aliases_state, guide.aliases_text = guide._check_aliases()

    def _check_aliases(self):
        """Return state and text of the step that gives aliases."""
        users = self.env["res.users"].search(
            [("share", "=", False), ("company_id", "=", self.company_id.id)]
        )
        served = users.filtered("alias_email")
        if not self.alias_domain_id:
            return "todo", _("Enter the domain first.")
        if not served:
            return "todo", _("Nobody has a messaging alias yet (users: %s).", len(users))
        if served == users:
            return "ok", _("Everybody has a messaging alias (%s).", len(users))
        missing = ", ".join((users - served)[:5].mapped("name"))
        if len(users - served) > 5:
            missing += "..."
        return "ok", _(
            "%(count)s of %(total)s users have a messaging alias. Not yet: %(names)s",
            count=len(served),
            total=len(users),
            names=missing,
        )

    # ------------------------------------------------------------
    # ACTIONS
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
        return {"company_id": company.id}

    @api.model
    def action_open(self):
        """Open the guide of the current company where it was left."""
        company = self.env.company
        guide = self.search([("company_id", "=", company.id)], limit=1)
        guide = guide or self.create(self._prepare_guide(company))
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_catchall_gateway.mail_catchall_setup_action"
        )
        return {**action, "res_id": guide.id}

    def action_check_domain(self):
        """Show what the check says of what was entered: the form is saved before."""

    def action_next(self):
        """Go on to the next step, done or not: everything can be done in any order."""
        self.ensure_one()
        position = STEPS.index(self.step) + 1
        if position < len(STEPS):
            self.step = STEPS[position]

    def action_back(self):
        self.ensure_one()
        self.step = STEPS[max(STEPS.index(self.step) - 1, 0)]

    def action_give_aliases(self):
        """Open the wizard that proposes and gives aliases."""
        return self.env["ir.actions.act_window"]._for_xml_id(
            "mail_catchall_gateway.mail_catchall_alias_wizard_action"
        )

    def action_show_aliases(self):
        """Show the users, and who has which alias."""
        return self.env["ir.actions.act_window"]._for_xml_id("base.action_res_users")
