"""What it costs that mail leaves under a From policy, with signed addresses: beside stock Odoo.

    createdb stock; createdb addon
    odoo-bin -c odoo.conf -d stock -i mail --without-demo=all --stop-after-init
    odoo-bin -c odoo.conf -d addon -i mail_catchall_gateway --without-demo=all --stop-after-init
    .state/venv/bin/python benchmarks/from_policy.py odoo.conf stock addon

The last one makes 500 mails and sends them to an SMTP server that forgets them, in a process of its
own, by turns in all the ways that are compared, and rolls everything back; ``run.py`` does all of
that. ``stock twice`` is stock Odoo once more: what differs there is noise. Figures are medians of
the rounds; the ratio is that of each round to stock Odoo in the same round, and its median. ``CPU``
is the processor time of Odoo's own process, which other work on the machine disturbs less than
``wall``, the time that passed.

It needs databases of its own: it makes users and outgoing servers in them.
"""

import argparse
import contextlib
import gc
import json
import operator
import socket
import statistics
import subprocess
import sys
import time

import odoo

DOMAIN = "acme.example"
BODY = "<p>Dear Mary,</p>" + "<p>the bicycles that you ordered will be ready on Friday.</p>" * 20

#: name: (database, values of the alias domain)
WAYS = {
    "stock": (0, {}),
    "stock twice": (0, {}),
    "native": (1, {"from_policy": "native"}),
    "dynamic": (1, {"from_policy": "dynamic"}),
    "forced": (1, {"from_policy": "forced"}),
    "forced, signed": (1, {"from_policy": "forced", "signed_reply_to": True}),
}


@contextlib.contextmanager
def sink():
    """Run an SMTP server that forgets what it takes, and yield its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "aiosmtpd", "-n", "-c", "aiosmtpd.handlers.Sink"]
    process = subprocess.Popen([*command, "-l", f"127.0.0.1:{port}"], stderr=subprocess.DEVNULL)
    try:
        for _attempt in range(100):
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port)):
                break
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def prepare(env, port, values):
    """Set up one domain, one server, and John, and return the values of a mail."""
    domain = env["mail.alias.domain"].create({"name": DOMAIN, **values})
    env.company.alias_domain_id = domain
    env["ir.mail_server"].search([]).active = False
    server = {"name": "Sink", "smtp_host": "127.0.0.1", "smtp_port": port, "from_filter": DOMAIN}
    env["ir.mail_server"].create(server)
    john = {"name": "John Doe", "login": "john.bench", "email": f"john@{DOMAIN}"}
    if "alias_name" in env["res.users"]._fields:
        john.update(email="john@home.example", alias_name="john")
    user = env["res.users"].with_context(no_reset_password=True).create(john)
    mary = env["res.partner"].create({"name": "Mary", "email": "mary@customer.example"})
    return {
        "email_from": user.email_formatted,
        "author_id": user.partner_id.id,
        "recipient_ids": [(4, mary.id)],
        "model": "res.partner",
        "res_id": mary.id,
        "subject": "Your order",
        "body_html": BODY,
    }


def measure(registry, port, values, mails):
    """Return how many seconds it took to make the mails and send them: CPU, wall."""
    with contextlib.closing(registry.cursor()) as cr:
        env = odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
        mail = prepare(env, port, values)
        for count in (20, mails):  # warm caches first
            gc.collect()
            start = time.process_time(), time.perf_counter()
            sent = env["mail.mail"].create([mail] * count)
            sent.send()
            env.flush_all()
            end = time.process_time(), time.perf_counter()
        assert set(sent.mapped("state")) == {"sent"}, sent.mapped("failure_reason")
        cr.rollback()
    registry.clear_all_caches()  # of what was rolled back
    return end[0] - start[0], end[1] - start[1]


def measure_all(config, databases, mails, rounds):
    """Return the times of all rounds, (CPU, wall), by way."""
    odoo.tools.config.parse_config(["-c", config, "--log-level=error"])
    registries = [odoo.registry(name) for name in databases]
    times = {way: [] for way in WAYS}
    with sink() as port:
        for number in range(rounds):
            ways = list(WAYS.items())
            first = number % len(ways)
            for way, (database, values) in ways[first:] + ways[:first]:
                times[way].append(measure(registries[database], port, values, mails))
    return times


def compare(times):
    """Return the medians of the seconds and of the ratios to stock, (CPU, wall), by way."""
    stock = [*zip(*times["stock"], strict=True)]
    result = {}
    for way, rounds in times.items():
        columns = [*zip(*rounds, strict=True)]
        ratios = [
            statistics.median(map(operator.truediv, column, base))
            for column, base in zip(columns, stock, strict=True)
        ]
        result[way] = (*map(statistics.median, columns), *ratios)
    return result


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config")
    parser.add_argument("databases", nargs=2, metavar="DATABASE")
    parser.add_argument("--mails", type=int, default=500)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--json", action="store_true", help="only the ratios")
    args = parser.parse_args()
    found = compare(measure_all(args.config, args.databases, args.mails, args.rounds))
    if args.json:
        print(json.dumps({way: {"cpu": row[2], "wall": row[3]} for way, row in found.items()}))
        return
    print(f"{args.mails} mails, {args.rounds} rounds      CPU s   wall s   to stock: CPU     wall")
    for way, row in found.items():
        print("{:24} {:8.3f} {:8.3f}        {:8.3f} {:8.3f}".format(way, *row))


if __name__ == "__main__":
    main()
