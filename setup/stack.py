"""Private PostgreSQL, Postfix and Dovecot on loopback ports, for the demo and the tests.

Everything lives below one state folder; nothing of the system's own servers is touched. Every
domain below ``.test`` is local: mail to ``@acme.test`` and ``@plain.test`` goes to the catch-all
mailbox of that domain, mail to any other address to a mailbox of its own, and nothing can leave
the machine. The password of every mailbox is :data:`MAIL_PASSWORD`.

Mail to ``@pipe.test`` is handed to the addon's ``catchall_pipe.py``, set up by the file
``catchall_pipe.conf`` in the state folder; as long as that is not there, Postfix keeps the mail.
Mail to ``@lmtp.test`` is handed to the addon's listener by LMTP, if one runs at that port.
At the port ``submission`` Postfix is a provider's relay: it takes mail of ``@acme.test`` alone.

Run by hand, ``stack.py --state DIR`` starts the servers and prints their ports until Ctrl-C.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import shutil
import signal
import subprocess
from pathlib import Path

from server import (
    Server,
    StackError,
    exit_on_signals,
    free_ports,
    rare_port,
    start_alone,
)

MAIL_PASSWORD = "secret"
CATCHALL_DOMAINS = ("acme.test", "plain.test")
DB_USER = "odoo"
ADDON = Path(__file__).resolve().parent.parent / "mail_catchall_gateway"
PIPE = ADDON / "scripts" / "catchall_pipe.py"
USUAL_PORTS = {"postgres": 5470, "smtp": 2525, "imap": 1143, "pop3": 1110, "lmtp": 2424}
USUAL_PORTS |= {"listener": 2425, "submission": 2587}


class Postgres(Server):
    """PostgreSQL on TCP only: no socket in /tmp, no clash with a cluster of the system."""

    name = "postgres"
    user = "postgres"

    def bin(self, program: str) -> str:
        versions = Path("/usr/lib/postgresql").glob(f"*/bin/{program}")
        found = sorted(versions, key=lambda path: float(path.parts[-3]))
        if not found:
            raise StackError("PostgreSQL is not installed")
        return str(found[-1])

    def prepare(self):
        self.data = self.folder / "data"
        if os.geteuid() == 0:
            shutil.chown(self.folder, self.user)
        if not (self.data / "PG_VERSION").exists():
            password = self.folder / "password"
            password.write_text(self.stack.db_password)
            if os.geteuid() == 0:
                shutil.chown(password, self.user)
            options = ["-U", DB_USER, "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256"]
            initdb = [self.bin("initdb"), "-D", str(self.data), *options, f"--pwfile={password}"]
            subprocess.run(
                self.as_user(self.user, *initdb),
                check=True,
                stdout=subprocess.DEVNULL,
                cwd=self.folder,
            )
            password.unlink()

    def command(self):
        settings = {
            "port": self.stack.ports["postgres"],
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on" if self.stack.durable else "off",
            "synchronous_commit": "on" if self.stack.durable else "off",
            "max_connections": 200,
            "shared_buffers": "256MB",
        }
        flags = [flag for item in settings.items() for flag in ("-c", "=".join(map(str, item)))]
        return self.as_user(self.user, self.bin("postgres"), "-D", str(self.data), *flags)

    def is_ready(self):
        ready = [self.bin("pg_isready"), "-q", "-h127.0.0.1", f"-p{self.stack.ports['postgres']}"]
        return subprocess.run(ready).returncode == 0

    def stop(self, signum=signal.SIGINT):  # "fast shutdown": does not wait for clients
        super().stop(signum)


class Dovecot(Server):
    """IMAP, POP3 and LMTP; whoever is asked for exists."""

    name = "imap"
    user = "mail"

    def command(self):
        return ["setpriv", "--pdeathsig", "TERM", "dovecot", "-F", "-c", str(self.conf)]

    def prepare(self):
        self.conf = self.folder / "dovecot.conf"
        self.stack.mail.mkdir(exist_ok=True)
        shutil.chown(self.stack.mail, self.user, self.user)
        services = {"imap": "imap-login", "pop3": "pop3-login", "lmtp": "lmtp"}
        listeners = "".join(
            f"service {service} {{\n  inet_listener {name} {{\n    address = 127.0.0.1\n"
            f"    port = {self.stack.ports[name]}\n  }}\n}}\n"
            for name, service in services.items()
        )
        self.conf.write_text(f"""
