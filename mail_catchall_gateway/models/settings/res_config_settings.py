from odoo import _, api, fields, models
from odoo.exceptions import ValidationError
from odoo.tools import format_datetime

from ...tools.message.header_text import one_line
from ..inbound.mail_catchall_inbound import OPEN_STATES

FETCH_ACTION = "mail.ir_cron_mail_gateway_action"
MAILBOXES_ACTION = "mail_catchall_gateway.fetchmail_server_action_catchall"
REVIEW_ACTION = "mail_catchall_gateway.mail_catchall_inbound_action_review"
RETENTION_FIELDS = {
    "catchall_delivered_days": "mail_catchall_gateway.delivered_days",
    "catchall_ignored_days": "mail_catchall_gateway.ignored_days",
}
DAYS_FIELDS = [*RETENTION_FIELDS, "catchall_renamed_alias_days", "catchall_reply_days"]
COUNT_FIELDS = ["catchall_loop_threshold", "catchall_loop_minutes", "catchall_fetch_interval"]
#: Fields of the company's alias domain, by that of the settings.
DOMAIN_FIELDS = {
    f"catchall_{name}": name
    for name in (
        "unrouted_policy",
        "unrouted_alias_id",
        "unrouted_autocorrect",
        "accepted_domain_names",
        "subaddress_separator",
        "authentication_policy",
        "from_policy",
        "from_address",
        "signed_reply_to",
    )
}


