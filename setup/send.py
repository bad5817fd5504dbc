"""Sends a mail by SMTP to the demo, as a customer would.

Example: ``setup/send.py --to john.doe@acme.test --subject Hello "How are you?"``
"""

import argparse
import email.message
import email.utils
import smtplib


def send(port, sender, to, subject, text, envelope_to=None, **headers) -> str:
    """Send a plain text mail to the loopback server on ``port``.

    :param str to: To header field; the envelope recipient too, where ``envelope_to`` names none
    :param list envelope_to: envelope recipients (RFC 5321, RCPT TO): the way to send a Bcc
    :param headers: further header fields, ``in_reply_to`` for ``In-Reply-To``
    :return: its Message-Id
    """
    message = email.message.EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, to, subject
    message["Date"] = email.utils.formatdate()
    message["Message-Id"] = email.utils.make_msgid(domain="customer.test")
    for name, value in headers.items():
        message[name.replace("_", "-").title()] = value
    message.set_content(text)
    recipients = envelope_to or [address for _name, address in email.utils.getaddresses([to])]
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        smtp.send_message(message, email.utils.parseaddr(sender)[1], recipients)
    return str(message["Message-Id"])


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument(
        "--port", type=int, default=2525, help="of the demo's Postfix (%(default)s)"
    )
    parser.add_argument("--from", dest="sender", default="Mary Smith <mary@customer.test>")
    parser.add_argument("--to", required=True)
    parser.add_argument("--bcc", action="append", help="envelope recipient that no header names")
    parser.add_argument("--subject", default="Hello")
    parser.add_argument("text", nargs="?", default="Hello!")
    args = parser.parse_args()
    to = [address for _name, address in email.utils.getaddresses([args.to])]
    envelope = [a for a in to if a.endswith(".test")] + args.bcc if args.bcc else None
    print("sent", send(args.port, args.sender, args.to, args.subject, args.text, envelope))


if __name__ == "__main__":
    main()
