"""Signs in, uses, refreshes, revokes and is refused, as an application built on PyPI authlib would."""

import os
import sys
from urllib.parse import parse_qs, urlsplit

if os.environ.get("ISSUER", "").startswith("http://"):
    # Authlib refuses plain HTTP otherwise; the tests run on loopback.
    os.environ["AUTHLIB_INSECURE_TRANSPORT"] = "1"

import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import OAuthError
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from authlib.oidc.discovery import OpenIDProviderMetadata, get_well_known_url
from joserfc import jwt
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry
from person import Person

CLOCK_SKEW_SECONDS = 5
TIMEOUT_SECONDS = 20


class Mistake(Exception):
    """Something the provider did is wrong."""


def check(condition, message):
    if not condition:
        raise Mistake(message)


def required(name):
    value = os.environ.get(name)
    if not value:
        sys.exit(f"FAIL  settings: the environment has no {name}")
    return value


ISSUER = required("ISSUER")
CLIENT_ID = required("CLIENT_ID")
CLIENT_SECRET = required("CLIENT_SECRET")
REDIRECT_URI = required("REDIRECT_URI")
AUTH_METHOD = os.environ.get("CLIENT_AUTH_METHOD") or "client_secret_basic"
# OpenID Connect Core 11: offline_access is only heard together with prompt=consent.
SCOPE = os.environ.get("SCOPE") or "openid profile email offline_access"


def trusting(session):
    """Of the environment only CA_FILE counts for TLS, and no proxy."""
    session.trust_env = False
    session.verify = os.environ.get("CA_FILE") or True
    return session


def application(**more):
    session = OAuth2Session(
        CLIENT_ID,
        CLIENT_SECRET,
        redirect_uri=REDIRECT_URI,
        token_endpoint_auth_method=AUTH_METHOD,
        revocation_endpoint_auth_method=AUTH_METHOD,
        code_challenge_method="S256",
        default_timeout=TIMEOUT_SECONDS,
        **more,
    )
    return trusting(session)


def resource_server():
    client_id = os.environ.get("INTROSPECT_CLIENT_ID")
    if not client_id:
        return application()
    secret = required("INTROSPECT_CLIENT_SECRET")
    return trusting(OAuth2Session(client_id, secret, token_endpoint_auth_method="client_secret_basic", default_timeout=TIMEOUT_SECONDS))


def fetched(url):
    return trusting(requests.Session()).get(url, timeout=TIMEOUT_SECONDS)


def discovered():
    url = os.environ.get("DISCOVERY") or get_well_known_url(ISSUER, external=True)
    answer = fetched(url)
    check(answer.status_code == 200, f"{url} answered {answer.status_code}")
    metadata = OpenIDProviderMetadata(answer.json())
    if ISSUER.startswith("https://"):
        # The library's own rules for each member; they demand https everywhere.
        metadata.validate()
    check(metadata["issuer"] == ISSUER, f"the document names the issuer {metadata['issuer']}")
    check("S256" in metadata["code_challenge_methods_supported"], "S256 is not advertised")
    return metadata


def id_token_claims(metadata, tokens, nonce):
    keys = fetched(metadata["jwks_uri"]).json()
    algorithms = metadata["id_token_signing_alg_values_supported"]
    registry = JWSRegistry(algorithms=algorithms, strict_check_header=False)
    decoded = jwt.decode(tokens["id_token"], key=KeySet.import_key_set(keys), registry=registry)
    expected = {"iss": {"essential": True, "values": [ISSUER]}, "aud": {"essential": True, "values": [CLIENT_ID]}}
    params = {"nonce": nonce, "client_id": CLIENT_ID, "access_token": tokens["access_token"]}
    claims = CodeIDToken(decoded.claims, decoded.header, expected, params)
    claims.validate(leeway=CLOCK_SKEW_SECONDS)
    return claims


def sign_in(metadata):
    """One authorization code flow by a new person; gives back the session, its tokens and the ID token's claims."""
    session = application(scope=SCOPE)
    verifier, nonce = generate_token(48), generate_token(24)
    url, state = session.create_authorization_url(metadata["authorization_endpoint"], code_verifier=verifier, nonce=nonce, prompt="consent")
    person = Person(required("USERNAME"), required("PASSWORD"), trusting(requests.Session()))
    back = person.visit(url, REDIRECT_URI)
    check(back is not None, "the provider did not redirect back")
    iss = parse_qs(urlsplit(back).query).get("iss")
    check(iss == [ISSUER], f"the answer carries iss {iss} (RFC 9207)")
    tokens = session.fetch_token(metadata["token_endpoint"], authorization_response=back, state=state, code_verifier=verifier)
    tokens = dict(tokens)
    return session, tokens, id_token_claims(metadata, tokens, nonce)


def userinfo(metadata, access_token):
    """Asks with the given token only, by a session that cannot refresh on its own."""
    session = application(token={"access_token": access_token, "token_type": "Bearer"})
    return session.get(metadata["userinfo_endpoint"])


