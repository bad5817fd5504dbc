"""An hour of mixed traffic through the real servers; then every mail is accounted for.

    ODOO_SOURCE=~/.cache/odoo-17.0 .state/venv/bin/python soak/run.py --minutes 60

Postfix, Dovecot, PostgreSQL, Odoo with two workers and its scheduled actions, and the listener with
IMAP IDLE and LMTP. Customers write, users answer from Discuss and from their own mailboxes,
customers answer, are away or do not exist, machines write, and a third is made by the fuzzer.
``setup/test.sh soak`` runs it; MCG_SOAK=minutes,seed sets how long.
"""

import argparse
import contextlib
import os
import random
import shutil
import sys
import time
from pathlib import Path

import psycopg2
import psycopg2.extras

REPO = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(REPO / "setup"), str(REPO / "fuzz")]

from account import Account  # noqa: E402
from mails import make_mail  # noqa: E402
from odoo_process import Listener, Odoo  # noqa: E402
from parties import LOGINS, Mailbox, Post  # noqa: E402
from scenarios import Scenarios  # noqa: E402
from server import StackError, exit_on_signals, free_port  # noqa: E402
from stack import Stack  # noqa: E402
from watch import Watch  # noqa: E402

DATABASE = "soak"
#: Seconds that a step of a scenario may wait: the attempt after the next, and the mail queue.
STEP_SECONDS = 420
FINAL = ("delivered", "ignored", "bounced", "review", "discarded")


class Server(Odoo):
    """Odoo as in production: processes for requests, and for scheduled actions."""

    def odoo_command(self, *arguments):
        gevent = f"--gevent-port={free_port()}"
        return super().odoo_command("--workers=2", "--max-cron-threads=2", gevent, *arguments)


class World:
    """The servers and the database as the scenarios use them."""

    def __init__(self, stack, odoo, seed):
        self.stack, self.odoo, self.seed = stack, odoo, seed
        self.post = Post(stack.ports["smtp"])
        self.mailboxes, self.expected, self.wrong = {}, {}, []
        self.calls = {login: odoo.login(login, login) for login in LOGINS}
        self.admin = odoo.login()
        self.connection = self.connect()

    def connect(self):
        env = self.stack.environment()
        connection = psycopg2.connect(
            host="127.0.0.1",
            port=env["PGPORT"],
            user=env["PGUSER"],
            password=env["PGPASSWORD"],
            dbname=DATABASE,
        )
        connection.autocommit = True
        return connection

    def select(self, query, *values):
        """Return the rows as dicts."""
        with self.connection.cursor(cursor_factory=psycopg2.extras.RealDictCursor) as cr:
            cr.execute(query, values)
            return cr.fetchall()

    # ------------------------------------------------------------
    # CONDITIONS
    # ------------------------------------------------------------

    def decided(self, sent):
        """Return the row of a mail, if all of its copies have a verdict: the one delivered."""
        if not sent.message_id:
            return True  # only found when everything is over
        rows = self.select(
            "SELECT state, verdict_code, conversation_id, res_model, res_id, write_date"
            "  FROM mail_catchall_inbound WHERE message_id = %s ORDER BY state != 'delivered'",
            sent.message_id,
        )
        if len(rows) < sent.copies or any(row["state"] not in FINAL for row in rows):
            return None
        return rows[0]

    def mailbox(self, address):
        if address not in self.mailboxes:
            self.mailboxes[address] = Mailbox(self.stack.mail / address)
        return self.mailboxes[address]

    def received(self, customer):
        """Return the newest mail of a customer, if all that he must get is there."""
        mails = self.mailbox(customer).look()
        if len(mails) < self.expected[customer]:
            return None
        return list(mails.values())[-1]

    # ------------------------------------------------------------
    # USERS
    # ------------------------------------------------------------

    def expect(self, customer):
        self.expected[customer] = self.expected.get(customer, 0) + 1

    def write(self, login, model, res_id, customer, is_document=False):
        """Write to a customer from the chatter, as the web client does."""
        values = {"message_type": "comment", "subtype_xmlid": "mail.mt_comment"}
        if is_document:
            partner_id = self.admin("res.partner", "create", {"name": customer, "email": customer})
            values["partner_ids"] = [partner_id]
        self.calls[login](model, "message_post", [res_id], body="Each is 199.", **values)
        self.expect(customer)

    def read_inbox(self, login):
        """Open the Inbox, and mark what is there as read."""
        call = self.calls[login]
        found = call("mail.message", "search", [("needaction", "=", True)], limit=30)
        call("mail.message", "mark_all_as_read", [("id", "in", found)])

    def assert_same(self, row, found):
        """Note an answer that is not where the question is."""
        names = ("res_model", "res_id", "conversation_id")
        if any(row[name] != found[name] for name in names):
            self.wrong.append(f"{dict(found)} is not on the thread of {dict(row)}")

    def make_poison(self, number):
        return make_mail(self.seed, number, (), ())


