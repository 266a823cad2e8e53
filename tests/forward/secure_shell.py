# SPDX-License-Identifier: BSD-2-Clause
"""ssh with keys, users and ports of a test's own: what the machine and its users have configured is neither read nor
changed."""

import hashlib
import os
import pathlib
import random
import subprocess

from rounds import choose

PATIENCE = 14400  # seconds; bounds a hang only
FILE_BYTES = choose(4 << 20, 1 << 30)
PIECE_BYTES = 4 << 20


def run(*command, **options):
    done = subprocess.run(command, capture_output=True, timeout=PATIENCE, **options)
    if done.returncode:
        raise AssertionError(f"{command} ended with {done.returncode}: {done.stdout} {done.stderr}")
    return done.stdout


class Keys:
    """Keys of a client and of a server, in a folder that is the home of the server's user."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        (self.folder / ".ssh").mkdir(parents=True)
        self.folder.chmod(0o700)
        self.host_key = self.folder / "host_key"
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.folder / "key"))
        run("dropbearkey", "-t", "ed25519", "-f", str(self.host_key))
        self.authorized = (self.folder / "key.pub").read_text().rstrip()
        (self.folder / ".ssh/authorized_keys").write_text(f"{self.authorized}\n")
        (self.folder / ".ssh/authorized_keys").chmod(0o600)

    def options(self):
        """Of ssh and scp."""
        return ("-F", "none", "-i", str(self.folder / "key"), "-o", "StrictHostKeyChecking=no",
                "-o", f"UserKnownHostsFile={self.folder}/known", "-o", "LogLevel=ERROR", "-o", "BatchMode=yes")


class Server(Keys):
    """Serves a user "tester", who is this process's user."""

    def __init__(self, folder, address, port):
        super().__init__(folder)
        (self.folder / "passwd").write_text(f"tester:x:{os.getuid()}:{os.getgid()}::{self.folder}:/bin/sh\n")
        (self.folder / "group").write_text(f"tester:x:{os.getgid()}:\n")
        # The server changes to its user's groups, which nobody may in a namespace of users without privileges.
        environment = {**os.environ, "LD_PRELOAD": "libnss_wrapper.so libuid_wrapper.so",
                       "NSS_WRAPPER_PASSWD": str(self.folder / "passwd"), "NSS_WRAPPER_GROUP": str(self.folder / "group"),
                       "UID_WRAPPER": "1", "UID_WRAPPER_ROOT": "1"}
        self.process = subprocess.Popen(
            ("dropbear", "-F", "-E", "-s", "-r", str(self.host_key), "-p", f"{address}:{port}",
             "-P", str(self.folder / "pid")),
            env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def close(self):
        self.process.terminate()
        self.process.wait()


def digest(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def copy_there_and_back(server, host, port, do=run):
    """Copies a file by scp to a server's user and back. Both copies have to be what was sent; `do` runs scp."""
    sent, there, back = (server.folder / name for name in ("sent", "there", "back"))
    with open(sent, "wb") as file:
        for _ in range(0, FILE_BYTES, PIECE_BYTES):
            file.write(random.randbytes(PIECE_BYTES))
    scp = ("scp", "-O", *server.options(), "-P", str(port))  # dropbear has no sftp
    do(*scp, str(sent), f"tester@{host}:{there.name}")
    expected = digest(sent)
    sent.unlink()  # three of them might be more than there is room for
    if digest(there) != expected:
        raise AssertionError("what arrived is not what was sent")
    do(*scp, f"tester@{host}:{there.name}", str(back))
    if digest(back) != expected:
        raise AssertionError("what came back is not what was there")
