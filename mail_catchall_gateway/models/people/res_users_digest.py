import datetime

from odoo import _, api, fields, models
from odoo.osv import expression

from ...tools.judging.automatic import AUTOMATIC_HEADERS

MANAGER_GROUP = "mail_catchall_gateway.group_catchall_manager"
REVIEW_ACTION = "mail_catchall_gateway.mail_catchall_inbound_action_review"
MAILBOX_ACTION = "mail_catchall_gateway.fetchmail_server_action_catchall"


class ResUsers(models.Model):
    """The daily digest: what gateway managers should look into. None when there is nothing.

    On unless a manager turns it off: a mail that waits for review is seen by nobody it is for, so
    that it must not depend on whether somebody happens to look.
    """

    _inherit = "res.users"

    is_catchall_manager = fields.Boolean(
        "Gateway Manager", compute="_compute_is_catchall_manager", compute_sudo=True
    )
    catchall_digest = fields.Boolean(
        "Daily digest of the gateway",
        default=True,
        help="An email in the morning when mail waits for review, has failed, or a catch-all "
        "mailbox cannot be read. None when there is nothing to look into.",
    )
    catchall_digest_date = fields.Date(
        "Last Digest", readonly=True, copy=False, groups="base.group_system"
    )

    @api.depends("groups_id")
    def _compute_is_catchall_manager(self):
        managers = self.env.ref(MANAGER_GROUP)
        for user in self:
            user.is_catchall_manager = managers in user.groups_id._origin

    @property
    def SELF_READABLE_FIELDS(self):
        return super().SELF_READABLE_FIELDS + ["catchall_digest", "is_catchall_manager"]

    @property
    def SELF_WRITEABLE_FIELDS(self):
        return super().SELF_WRITEABLE_FIELDS + ["catchall_digest"]

    # ------------------------------------------------------------
    # SENDING
    # ------------------------------------------------------------

    @api.model
    def _send_catchall_digests(self):
        """Send each manager who wants it what he should look into, at most once a day."""
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        for user in self.env.ref(MANAGER_GROUP).sudo().users:
            # a digest to an address of ours would be stored as one more mail to look into
            is_reachable = user.email_normalized and not is_ours(user.email_normalized)
            if not (user.active and user.catchall_digest and is_reachable):
                continue
            user = user.with_context(lang=user.lang, tz=user.tz)
            digest = user._prepare_catchall_digest()
            if (digest["rows"] or digest["mailboxes"]) and user._claim_catchall_digest():
                user._send_catchall_digest(digest)
        self.env["mail.catchall.queue"]._trigger_mail_queue()

    def _claim_catchall_digest(self):
        """Note that this user gets the digest of today.

        A day after tomorrow was written by a clock that was wrong.

        :return bool: False if he had it, or if another host is just sending it
        """
        today = fields.Date.today()
        self.flush_recordset(["catchall_digest_date"])
        # not FOR UPDATE, which every new record of this user would keep us from
        self.env.cr.execute(
            """
            UPDATE res_users SET catchall_digest_date = %(today)s
             WHERE id = (
                SELECT id FROM res_users
                 WHERE id = %(id)s
                   AND (catchall_digest_date IS NULL OR catchall_digest_date < %(today)s
                        OR catchall_digest_date > %(today)s + 1)
                   FOR NO KEY UPDATE SKIP LOCKED)
         RETURNING id
            """,
            {"today": today, "id": self.id},
        )
        self.invalidate_recordset(["catchall_digest_date"])
        return bool(self.env.cr.rowcount)

    def _send_catchall_digest(self, digest):
        """Queue the digest of this user.

        :param dict digest: see ``_prepare_catchall_digest``
        """
        company = self.company_id
        sender = company.email_formatted or self.env.ref("base.user_root").email_formatted
        mark = self.env["mail.catchall.rejection"]._get_loop_mark()
        self.env["mail.mail"].sudo().create(
            {
                "subject": self._get_catchall_digest_subject(digest),
                "body_html": self.env["ir.qweb"]._render(
                    "mail_catchall_gateway.mail_catchall_digest", digest
                ),
                "author_id": self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root"),
                "email_from": sender,
                "reply_to": sender,
                "email_to": self.email_formatted,
                "headers": repr({**AUTOMATIC_HEADERS, "X-Catchall-Loop": mark}),
                "record_alias_domain_id": company.alias_domain_id.id,
                "record_company_id": company.id,
                "auto_delete": True,
            }
        )

    def _get_catchall_digest_subject(self, digest):
        numbers = (
            (_("to review %s"), sum(row["review"] for row in digest["rows"])),
            (_("failed %s"), sum(row["failed"] for row in digest["rows"])),
            (_("mailboxes in trouble %s"), len(digest["mailboxes"])),
        )
        return _(
            "Email gateway: %s", ", ".join(text % number for text, number in numbers if number)
        )

    # ------------------------------------------------------------
    # WHAT IS IN IT
    # ------------------------------------------------------------

    def _prepare_catchall_digest(self):
        """Return what the template of the digest shows: what this user may see, and nothing else.

        :return dict: ``rows`` of counts by company, ``mailboxes`` in trouble, and links
        """
        self.ensure_one()
        return {
            "user": self,
            "rows": self._prepare_catchall_digest_rows(),
            "mailboxes": self._prepare_catchall_digest_mailboxes(),
            "review_url": self._get_catchall_digest_url(REVIEW_ACTION, self.company_ids),
            "mailbox_url": self._get_catchall_digest_url(MAILBOX_ACTION, self.company_ids),
        }

    def _prepare_catchall_digest_rows(self):
        """Return a row for each company that has mail to look into, those of no company last."""
        inbounds = self.env["mail.catchall.inbound"].with_user(self)
        groups = inbounds.with_context(allowed_company_ids=self.company_ids.ids)._read_group(
            [("state", "in", ("review", "failed"))],
            ["company_id", "state"],
            ["__count", "create_date:min"],
        )
        rows = {}
        is_single = len(self.company_ids) == 1
        for company, state, count, date in sorted(groups, key=lambda g: (not g[0], g[0].sequence)):
            company = self.company_id if is_single else company.sudo()
            row = rows.setdefault(
                company, {"company": company, "review": 0, "failed": 0, "since": date}
            )
            row[state] += count
            row["since"] = min(row["since"], date)
            row["url"] = self._get_catchall_digest_url(REVIEW_ACTION, company or self.company_ids)
        return list(rows.values())

    def _prepare_catchall_digest_mailboxes(self):
        """Return name and trouble of the catch-all mailboxes that nothing can be fetched from."""
        servers = self.env["fetchmail.server"].with_user(self)
        if not servers.check_access_rights("read", raise_exception=False):
            return []
        yesterday = fields.Datetime.now() - datetime.timedelta(days=1)
        trouble = [[("error_count", ">", 0)], [("last_success", "<", yesterday)]]
        domain = [("is_catchall", "=", True), ("state", "=", "done")]
        return [
            {
                "name": server.name,
                "since": server.error_since or server.last_success,
                "error": server.last_error or _("Nothing was fetched for more than a day."),
            }
            for server in servers.search(domain + expression.OR(trouble))
        ]

    def _get_catchall_digest_url(self, action, companies):
        ids = ",".join(map(str, companies.ids))
        return f"{self.get_base_url()}/web#action={action}&cids={ids}"