def go(world, args):
    """Start a scenario now and then, and go on with each where what it waits for is there."""
    scenarios, running = Scenarios(world, random.Random(args.seed)), []
    start, number = time.time(), 0
    end = start + 60 * args.minutes
    while running or time.time() < end:
        if time.time() < end and time.time() >= start + number / args.per_second:
            running.append([scenarios.next(number), None, time.time()])
            number += 1
        for entry in list(running):
            if not advance(world, entry):
                running.remove(entry)
        time.sleep(0.05)
    print(f"{number} scenarios in {time.time() - start:.0f} s", flush=True)
    return start, end


def advance(world, entry):
    """Go on with a scenario if it can; return whether it is to be looked at again."""
    scenario, condition, since = entry
    result = condition and condition()  # none at its beginning
    if condition and not result:
        if time.time() - since < STEP_SECONDS:
            return True
        world.wrong.append(f"{scenario.__name__} waited in vain: {scenario.gi_frame.f_locals}")
        return False
    try:
        condition = scenario.send(result)
    except StopIteration:
        return False
    entry[1:] = condition, time.time()
    return True


def make_database(stack):
    odoo = Server(stack, DATABASE, free_port())
    for mailbox in stack.mail.glob("*"):
        shutil.rmtree(mailbox)
    odoo.install("mail_catchall_gateway,crm")
    odoo.set_up_demo()
    odoo.psql(
        "UPDATE mail_alias_domain SET accepted_domain_names = 'lmtp.test' WHERE name = 'acme.test'"
    )
    odoo.psql(
        "INSERT INTO res_groups_users_rel (gid, uid)"
        " SELECT d.res_id, u.id FROM ir_model_data d, res_users u WHERE u.login IN"
        " ('john', 'jane', 'max') AND d.name = 'group_sale_salesman_all_leads'"
        " ON CONFLICT DO NOTHING"
    )
    return odoo


def run(stack, args):
    odoo = make_database(stack)
    with contextlib.ExitStack() as running:
        odoo.start()
        running.callback(odoo.stop)
        listener = Listener(odoo, "--idle", f"--lmtp=127.0.0.1:{stack.ports['listener']}")
        listener.start()
        running.callback(listener.stop)
        world = World(stack, odoo, args.seed)
        pids = {"Odoo": odoo.process.pid, "listener": listener.process.pid}
        watch = Watch(world.connect, lambda: pids)
        watch.start()
        start, end = go(world, args)
        account = Account(world, watch)
        account.wait()
        watch.stop()
        return account.report(start, end)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--minutes", type=float, default=60)
    parser.add_argument("--per-second", type=float, default=0.7, help="scenarios, not mails")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--state", type=Path, default=REPO / ".state" / "soak")
    parser.add_argument("--write", type=Path, help="keep the report as Markdown")
    args = parser.parse_args()
    os.environ.setdefault("ODOO_SOURCE", os.path.expanduser("~/.cache/odoo-17.0"))
    exit_on_signals()
    args.state.mkdir(parents=True, exist_ok=True)
    with Stack(args.state, durable=True) as stack:
        report, wrong = run(stack, args)
    print(report)
    if args.write:
        args.write.write_text(report)
    if wrong:
        raise StackError("\n".join(wrong))


if __name__ == "__main__":
    main()
