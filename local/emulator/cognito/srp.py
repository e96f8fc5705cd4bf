"""The server's side of the Secure Remote Password protocol, in Cognito's variant.

The group is RFC 5054's of 3072 bits with the hash SHA-256. Cognito derives the key of the proof with HKDF, and the proof is an
HMAC over the pool's name, the user's id, the secret block and a time stamp. Source: amazon-cognito-identity-js,
AuthenticationHelper.js and CognitoUser.js, and RFC 5054.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass

N = int(
    "FFFFFFFFFFFFFFFFC90FDAA22168C234C4C6628B80DC1CD129024E088A67CC74020BBEA63B139B22514A08798E3404DD"
    "EF9519B3CD3A431B302B0A6DF25F14374FE1356D6D51C245E485B576625E7EC6F44C42E9A637ED6B0BFF5CB6F406B7ED"
    "EE386BFB5A899FA5AE9F24117C4B1FE649286651ECE45B3DC2007CB8A163BF0598DA48361C55D39A69163FA8FD24CF5F"
    "83655D23DCA3AD961C62F356208552BB9ED529077096966D670C354E4ABC9804F1746C08CA18217C32905E462E36CE3B"
    "E39E772C180E86039B2783A2EC07A28FB5C55DF06F4C52C9DE2BCBF6955817183995497CEA956AE515D2261898FA0510"
    "15728E5A8AAAC42DAD33170D04507A33A85521ABDF1CBA64ECFB850458DBEF0A8AEA71575D060C7DB3970F85A6E1E4C7"
    "ABF5AE8CDB0933D71E8C94E04A25619DCEE3D2261AD2EE6BF12FFA06D98A0864D87602733EC86A64521F2B18177B200C"
    "BBE117577A615D6C770988C0BAD946E208E24FA074E5AB3143DB5BFCE0FD108E4B82D120A93AD2CAFFFFFFFFFFFFFFFF",
    16,
)
G = 2
INFO = b"Caldera Derived Key\x01"
# The format of the time stamp: the day has no leading zero.
_TIMESTAMP = re.compile(
    r"(Mon|Tue|Wed|Thu|Fri|Sat|Sun) (Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) "
    r"([1-9]|[12]\d|3[01]) \d\d:\d\d:\d\d UTC \d{4}"
)


@dataclass(frozen=True)
class Verifier:
    """What a pool keeps of a password. The password can't be calculated from it."""

    salt: int
    value: int

    @staticmethod
    def of(pool_name: str, user_id: str, password: str) -> Verifier:
        salt = secrets.randbits(128)
        return Verifier(salt, pow(G, private_key(pool_name, user_id, password, salt), N))

    def fits(self, pool_name: str, user_id: str, password: str) -> bool:
        value = pow(G, private_key(pool_name, user_id, password, self.salt), N)
        return hmac.compare_digest(padded(value), padded(self.value))


@dataclass(frozen=True)
class Exchange:
    """A started sign-in: the client's value A, the server's secret b and value B, and the secret block."""

    pool_name: str
    user_id: str
    verifier: Verifier
    client_value: int
    server_secret: int
    secret_block: bytes

    @staticmethod
    def start(pool_name: str, user_id: str, verifier: Verifier, client_value: int) -> Exchange:
        """Raises ValueError for a value of the client that is zero modulo N, which would make the key known."""
        if client_value % N == 0:
            raise ValueError("SRP_A is zero modulo N")
        return Exchange(pool_name, user_id, verifier, client_value, secrets.randbits(256), secrets.token_bytes(1024))

    @property
    def server_value(self) -> int:
        return int((multiplier() * self.verifier.value + pow(G, self.server_secret, N)) % N)

    def proves(self, signature: str, timestamp: str) -> bool:
        """Whether the signature (base64) shows that the client knows the password."""
        if not _TIMESTAMP.fullmatch(timestamp):
            return False
        u = number_of(padded(self.client_value) + padded(self.server_value))
        if u == 0:
            return False
        shared = pow(self.client_value * pow(self.verifier.value, u, N), self.server_secret, N)
        pseudo_random_key = hmac.digest(padded(u), padded(shared), "sha256")
        key = hmac.digest(pseudo_random_key, INFO, "sha256")[:16]
        message = self.pool_name.encode() + self.user_id.encode() + self.secret_block + timestamp.encode()
        expected = base64.b64encode(hmac.digest(key, message, "sha256")).decode()
        return hmac.compare_digest(expected.encode(), signature.encode())


def padded(value: int) -> bytes:
    """The bytes of a number as a signed integer: with a leading zero byte if the first bit is set."""
    return value.to_bytes(value.bit_length() // 8 + 1, "big")


def private_key(pool_name: str, user_id: str, password: str, salt: int) -> int:
    """SRP's x: a hash of the salt, the user and the password."""
    inner = hashlib.sha256(f"{pool_name}{user_id}:{password}".encode()).digest()
    return number_of(padded(salt) + inner)


def multiplier() -> int:
    """SRP's k."""
    return number_of(padded(N) + padded(G))


def number_of(content: bytes) -> int:
    """The hash of the content as a number."""
    return int.from_bytes(hashlib.sha256(content).digest(), "big")
