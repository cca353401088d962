// Signs in, uses, refreshes, revokes and is refused, as an application built on npm oauth4webapi would; checks every answer by the library.
import * as oauth from 'oauth4webapi'
import { Person } from './person.mjs'
import { check, checkInactive, refusal, rounds, serviceParameters, settings, step } from './run.mjs'

const http = { [oauth.allowInsecureRequests]: settings.insecure }
const client = { client_id: settings.clientId }

const as = await step('discovery, OpenID Connect and RFC 8414', async () => {
  const issuer = new URL(settings.issuer)
  const found = {}
  for (const algorithm of ['oidc', 'oauth2']) {
    found[algorithm] = await oauth.processDiscoveryResponse(issuer, await discoveryResponse(issuer, algorithm))
  }
  check(found.oidc.token_endpoint === found.oauth2.token_endpoint, 'the two documents name different token endpoints')
  return found.oidc
})

function discoveryResponse(issuer, algorithm) {
  return settings.discovery ? fetch(settings.discovery) : oauth.discoveryRequest(issuer, { ...http, algorithm })
}

const clientAuthentication = await step(`client authentication ${settings.clientJwk ? 'private_key_jwt' : settings.clientAuthMethod}`, authentication)
const itself = { client, authentication: clientAuthentication }
const resourceServer = settings.introspectsItself
  ? itself
  : { client: { client_id: settings.introspectClientId }, authentication: oauth.ClientSecretBasic(settings.introspectClientSecret) }

async function authentication() {
  if (settings.clientJwk) {
    const { kid, ...jwk } = settings.clientJwk
    const algorithm = webCryptoAlgorithm(jwk)
    return oauth.PrivateKeyJwt({ key: await crypto.subtle.importKey('jwk', { ...jwk, use: undefined, key_ops: undefined }, algorithm, false, ['sign']), kid })
  }
  check(settings.clientSecret, 'set CLIENT_SECRET or CLIENT_JWK')
  const methods = { client_secret_basic: oauth.ClientSecretBasic, client_secret_post: oauth.ClientSecretPost, client_secret_jwt: oauth.ClientSecretJwt }
  check(methods[settings.clientAuthMethod], `CLIENT_AUTH_METHOD ${settings.clientAuthMethod} is not one of ${Object.keys(methods)}`)
  return methods[settings.clientAuthMethod](settings.clientSecret)
}

function webCryptoAlgorithm({ kty, crv, alg }) {
  if (kty === 'EC') return { name: 'ECDSA', namedCurve: crv }
  if (kty === 'OKP') return { name: crv }
  return { name: alg?.startsWith('PS') ? 'RSA-PSS' : 'RSASSA-PKCS1-v1_5', hash: `SHA-${alg?.slice(2) ?? '256'}` }
}

/** Pushes the request (RFC 9126) or puts it into the URL; gives back where to send the person. */
async function authorizationUrl(parameters, pushed) {
  const url = new URL(as.authorization_endpoint)
  if (!pushed) {
    url.search = new URLSearchParams({ client_id: client.client_id, ...parameters }).toString()
    return url
  }
  const response = await oauth.pushedAuthorizationRequest(as, client, clientAuthentication, new URLSearchParams(parameters), http)
  const answer = await oauth.processPushedAuthorizationResponse(as, client, response)
  url.search = new URLSearchParams({ client_id: client.client_id, request_uri: answer.request_uri }).toString()
  return url
}

async function signIn(person, pushed) {
  const verifier = oauth.generateRandomCodeVerifier()
  const state = oauth.generateRandomState()
  const nonce = oauth.generateRandomNonce()
  const url = await authorizationUrl({
    response_type: 'code',
    redirect_uri: settings.redirectUri,
    scope: settings.scope,
    prompt: 'consent',
    state,
    nonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }, pushed)
  const back = await person.visit(url, settings.redirectUri)
  check(back, 'the provider did not redirect back')
  check(as.authorization_response_iss_parameter_supported, 'discovery does not promise iss in the answer (RFC 9207)')
  const answer = oauth.validateAuthResponse(as, client, back, state)
  const response = await oauth.authorizationCodeGrantRequest(as, client, clientAuthentication, answer, settings.redirectUri, verifier, http)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, { expectedNonce: nonce, requireIdToken: true })
  await oauth.validateApplicationLevelSignature(as, response, http)
  return tokens
}