class ResConfigSettings(models.TransientModel):
    """The gateway where an administrator looks for it: policies, numbers, and how it is."""

    _inherit = "res.config.settings"

    catchall_state = fields.Json(compute="_compute_catchall_state")

    catchall_automatic_alias = fields.Boolean(
        "Messaging aliases for new users",
        config_parameter="mail_catchall_gateway.automatic_alias",
        help="Give every new internal user a messaging alias made of his name.",
    )
    catchall_renamed_alias_days = fields.Integer(
        "Days to receive at a former name",
        help="When a messaging alias is renamed, mail to the former name still arrives for so "
        "many days. 0 gives it up at once.",
    )

    catchall_review_spam = fields.Boolean(
        "Keep marked spam for review",
        config_parameter="mail_catchall_gateway.review_spam",
        help="Mail that your mail server marked as spam waits for review.",
    )
    catchall_loop_threshold = fields.Integer(
        "Mails before a sender is stopped",
        config_parameter="mail.gateway.loop.threshold",
        default=20,
        help="Who writes more mails than this within so many minutes, on one document or opening "
        "something new, is taken for a machine that answers ours.",
    )
    catchall_loop_minutes = fields.Integer(
        "Minutes in which they are counted",
        config_parameter="mail.gateway.loop.minutes",
        default=120,
    )
    catchall_reply_days = fields.Integer(
        "Days in which anybody may answer",
        config_parameter="mail_catchall_gateway.reply_days",
        help="An answer to an older message opens its thread only to those who had part in it, or "
        "to whom the message was sent with a signed address. From anybody else it is a new mail. "
        "0 is without limit.",
    )
    catchall_delivered_days = fields.Integer(
        "Days to keep the source of delivered mail",
        help="Then only what came in, when and for whom stays listed. 0 keeps it for ever.",
    )
    catchall_ignored_days = fields.Integer(
        "Days to keep the source of ignored mail",
        help="And of mail that was sent back or discarded. 0 keeps it for ever. Mail for review, "
        "and mail that failed, is always kept.",
    )
    catchall_domain_allowed = fields.Char(
        "Other domains whose local parts count",
        help="For aliases that are found by what stands before the @ alone: domains, separated "
        "by commas, in which that counts beside your own.",
    )

    catchall_fetch_interval = fields.Integer(
        "Look for mail every",
        help="How often the mailboxes are read. A mail waits for so long at most.",
    )
    catchall_fetch_unit = fields.Selection(
        lambda self: self.env["ir.cron"]._fields["interval_type"]._description_selection(self.env),
        "Unit of time",
    )

    catchall_unrouted_policy = fields.Selection(
        related="alias_domain_id.unrouted_policy", readonly=False
    )
    catchall_unrouted_alias_id = fields.Many2one(
        related="alias_domain_id.unrouted_alias_id",
        readonly=False,
        domain="[('alias_domain_id', '=', alias_domain_id)]",
    )
    catchall_unrouted_autocorrect = fields.Boolean(
        related="alias_domain_id.unrouted_autocorrect", readonly=False
    )
    catchall_accepted_domain_names = fields.Char(
        related="alias_domain_id.accepted_domain_names", readonly=False
    )
    catchall_subaddress_separator = fields.Char(
        related="alias_domain_id.subaddress_separator", readonly=False
    )
    catchall_authentication_policy = fields.Selection(
        related="alias_domain_id.authentication_policy", readonly=False
    )
    catchall_from_policy = fields.Selection(related="alias_domain_id.from_policy", readonly=False)
    catchall_from_address = fields.Char(related="alias_domain_id.from_address", readonly=False)
    catchall_signed_reply_to = fields.Boolean(
        related="alias_domain_id.signed_reply_to", readonly=False
    )

    # ------------------------------------------------------------
    # COMPUTE, CONSTRAINTS
    # ------------------------------------------------------------

    @api.depends("company_id")
    def _compute_catchall_state(self):
        for settings in self:
            settings.catchall_state = settings._prepare_catchall_state()

    @api.constrains(*DAYS_FIELDS, *COUNT_FIELDS)
    def _check_numbers(self):
        for settings in self:
            if any(settings[name] < 0 for name in DAYS_FIELDS):
                raise ValidationError(_("A number of days cannot be negative."))
            if any(settings[name] < 1 for name in COUNT_FIELDS):
                raise ValidationError(_("Numbers of mails and minutes have to be at least 1."))

    # ------------------------------------------------------------
    # CRUD
    # ------------------------------------------------------------

    @api.model_create_multi
    def create(self, vals_list):
        policies = [self._split_policies(vals) for vals in vals_list]
        records = super().create([others for others, _policies in policies])
        for settings, (_others, values) in zip(records, policies, strict=True):
            settings._write_policies(values)
        return records

    def write(self, vals):
        others, policies = self._split_policies(vals)
        res = super().write(others)
        for settings in self:
            settings._write_policies(policies)
        return res

    def action_open_catchall_description(self):
        """Return the action that opens the page of the addon, as the Apps menu does."""
        return {
            "type": "ir.actions.act_window",
            "res_model": "ir.module.module",
            "res_id": self.env.ref("base.module_mail_catchall_gateway").id,
            "views": [(self.env.ref("base.module_form").id, "form")],
        }

    # ------------------------------------------------------------
    # VALUES
    # ------------------------------------------------------------

    @api.model
    def get_values(self):
        values = super().get_values()
        retention = self.env["mail.catchall.retention"]
        for field, key in RETENTION_FIELDS.items():
            values[field] = retention._get_retention_days(key)
        values["catchall_renamed_alias_days"] = self.env["mail.alias"]._get_renamed_alias_days()
        # sudo: core reads system parameters so too; for administrators
        parameters = self.env["ir.config_parameter"].sudo()
        values["catchall_domain_allowed"] = parameters.get_param("mail.catchall.domain.allowed")
        action = self._get_fetch_action()
        values["catchall_fetch_interval"] = action.interval_number or 5
        values["catchall_fetch_unit"] = action.interval_type or "minutes"
        return values

    def set_values(self):
        res = super().set_values()
        set_param = self.env["ir.config_parameter"].set_param
        # not by config_parameter: a 0 would delete the parameter, and bring the default back
        set_param("mail_catchall_gateway.renamed_alias_days", str(self.catchall_renamed_alias_days))
        for field, key in RETENTION_FIELDS.items():
            set_param(key, str(self[field]))
        # nor this: core refuses to save an empty one, and means none by its absence
        allowed = (self.catchall_domain_allowed or "").strip()
        set_param("mail.catchall.domain.allowed", allowed or False)
        action = self._get_fetch_action()
        wanted = {
            "interval_number": self.catchall_fetch_interval,
            "interval_type": self.catchall_fetch_unit,
        }
        # it cannot be written while it runs: not without need
        if action and any(action[name] != value for name, value in wanted.items()):
            action.write(wanted)
        return res

    @api.model
    def _split_policies(self, vals):
        """Return the values for the settings themselves, and those for the alias domain."""
        policies = {name: vals[key] for key, name in DOMAIN_FIELDS.items() if key in vals}
        return {key: vals[key] for key in vals.keys() - DOMAIN_FIELDS.keys()}, policies

    def _write_policies(self, values):
        """Write what changed to the alias domain, at once: some of it is valid only together.

        Related fields are written one by one, and before or after the domain itself is changed.
        """
        domain = self.company_id.alias_domain_id
        if not domain or not values:
            return
        (old,) = domain.read(list(values), load=None)  # many2one fields as ids
        changed = {name: value for name, value in values.items() if value != old[name]}
        if changed:
            domain.write(changed)

    @api.model
    def _get_fetch_action(self):
        action = self.env.ref(FETCH_ACTION, raise_if_not_found=False)
        # somebody may have deleted it; sudo: its interval is read and written, by administrators
        return (action or self.env["ir.cron"]).sudo()

    # ------------------------------------------------------------
    # STATE
    # ------------------------------------------------------------

    def _prepare_catchall_state(self):
        """Return a row for each part of the gateway: its state, and the action that leads there."""
        guide = self.env["mail.catchall.setup"]._find(self.company_id)
        sending = self._check_unsent() or (guide.smtp_state, guide._describe_smtp())
        rows = [
            (_("Domain"), guide.domain_state, guide.domain_text, "mail.mail_alias_domain_action"),
            (_("Mailbox"), guide.mailbox_state, guide.mailbox_text, MAILBOXES_ACTION),
            (_("Sending"), *sending, "base.action_ir_mail_server_list"),
            (_("Aliases"), guide.aliases_state, guide.aliases_text, "base.action_res_users"),
            (_("Last fetch"), *self._check_last_fetch(), MAILBOXES_ACTION),
            (_("To review"), *self._check_waiting(), REVIEW_ACTION),
        ]
        return [
            {"label": label, "state": state, "text": text, "action": action}
            for label, state, text, action in rows
        ]

    def _check_last_fetch(self):
        mailboxes = self.env["fetchmail.server"].search(
            [("is_catchall", "=", True), ("state", "=", "done")]
        )
        if not mailboxes:
            return "todo", _("No mailbox is read yet.")
        if not self._get_fetch_action().active:
            return "error", _("The scheduled action that fetches mail is switched off.")
        failing = mailboxes.filtered("error_count")[:1]
        if failing:
            return "error", f"{failing.name}: {failing.last_error}"
        latest = max(filter(None, mailboxes.mapped("last_success")), default=None)
        if not latest:
            return "todo", _("Nothing was fetched yet.")
        yesterday = fields.Datetime.subtract(latest, days=1)
        count = self._count_inbound([("create_date", ">", yesterday)])
        date = format_datetime(self.env, latest, dt_format="short")
        return "ok", _("%(date)s. Mails within a day: %(count)s", date=date, count=count)

    def _check_unsent(self):
        """Return that mails wait for their mail server, and why: (state, text), or None."""
        # sudo: how many wait and why; core shows both to administrators in its list of emails
        mails = self.env["mail.mail"].sudo()
        domain = mails._get_waiting_domain()
        latest = mails.search(domain, order="scheduled_date desc", limit=1)
        if not latest:
            return None
        text = _(
            "Emails that no mail server takes for now: %(count)s. They are tried again. %(error)s",
            count=mails.search_count(domain),
            error=one_line(latest.failure_reason),
        )
        return "error", text

    def _check_waiting(self):
        waiting = self._count_inbound([("state", "in", OPEN_STATES)])
        if not waiting:
            return "ok", _("Nothing.")
        return "todo", _("Mails that wait for a decision: %s", waiting)

    def _count_inbound(self, domain):
        companies = [("company_id", "in", [self.company_id.id, False])]
        # sudo: how many there are is no secret to an administrator; what they are may be
        return self.env["mail.catchall.inbound"].sudo().search_count([*companies, *domain])
