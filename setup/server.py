"""Server processes on loopback ports: starting, waiting for and ending them."""

import abc
import contextlib
import os
import pwd
import random
import signal
import socket
import subprocess
import sys
import time


class StackError(Exception):
    """A server did not start; the message names its log."""


def free_port(preferred: int = 0) -> int:
    """Return ``preferred`` where nobody listens on it, else any free loopback port."""
    for port in (preferred, 0):
        with socket.socket() as sock:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            with contextlib.suppress(OSError):
                sock.bind(("127.0.0.1", port))
                return sock.getsockname()[1]
    raise StackError("no free port on 127.0.0.1")


def rare_port() -> int:
    """Return a port that no other test uses, but for chance, and no connection to elsewhere."""
    return random.randrange(20_000, 32_000)


def free_ports(usual: dict) -> dict:
    """Return a port for each name of ``usual``, its usual one where that is free."""
    ports = {}
    for name, port in usual.items():
        ports[name] = free_port(port)
        while list(ports.values()).count(ports[name]) > 1:  # two were drawn alike
            ports[name] = free_port(rare_port())
    return ports


@contextlib.contextmanager
def start_alone():
    """Keep others on this machine from the ports that were chosen, until the servers have them."""

    def holds():
        with contextlib.suppress(OSError):
            sock.bind("\0mail_catchall_gateway")  # no file: it ends with the process
            return True

    with socket.socket(socket.AF_UNIX) as sock:
        wait_for(holds, "the start of another one", 120)
        yield


def wait_for(check, what: str, seconds: float = 120.0):
    """Return the first true result of ``check()``, polled; raise StackError after ``seconds``."""
    end = time.monotonic() + seconds
    while True:
        result = check()
        if result:
            return result
        if time.monotonic() > end:
            raise StackError(f"{what} took longer than {seconds:.0f} s")
        time.sleep(0.05)


def listens(port: int) -> bool:
    """Tell whether somebody accepts connections on this loopback port."""
    with socket.socket() as sock:
        sock.settimeout(1)
        return sock.connect_ex(("127.0.0.1", port)) == 0


def exit_on_signals():
    """Make Ctrl-C and a polite kill leave through the ``finally`` and ``with`` blocks.

    SIGINT too: a shell starts its background jobs with it ignored.
    """
    for signum in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(signum, lambda *_args: sys.exit(130))


class Server(abc.ABC):
    """One server process in a session of its own, that ends with us whatever ends us."""

    name = ""
    own_session = True  # so that Ctrl-C reaches us alone, and we can end the whole group

    def __init__(self, stack):
        self.stack = stack
        self.folder = stack.state / self.name
        self.log = self.folder / "log"
        self.process = None

    @abc.abstractmethod
    def command(self) -> list:
        """Return the command line that runs in the foreground."""

    def prepare(self):  # noqa: B027 (not every server has one)
        """Write the configuration. Called at each start: ports change."""

    def is_ready(self) -> bool:
        return listens(self.stack.ports[self.name])

    def start(self):
        self.folder.mkdir(parents=True, exist_ok=True)
        self.prepare()
        with open(self.folder / "output", "ab") as output:
            self.process = subprocess.Popen(
                self.command(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=self.own_session,
            )
        try:
            wait_for(lambda: self.process.poll() is not None or self.is_ready(), self.name, 180)
            if self.process.poll() is not None:
                raise StackError(f"{self.name} ended at once")
        except StackError as error:
            self.stop()
            raise StackError(f"{error}, see {self.folder}") from None

    def stop(self, signum: int = signal.SIGTERM):
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(signum)
            try:
                self.process.wait(120)
            except subprocess.TimeoutExpired:
                self.process.kill()
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self.process.pid, signal.SIGKILL)  # children that outlived their master
        self.process.wait()
        self.process = None

    def as_user(self, user: str, *command: str) -> list:
        """Return the command run as an ordinary user, ended by the kernel when we die."""
        drop = [f"--reuid={user}", f"--regid={pwd.getpwnam(user).pw_gid}", "--clear-groups"]
        return ["setpriv", *(drop if os.geteuid() == 0 else []), "--pdeathsig", "TERM", *command]