async function userinfo(accessToken, subject) {
  const response = await oauth.userInfoRequest(as, client, accessToken, http)
  return oauth.processUserInfoResponse(as, client, subject, response)
}

async function refreshed(refreshToken) {
  const response = await oauth.refreshTokenGrantRequest(as, client, clientAuthentication, refreshToken, http)
  return oauth.processRefreshTokenResponse(as, client, response)
}

async function introspected(by, token, signed = false) {
  const options = { ...http, requestJwtResponse: signed }
  const response = await oauth.introspectionRequest(as, by.client, by.authentication, token, options)
  const answer = await oauth.processIntrospectionResponse(as, by.client, response)
  if (signed) {
    const type = response.headers.get('content-type')
    check(type?.startsWith('application/token-introspection+jwt'), `asked for a signed answer, got ${type} (RFC 9701 5)`)
    await oauth.validateApplicationLevelSignature(as, response, http)
  }
  return answer
}

async function revoke(token, hint) {
  const additionalParameters = hint ? { token_type_hint: hint } : {}
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, clientAuthentication, token, { ...http, additionalParameters }))
}

async function seeActive(token) {
  await step('introspection says active', async () => check((await introspected(resourceServer, token)).active === true, 'the fresh access token is not active'))
  if (!settings.introspectionJwt) return
  await step('signed introspection says active', async () => check((await introspected(resourceServer, token, true)).active === true, 'the fresh access token is not active'))
}

async function seeInactive(what, by, token) {
  await step(`introspection says ${what} is inactive`, async () => checkInactive(await introspected(by, token)))
  if (!settings.introspectionJwt || by !== resourceServer) return
  await step(`signed introspection says ${what} is inactive`, async () => checkInactive(await introspected(resourceServer, token, true)))
}

async function seeRefusal(accessTokens, refreshToken) {
  for (const [index, token] of accessTokens.entries()) {
    await step(`userinfo refuses access token ${index + 1}`, async () => {
      const error = await refusal(userinfo(token, oauth.skipSubjectCheck))
      const challenge = error.cause?.[0]?.parameters?.error
      check(error.status === 401 && challenge === 'invalid_token', `expected 401 invalid_token, got ${error.status} ${challenge} (${error.message})`)
    })
    await seeInactive(`access token ${index + 1}`, resourceServer, token)
  }
  await step('refresh is refused', async () => {
    const error = await refusal(refreshed(refreshToken))
    check(error.error === 'invalid_grant', `expected invalid_grant, got ${error.error} (${error.message})`)
  })
  await seeInactive('the refresh token', itself, refreshToken)
}

async function round({ title, pushed, revokes }) {
  console.log(`--    ${title}, revoking the ${revokes.replace('_', ' ')}`)
  const tokens = await step('sign in, consent, exchange the code, check the ID token', () => signIn(new Person(settings), pushed))
  const subject = oauth.getValidatedIdTokenClaims(tokens).sub
  await step('userinfo answers', () => userinfo(tokens.access_token, subject))
  await seeActive(tokens.access_token)
  const fresh = await step('refresh gives another access token', async () => {
    check(tokens.refresh_token, 'no refresh token was issued')
    const answer = await refreshed(tokens.refresh_token)
    check(answer.access_token !== tokens.access_token, 'the access token is the same as before')
    await userinfo(answer.access_token, subject)
    return answer
  })
  const refreshToken = fresh.refresh_token ?? tokens.refresh_token
  await step('introspection says the refresh token is active', async () => check((await introspected(itself, refreshToken)).active === true, 'it is not active'))
  const handle = revokes === 'access_token' ? fresh.access_token : refreshToken
  await step(`revoke the ${revokes.replace('_', ' ')}`, () => revoke(handle, revokes))
  await seeRefusal([tokens.access_token, fresh.access_token], refreshToken)
  await step('revoking again, and revoking an unknown token, is no error', async () => {
    await revoke(handle)
    await revoke('unknown-token')
  })
}

async function service() {
  console.log('--    client credentials')
  const { access_token: token } = await step('client_credentials gives a token', async () => {
    const response = await oauth.clientCredentialsGrantRequest(as, client, clientAuthentication, serviceParameters(), http)
    return oauth.processClientCredentialsResponse(as, client, response)
  })
  await seeActive(token)
  await step('revoke it', () => revoke(token, 'access_token'))
  await seeInactive('it', resourceServer, token)
}

for (const each of rounds) await round(each)
await service()
console.log('oauth4webapi: all steps passed')