base_dir = {self.folder}/run
state_dir = {self.folder}/state
log_path = {self.log}
protocols = imap pop3 lmtp
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = maildir:{self.stack.mail}/%Lu
mail_max_userip_connections = 100
passdb {{
  driver = static
  args = password={MAIL_PASSWORD}
}}
userdb {{
  driver = static
  args = uid={self.user} gid={self.user} home={self.stack.mail}/%Lu allow_all_users=yes
}}
namespace inbox {{
  inbox = yes
}}
service imap-login {{
  inet_listener imaps {{
    port = 0
  }}
}}
{listeners}""")


class Postfix(Server):
    """SMTP in and out; ``@acme.test`` tells the envelope recipient, ``@plain.test`` does not.

    Mail to ``@gone.test`` comes back, but for its one mailbox ``catchall@gone.test``, and of mail
    to ``@slow.test`` that it is late. The server says of a mail what its field X-Test-Checks tells
    it to (RFC 8601).
    """

    name = "smtp"
    own_session = False  # master makes one itself, and would fork away from one of ours

    def command(self):
        # "postfix start-fg" would put a shell between us and master, that does not pass signals on
        master = ["/usr/lib/postfix/sbin/master", "-c", str(self.conf), "-s"]
        return ["setpriv", "--pdeathsig", "TERM", *master]

    def end_leftover(self, pid_file: Path):
        """End the master of a run that was killed: changing its user, it loses its --pdeathsig."""
        with contextlib.suppress(OSError, ValueError):
            pid = int(pid_file.read_text())
            if str(self.conf) in Path(f"/proc/{pid}/cmdline").read_text():
                os.killpg(pid, signal.SIGKILL)

    def prepare(self):
        self.conf = self.folder / "etc"
        spool, data = self.folder / "spool", self.folder / "data"
        for folder in (self.conf, spool, data):
            folder.mkdir(exist_ok=True)
        shutil.chown(data, "postfix")
        self.end_leftover(spool / "pid" / "master.pid")
        catchall = [f"/@{d.replace('.', '[.]')}$/ catchall@{d}" for d in CATCHALL_DOMAINS]
        (self.conf / "catchall").write_text("\n".join(catchall) + "\n")
        (self.conf / "domains").write_text("/[.]test$/ local\n")
        lmtp = f"inet:127.0.0.1:{self.stack.ports['lmtp']}"
        (self.conf / "transport").write_text(
            f"/@plain[.]test$/ plain:{lmtp}\n"
            "/@pipe[.]test$/ odoo:\n"
            f"/@lmtp[.]test$/ listener:inet:127.0.0.1:{self.stack.ports['listener']}\n"
            f"/^catchall@gone[.]test$/ recipient:{lmtp}\n"
            "/@gone[.]test$/ refuse:\n"
            "/^noreply@odoo[.]com$/ discard:\n"  # whom core's test of an account would write to
            "/@slow[.]test$/ smtp:[127.0.0.1]:1\n"  # where nobody listens
        )
        # the sender's server hears at once that an address is nobody's
        (self.conf / "verified").write_text("/@lmtp[.]test$/ reject_unverified_recipient\n")
        # what a milter like OpenDMARC does: the checks that a test asks for become the server's
        (self.conf / "header_checks").write_text(
            "/^Authentication-Results: *mx[.]acme[.]test/ IGNORE\n"
            "/^X-Test-Checks: *(.*)$/ PREPEND Authentication-Results: mx.acme.test; $1\n"
        )
        # what providers say to others than ours, in the envelope and in the header
        (self.conf / "own_senders").write_text("!/@acme[.]test$/ 553 5.7.1 not owned by user\n")
        (self.conf / "own_header").write_text(
            "if /^From:/\n"
            "!/[ <][^ <>@]+@acme[.]test>?$/ REJECT 5.7.60 no permission to send as this sender\n"
            "endif\n"
        )
        (self.conf / "main.cf").write_text(f"""
