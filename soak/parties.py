"""Who takes part: customers with mailboxes, users in Odoo, and what each of them does.

What happens to one mail after the other is a scenario: a generator that yields a function, and is
resumed with its first true result.
"""

import dataclasses
import email
import email.message
import email.policy
import email.utils
import smtplib
import time

LOGINS = {"john": "john.doe", "jane": "jane.roe", "max": "max.power"}
#: Every mail carries its number here, so that its source can be told among those that were stored.
MARK = "X-Soak"


@dataclasses.dataclass
class Sent:
    """A mail that the SMTP server has taken.

    Arguments:
        kind (str): what is counted together
        copies (int): how many rows it must become: one for each recipient by IMAP, one by LMTP
        verdicts (tuple): what it may be decided to be; empty where that is open
        messages (int): how many messages in Odoo have its Message-Id in the end, None for any
    """

    number: int
    kind: str
    message_id: str
    sender: str
    recipients: list
    copies: int
    verdicts: tuple
    messages: int | None
    time: float


class Post:
    """The SMTP server as a customer, or a user's mail program, meets it; it keeps what it took."""

    def __init__(self, port):
        self.port = port
        self.sent = []
        self.refused = []

    def mail(self, kind, sender, to, text, verdicts, recipients=None, messages=1, **headers):
        """Send a plain text mail, and return what was sent.

        :param str to: To header field
        :param list recipients: envelope recipients, where they are others than in To
        :param headers: further header fields, ``in_reply_to`` for ``In-Reply-To``
        """
        message = email.message.EmailMessage()
        message["Message-Id"] = email.utils.make_msgid(domain=sender.rpartition("@")[2])
        message["From"], message["To"] = sender, to
        message["Date"] = email.utils.formatdate()
        message["Subject"] = headers.pop("subject", "Bicycles")
        for name, value in headers.items():
            message[name.replace("_", "-").title()] = value
        message.set_content(text)
        return self.source(
            kind,
            sender,
            recipients or [address for _name, address in email.utils.getaddresses([to])],
            message.as_bytes(policy=email.policy.SMTP),
            verdicts,
            messages,
            message["Message-Id"],
        )

    def source(self, kind, sender, recipients, raw, verdicts=(), messages=None, message_id=""):
        """Send the source of a mail, whatever is in it; return None if the server refuses it."""
        number = len(self.sent)
        envelope_from = email.utils.parseaddr(sender)[1]
        try:
            with smtplib.SMTP("127.0.0.1", self.port) as smtp:
                marked = f"{MARK}: {number}\r\n".encode() + raw
                smtp.sendmail(envelope_from, recipients, marked, ["BODY=8BITMIME"])
        except smtplib.SMTPResponseException as error:
            if kind != "poison":
                raise
            self.refused.append(f"{error.smtp_code} {error.smtp_error}")
            return None
        by_imap = sum(recipient.endswith("@acme.test") for recipient in recipients)
        by_lmtp = any(recipient.endswith("@lmtp.test") for recipient in recipients)
        values = (message_id, envelope_from, recipients, by_imap + by_lmtp)
        sent = Sent(number, kind, *values, verdicts, messages, time.time())
        self.sent.append(sent)
        return sent


class Mailbox:
    """What lies in somebody's mailbox outside of Odoo; each file is read once."""

    def __init__(self, folder):
        self.folder = folder
        self.mails = {}

    def look(self):
        """Return all mails, parsed, by file name."""
        for path in self.folder.glob("new/*"):
            if path.name not in self.mails:
                content = path.read_bytes()
                self.mails[path.name] = email.message_from_bytes(
                    content, policy=email.policy.default
                )
        return self.mails

    def find(self, message_id):
        """Return the mail with a Message-Id, None if it is not there."""
        found = (mail for mail in self.look().values() if mail["Message-Id"] == message_id)
        return next(found, None)


def answer(mail, text):
    """Return what a mail program makes of an answer to ``mail``: arguments of :meth:`Post.mail`."""
    quoted = mail.get_body(("plain", "html")).get_content().replace("\n", "\n> ")
    return {
        "to": str(mail["Reply-To"] or mail["From"]),
        "subject": f"Re: {mail['Subject']}",
        "text": f"{text}\n\nFrom: {mail['From']}\n> {quoted}",
        "in_reply_to": mail["Message-Id"],
        "references": f"{mail['References'] or ''} {mail['Message-Id']}".strip(),
    }
