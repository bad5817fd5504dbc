import collections
import imaplib
import poplib
import socket
import ssl

from odoo import _, models

from ...tools.mailbox.mailbox import MailboxError
from ...tools.message.source import one_line


class FetchmailServer(models.Model):
    """What people see of fetching: buttons, notifications and errors in words."""

    _inherit = "fetchmail.server"

    # ------------------------------------------------------------
    # ACTIONS
    # ------------------------------------------------------------

    def action_fetch_now(self):
        """Fetch these catch-all mailboxes, whether they failed before or not, and say how it went.

        :return dict: a notification, that leads to the mails
        :raise AccessError: if the user has nothing to do with mailboxes
        """
        # of no mailbox nothing is read that would refuse him, and the queue would be processed
        self.check_access_rights("read")
        inbounds = self.env["mail.catchall.inbound"].sudo()
        last = inbounds.search([], order="id desc", limit=1).id or 0
        results = self._fetch_and_process()
        states = inbounds.search([("id", ">", last), ("server_id", "in", self.ids)]).mapped("state")
        is_good = all(result.code == "fetched" and not result.text for result in results.values())
        return {
            "type": "ir.actions.client",
            "tag": "display_notification",
            "params": {
                "type": "success" if is_good else "warning",
                "sticky": not is_good,
                "message": "%s " + self._describe_fetch(results, states).replace("%", "%%"),
                "links": [{"label": _("Inbound emails:"), "url": self._get_inbound_url()}],
                "next": {"type": "ir.actions.client", "tag": "soft_reload"},
            },
        }

    def action_view_inbound(self):
        """Open the list of the mails that came from this mailbox."""
        self.ensure_one()
        action = self.env["ir.actions.act_window"]._for_xml_id(
            "mail_catchall_gateway.mail_catchall_inbound_action_server"
        )
        return {
            **action,
            "context": {"active_id": self.id},
            "domain": [("server_id", "=", self.id)],
        }

    def _get_inbound_url(self):
        action = self.env.ref("mail_catchall_gateway.mail_catchall_inbound_action_server")
        model = "mail.catchall.inbound"
        return f"#action={action.id}&model={model}&view_type=list&active_id={self[:1].id}"

    # ------------------------------------------------------------
    # IN WORDS
    # ------------------------------------------------------------

    def _describe_fetch(self, results, states):
        """Return how fetching these mailboxes went, in words.

        :param dict results: FetchResult by mailbox
        :param list states: of the inbound emails that it brought
        """
        count = collections.Counter(states)
        waiting = count["pending"] + count["processing"]
        parts = [
            _("%s stored", len(states)),
            _("%s delivered", count["delivered"]),
            count["review"] and _("%s for review", count["review"]),
            count["failed"] and _("%s failed", count["failed"]),
            count["ignored"] and _("%s ignored", count["ignored"]),
            count["bounced"] and _("%s sent back", count["bounced"]),
            waiting and _("%s still waiting", waiting),
        ]
        sentences = [", ".join(filter(None, parts)) + "."]
        for server, result in results.items():
            if result.code == "busy":
                sentences.append(_("%s is being fetched by somebody else.", server.name))
            elif result.text:
                sentences.append(f"{server.name}: {result.text}")
            if result.has_more:
                sentences.append(_("There is more: it goes on by itself."))
        return " ".join(sentences)

    def _describe_error(self, error):
        """Return what an error means for somebody who set the mailbox up."""
        text = self._get_error_text(error)
        if isinstance(error, UnicodeEncodeError):
            # at the login; its arguments hold all that was to be sent, the password too
            return _("User and password can only have plain letters, digits and signs (ASCII).")
        if isinstance(error, socket.gaierror):
            return _("There is no mail server %(name)s: %(text)s", name=self.server, text=text)
        if isinstance(error, ssl.SSLError):
            return _("No secure connection to %(name)s: %(text)s", name=self.server, text=text)
        if isinstance(error, TimeoutError):
            return _("The mail server %s did not answer in time.", self.server)
        if isinstance(error, ConnectionRefusedError):
            return _(
                "The mail server %(name)s refused the connection at port %(port)s.",
                name=self.server,
                port=self.port,
            )
        if isinstance(error, (imaplib.IMAP4.abort, EOFError, ConnectionError)):
            return _("The connection to the mail server broke: %s", text)
        if isinstance(error, (imaplib.IMAP4.error, poplib.error_proto, MailboxError)):
            return _("The mail server answered: %s", text)
        return text

    @staticmethod
    def _get_error_text(error):
        """Return an error's text, where a library may have put what the server sent as bytes."""
        parts = (
            part.decode(errors="replace") if isinstance(part, bytes) else str(part)
            for part in error.args
        )
        is_worded = isinstance(error, (OSError, UnicodeError))
        text = str(error) if is_worded else " ".join(parts)
        return one_line(text) or type(error).__name__
