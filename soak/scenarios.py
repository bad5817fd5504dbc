"""What happens in the hour: mails in and out, answers, bounces, automatic mail, poison."""

import email.utils

from parties import LOGINS, answer

QUESTION = "How much are two bicycles, and when can I fetch them?\n"
DELIVERED = ("user_alias", "reply")


class Scenarios:
    """Makes scenarios; each begins with a mail of a customer who never wrote before.

    :param world: servers, database and users, see ``run.World``
    :param random.Random random: decides
    """

    def __init__(self, world, random):
        self.world, self.random = world, random
        self.kinds = {
            self.talk: 50,
            self.lead: 12,
            self.group: 10,
            self.blind: 5,
            self.automatic: 5,
            self.unknown: 5,
            self.poison: 30,
        }

    def next(self, number):
        """Return the scenario of a number."""
        (kind,) = self.random.choices(list(self.kinds), list(self.kinds.values()))
        return kind(f"c{number}@customer.test", number)

    # ------------------------------------------------------------
    # KINDS
    # ------------------------------------------------------------

    def talk(self, customer, _number):
        """A question, an answer from Discuss or from the own mailbox, and what comes back."""
        world, login = self.world, self.random.choice(list(LOGINS))
        to = f"{LOGINS[login]}@{self.random.choice(['acme', 'lmtp'])}.test"
        sent = world.post.mail("question", customer, to, QUESTION, ("user_alias",))
        row = yield lambda: world.decided(sent)
        if self.random.random() < 0.5:
            world.write(login, "mail.catchall.conversation", row["conversation_id"], customer)
        else:
            yield from self.answer_from_own_mailbox(login, sent, customer)
        received = yield lambda: world.received(customer)
        yield from self.come_back(received, customer, row, login)

    def answer_from_own_mailbox(self, login, sent, customer):
        own = f"{login}@home.test"
        copy = yield lambda: self.world.mailbox(own).find(sent.message_id)
        values = answer(copy, "Each is 199.")
        mine = self.world.post.mail(
            "user's answer", own, verdicts=("user_reply",), messages=0, **values
        )
        self.world.expect(customer)
        yield lambda: self.world.decided(mine)

    def come_back(self, received, customer, row, login):
        """The customer answers, is away, or was never there."""
        world, what = self.world, self.random.random()
        if what < 0.6:
            values = answer(received, "I take them.")
            sent = world.post.mail("customer's answer", customer, verdicts=("reply",), **values)
            found = yield lambda: world.decided(sent)
            world.assert_same(row, found)
            world.read_inbox(login)
        elif what < 0.8:
            yield from self.bounce(received, customer)
        else:
            values = {**answer(received, "I am away."), "auto_submitted": "auto-replied"}
            sent = world.post.mail("automatic answer", customer, verdicts=("auto_reply",), **values)
            yield lambda: world.decided(sent)

    def bounce(self, received, customer):
        """A delivery report (RFC 3464) to the envelope sender."""
        to = str(received["Return-Path"]).strip("<>")
        report = (
            f"From: Mail Delivery System <MAILER-DAEMON@customer.test>\r\nTo: {to}\r\n"
            f"Date: {email.utils.formatdate()}\r\nAuto-Submitted: auto-replied\r\n"
            "Subject: Undelivered Mail Returned to Sender\r\nMIME-Version: 1.0\r\n"
            'Content-Type: multipart/report; report-type=delivery-status; boundary="b"\r\n\r\n'
            "--b\r\n\r\nNobody is there.\r\n--b\r\nContent-Type: message/delivery-status\r\n\r\n"
            f"Reporting-MTA: dns; mx.customer.test\r\n\r\nFinal-Recipient: rfc822; {customer}\r\n"
            "Action: failed\r\nStatus: 5.1.1\r\n--b\r\nContent-Type: text/rfc822-headers\r\n\r\n"
            f"Message-Id: {received['Message-Id']}\r\nTo: {customer}\r\n--b--\r\n"
        ).encode()
        sent = self.world.post.source("bounce", "", [to], report, ("bounce_report",))
        yield lambda: self.world.decided(sent)

    def lead(self, customer, _number):
        """A question to a team, answered on its document."""
        world = self.world
        sent = world.post.mail("to a team", customer, "sales@acme.test", QUESTION, ("alias",))
        row = yield lambda: world.decided(sent)
        world.write("john", row["res_model"], row["res_id"], customer, is_document=True)
        received = yield lambda: world.received(customer)
        yield from self.come_back(received, customer, row, "john")

    def group(self, customer, _number):
        """To several of us: a copy for each, one message."""
        names = self.random.sample(list(LOGINS.values()), self.random.choice([2, 3]))
        to = ", ".join(f"{name}@acme.test" for name in names)
        sent = self.world.post.mail(
            "to several", customer, to, QUESTION, ("user_alias", "duplicate")
        )
        yield lambda: self.world.decided(sent)

    def blind(self, customer, _number):
        """To one of us, and another who must not be seen: a conversation each."""
        one, other = self.random.sample(list(LOGINS.values()), 2)
        recipients = [f"{one}@acme.test", f"{other}@acme.test"]
        sent = self.world.post.mail(
            "blind copy", customer, recipients[0], QUESTION, DELIVERED, recipients, None
        )
        yield lambda: self.world.decided(sent)

    def automatic(self, customer, _number):
        """From a machine, to one of us."""
        to = f"{self.random.choice(list(LOGINS.values()))}@acme.test"
        sent = self.world.post.mail(
            "automatic", customer, to, "Your invoice", (), auto_submitted="auto-generated"
        )
        yield lambda: self.world.decided(sent)

    def unknown(self, customer, _number):
        """To an address that nobody has."""
        to = self.random.choice(["jhon.doe@acme.test", "careers@acme.test"])
        sent = self.world.post.mail(
            "unknown address", customer, to, QUESTION, ("unrouted",), messages=0
        )
        yield lambda: self.world.decided(sent)

    def poison(self, customer, number):
        """What the fuzzer makes, to one of us."""
        to = f"{self.random.choice(list(LOGINS.values()))}@{self.random.choice(['acme', 'lmtp'])}"
        raw = self.world.make_poison(number)
        sent = self.world.post.source("poison", customer, [f"{to}.test"], raw)
        if sent:
            yield lambda: self.world.decided(sent)