def see_userinfo(metadata, access_token, subject):
    answer = userinfo(metadata, access_token)
    check(answer.status_code == 200, f"expected 200, got {answer.status_code}")
    check(answer.json().get("sub") == subject, "userinfo is about another subject than the ID token")


def see_userinfo_refused(metadata, access_token):
    answer = userinfo(metadata, access_token)
    challenge = answer.headers.get("www-authenticate", "")
    check(answer.status_code == 401, f"expected 401, got {answer.status_code}")
    check('error="invalid_token"' in challenge, f"expected the challenge invalid_token, got {challenge!r}")


def introspect(metadata, session, token, hint):
    answer = session.introspect_token(metadata["introspection_endpoint"], token=token, token_type_hint=hint)
    check(answer.status_code == 200, f"expected 200, got {answer.status_code}")
    return answer.json()


def see_active(metadata, session, token, hint):
    check(introspect(metadata, session, token, hint).get("active") is True, "it is not active")


def see_inactive(metadata, session, token, hint):
    answer = introspect(metadata, session, token, hint)
    check(answer == {"active": False}, f'expected exactly {{"active":false}}, got the members {sorted(answer)} and active {answer.get("active")}')


def refresh(metadata, refresh_token):
    return dict(application().refresh_token(metadata["token_endpoint"], refresh_token=refresh_token))


def see_refresh_refused(metadata, refresh_token):
    try:
        refresh(metadata, refresh_token)
    except OAuthError as error:
        check(error.error == "invalid_grant", f"expected invalid_grant, got {error.error}")
        return
    raise Mistake("expected a refusal, got tokens")


def revoke(metadata, token, hint):
    answer = application().revoke_token(metadata["revocation_endpoint"], token=token, token_type_hint=hint)
    check(answer.status_code == 200, f"expected 200, got {answer.status_code}")


def step(title, work, *arguments):
    """Runs one step, prints its line, and ends the process at the first failure."""
    try:
        result = work(*arguments)
    except Exception as error:  # whatever a library raises is a failed step
        sys.exit(f"FAIL  {title}: {type(error).__name__}: {error}")
    print(f"ok    {title}", flush=True)
    return result


def refreshed(metadata, tokens, subject):
    check("refresh_token" in tokens, "no refresh token was issued")
    fresh = refresh(metadata, tokens["refresh_token"])
    check(fresh["access_token"] != tokens["access_token"], "the access token is the same as before")
    see_userinfo(metadata, fresh["access_token"], subject)
    return fresh


def grant_round(metadata, revokes):
    """From sign-in to refusal, taking the grant back by the kind of token named."""
    print(f"--    revoking the {revokes.replace('_', ' ')}")
    api = resource_server()
    session, tokens, claims = step("sign in, consent, exchange the code, check the ID token", sign_in, metadata)
    subject = claims["sub"]
    step("userinfo answers", see_userinfo, metadata, tokens["access_token"], subject)
    step("introspection says active", see_active, metadata, api, tokens["access_token"], "access_token")
    fresh = step("refresh gives another access token", refreshed, metadata, tokens, subject)
    # The library keeps the old refresh token in its answer where the provider sent none.
    handles = {"access_token": fresh["access_token"], "refresh_token": fresh["refresh_token"]}
    step("introspection says the refresh token is active", see_active, metadata, session, handles["refresh_token"], "refresh_token")
    step(f"revoke the {revokes.replace('_', ' ')}", revoke, metadata, handles[revokes], revokes)
    for number, token in enumerate((tokens["access_token"], fresh["access_token"]), start=1):
        step(f"userinfo refuses access token {number}", see_userinfo_refused, metadata, token)
        step(f"introspection says access token {number} is inactive", see_inactive, metadata, api, token, "access_token")
    step("refresh is refused", see_refresh_refused, metadata, handles["refresh_token"])
    step("introspection says the refresh token is inactive", see_inactive, metadata, session, handles["refresh_token"], "refresh_token")
    step("revoking again is no error", revoke, metadata, handles[revokes], revokes)


def client_credentials(metadata):
    wanted = {"scope": os.environ.get("SERVICE_SCOPE"), "resource": os.environ.get("RESOURCE")}
    parameters = {name: value for name, value in wanted.items() if value}
    return application().fetch_token(metadata["token_endpoint"], grant_type="client_credentials", **parameters)["access_token"]


def service(metadata):
    print("--    client credentials")
    api = resource_server()
    token = step("client_credentials gives a token", client_credentials, metadata)
    step("introspection says active", see_active, metadata, api, token, "access_token")
    step("revoke it", revoke, metadata, token, "access_token")
    step("introspection says inactive", see_inactive, metadata, api, token, "access_token")


def main():
    metadata = step("discovery", discovered)
    for revokes in ("access_token", "refresh_token"):
        grant_round(metadata, revokes)
    service(metadata)
    print("authlib: all steps passed")


if __name__ == "__main__":
    main()
