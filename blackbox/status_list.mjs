// An API that checks JWTs by status lists, as one built on npm @sd-jwt/jwt-status-list would: decodes our lists with it, and sees revocations in them.
import { StatusList, getListFromStatusListJWT, getStatusListFromJWT } from '@sd-jwt/jwt-status-list'
import * as oauth from 'oauth4webapi'
import { Person } from './person.mjs'
import { check, settings, step } from './run.mjs'

/** A revocation is in the list so soon after its acknowledgement: Janssen's own tests wait no longer (J21). */
const PROMISED_MS = 2000
const INVALID = 1

const http = { [oauth.allowInsecureRequests]: settings.insecure }
const client = { client_id: settings.clientId }
const clientAuthentication = oauth.ClientSecretBasic(settings.clientSecret)

const as = await step('discovery names the status lists', async () => {
  const issuer = new URL(settings.issuer)
  const found = await oauth.processDiscoveryResponse(issuer, await oauth.discoveryRequest(issuer, http))
  check(found.status_list_endpoint === `${settings.issuer}/status_list`, 'no status_list_endpoint')
  check(found.status_list_aggregation_endpoint, 'no status_list_aggregation_endpoint')
  return found
})

/** Signs in with a logout status JWT. */
async function signIn() {
  const verifier = oauth.generateRandomCodeVerifier()
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id: client.client_id,
    response_type: 'code',
    redirect_uri: settings.redirectUri,
    scope: settings.serviceScope,
    resource: settings.resource,
    logout_status_jwt: 'true',
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }).toString()
  const back = await new Person(settings).visit(url, settings.redirectUri)
  check(back, 'the provider did not redirect back')
  const answer = oauth.validateAuthResponse(as, client, back, oauth.expectNoState)
  const response = await oauth.authorizationCodeGrantRequest(as, client, clientAuthentication, answer, settings.redirectUri, verifier, http)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response)
  return { accessToken: tokens.access_token, logoutStatus: back.searchParams.get('logout_status_jwt') }
}

function parts(jwt) {
  const [header, payload] = jwt.split('.').slice(0, 2).map((part) => JSON.parse(Buffer.from(part, 'base64url')))
  return { header, payload }
}

/** Fetches the signed list, verifies it, and lets the library decode it. */
async function signedList(uri) {
  const response = await fetch(uri, { headers: { accept: 'application/statuslist+jwt' } })
  check(response.status === 200, `${uri} answered ${response.status}`)
  check(response.headers.get('content-type') === 'application/statuslist+jwt', `it is ${response.headers.get('content-type')}`)
  const jwt = await response.text()
  await verify(jwt)
  const { header, payload } = parts(jwt)
  check(header.typ === 'statuslist+jwt', `its type is ${header.typ}`)
  check(payload.sub === uri && payload.iss === settings.issuer, 'it is about another list, or by somebody else')
  check(payload.exp > Date.now() / 1000 && payload.ttl > 0, 'it says not how long it is good')
  return getListFromStatusListJWT(jwt)
}

async function verify(jwt) {
  const { header } = parts(jwt)
  const { keys } = await (await fetch(as.jwks_uri)).json()
  const jwk = keys.find((key) => key.kid === header.kid)
  const algorithm = { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('jwk', jwk, algorithm, false, ['verify'])
  const [head, body, signature] = jwt.split('.')
  const good = await crypto.subtle.verify(algorithm, key, Buffer.from(signature, 'base64url'), Buffer.from(`${head}.${body}`))
  check(good, 'the signature of the list is wrong')
}

async function plainList(uri) {
  const response = await fetch(uri, { headers: { accept: 'application/statuslist+json' } })
  const { bits, lst } = await response.json()
  return StatusList.decompressStatusList(lst, bits)
}

/** What both forms of the list say of a JWT. */
async function statusOf(jwt) {
  const { idx, uri } = getStatusListFromJWT(jwt)
  const [signed, plain] = [await signedList(uri), await plainList(uri)]
  check(signed.getBitsPerStatus() === 1 && signed.statusList.length === 65536, `${signed.statusList.length} indexes`)
  check(signed.getStatus(idx) === plain.getStatus(idx), 'the two forms disagree')
  return signed.getStatus(idx)
}

async function revoke(token, hint) {
  const options = { ...http, additionalParameters: { token_type_hint: hint } }
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, clientAuthentication, token, options))
}

/** Polls until the list says so, or the promise is broken. */
async function seeInvalid(jwt) {
  const acknowledged = performance.now()
  while (await statusOf(jwt) !== INVALID) {
    check(performance.now() - acknowledged < PROMISED_MS, `not INVALID within ${PROMISED_MS} ms of the acknowledgement`)
    await new Promise((resolve) => { setTimeout(resolve, 20) })
  }
}

const [first, second, third] = await step('three sign-ins, each with a logout status JWT', async () => [await signIn(), await signIn(), await signIn()])
const all = [first, second, third].flatMap(({ accessToken, logoutStatus }) => [accessToken, logoutStatus])

await step('all are VALID', async () => {
  for (const jwt of all) check(await statusOf(jwt) === 0, 'a fresh token is INVALID')
})

await step('the aggregation names their lists', async () => {
  const { status_lists: uris } = await (await fetch(as.status_list_aggregation_endpoint)).json()
  for (const jwt of all) check(uris.includes(getStatusListFromJWT(jwt).uri), 'a list is missing')
})

await step('an access token that is revoked is INVALID within two seconds, and with it its grant', async () => {
  await revoke(first.accessToken, 'access_token')
  await seeInvalid(first.accessToken)
  await seeInvalid(first.logoutStatus)
})

await step('a logout status JWT that is revoked as a whole is INVALID within two seconds', async () => {
  await revoke(second.logoutStatus, 'logout_status_jwt')
  await seeInvalid(second.logoutStatus)
})

await step('a logout status JWT that is revoked by its id is INVALID within two seconds', async () => {
  check(await statusOf(third.logoutStatus) === 0, 'it was not revoked yet')
  await revoke(parts(third.logoutStatus).payload.jti, 'jti')
  await seeInvalid(third.logoutStatus)
})

await step('a list that has not changed is not sent again', async () => {
  const { uri } = getStatusListFromJWT(first.accessToken)
  const etag = (await fetch(uri)).headers.get('etag')
  const again = await fetch(uri, { headers: { 'if-none-match': etag } })
  check(again.status === 304, `it answered ${again.status}`)
})
