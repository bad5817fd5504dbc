import datetime

from odoo import _, api, fields, models
from odoo.osv import expression

from ...tools.judging.automatic import AUTOMATIC_HEADERS

REVIEW_ACTION = "mail_catchall_gateway.mail_catchall_inbound_action_review"
MAILBOX_ACTION = "mail_catchall_gateway.fetchmail_server_action_catchall"


class MailCatchallDigest(models.AbstractModel):
    """The daily digest: what gateway managers should look into. None when there is nothing.

    On unless a manager turns it off: mail that waits must not depend on whether somebody looks.
    """

    _name = "mail.catchall.digest"
    _description = "Daily digest of the gateway"

    @api.model
    def _send_all(self):
        """Send each manager who wants it what they should look into, at most once a day."""
        is_ours = self.env["mail.alias.domain"]._is_gateway_address
        # sudo: by the scheduled action; each digest is made with its reader's own rights
        for user in self.env.ref("mail_catchall_gateway.group_catchall_manager").sudo().users:
            # a digest to an address of ours would be stored as one more mail to look into
            is_reachable = user.email_normalized and not is_ours(user.email_normalized)
            if user.active and user.catchall_digest and is_reachable:
                user = user.with_context(lang=user.lang, tz=user.tz)
                self.with_env(user.env)._send(user)
        self.env["mail.catchall.queue"]._trigger_mail_queue()

    def _send(self, user):
        """Queue the digest of a user, if there is something to tell and they had none today."""
        digest = self._prepare(user)
        if not (digest["rows"] or digest["mailboxes"]) or not self._claim(user):
            return
        company = user.company_id
        sender = company.email_formatted or self.env.ref("base.user_root").email_formatted
        mark = self.env["mail.catchall.rejection"]._get_loop_mark()
        qweb, template = self.env["ir.qweb"], "mail_catchall_gateway.mail_catchall_digest"
        self.env["mail.mail"].create(
            {
                "subject": self._get_subject(digest),
                "body_html": qweb._render(template, digest),
                "author_id": self.env["ir.model.data"]._xmlid_to_res_id("base.partner_root"),
                "email_from": sender,
                "reply_to": sender,
                "email_to": user.email_formatted,
                "headers": repr({**AUTOMATIC_HEADERS, "X-Catchall-Loop": mark}),
                "record_alias_domain_id": company.alias_domain_id.id,
                "record_company_id": company.id,
                "auto_delete": True,
            }
        )

    @api.model
    def _claim(self, user):
        """Note a user's digest of today; return False if they had it, or another host sends it."""
        today = fields.Date.today()
        user.flush_recordset(["catchall_digest_date"])
        # not FOR UPDATE, which every new record of this user would keep us from
        self.env.cr.execute(
            """
            UPDATE res_users SET catchall_digest_date = %(today)s
             WHERE id = (
                SELECT id FROM res_users
                 WHERE id = %(id)s AND catchall_digest_date IS DISTINCT FROM %(today)s
                   FOR NO KEY UPDATE SKIP LOCKED)
         RETURNING id
            """,
            {"today": today, "id": user.id},
        )
        user.invalidate_recordset(["catchall_digest_date"])
        return bool(self.env.cr.rowcount)

    def _get_subject(self, digest):
        numbers = (
            (_("to review %s"), sum(row["review"] for row in digest["rows"])),
            (_("failed %s"), sum(row["failed"] for row in digest["rows"])),
            (_("mailboxes in trouble %s"), len(digest["mailboxes"])),
        )
        texts = (text % number for text, number in numbers if number)
        return _("Email gateway: %s", ", ".join(texts))

    def _prepare(self, user):
        """Return what the template of the digest shows: what this user may see, nothing else."""
        return {
            "user": user,
            "rows": self._prepare_rows(user),
            "mailboxes": self._prepare_mailboxes(user),
            "review_url": self._get_url(user, REVIEW_ACTION, user.company_ids),
            "mailbox_url": self._get_url(user, MAILBOX_ACTION, user.company_ids),
        }

    def _prepare_rows(self, user):
        """Return a row for each company that has mail to look into, those of no company last."""
        companies = user.company_ids
        inbounds = self.env["mail.catchall.inbound"].with_user(user)
        domain = [("state", "in", ("review", "failed"))]
        groups = inbounds.with_context(allowed_company_ids=companies.ids)._read_group(
            domain, ["company_id", "state"], ["__count", "create_date:min"]
        )
        rows = {}
        for company, state, count, date in sorted(groups, key=lambda g: (not g[0], g[0].sequence)):
            # sudo: the name of a company of the user's, for the user
            company = user.company_id if len(companies) == 1 else company.sudo()
            row = {"company": company, "review": 0, "failed": 0, "since": date}
            row = rows.setdefault(company, row)
            row[state] += count
            row["since"] = min(row["since"], date)
            row["url"] = self._get_url(user, REVIEW_ACTION, company or companies)
        return list(rows.values())

    def _prepare_mailboxes(self, user):
        """Return name and trouble of the catch-all mailboxes that nothing can be fetched from."""
        servers = self.env["fetchmail.server"].with_user(user)
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

    @api.model
    def _get_url(self, user, action, companies):
        ids = ",".join(map(str, companies.ids))
        return f"{user.get_base_url()}/web#action={action}&cids={ids}"
