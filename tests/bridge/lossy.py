# SPDX-License-Identifier: BSD-2-Clause
"""A way between a bridge and a server of NATS on which a test has messages lost, doubled or held back."""

import contextlib
import socket
import threading

VERBS = (b"PUB", b"HPUB", b"MSG", b"HMSG")


class Message:
    """A line of the protocol, and what follows if it is a message: PUB and HPUB go to the server, MSG and HMSG come from it."""

    def __init__(self, line, content):
        self.verb, *self.words = line.split()
        self.bytes, self.content = line + content, content
        self.subject = self.words[0].decode() if content else ""

    @property
    def reply(self):
        """To where an answer goes: of a message that a stream delivers, where it is acknowledged."""
        sizes = 2 if self.verb.startswith(b"H") else 1
        before = 1 if self.verb.endswith(b"PUB") else 2
        return b"".join(self.words[before:-sizes]).decode()


def messages_of(stream):
    while line := stream.readline():
        words = line.split()
        yield Message(line, stream.read(int(words[-1]) + 2) if words and words[0].upper() in VERBS else b"")


class LossyWay:
    """It listens at a port of its own. `passes` says of each message how often it goes on."""

    def __init__(self, server):
        self.server = server
        self.scheme = server.scheme
        self.passes = lambda message: 1
        self.listener = socket.create_server(("localhost", 0))
        self.listener.settimeout(None)
        self.sockets = []
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"nats://localhost:{self.listener.getsockname()[1]}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                near = self.listener.accept()[0]
                far = socket.create_connection(("localhost", self.server.port))
                self.sockets += [near, far]
                for source, destination in ((near, far), (far, near)):
                    source.settimeout(None)
                    threading.Thread(target=self.carry, args=(source, destination), daemon=True).start()

    def carry(self, source, destination):
        with contextlib.suppress(OSError, ValueError):
            for message in messages_of(source.makefile("rb")):
                destination.sendall(message.bytes * (self.passes(message) if message.content else 1))
        for end in (source, destination):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def close(self):
        for end in (self.listener, *self.sockets):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()
