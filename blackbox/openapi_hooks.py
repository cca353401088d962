"""How schemathesis calls this server: as whom, with which of its own things, and what it leaves alone.

Settings from the environment, as for the other clients; ADMIN_ID and ADMIN_SECRET (a client with `rescind:write`) and SEEN, a file
that gets, as JSON, the statuses with which each operation answered.
"""

import atexit
import base64
import hashlib
import json
import os
from collections import defaultdict
from datetime import datetime, timedelta, timezone
from itertools import count
from urllib.parse import parse_qs, quote, urlencode, urlsplit

import requests
import schemathesis
from person import Person

ISSUER = os.environ["ISSUER"]
ADMIN = (os.environ["ADMIN_ID"], os.environ["ADMIN_SECRET"])
CLIENT = (os.environ["CLIENT_ID"], os.environ["CLIENT_SECRET"])
REDIRECT_URI = os.environ["REDIRECT_URI"]
USER = (os.environ["USERNAME"], os.environ["PASSWORD"])
TIMEOUT_SECONDS = 20
VERIFIER = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
PREFIX = "/jans-auth/restv1"
CREDENTIALS = {"client_id", "client_secret", "client_assertion", "client_assertion_type"}


def session():
    made = requests.Session()
    made.trust_env = False
    return made


HTTP = session()


