"""What became of each mail: what came in, what left, what is there twice or not at all."""

import collections
import re
import statistics
import subprocess

from parties import LOGINS, MARK
from server import wait_for

_MARK = re.compile(rb"^" + MARK.encode() + rb": (\d+)\r?$", re.MULTILINE)
#: Octets of a source in which our mark is looked for: only trace fields stand above it.
HEAD = 8192
#: What a process may grow by between the beginning and the end.
MAX_GROWTH = 1.1
MAX_LOCK_WAIT = 5.0


class Account:
    """Counts when the traffic is over.

    :param world: see ``run.World``
    :param watch: see ``watch.Watch``
    """

    def __init__(self, world, watch):
        self.world, self.watch = world, watch
        self.wrong = world.wrong
        self.returned = 0
        self.lines = []

    def wait(self):
        """Wait until nothing is on its way any more."""
        select = self.world.select
        states = "SELECT 1 FROM mail_catchall_inbound WHERE state IN ('pending', 'processing')"
        mails = "SELECT 1 FROM mail_mail WHERE state = 'outgoing'"
        wait_for(lambda: not self.queued(), "Postfix's queue", 600)
        wait_for(lambda: not select(states), "a verdict for each mail", 600)
        wait_for(lambda: not select(mails), "the outgoing queue", 600)
        wait_for(lambda: not self.queued(), "Postfix's queue", 600)

    def queued(self):
        """Tell whether Postfix has mail; twice, as its list may miss one that changes folders."""
        return self.list_queue() or self.list_queue()

    def list_queue(self):
        conf = str(self.world.stack.state / "smtp" / "etc")
        queue = subprocess.check_output(["postqueue", "-c", conf, "-j"], text=True)
        return [line for line in queue.splitlines() if "@lmtp.test" in line or "@acme.test" in line]

    # ------------------------------------------------------------
    # COUNTING
    # ------------------------------------------------------------

    def report(self, start, end):
        """Return the report as Markdown, and what is wrong as sentences."""
        self.count_sources()
        self.count_messages()
        self.count_copies()
        self.count_received()
        self.count_outgoing()
        self.tell_of_watch(start, end)
        verdict = "\n".join(f"* **wrong**: {text}" for text in self.wrong) or "* nothing is wrong"
        return "\n".join([*self.lines, "", verdict, ""]), self.wrong

    def count_sources(self):
        """Find each mail among the sources that are stored, as often as it must be there."""
        rows = self.world.select(
            "SELECT i.id, i.state, i.verdict_code, i.reason, a.store_fname,"
            "       EXTRACT(epoch FROM i.create_date) AS stored"
            "  FROM mail_catchall_inbound i JOIN ir_attachment a ON a.res_id = i.id"
            "   AND a.res_model = 'mail.catchall.inbound' AND a.res_field = 'raw'"
        )
        found = collections.defaultdict(list)
        others = 0
        for row in rows:
            with open(self.world.odoo.filestore / row["store_fname"], "rb") as file:
                mark = _MARK.search(file.read(HEAD))
            if mark:
                found[int(mark[1])].append(row)
            else:
                others += 1
        kinds = collections.defaultdict(collections.Counter)
        for sent in self.world.post.sent:
            self.compare(sent, found[sent.number])
            counts = kinds[sent.kind]
            counts["mails"] += 1
            counts["rows"] += len(found[sent.number])
            counts.update(f"{row['state']} ({row['verdict_code']})" for row in found[sent.number])
        self.lines += [
            "| what | mails taken by SMTP | rows in Odoo | became |",
            "|---|---|---|---|",
        ]
        for kind, counts in sorted(kinds.items()):
            became = ", ".join(f"{n} {what}" for what, n in counts.most_common() if "(" in what)
            self.lines.append(f"| {kind} | {counts['mails']} | {counts['rows']} | {became} |")
        self.lines += ["", f"* {len(self.world.post.sent)} mails taken, {len(rows)} rows"]
        self.lines.append(f"* {others} rows are of mails that Odoo or Postfix wrote to ourselves")
        self.lines.append(
            f"* {len(self.world.post.refused)} refused by Postfix, for what is in them"
        )

    def compare(self, sent, rows):
        if not rows and self.was_returned(sent):
            self.returned += 1
        elif len(rows) != sent.copies:
            self.wrong.append(f"{sent} is there {len(rows)} times")
        for row in rows:
            code = row["verdict_code"]
            is_right = not sent.verdicts or code in sent.verdicts
            is_copy = code == "duplicate" and sent.copies > 1
            if row["state"] == "failed" or not (is_right or is_copy):
                self.wrong.append(f"{sent} became {row['state']} {code} {row['reason']}")

    def was_returned(self, sent):
        """Tell whether Postfix sent a mail back: poison may say that it was there before."""
        mark = f"{MARK}: {sent.number}\n".encode()
        folder = self.world.mailbox(sent.sender).folder
        return any(
            b"mail forwarding loop" in content.replace(b"\n   ", b"") and mark in content
            for content in (path.read_bytes() for path in folder.glob("new/*"))
        )

    def count_messages(self):
        """Each mail that is delivered is one message."""
        rows = self.world.select("SELECT message_id, count(*) FROM mail_message GROUP BY 1")
        messages = {row["message_id"]: row["count"] for row in rows}
        for sent in self.world.post.sent:
            count = messages.get(sent.message_id, 0)
            if sent.message_id and sent.messages not in (None, count):
                self.wrong.append(f"{sent} is {count} messages")

    def count_copies(self):
        """Each mail of a customer to users is in their own mailboxes, once."""
        copies = collections.Counter()
        for login in LOGINS:
            own = f"{login}@home.test"
            copies.update(
                (own, mail["Message-Id"]) for mail in self.world.mailbox(own).look().values()
            )
        users = {f"{name}@": f"{login}@home.test" for login, name in LOGINS.items()}
        count = 0
        for sent in self.world.post.sent:
            if sent.kind not in ("question", "to several", "blind copy"):
                continue
            for recipient in sent.recipients:
                own = users[f"{recipient.partition('@')[0]}@"]
                count += 1
                if copies[own, sent.message_id] != 1:
                    times = copies[own, sent.message_id]
                    self.wrong.append(f"{sent}: {times} copies in {own}")
        self.lines.append(f"* {count} copies in the users' own mailboxes, each once")

    def count_received(self):
        """Each answer of a user reached its customer, once, and shows no own address."""
        for customer, count in self.world.expected.items():
            mailbox = self.world.mailbox(customer)
            if len(mailbox.look()) != count:
                self.wrong.append(f"{customer} has {len(mailbox.mails)} mails, not {count}")
            for path in mailbox.folder.glob("new/*"):
                if b"home.test" in path.read_bytes():
                    self.wrong.append(f"{path} shows an own address")
        total = sum(self.world.expected.values())
        self.lines.append(f"* {total} answers of users to customers, each arrived once")

    def count_outgoing(self):
        rows = self.world.select("SELECT failure_type, failure_reason FROM mail_mail")
        for row in rows:
            print(f"not sent: {row['failure_type']} {row['failure_reason']}")
        self.lines.append(f"* {len(rows)} mails of Odoo could not be sent, to what poison names")

    # ------------------------------------------------------------
    # WATCHING
    # ------------------------------------------------------------

    def tell_of_watch(self, start, end):
        watch = self.watch
        self.lines.append(f"* longest wait for a lock: {watch.longest_wait:.2f} s")
        self.lines.append(f"* longest transaction: {watch.longest_transaction:.1f} s")
        if watch.longest_wait > MAX_LOCK_WAIT:
            self.wrong.append("a lock was waited for too long")
        rows = watch.report_memory(start, end)
        for name, early, late in rows:
            self.lines.append(f"* memory of {name}: {early:.0f} -> {late:.0f} MB")
            if late > early * MAX_GROWTH:
                self.wrong.append(f"{name} grew from {early:.0f} to {late:.0f} MB")
        if len(rows) < 2:
            self.wrong.append("no process lived long enough to tell of its memory")
        self.tell_of_time()

    def tell_of_time(self):
        """How long it took from the SMTP server's 250 to the verdict."""
        ids = {sent.message_id: sent.time for sent in self.world.post.sent if sent.message_id}
        rows = self.world.select(
            "SELECT message_id, EXTRACT(epoch FROM max(write_date)) AS done"
            "  FROM mail_catchall_inbound WHERE message_id = ANY(%s) GROUP BY 1",
            list(ids),
        )
        seconds = [float(row["done"]) - ids[row["message_id"]] for row in rows]
        late = statistics.quantiles(seconds, n=20)[-1]
        self.lines.append(
            f"* from SMTP's 250 to the verdict: median {statistics.median(seconds):.1f} s,"
            f" 95 % {late:.1f} s, longest {max(seconds):.1f} s"
        )
