"""A TCP proxy that makes a connection slow, cuts it, or changes what the server says.

Run by hand, ``proxy.py --to PORT --milliseconds 50`` adds a round-trip time and prints its port.
"""

import argparse
import contextlib
import queue
import signal
import socket
import threading
import time

CHUNK = 65536


class Proxy:
    """Listens on a free loopback port for as long as it is used as a context manager.

    Arguments:
        to (int): port of the server
        seconds (float): round-trip time that it adds, half of it in each direction
        hooks: these, where they are given

        cut_after (int): octets from the server after which each connection is cut
        cut_command_after (int): the same of octets to the server
        change: function of each line from the server that returns what is passed on
        change_command: the same of each line to the server
    """

    def __init__(self, to, seconds=0.0, **hooks):
        self.to = to
        self.delay = seconds / 2
        self.cut_after = hooks.get("cut_after")
        self.cut_command_after = hooks.get("cut_command_after")
        self.change = hooks.get("change")
        self.change_command = hooks.get("change_command")
        self.octets = [0, 0]  # from the server, to the server: of the last connection
        self.trips = 0  # how often the client spoke after the server had

    def __enter__(self):
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_exc):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()

    def _accept(self):
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            time.sleep(2 * self.delay)  # the handshake
            server = socket.create_connection(("127.0.0.1", self.to))
            for sock in (client, server):
                sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.octets, self.spoke = [0, 0], "server"
            self._pump(server, client, 0, self.cut_after, self.change)
            self._pump(client, server, 1, self.cut_command_after, self.change_command)

    def _pump(self, source, target, side, limit, change):
        waiting = queue.Queue()
        arguments = (source, target, side, limit, change, waiting)
        threading.Thread(target=self._read, args=arguments, daemon=True).start()
        threading.Thread(target=self._write, args=(source, target, waiting), daemon=True).start()

    def _read(self, source, target, side, limit, change, waiting):
        rest = b""
        with contextlib.suppress(OSError):
            while data := source.recv(CHUNK):
                self._count_trips(side)
                if change:
                    *lines, rest = (rest + data).split(b"\n")
                    data = b"".join(change(line + b"\n") for line in lines)
                is_over = limit is not None and self.octets[side] + len(data) >= limit
                if is_over:
                    data = data[: limit - self.octets[side]]
                self.octets[side] += len(data)
                waiting.put((time.monotonic() + self.delay, data))
                if is_over:
                    break
        waiting.put((time.monotonic() + self.delay, None))

    def _count_trips(self, side):
        speaker = ("server", "client")[side]
        if speaker == "client" and self.spoke == "server":
            self.trips += 1
        self.spoke = speaker

    @staticmethod
    def _write(source, target, waiting):
        with contextlib.suppress(OSError):
            while True:
                due, data = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if data is None:
                    break
                target.sendall(data)
        for sock in (source, target):
            with contextlib.suppress(OSError):
                sock.shutdown(socket.SHUT_RDWR)
            sock.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--to", type=int, required=True)
    parser.add_argument("--milliseconds", type=float, default=50)
    args = parser.parse_args()
    with Proxy(args.to, args.milliseconds / 1000) as proxy:
        print(proxy.port, flush=True)
        signal.pause()


if __name__ == "__main__":
    main()
