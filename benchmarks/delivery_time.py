"""How long mail takes from the SMTP server's 250 to the user's Inbox; a table in Markdown.

    ODOO_SOURCE=~/.cache/odoo-17.0 .state/venv/bin/python benchmarks/delivery_time.py \
        --mails 500 --per-second 2

The ways: the scheduled action alone (``cron``), the listener with IMAP IDLE, and with LMTP. The
scheduled action runs in all three, as it does in production. A mail is in the Inbox when another
connection to the database can read John's notification: it is looked for every 20 ms. The
listener's memory is read before and after: an hour of it is ``--ways idle --mails 7200``.
"""

import argparse
import os
import smtplib
import statistics
import threading
import time
from pathlib import Path

import psycopg2
from common import REPO
from odoo_process import Listener, Odoo
from server import free_port, wait_for
from stack import Stack

DATABASE = "bench_delivery"
ADDRESSES = {way: "john.doe@acme.test" for way in ("cron", "idle")}
ADDRESSES["lmtp"] = "john.doe@lmtp.test"
#: Seconds within which 95 % are to be there.
GOALS = {"cron": "", "idle": "2 s", "lmtp": "1 s"}
LOOK_SECONDS = 0.02


class Observer(threading.Thread):
    """Notes when each mail can be read in John's Inbox."""

    def __init__(self, stack):
        super().__init__(daemon=True)
        self.seen = {}
        self.is_over = threading.Event()
        environment = stack.environment()
        self.connection = psycopg2.connect(
            host="127.0.0.1",
            port=environment["PGPORT"],
            user=environment["PGUSER"],
            password=environment["PGPASSWORD"],
            dbname=DATABASE,
        )
        self.connection.autocommit = True

    def run(self):
        last, cr = 0, self.connection.cursor()
        cr.execute("SELECT partner_id FROM res_users WHERE login = 'john'")
        (partner_id,) = cr.fetchone()
        while not self.is_over.wait(LOOK_SECONDS):
            # a mail whose transaction began earlier may be seen later: look back a little
            cr.execute(
                """
                SELECT n.id, m.message_id
                  FROM mail_notification n JOIN mail_message m ON m.id = n.mail_message_id
                 WHERE n.res_partner_id = %s AND n.id > %s
                """,
                [partner_id, last - 100],
            )
            now = time.time()
            for number, message_id in cr.fetchall():
                last = max(last, number)
                self.seen.setdefault(message_id, now)


def send_all(port, way, count, per_second):
    """Send mails at this rate, and return when the SMTP server took each, by Message-Id."""
    taken, start = {}, time.time()
    with smtplib.SMTP("127.0.0.1", port) as smtp:
        for number in range(count):
            time.sleep(max(0.0, start + number / per_second - time.time()))
            message_id = f"<{start:.6f}.{number}@customer.test>"
            smtp.sendmail(
                f"mary.{number}@customer.test",
                [ADDRESSES[way]],
                f"From: Mary {number} <mary.{number}@customer.test>\nTo: {ADDRESSES[way]}\n"
                f"Subject: Mail {number}\nMessage-Id: {message_id}\n\nHow much are bicycles?\n",
            )
            taken[message_id] = time.time()
    return taken


def measure(stack, way, args):
    """Return how many seconds each mail took."""
    observer = Observer(stack)
    observer.start()
    taken = send_all(stack.ports["smtp"], way, args.mails, args.per_second)
    seconds = 60 * args.cron_minutes + args.mails / 5 + 60
    wait_for(lambda: taken.keys() <= observer.seen.keys(), "the last mail", seconds)
    observer.is_over.set()
    observer.join()
    assert len(observer.seen.keys() & taken.keys()) == args.mails
    return [observer.seen[message_id] - taken[message_id] for message_id in taken]


def memory(listener):
    """Return the resident memory of a process in MB."""
    status = Path(f"/proc/{listener.process.pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


def make_row(way, seconds, before=0.0, after=0.0):
    late = statistics.quantiles(seconds, n=20)[-1]
    cells = [
        way,
        len(seconds),
        f"{statistics.median(seconds):.2f} s",
        f"{late:.2f} s",
        f"{max(seconds):.2f} s",
        GOALS[way],
        f"{before:.0f} -> {after:.0f} MB" if after else "",
    ]
    return "| " + " | ".join(map(str, cells)) + " |"


def run(odoo, way, args):
    if way == "cron":
        return make_row(way, measure(odoo.stack, way, args))
    port = odoo.stack.ports["listener"]
    option = "--idle" if way == "idle" else f"--lmtp=127.0.0.1:{port}"
    listener = Listener(odoo, option)
    listener.start()
    try:
        # the first mails load what stays in memory, and Postfix verifies the address
        few = argparse.Namespace(**{**vars(args), "mails": 5})
        measure(odoo.stack, way, few)
        before = memory(listener)
        seconds = measure(odoo.stack, way, args)
        return make_row(way, seconds, before, memory(listener))
    finally:
        listener.stop()


def make_odoo(stack, cron_minutes):
    odoo = Odoo(stack, DATABASE, free_port())
    odoo.install("mail_catchall_gateway,crm")
    odoo.set_up_demo()
    odoo.psql(
        "UPDATE mail_alias_domain SET accepted_domain_names = 'lmtp.test' WHERE name = 'acme.test'"
    )
    odoo.psql(
        f"UPDATE ir_cron SET interval_number = {cron_minutes}, interval_type = 'minutes'"
        " WHERE id = (SELECT res_id FROM ir_model_data"
        " WHERE module = 'mail' AND name = 'ir_cron_mail_gateway_action')"
    )
    return odoo


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--per-second", type=float, default=2)
    parser.add_argument("--cron-minutes", type=int, default=1, help="core's default is 5")
    parser.add_argument("--ways", nargs="+", default=list(ADDRESSES), choices=list(ADDRESSES))
    parser.add_argument("--state", type=Path, default=REPO / ".state" / "bench_delivery")
    parser.add_argument("--write", type=Path)
    args = parser.parse_args()
    args.state.mkdir(parents=True, exist_ok=True)
    os.environ.setdefault("ODOO_SOURCE", os.path.expanduser("~/.cache/odoo-17.0"))
    head = "| way | mails | median | 95 % | longest | goal for 95 % | listener's memory |"
    lines = [head, "|---|---|---|---|---|---|---|"]
    print("\n".join(lines), flush=True)
    with Stack(args.state, durable=True) as stack:
        odoo = make_odoo(stack, args.cron_minutes)
        odoo.start()
        try:
            for way in args.ways:
                lines.append(run(odoo, way, args))
                print(lines[-1], flush=True)
        finally:
            odoo.stop()
    if args.write:
        args.write.write_text("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
