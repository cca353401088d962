// What every Node client here shares: its settings from the environment, and steps that print one line each.

/** A setting that must be there. */
function required(name) {
  const value = process.env[name]
  if (!value) {
    console.error(`FAIL  settings: the environment has no ${name}`)
    process.exit(2)
  }
  return value
}

const clientId = required('CLIENT_ID')
const clientJwk = process.env.CLIENT_JWK ? JSON.parse(process.env.CLIENT_JWK) : undefined
const clientSecret = clientJwk ? undefined : process.env.CLIENT_SECRET

/** What the environment says, with the defaults of README.md. */
export const settings = {
  issuer: required('ISSUER'),
  discovery: process.env.DISCOVERY,
  clientId,
  clientSecret,
  clientJwk,
  clientAuthMethod: process.env.CLIENT_AUTH_METHOD || 'client_secret_basic',
  redirectUri: required('REDIRECT_URI'),
  postLogoutRedirectUri: process.env.POST_LOGOUT_REDIRECT_URI,
  username: required('USERNAME'),
  password: required('PASSWORD'),
  introspectClientId: process.env.INTROSPECT_CLIENT_ID || clientId,
  introspectClientSecret: process.env.INTROSPECT_CLIENT_SECRET || clientSecret,
  introspectsItself: !process.env.INTROSPECT_CLIENT_ID,
  introspectionJwt: process.env.INTROSPECTION_JWT === '1',
  // OpenID Connect Core 11: offline_access is only heard together with prompt=consent.
  scope: process.env.SCOPE || 'openid profile email offline_access',
  serviceScope: process.env.SERVICE_SCOPE,
  resource: process.env.RESOURCE,
  insecure: required('ISSUER').startsWith('http://'),
}

/** The two ways through: how the request is made, and which handle takes the grant back (RFC 7009 2.1). */
export const rounds = [
  { title: 'plain request', pushed: false, revokes: 'access_token' },
  { title: 'pushed request', pushed: true, revokes: 'refresh_token' },
]

/** Parameters of a client_credentials request, the API's scope and resource only if they were set. */
export function serviceParameters() {
  const parameters = new URLSearchParams()
  if (settings.serviceScope) parameters.set('scope', settings.serviceScope)
  if (settings.resource) parameters.set('resource', settings.resource)
  return parameters
}

/** Ends the step with a message unless `condition` holds. */
export function check(condition, message) {
  if (!condition) throw new Error(message)
}

/** Waits for `attempt` to be refused and gives back the refusal; an answer instead is the mistake. */
export async function refusal(attempt) {
  let answer
  try {
    answer = await attempt
  } catch (error) {
    return error
  }
  throw new Error(`expected a refusal, got an answer with the members ${Object.keys(answer ?? {}).join(', ')}`)
}

/** Fails unless the answer is exactly `{"active":false}` (RFC 7662 2.2: nothing more about a dead token). */
export function checkInactive(answer) {
  check(JSON.stringify(answer) === '{"active":false}', `expected exactly {"active":false}, got the members ${JSON.stringify(Object.keys(answer))} and active ${answer.active}`)
}

/** Runs one step, prints its line, and ends the process at the first failure. */
export async function step(title, work) {
  try {
    const result = await work()
    console.log(`ok    ${title}`)
    return result
  } catch (error) {
    console.error(`FAIL  ${title}: ${describe(error)}`)
    process.exit(1)
  }
}

function describe(error) {
  const parts = [error.message]
  for (const member of ['code', 'status', 'error', 'error_description']) {
    if (error[member] !== undefined) parts.push(`${member}=${error[member]}`)
  }
  for (let cause = error.cause; cause instanceof Error; cause = cause.cause) parts.push(`because ${cause.message}`)
  return parts.join(' ')
}
