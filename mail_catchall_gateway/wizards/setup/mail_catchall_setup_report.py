import dataclasses

from odoo import _, api, fields, models
from odoo.exceptions import UserError

from ...tools.mailbox.round_trip import examine
from ...tools.message.source import header_fields


class MailCatchallSetup(models.Model):
    """What the round-trip test found out, and what of it the mailbox can be set to."""

    _inherit = "mail.catchall.setup"

    test_findings = fields.Json(readonly=True)
    test_report = fields.Json(compute="_compute_test_report")
    is_taken_over = fields.Boolean(compute="_compute_test_report")

    # ------------------------------------------------------------
    # ARRIVAL
    # ------------------------------------------------------------

    def _report_arrival(self, mails):
        """Note what the copies of the test mail tell, which arrived."""
        mailbox = mails.server_id[:1] or self.mailbox_id
        names, own = mailbox._get_recipient_settings()
        trip = examine(
            header_fields(mails[0]._get_source()),
            self.probe_address,
            self.probe_message_id,
            names,
            own,
            mailbox.server or "",
            mailbox.trusted_hops,
        )
        seconds = max(mails[0].create_date.timestamp() - self.probe_started, 0)
        findings = {
            **dataclasses.asdict(trip),
            "seconds": round(seconds),
            "copies": len(mails),
            "mailbox": mailbox.name if mailbox != self.mailbox_id else "",
        }
        self.write(
            {"test_state": "ok", "test_text": self._conclude(findings), "test_findings": findings}
        )

    def _conclude(self, findings):
        """Return the result in a sentence."""
        if findings["mailbox"]:
            return _(
                "The test mail came back after %(seconds)s seconds, but in the mailbox "
                "%(mailbox)s.",
                seconds=findings["seconds"],
                mailbox=findings["mailbox"],
            )
        return _(
            "It works: the test mail came back after %(seconds)s seconds. Mail to any address of "
            "%(domain)s reaches Odoo.",
            seconds=findings["seconds"],
            domain=self.alias_domain_id.name,
        )

    # ------------------------------------------------------------
    # REPORT
    # ------------------------------------------------------------

    @api.depends(
        "test_findings",
        "mailbox_id.trusted_hops",
        "mailbox_id.trusted_authserv_id",
        "mailbox_id.recipient_headers",
    )
    def _compute_test_report(self):
        for guide in self:
            findings = guide.test_findings or {}
            guide.test_report = findings and [
                guide._report_recipient(findings),
                guide._report_copies(findings),
                guide._report_sender(findings),
                guide._report_message_id(findings),
                guide._report_hops(findings),
                guide._report_authentication(findings),
            ]
            proposal = guide._prepare_mailbox_values() if findings else {}
            guide.is_taken_over = all(
                guide.mailbox_id[name] == value for name, value in proposal.items()
            )

    def _report_recipient(self, findings):
        header = findings["recipient_header"]
        label = _("Named recipient")
        if not header:
            text = _(
                "No field names for whom a mail was delivered. Mail in Bcc, through lists and "
                "forwards can only be found by To and Cc: ask your provider for such a field."
            )
            return {"label": label, "state": "warning", "value": _("None"), "text": text}
        text = _("This field tells for whom a mail was, also where To and Cc do not.")
        if header == "Received":
            text = _("The line with which your mail server took the mail tells for whom it was.")
        return {"label": label, "state": "ok", "value": header, "text": text}

    def _report_copies(self, findings):
        count = findings["copies"]
        label, value = _("Copies"), str(count)
        if count == 1:
            return {"label": label, "state": "ok", "value": value, "text": _("As it should be.")}
        text = _(
            "Your provider delivers a mail more than once. Odoo handles it once, but it is "
            "needless: look for a second forwarding."
        )
        return {"label": label, "state": "warning", "value": value, "text": text}

    def _report_sender(self, findings):
        label, value = _("Sender"), findings["sender"]
        if value == self.probe_sender:
            text = _("It came back as it left.")
            return {"label": label, "state": "ok", "value": value, "text": text}
        text = _(
            "It left as %s and was replaced on the way. Your customers see what it became: let "
            "the account send as any address of the domain.",
            self.probe_sender,
        )
        return {"label": label, "state": "warning", "value": value, "text": text}

    def _report_message_id(self, findings):
        label = _("Message-Id")
        if findings["is_message_id_kept"]:
            text = _("Answers find their thread by it.")
            return {"label": label, "state": "ok", "value": _("Kept"), "text": text}
        text = _(
            "Your SMTP account replaces it, so that answers may not find their thread by it. "
            "Switch on “Signed Addresses” on the alias domain."
        )
        return {"label": label, "state": "warning", "value": _("Replaced"), "text": text}

    def _report_hops(self, findings):
        label, count = _("Received lines of your servers"), findings["trusted_hops"]
        if count:
            text = _("What stands below them may be forged, and does not count.")
            return {"label": label, "state": "ok", "value": str(count), "text": text}
        text = _(
            "How many lines your own servers write is not certain, and a wrong number would do "
            "harm. So the topmost field counts, which is your server's."
        )
        return {"label": label, "state": "info", "value": _("Unknown"), "text": text}

    def _report_authentication(self, findings):
        label, name = _("Checked sender"), findings["authserv_id"]
        if name:
            text = _(
                "Your mail server checks who sends (%s), and confirmed our own mail. Forged mail "
                "from your people can be told.",
                findings["authentication_detail"],
            )
            return {"label": label, "state": "ok", "value": name, "text": text}
        if findings["authentication"] == "fail":
            text = _(
                "Your mail server checked our own mail, and it failed (%s). Enter SPF and DKIM as "
                "shown in the first step: others may take your mail for spam.",
                findings["authentication_detail"],
            )
            return {"label": label, "state": "warning", "value": _("Failed"), "text": text}
        text = _(
            "No result of your mail server was found on our own mail. Until its name is set on "
            "the mailbox, Odoo believes what a mail says of its sender: whoever writes as one of "
            "your people is taken for him."
        )
        return {"label": label, "state": "warning", "value": _("Unknown"), "text": text}

    # ------------------------------------------------------------
    # TAKING OVER
    # ------------------------------------------------------------

    def action_take_over(self):
        """Set the mailbox to what was found."""
        self.ensure_one()
        if not self.test_findings:
            raise UserError(_("Run the test first."))
        self.mailbox_id.write(self._prepare_mailbox_values())

    def _prepare_mailbox_values(self):
        """Return the values of the mailbox that make use of what was found."""
        findings, mailbox = self.test_findings, self.mailbox_id
        values = {"trusted_hops": findings["trusted_hops"]}
        if findings["authserv_id"]:
            values["trusted_authserv_id"] = findings["authserv_id"]
        header = findings["recipient_header"]
        if header and header != "Received":
            names, _own = mailbox._get_recipient_settings()
            values["recipient_headers"] = ", ".join(dict.fromkeys((header, *names)))
        return values