def token(client, **form):
    answer = HTTP.post(f"{ISSUER}/token", auth=client, data=form, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer.json()["access_token"]


def takes(scheme):
    """Whether an operation takes a security scheme."""
    return lambda context: any(scheme in one for one in context.operation.definition.raw.get("security", []))


# Some calls end the token they are made with, as they should (an order for everything): on 401 another is asked for.
@schemathesis.auth().apply_to(takes("administrator"))
class Administrator:
    def get(self, case, context):
        return token(ADMIN, grant_type="client_credentials", scope="rescind:write")

    def set(self, case, given, context):
        case.headers["Authorization"] = f"Bearer {given}"


@schemathesis.auth().apply_to(takes("access_token"))
class SignedIn:
    def get(self, case, context):
        challenge = base64.urlsafe_b64encode(hashlib.sha256(VERIFIER.encode()).digest()).decode().rstrip("=")
        asked = {"client_id": CLIENT[0], "redirect_uri": REDIRECT_URI, "response_type": "code", "scope": "openid profile email"}
        asked |= {"code_challenge": challenge, "code_challenge_method": "S256"}
        back = Person(*USER, session()).visit(f"{ISSUER}/authorize?{urlencode(asked)}", REDIRECT_URI)
        code = parse_qs(urlsplit(back).query)["code"][0]
        return token(CLIENT, grant_type="authorization_code", code=code, redirect_uri=REDIRECT_URI, code_verifier=VERIFIER)

    def set(self, case, given, context):
        case.headers["Authorization"] = f"Bearer {given}"


@schemathesis.auth(refresh_interval=None).apply_to(takes("client_secret_basic"))
class Client:
    def get(self, case, context):
        return requests.auth._basic_auth_str(*CLIENT)

    def set(self, case, basic, context):
        case.headers["Authorization"] = basic


# Each call has a registration of its own, which it may remove.
@schemathesis.auth(refresh_interval=None).apply_to(takes("registration_access_token"))
class Registered:
    def get(self, case, context):
        metadata = {"redirect_uris": [REDIRECT_URI]}
        answer = HTTP.post(f"{ISSUER}/register", json=metadata, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json()

    def set(self, case, registered, context):
        case.path_parameters["client_id"] = registered["client_id"]
        if isinstance(case.body, dict) and isinstance(case.body.get("client_id"), str):
            case.body["client_id"] = registered["client_id"]
        case.headers["Authorization"] = f"Bearer {registered['registration_access_token']}"


@schemathesis.auth().apply_to(takes("scim_token"))
class Provisioning:
    def get(self, case, context):
        bearer = {"Authorization": f"Bearer {Administrator().get(None, None)}"}
        answer = HTTP.post(f"{ISSUER}/admin/v1/scim-tokens", json={"name": "schemathesis"}, headers=bearer, timeout=TIMEOUT_SECONDS)
        answer.raise_for_status()
        return answer.json()["scim_token"]

    def set(self, case, given, context):
        case.headers["Authorization"] = f"Bearer {given}"


@schemathesis.hook
def before_call(context, case, kwargs):
    # Ids that answers contain are used again. Those by whom the calls are made must not be removed or changed.
    own = {"/admin/v1/clients/": (ADMIN[0], CLIENT[0]), "/admin/v1/users/": (OWN_USER, USER[0]), "/scim/v2/Users/": (OWN_USER,)}
    for path, ids in own.items():
        is_change = case.method in ("DELETE", "PATCH", "PUT") or case.path.endswith("/secret")
        if is_change and case.path.startswith(path) and case.path_parameters.get("id") in ids:
            case.path_parameters["id"] = "somebody-else"
    path = case.path.removeprefix(PREFIX)
    # Who asks for a sign-in has to be known, and where it leads: otherwise nothing else would be looked at.
    if path in ("/authorize", "/par"):
        replace(case.query if case.method == "GET" else case.body, client_id=CLIENT[0], redirect_uri=REDIRECT_URI)
    # Half of the tokens that are asked about are alive.
    if path in ("/introspect", "/introspection", "/revoke", "/admin/v1/introspect", "/admin/v1/explain") and next(COUNT) % 2:
        replace(case.body, token=token(CLIENT, grant_type="client_credentials"))
    # There is something that waits, and a job that runs.
    if path.startswith("/admin/v1/pending-revocations/{id}") and next(COUNT) % 2:
        replace(case.path_parameters, id=waiting())
    if path.startswith("/admin/v1/bulk-jobs/{id}") and next(COUNT) % 2:
        replace(case.path_parameters, id=running())
    # And there is such a user.
    if path == "/global-token-revocation" and isinstance(case.body, dict):
        named = case.body.get("sub_id")
        if isinstance(named, dict) and named.get("format") == "opaque":
            replace(named, id=OWN_USER)
    # Beside those of the header, credentials in the form are refused before anything else: few keep theirs.
    if isinstance(case.body, dict) and takes("client_secret_basic")(case) and next(COUNT) % 8:
        case.body = {name: value for name, value in case.body.items() if name not in CREDENTIALS or not isinstance(value, str)}


COUNT = count()


def replace(asked, **values):
    """Puts in values that count, in the place of texts; what is wrong on purpose stays so."""
    for name, value in values.items():
        if isinstance(asked, dict) and isinstance(asked.get(name), str) and asked[name]:
            asked[name] = value


def administer(path, order):
    bearer = {"Authorization": f"Bearer {Administrator().get(None, None)}"}
    answer = HTTP.post(f"{ISSUER}/admin/v1{path}", json=order, headers=bearer, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer.json()


def waiting():
    """A revocation that is scheduled for a day on which nobody runs this."""
    at = (datetime.now(timezone.utc) + timedelta(days=300)).strftime("%Y-%m-%dT%H:%M:%SZ")
    return administer("/revocations", {"target": {"kind": "client", "client": CLIENT[0]}, "at": at})["pending"]["id"]


def running():
    """A job that has just begun, for users whom nobody knows."""
    users = [f"u_{number}" for number in range(2000)]
    return administer("/bulk-jobs", {"action": "revoke", "users": users, "confirm": "revoke 2000 users"})["id"]


@schemathesis.hook
def filter_failure(context, failure, case, response):
    # PingFederate's list and its items are one resource to whoever is told what is allowed there.
    return not (type(failure).__name__ == "AllowHeaderMismatch" and "/sessionMgmt/revokedSris" in case.path)


SEEN = defaultdict(lambda: defaultdict(int))


@schemathesis.hook
def after_call(context, case, response):
    SEEN[f"{case.method} {case.path}"][response.status_code] += 1
    # A setting that was changed goes back at once: one that switches an endpoint off would leave nothing to look at there.
    if case.method == "PATCH" and case.path.startswith("/admin/v1/settings/") and response.status_code == 200:
        bearer = {"Authorization": f"Bearer {Administrator().get(None, None)}"}
        back = HTTP.patch(response.request.url, json={"value": None}, headers=bearer, timeout=TIMEOUT_SECONDS)
        back.raise_for_status()


    # So is a script switched off: a random one would keep every revocation from being written.
    if case.method in ("PATCH", "POST") and case.path.startswith("/admin/v1/scripts") and response.status_code in (200, 201):
        bearer = {"Authorization": f"Bearer {Administrator().get(None, None)}"}
        url = f"{ISSUER}/admin/v1/scripts/{quote(response.json()['name'], safe='')}"
        HTTP.patch(url, json={"enabled": False}, headers=bearer, timeout=TIMEOUT_SECONDS).raise_for_status()


@atexit.register
def tell():
    with open(os.environ["SEEN"], "w", encoding="utf-8") as file:
        json.dump(SEEN, file)


@schemathesis.hook
def before_load_schema(context, raw):
    """Closes every answer: in what we say ourselves, a member that is not described is a mistake of the description."""
    operations = [operation for item in raw["paths"].values() for operation in item.values()]
    asked = [operation.get("requestBody", {}) for operation in operations]
    # The metadata has more members than clients need to know of.
    stay_open = names_in(asked, raw["components"]["schemas"], set()) | {"Metadata"}
    close([operation["responses"] for operation in operations])
    close([schema for name, schema in raw["components"]["schemas"].items() if name not in stay_open])


def names_in(value, schemas, found):
    """Adds the schemas that something refers to, directly or through others."""
    if isinstance(value, dict):
        name = value.get("$ref", "").removeprefix("#/components/schemas/")
        if name in schemas and name not in found:
            found.add(name)
            names_in(schemas[name], schemas, found)
    for member in members(value):
        names_in(member, schemas, found)
    return found


def close(value):
    if isinstance(value, dict) and value.get("type") == "object" and "properties" in value:
        value.setdefault("additionalProperties", False)
    for member in members(value):
        close(member)


def members(value):
    return value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()


def own_user():
    answer = HTTP.get(f"{ISSUER}/admin/v1/users/{USER[0]}", headers={"Authorization": f"Bearer {Administrator().get(None, None)}"}, timeout=TIMEOUT_SECONDS)
    answer.raise_for_status()
    return answer.json()["id"]


OWN_USER = own_user()
