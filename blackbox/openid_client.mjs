// Signs in, uses, refreshes, revokes and is refused, as an application built on npm openid-client would.
import * as client from 'openid-client'
import { Person } from './person.mjs'
import { check, checkInactive, refusal, rounds, serviceParameters, settings, step } from './run.mjs'

const AUTHENTICATION = {
  client_secret_basic: client.ClientSecretBasic,
  client_secret_post: client.ClientSecretPost,
  client_secret_jwt: client.ClientSecretJwt,
}

const options = settings.insecure ? { execute: [client.allowInsecureRequests] } : {}

async function discovered(id, secret, authentication) {
  const found = await client.discovery(new URL(settings.discovery ?? settings.issuer), id, undefined, authentication(secret), options)
  // Given a document's own address, the library takes whatever issuer stands in it.
  check(found.serverMetadata().issuer === settings.issuer, `the document is of the issuer ${found.serverMetadata().issuer}`)
  return found
}

const config = await step('discovery', async () => {
  check(settings.clientSecret, 'this client authenticates by a secret: set CLIENT_SECRET, unset CLIENT_JWK')
  check(AUTHENTICATION[settings.clientAuthMethod], `CLIENT_AUTH_METHOD ${settings.clientAuthMethod} is not one of ${Object.keys(AUTHENTICATION)}`)
  const found = await discovered(settings.clientId, settings.clientSecret, AUTHENTICATION[settings.clientAuthMethod])
  // Without this the library trusts the token endpoint's answer and does not check the ID token's signature.
  client.enableNonRepudiationChecks(found)
  return found
})

const resourceServer = settings.introspectsItself
  ? config
  : await step('discovery by the resource server', () => discovered(settings.introspectClientId, settings.introspectClientSecret, client.ClientSecretBasic))

function redirectedTo(url) {
  check(url, 'the provider did not redirect back')
  check(url.searchParams.get('iss') === settings.issuer, `the answer carries iss ${url.searchParams.get('iss')} (RFC 9207)`)
  return url
}

async function signIn(person, pushed, extra = {}) {
  const verifier = client.randomPKCECodeVerifier()
  const checks = { pkceCodeVerifier: verifier, expectedState: client.randomState(), expectedNonce: client.randomNonce(), idTokenExpected: true }
  const parameters = {
    redirect_uri: settings.redirectUri,
    scope: settings.scope,
    prompt: 'consent',
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...extra,
  }
  const url = pushed ? await client.buildAuthorizationUrlWithPAR(config, parameters) : client.buildAuthorizationUrl(config, parameters)
  const back = redirectedTo(await person.visit(url, settings.redirectUri))
  return client.authorizationCodeGrant(config, back, checks)
}

async function seeRefusal(accessTokens, refreshToken) {
  for (const [index, token] of accessTokens.entries()) {
    await step(`userinfo refuses access token ${index + 1}`, async () => {
      const error = await refusal(client.fetchUserInfo(config, token, client.skipSubjectCheck))
      const challenge = error.cause?.[0]?.parameters?.error
      check(error.status === 401 && challenge === 'invalid_token', `expected 401 invalid_token, got ${error.status} ${challenge} (${error.message})`)
    })
    await step(`introspection says access token ${index + 1} is inactive`, async () => checkInactive(await client.tokenIntrospection(resourceServer, token)))
  }
  await step('refresh is refused', async () => {
    const error = await refusal(client.refreshTokenGrant(config, refreshToken))
    check(error.error === 'invalid_grant', `expected invalid_grant, got ${error.error} (${error.message})`)
  })
  await step('introspection says the refresh token is inactive', async () => checkInactive(await client.tokenIntrospection(config, refreshToken)))
}

async function round({ title, pushed, revokes }) {
  console.log(`--    ${title}, revoking the ${revokes.replace('_', ' ')}`)
  const person = new Person(settings)
  const tokens = await step('sign in, consent, exchange the code', () => signIn(person, pushed))
  const subject = tokens.claims().sub
  await step('userinfo answers', () => client.fetchUserInfo(config, tokens.access_token, subject))
  await step('introspection says active', async () => {
    const answer = await client.tokenIntrospection(resourceServer, tokens.access_token)
    check(answer.active === true, 'the fresh access token is not active')
  })
  const fresh = await step('refresh gives another access token', async () => {
    check(tokens.refresh_token, 'no refresh token was issued')
    const answer = await client.refreshTokenGrant(config, tokens.refresh_token)
    check(answer.access_token !== tokens.access_token, 'the access token is the same as before')
    await client.fetchUserInfo(config, answer.access_token, subject)
    return answer
  })
  const refreshToken = fresh.refresh_token ?? tokens.refresh_token
  await step('introspection says the refresh token is active', async () => check((await client.tokenIntrospection(config, refreshToken)).active === true, 'it is not active'))
  const handle = revokes === 'access_token' ? fresh.access_token : refreshToken
  await step(`revoke the ${revokes.replace('_', ' ')}`, () => client.tokenRevocation(config, handle, { token_type_hint: revokes }))
  await seeRefusal([tokens.access_token, fresh.access_token], refreshToken)
  await step('revoking again is no error', () => client.tokenRevocation(config, handle))
}

async function service() {
  console.log('--    client credentials')
  const tokens = await step('client_credentials gives a token', () => client.clientCredentialsGrant(config, serviceParameters()))
  await step('introspection says active', async () => check((await client.tokenIntrospection(resourceServer, tokens.access_token)).active === true, 'it is not active'))
  await step('revoke it', () => client.tokenRevocation(config, tokens.access_token))
  await step('introspection says inactive', async () => checkInactive(await client.tokenIntrospection(resourceServer, tokens.access_token)))
}

async function logout() {
  console.log('--    logout')
  const person = new Person(settings)
  const tokens = await step('sign in', () => signIn(person, false))
  await step('prompt=none succeeds while signed in', () => signIn(person, false, { prompt: 'none' }))
  const state = client.randomState()
  const parameters = { id_token_hint: tokens.id_token, state }
  if (settings.postLogoutRedirectUri) parameters.post_logout_redirect_uri = settings.postLogoutRedirectUri
  const url = client.buildEndSessionUrl(config, parameters)
  await step('sign out at the end-session URL', async () => {
    const back = await person.visit(url, settings.postLogoutRedirectUri)
    if (!settings.postLogoutRedirectUri) return
    check(back, 'the provider did not redirect to POST_LOGOUT_REDIRECT_URI')
    check(back.searchParams.get('state') === state, 'the state did not come back')
  })
  await step('prompt=none is then refused with login_required', async () => {
    const error = await refusal(signIn(person, false, { prompt: 'none' }))
    check(error.error === 'login_required', `expected login_required, got ${error.error} (${error.message})`)
  })
}

for (const each of rounds) await round(each)
await service()
await logout()
console.log('openid-client: all steps passed')
