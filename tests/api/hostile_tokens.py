"""Access tokens that must be refused: forged, altered, expired, for another audience, or malformed."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator
from typing import Any

import jwt
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from consent_registry.operations.access.access_tokens import LIFETIME, with_low_s
from consent_registry.storage.keys.keyring import Keys

Claims = dict[str, Any]
FOREIGN_KEY = ec.generate_private_key(ec.SECP256R1())
ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
PEM = serialization.Encoding.PEM
SUBJECT = serialization.PublicFormat.SubjectPublicKeyInfo


def b64(value: bytes | str) -> str:
    """Encode bytes as a token's segment."""
    data = value.encode() if isinstance(value, str) else value
    return base64.urlsafe_b64encode(data).decode().rstrip("=")


class Forge:
    """Makes bad tokens from a good one; `keys` are the registry's own keys."""

    def __init__(self, good: str, keys: Keys, log_origin: str) -> None:
        self.good = good
        self.keys = keys
        self.log_origin = log_origin
        self.head, self.body, self.signature = good.split(".")
        self.header: Claims = jwt.get_unverified_header(good)
        self.claims: Claims = jwt.decode(good, options={"verify_signature": False})

    def all(self) -> Iterator[tuple[str, str]]:
        """Return every bad token with its fault."""
        yield from self.unsigned()
        yield from self.of_another_algorithm()
        yield from self.of_another_key()
        yield from self.altered()
        yield from self.of_another_form()
        yield from self.with_other_claims()
        yield from self.with_another_header()

    def ours(self, claims: Claims | None = None, **header: object) -> str:
        """Sign with the registry's own key."""
        said = {name: value for name, value in (self.header | header).items() if name != "alg"}
        return with_low_s(jwt.encode(claims or self.claims, self.keys.token_key, "ES256", said))

    def unsigned(self) -> Iterator[tuple[str, str]]:
        """Return tokens with `alg: none` in every spelling, with and without a signature (RFC 8725 section 2.1)."""
        for alg in ("none", "None", "NONE", "nOnE", "", " none", None):
            head = b64(json.dumps(self.header | {"alg": alg}))
            yield f"alg {alg!r}", f"{head}.{self.body}."
            yield f"alg {alg!r} with a signature", f"{head}.{self.body}.{self.signature}"
        yield "no alg", f"{b64(json.dumps({'typ': 'at+jwt', 'kid': self.header['kid']}))}.{self.body}."
        yield "no signature", f"{self.head}.{self.body}."

    def of_another_algorithm(self) -> Iterator[tuple[str, str]]:
        """Sign with the public key as a secret, and with other kinds of keys."""
        public = self.keys.token_key.public_key()
        secrets = {
            "the public key's PEM": public.public_bytes(PEM, SUBJECT),
            "the public JWK": json.dumps(self.keys.public_token_keys()[0]).encode(),
            "nothing": b"",
        }
        for name, secret in secrets.items():
            for alg in ("HS256", "HS384", "HS512"):
                yield f"{alg} with {name}", self._hmac(alg, secret)
        rsa_key = rsa.generate_private_key(65537, 2048)
        yield "RS256", jwt.encode(self.claims, rsa_key, "RS256", self._headers())
        p384 = ec.generate_private_key(ec.SECP384R1())
        yield "ES384", jwt.encode(self.claims, p384, "ES384", self._headers())
        log_key = self.keys.log_key(self.log_origin)
        yield "EdDSA with the log's key", jwt.encode(self.claims, log_key, "EdDSA", self._headers())
        receipt_kid = self.keys.public_receipt_keys(self.log_origin)[0]["kid"]
        yield "EdDSA with the log's kid", jwt.encode(self.claims, log_key, "EdDSA", self._headers(kid=receipt_kid))
        yield "a receipt", self.keys.sign_receipt(self.log_origin, json.dumps(self.claims).encode(), None)

    def _headers(self, **more: object) -> Claims:
        return {name: value for name, value in (self.header | more).items() if name != "alg"}

    def _hmac(self, alg: str, secret: bytes) -> str:
        signed = f"{b64(json.dumps(self.header | {'alg': alg}))}.{self.body}"
        return f"{signed}.{b64(hmac.digest(secret, signed.encode(), getattr(hashlib, f'sha{alg[2:]}')))}"

    def of_another_key(self) -> Iterator[tuple[str, str]]:
        """Sign with a foreign key, and put it into the token in every standard way."""
        jwk = json.loads(jwt.algorithms.ECAlgorithm.to_jwk(FOREIGN_KEY.public_key()))
        url = "https://attacker.example/jwks.json"
        headers: dict[str, Claims] = {
            "a foreign key under our kid": {},
            "a foreign kid": {"kid": "theirs"},
            "a key of its own in the header": {"jwk": jwk},
            "a URL for keys": {"jku": url, "kid": "theirs"},
            "a certificate URL": {"x5u": url},
            "a kid that is a path": {"kid": "../../../../dev/null"},
            "a kid that is SQL": {"kid": "' union select 'x"},
            "an empty kid": {"kid": ""},
        }
        for name, more in headers.items():
            yield name, jwt.encode(self.claims, FOREIGN_KEY, "ES256", self._headers(**more))

    def altered(self) -> Iterator[tuple[str, str]]:
        """Return tokens with changed content or a changed signature."""
        changes: dict[str, Claims] = {
            "another partner": {"partner": "south"},
            "the administration": {"partner": None},
            "another network": {"network": "paderborn"},
            "more scopes": {"scope": "catalogue:write"},
            "a later end": {"exp": self.claims["exp"] + 600},
        }
        for name, change in changes.items():
            yield f"altered: {name}", f"{self.head}.{b64(json.dumps(self.claims | change))}.{self.signature}"
        flipped = self.signature[:10] + ("A" if self.signature[10] != "A" else "B") + self.signature[11:]
        yield "one bit of the signature", f"{self.head}.{self.body}.{flipped}"
        yield "half a signature", f"{self.head}.{self.body}.{self.signature[:43]}"
        yield "a signature of zeros", f"{self.head}.{self.body}.{b64(bytes(64))}"
        yield "an empty DER signature", f"{self.head}.{self.body}.{b64(bytes.fromhex('3006020100020100'))}"
        yield "a signature and more", f"{self.good}AAAA"
        yield "the signature's other form", f"{self.head}.{self.body}.{self._other_s()}"
        for name, end in {"tab": "\t", "blank": " ", "tabs and blanks": " \t \t", "no-break space": "\xa0"}.items():
            yield f"a {name} after it", f"{self.good}{end}"
        yield "a tab before it", f"\t{self.good}"
        yield "a signature with a mark", f"{self.good}!"
        yield "a signature with padding", f"{self.good}=="
        yield "a signature in other letters", f"{self.head}.{self.body}.{self.signature[:-1]}{self._twin()}"
        yield "header re-encoded", f"{b64(json.dumps(self.header, indent=1))}.{self.body}.{self.signature}"

    def _other_s(self) -> str:
        """Return (r, n - s) for a signature (r, s), which plain ECDSA verification accepts too."""
        both = base64.urlsafe_b64decode(self.signature + "==")
        return b64(both[:32] + (ORDER - int.from_bytes(both[32:], "big")).to_bytes(32, "big"))

    def _twin(self) -> str:
        """Return another last letter that decodes to the same bytes, because four of its six bits are unused."""
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        return letters[letters.index(self.signature[-1]) ^ 1]

    def of_another_form(self) -> Iterator[tuple[str, str]]:
        """Return texts that are not tokens of three parts."""
        yield "nothing but dots", ".."
        yield "two parts", f"{self.head}.{self.body}"
        yield "four parts", f"{self.good}.{self.signature}"
        yield "five parts", f"{self.head}..{self.body}.{self.signature}.{self.signature}"
        yield "a word", "token"
        yield "a client id", self.claims["client_id"]
        yield "a list as header", f"{b64('[]')}.{self.body}.{self.signature}"
        yield "a number as header", f"{b64('7')}.{self.body}.{self.signature}"
        yield "bytes as header", f"{b64(bytes(range(250, 256)))}.{self.body}.{self.signature}"
        yield "a deep header", f"{b64('[' * 20_000)}.{self.body}.{self.signature}"
        yield "a hundred kilobytes", f"{self.head}.{'A' * 100_000}.{self.signature}"
        yield "no base64", f"{self.head}.ä€.{self.signature}".encode().decode("latin-1")
        yield "a quote", f'"{self.good}"'
        yield "two tokens", f"{self.good} {self.good}"
        yield "two tokens with a comma", f"{self.good},{self.good}"

    def with_other_claims(self) -> Iterator[tuple[str, str]]:
        """Sign wrong, outdated or incomplete claims with the registry's own key."""
        now = int(time.time())
        changes: dict[str, Claims] = {
            "expired": {"exp": now - 1},
            "long expired": {"iat": now - 10_000, "exp": now - 9_400},
            "not yet": {"nbf": now + 600},
            "issued tomorrow": {"iat": now + 86_400, "exp": now + 87_000},
            "another issuer": {"iss": "https://other.example"},
            "our issuer with a slash": {"iss": self.claims["iss"] + "/"},
            "another audience": {"aud": "https://other.example"},
            "no audience": {"aud": []},
            "an end that is a word": {"exp": "tomorrow"},
            "an unknown network": {"network": "nowhere"},
            "a network that is a list": {"network": ["small"]},
            "an unknown partner": {"partner": "nobody"},
            "a partner that is a list": {"partner": ["north"]},
            "an unknown client": {"client_id": "small.north.00000000"},
            "a client that is a list": {"client_id": [self.claims["client_id"]]},
            "another partner of the network": {"partner": "south"},
            "the administration's partner": {"partner": None},
            "another network that exists": {"network": "paderborn"},
            "another subject": {"sub": self.claims["client_id"].replace("north", "south")},
            "another client in both": dict.fromkeys(("sub", "client_id"), "small.south.00000000"),
            "a scope it does not hold": {"scope": "decisions audit:read"},
            "a scope that nobody holds": {"scope": "everything"},
            "a life longer than any": {"exp": self.claims["iat"] + LIFETIME + 1},
            "a life of a year": {"exp": self.claims["iat"] + 365 * 86_400},
            "a claim more": {"admin": True},
            "an audience that is a list": {"aud": [self.claims["aud"]]},
            "scopes that are a list": {"scope": ["decisions"]},
        }
        for name, change in changes.items():
            yield f"ours but {name}", self.ours(self.claims | change)
        numbers: list[Any] = [True, None, -1, 0, 1.5, now + 300.0, now + 0.5, 2**31, 2**53, 2**63, 2**64, 10**400]
        for value in numbers:
            yield f"ours but exp {value!r:.40}", self.ours(self.claims | {"exp": value})
            yield f"ours but iat {value!r:.40}", self.ours(self.claims | {"iat": value})
            if isinstance(value, int):
                both = {"iat": value, "exp": value + LIFETIME}
                yield f"ours but of the time {value!r:.40}", self.ours(self.claims | both)
        others: list[Any] = [float("inf"), float("-inf"), float("nan"), str(now + 300), [now + 300], {}]
        for value in others:
            yield f"ours but exp {value!r}", self.ours(self.claims | {"exp": value})
        for claim in self.claims:
            yield f"ours without {claim}", self.ours({k: v for k, v in self.claims.items() if k != claim})

    def with_another_header(self) -> Iterator[tuple[str, str]]:
        """Sign with the registry's own key under a header of another type (RFC 9068 section 4, RFC 7515 section
        4.1.11).
        """
        for typ in ("JWT", "jwt", "consent-receipt+jwt", "", "at+jwt;x", None):
            yield f"typ {typ!r}", self.ours(typ=typ)
        yield "an unknown critical header", self.ours(crit=["door"], door=1)
        extras: Claims = {"jku": "https://attacker.example/", "x5c": [], "note": "harmless"}
        for name, value in extras.items():
            yield f"the header {name}", self.ours(**{name: value})
        yield "no kid", jwt.encode(self.claims, self.keys.token_key, "ES256", {"typ": "at+jwt"})
