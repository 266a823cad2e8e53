# SPDX-License-Identifier: BSD-2-Clause
"""Credentials of NATS, without the tool `nsc`, which Debian does not have: an operator, an account, and a user with a token and a
seed. Keys are those of OpenSSL (Ed25519); names and tokens are as the server reads them."""

import base64
import json
import subprocess

OPERATOR, ACCOUNT, USER = 14 << 3, 0, 20 << 3  # prefixes, which become the letters O, A and U
SEED = 18 << 3  # S
PKCS8_BYTES = 16  # before the key in OpenSSL's DER


def crc16(data):
    """XMODEM's."""
    crc = 0
    for byte in data:
        crc ^= byte << 8
        for _ in range(8):
            crc = (crc << 1 ^ 0x1021 if crc & 0x8000 else crc << 1) & 0xFFFF
    return crc


def spell(data):
    return base64.b32encode(data + crc16(data).to_bytes(2, "little")).decode().rstrip("=")


def part(data):
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Key:
    def __init__(self, folder, name, kind):
        self.file, self.kind = folder / f"{name}.key.pem", kind
        self.openssl("genpkey", "-algorithm", "ed25519", "-out", self.file)
        self.secret = self.openssl("pkey", "-in", self.file, "-outform", "DER")[PKCS8_BYTES:]
        self.public = self.openssl("pkey", "-in", self.file, "-pubout", "-outform", "DER")[-32:]

    def openssl(self, *arguments, data=None):
        return subprocess.run(["openssl", *map(str, arguments)], input=data, check=True, capture_output=True).stdout

    @property
    def name(self):
        return spell(bytes([self.kind]) + self.public)

    @property
    def seed(self):
        """Two bytes hold two prefixes of five bits each."""
        return spell(bytes([SEED | self.kind >> 5, (self.kind & 31) << 3]) + self.secret)

    def sign(self, data):
        text = self.file.with_suffix(".text")
        text.write_bytes(data)
        return self.openssl("pkeyutl", "-sign", "-inkey", self.file, "-rawin", "-in", text)

    def token(self, subject, kind, limits):
        """What this key says of another one."""
        claims = {"jti": subject.name, "iat": 1700000000, "iss": self.name, "sub": subject.name, "name": kind,
                  "nats": {"type": kind, "version": 2, **limits}}  # fmt: skip
        text = ".".join(part(json.dumps(piece).encode()) for piece in ({"typ": "JWT", "alg": "ed25519-nkey"}, claims))
        return f"{text}.{part(self.sign(text.encode()))}"


ALL = {"subs": -1, "data": -1, "payload": -1}
CONNECTIONS = {**ALL, "imports": -1, "exports": -1, "wildcards": True, "conn": -1, "leaf": -1}
STREAMS = {"mem_storage": -1, "disk_storage": -1, "streams": -1, "consumer": -1}


def make(folder):
    """Gives the server's configuration, and the text of a user's file of credentials."""
    operator, user = Key(folder, "operator", OPERATOR), Key(folder, "user", USER)
    account, system = Key(folder, "account", ACCOUNT), Key(folder, "system", ACCOUNT)
    accounts = ((account, {**CONNECTIONS, **STREAMS}), (system, CONNECTIONS))
    preload = "".join(f"  {key.name}: {operator.token(key, 'account', {'limits': limits})}\n" for key, limits in accounts)
    configuration = (
        f"operator: {operator.token(operator, 'operator', {})}\nsystem_account: {system.name}\n"
        f"resolver: MEMORY\nresolver_preload: {{\n{preload}}}\n"
    )
    credentials = (
        f"-----BEGIN NATS USER JWT-----\n{account.token(user, 'user', ALL)}\n------END NATS USER JWT------\n\n"
        f"-----BEGIN USER NKEY SEED-----\n{user.seed}\n------END USER NKEY SEED------\n"
    )
    return configuration, credentials