compatibility_level = 3.6
queue_directory = {spool}
data_directory = {data}
daemon_directory = /usr/lib/postfix/sbin
command_directory = /usr/sbin
maillog_file = {self.log}
maillog_file_prefixes = {self.folder}
mail_owner = postfix
setgid_group = postdrop
myhostname = mx.acme.test
mydestination =
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
mynetworks = 127.0.0.0/8
smtpd_relay_restrictions = permit_mynetworks, reject
smtpd_recipient_restrictions = check_recipient_access regexp:{self.conf}/verified, permit_mynetworks
unverified_recipient_reject_code = 550
address_verify_map =
address_verify_poll_delay = 1s
address_verify_poll_count = 60
smtpd_peername_lookup = no
alias_maps =
alias_database =
local_transport = error:no local users
relay_domains =
default_transport = error:only domains below .test exist here
virtual_alias_maps = regexp:{self.conf}/catchall
virtual_mailbox_domains = regexp:{self.conf}/domains
transport_maps = regexp:{self.conf}/transport
header_checks = regexp:{self.conf}/header_checks
delay_warning_time = 2s
virtual_transport = recipient:{lmtp}
recipient_destination_recipient_limit = 1
smtp_dns_support_level = disabled
disable_dns_lookups = yes
biff = no
append_dot_mydomain = no
message_size_limit = 67108864
mailbox_size_limit = 0
queue_run_delay = 2s
minimal_backoff_time = 2s
maximal_backoff_time = 10s
""")
        # ordinary users reach the state folder, and perhaps not where the addon is
        pipe = shutil.copy(PIPE, self.folder)
        services = f"""
cleanup   unix n - n - 0 cleanup
strict    unix n - n - 0 cleanup -o header_checks=regexp:{self.conf}/own_header
  -o nested_header_checks=
qmgr      unix n - n 2 1 qmgr
rewrite   unix - - n - - trivial-rewrite
bounce    unix - - n - 0 bounce
defer     unix - - n - 0 bounce
trace     unix - - n - 0 bounce
verify    unix - - n - 1 verify
proxymap  unix - - n - - proxymap
smtp      unix - - n - - smtp
error     unix - - n - - error
retry     unix - - n - - error
discard   unix - - n - - discard
recipient unix - - n - - lmtp flags=DORX
plain     unix - - n - - lmtp
listener  unix - - n - - lmtp
refuse    unix - n n - - pipe user=nobody argv=/bin/sh -c {{exit 67}}
odoo      unix - n n - 2 pipe flags=Rq user=nobody null_sender=
  argv=/usr/bin/python3 {pipe} {self.stack.pipe_config} ${{original_recipient}}
anvil     unix - - n - 1 anvil
scache    unix - - n - 1 scache
showq     unix n - n - - showq
postlog   unix-dgram n - n - 1 postlogd
"""
        ports = self.stack.ports
        listeners = f"""
127.0.0.1:{ports["smtp"]} inet n - n - - smtpd
127.0.0.1:{ports["submission"]} inet n - n - - smtpd -o cleanup_service_name=strict
  -o smtpd_sender_restrictions=check_sender_access,regexp:{self.conf}/own_senders
"""
        (self.conf / "master.cf").write_text((listeners + services.lstrip()).lstrip())
        if not self.stack.durable:  # mail of an earlier run would come into this one
            for name in ("maildrop", "incoming", "active", "deferred", "defer"):
                shutil.rmtree(spool / name, ignore_errors=True)
        with open(self.folder / "output", "ab") as output:  # makes the queue's folders
            check = ["postfix", "-c", str(self.conf), "check"]
            subprocess.run(check, check=True, stdout=output, stderr=output)


@dataclasses.dataclass
class Stack:
    """The three servers.

    Arguments:
        durable (bool): write the database through to disk; tests need not
        usual (bool): prefer :data:`USUAL_PORTS`, which people can remember. Tests do not: what is
            started late would find its port taken by the tests of another clone.
    """

    state: Path
    durable: bool = True
    usual: bool = False

    def __post_init__(self):
        self.state = Path(self.state).resolve()
        self.mail = self.state / "mail"
        self.pipe_config = self.state / "catchall_pipe.conf"
        self.ports = self.choose_ports()
        self.servers = [Postgres(self), Dovecot(self), Postfix(self)]

    def choose_ports(self) -> dict:
        """Return a free port for each service, by its name."""
        usual = {name: port if self.usual else rare_port() for name, port in USUAL_PORTS.items()}
        return free_ports(usual)

    @property
    def db_password(self) -> str:
        secret = self.state / "db_password"
        if not secret.exists():
            secret.touch(mode=0o600)
            secret.write_text(os.urandom(16).hex())
        return secret.read_text()

    def __enter__(self):
        try:
            with start_alone():
                self.ports.update(self.choose_ports())
                for server in self.servers:
                    server.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_exc):
        for server in reversed(self.servers):
            server.stop()

    def environment(self) -> dict:
        """Return the environment in which libpq's programs find the private cluster."""
        return {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.ports["postgres"]),
            "PGUSER": DB_USER,
            "PGPASSWORD": self.db_password,
        }


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--state", required=True)
    args = parser.parse_args()
    exit_on_signals()
    with Stack(args.state, usual=True) as stack:
        print(json.dumps(stack.ports), flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
