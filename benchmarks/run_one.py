"""One run of a benchmark in a process of its own; see ``common.py``. Prints JSON."""

import contextlib
import json
import random
import resource
import subprocess
import sys
import time
from pathlib import Path

import odoo

SETUP = Path(__file__).resolve().parent.parent / "setup"
sys.path.insert(0, str(SETUP))

from workers import count_waiting, kill, make_due, query, start  # noqa: E402


@contextlib.contextmanager
def environment(database):
    with contextlib.closing(odoo.registry(database).cursor()) as cr:
        yield odoo.api.Environment(cr, odoo.SUPERUSER_ID, {})
        if not cr.closed:
            cr.commit()


@contextlib.contextmanager
def slow(port, milliseconds):
    """Yield a port that is so many milliseconds away, there and back."""
    if not milliseconds:
        yield port
        return
    command = [sys.executable, SETUP / "proxy.py", f"--to={port}", f"--milliseconds={milliseconds}"]
    proxy = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield int(proxy.stdout.readline())
    finally:
        proxy.kill()
        proxy.wait()


def prepare(env, port, aliases=10):
    """Make the alias domain, a team alias and so many others, and the mailbox."""
    domain = env["mail.alias.domain"].search([("name", "=", "acme.test")])
    if not domain:
        domain = domain.create({"name": "acme.test"})
        env.company.alias_domain_id = domain
        env["mail.alias"].create(
            {"alias_name": "team", "alias_model_id": env["ir.model"]._get_id("res.partner")}
        )
        values = {"name": "Mailbox", "user": "catchall@acme.test", "password": "secret"}
        values.update(server="127.0.0.1", port=port, server_type="imap", state="done")
        if "is_catchall" in env["fetchmail.server"]._fields:
            values["is_catchall"] = True
        env["fetchmail.server"].create(values)
    env.cr.execute("DELETE FROM mail_alias WHERE alias_name LIKE 'bench%'")
    env.flush_all()
    # as users have them: each belongs to a record, and opens a thread of its own
    env.cr.execute(
        """
        INSERT INTO mail_alias (alias_name, alias_domain_id, alias_full_name, alias_model_id,
                                alias_parent_model_id, alias_parent_thread_id, alias_contact,
                                alias_defaults, alias_status)
        SELECT 'bench' || n, %s, 'bench' || n || '@acme.test', %s, %s, n, 'everyone', '{}', 'valid'
          FROM generate_series(1, %s) AS n
        """,
        [domain.id, *[env["ir.model"]._get_id("res.partner")] * 2, aliases],
    )
    env.cr.commit()
    env.cr.execute("ANALYZE mail_alias")
    env.cr.commit()
    return {}


def measure(env, function):
    """Return how long something took, what it asked of the database, and what came of it."""
    before = odoo.sql_db.sql_counter
    messages = env["mail.message"].search_count([])
    start = time.perf_counter()
    function()
    seconds = time.perf_counter() - start
    env.cr.commit()
    return {
        "seconds": seconds,
        "sql": odoo.sql_db.sql_counter - before,
        "messages": env["mail.message"].search_count([]) - messages,
        "megabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }


def set_port(env, port):
    server = env["fetchmail.server"].search([])
    server.port = port
    env.cr.commit()
    return server


def whole(env, port, milliseconds=0):
    """Fetch and process whatever is in the mailbox, as the scheduled action does."""
    with slow(port, milliseconds) as port:
        set_port(env, port)
        return measure(env, env["fetchmail.server"]._fetch_mails)


def fetch(env, port, milliseconds=0):
    """Only store and acknowledge."""
    with slow(port, milliseconds) as port:
        server = set_port(env, port)
        count = []
        result = measure(
            env, lambda: count.append(server._fetch_catchall(time.monotonic() + 600).count)
        )
        return {**result, "count": count[0]}


def process(env, port):
    """Process what is stored."""
    return measure(env, env["mail.catchall.queue"]._process_waiting)


# ------------------------------------------------------------
# SEVERAL PROCESSES
# ------------------------------------------------------------


def leave(env):
    """Leave the database, for processes must not have connections in common.

    :return str: its name
    """
    env.cr.close()
    odoo.sql_db.close_all()
    return env.cr.dbname


def share(env, port, mails, workers):
    """Fetch and process so many mails, by so many processes at once."""
    set_port(env, port)
    database = leave(env)
    counting = "SELECT count(*), count(*) - count(DISTINCT message_id) FROM mail_message"
    ((before, _twice),) = query(database, counting)
    begin = time.perf_counter()
    pids = [start(database) for _number in range(workers)]
    try:
        while (found := query(database, counting)[0])[0] < before + mails:
            assert time.perf_counter() < begin + 600, found
            time.sleep(0.02)
        seconds = time.perf_counter() - begin
    finally:
        for pid in pids:
            kill(pid)
    return {"seconds": seconds, "messages": found[0] - before, "twice": found[1]}


def killed(env, port, kills, sent, seconds=0.25):
    """Fetch and process, killed so often; then go on until nothing is left to do.

    :param list sent: Message-Ids of what is in the mailbox
    :return dict: those that are in the database
    """
    set_port(env, port)
    has_queue = "mail.catchall.inbound" in env
    database = leave(env)
    for _kill in range(kills):
        pid = start(database)
        time.sleep(random.uniform(0, seconds))
        kill(pid)
    finish(database, has_queue)
    found = query(
        database, "SELECT message_id FROM mail_message WHERE message_id = ANY(%s)", list(sent)
    )
    return {"delivered": [message_id for (message_id,) in found]}


def finish(database, has_queue, idle=3):
    """Work until nothing has come for some seconds and nothing waits."""
    pid = start(database)
    last, since = None, time.monotonic()
    try:
        while time.monotonic() < since + idle or (has_queue and count_waiting(database)):
            if has_queue:
                make_due(database)
            ((count,),) = query(database, "SELECT count(*) FROM mail_message")
            if count != last:
                last, since = count, time.monotonic()
            time.sleep(0.2)
    finally:
        kill(pid)


def main(config, database, what, arguments):
    odoo.tools.config.parse_config([f"--config={config}", "--log-level=error"])
    # no run is to end for the time that it takes
    for name in ("limit_time_real", "limit_time_real_cron", "limit_time_cpu"):
        odoo.tools.config[name] = 3600
    with environment(database) as env:
        print(json.dumps(globals()[what](env, **arguments)))


if __name__ == "__main__":
    main(*sys.argv[1:4], json.loads(sys.argv[4]))
