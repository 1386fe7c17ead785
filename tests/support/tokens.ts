import { exportJWK, exportSPKI, generateKeyPair, SignJWT } from 'jose';

/** Bearers of a token, by what their token is. */
export type Bearer = (typeof BEARERS)[number];

/** Of these the first three are who they say; all others are not to be believed. */
export const BEARERS = [
  'nobody',
  'viewer',
  'operator',
  'expired',
  'without expiry',
  'expiry null',
  'expired long ago',
  'expiry in words',
  'not yet valid',
  'wrong audience',
  'alg none',
  'stranger with the right kid',
  'unknown kid',
  'public key as HMAC secret',
  'changed after signing',
  'without subject',
  'role in user_metadata',
  'unknown role',
  'list of roles',
  'service_role claim',
] as const;

/** A signing key of a project, and the tokens that could be tried against it. */
export interface Tokens {
  /** What the functions verify by: SUPABASE_JWKS. */
  jwks: { keys: object[] };
  /** The id of the user that a bearer's token names. */
  userOf(bearer: Bearer): string;
  tokenOf(bearer: Bearer): string;
  /** A token of somebody who is signed in, with this in their app_metadata and their user_metadata. */
  tokenWith(appMetadata: object, userMetadata?: object): Promise<string>;
}

const KID = '5d1c2f0e-7c1b-4c36-9c5b-2d7c6f0a9e11';
const HOUR = 3600;

/** Makes a key and a token for every bearer, as the Auth of the project at this URL would sign them. */
export async function createTokens(projectUrl: string): Promise<Tokens> {
  const ours = await generateKeyPair('ES256', { extractable: true });
  const foreign = await generateKeyPair('ES256', { extractable: true });
  const publicJwk = { ...(await exportJWK(ours.publicKey)), kid: KID, alg: 'ES256', use: 'sig' };
  const publicPem = await exportSPKI(ours.publicKey);
  const now = Math.floor(Date.now() / 1000);

  const userOf = (bearer: Bearer) =>
    `00000000-0000-4000-8000-${String(BEARERS.indexOf(bearer)).padStart(12, '0')}`;
  const claims = (bearer: Bearer, role?: unknown) => ({
    iss: `${projectUrl}/auth/v1`,
    sub: userOf(bearer),
    aud: 'authenticated',
    role: 'authenticated',
    iat: now,
    exp: now + HOUR,
    email: 'somebody@example.test',
    app_metadata: { provider: 'email', ...(role === undefined ? {} : { imago_role: role }) },
    user_metadata: {},
  });
  const sign = (
    payload: object,
    { kid = KID, key = ours.privateKey }: { kid?: string; key?: Parameters<SignJWT['sign']>[0] } = {},
  ) => new SignJWT({ ...payload }).setProtectedHeader({ alg: 'ES256', typ: 'JWT', kid }).sign(key);
  const operator = (bearer: Bearer) => claims(bearer, 'operator');

  const tokens: Record<Bearer, string> = {
    nobody: await sign(claims('nobody')),
    viewer: await sign(claims('viewer', 'viewer')),
    operator: await sign(operator('operator')),
    expired: await sign({ ...operator('expired'), iat: now - 2 * HOUR, exp: now - HOUR }),
    'without expiry': await sign({ ...operator('without expiry'), exp: undefined }),
    'expiry null': await sign({ ...operator('expiry null'), exp: null }),
    'expired long ago': await sign({ ...operator('expired long ago'), exp: 1 }),
    'expiry in words': await sign({ ...operator('expiry in words'), exp: 'never' }),
    'not yet valid': await sign({ ...operator('not yet valid'), nbf: now + HOUR }),
    'wrong audience': await sign({ ...operator('wrong audience'), aud: 'somebody else' }),
    'alg none': `${base64url({ alg: 'none', typ: 'JWT', kid: KID })}.${base64url(operator('alg none'))}.`,
    'stranger with the right kid': await sign(operator('stranger with the right kid'), {
      key: foreign.privateKey,
    }),
    'unknown kid': await sign(operator('unknown kid'), { kid: 'unknown', key: foreign.privateKey }),
    'public key as HMAC secret': await new SignJWT(operator('public key as HMAC secret'))
      .setProtectedHeader({ alg: 'HS256', typ: 'JWT', kid: KID })
      .sign(new TextEncoder().encode(publicPem)),
    'changed after signing': promoted(await sign(claims('changed after signing', 'viewer'))),
    'without subject': await sign({ ...operator('without subject'), sub: undefined }),
    'role in user_metadata': await sign({
      ...claims('role in user_metadata'),
      user_metadata: { imago_role: 'operator', app_metadata: { imago_role: 'operator' } },
    }),
    'unknown role': await sign(claims('unknown role', 'admin')),
    'list of roles': await sign(claims('list of roles', ['operator'])),
    'service_role claim': await sign({ ...operator('service_role claim'), role: 'service_role' }),
  };
  return {
    jwks: { keys: [publicJwk] },
    userOf,
    tokenOf: (bearer) => tokens[bearer],
    tokenWith: (appMetadata, userMetadata = {}) =>
      sign({ ...claims('nobody'), app_metadata: appMetadata, user_metadata: userMetadata }),
  };
}

/** The token with another role in it and the signature of before. */
function promoted(token: string): string {
  const [header, payload = '', signature] = token.split('.');
  const claims = JSON.parse(Buffer.from(payload, 'base64url').toString());
  claims.app_metadata.imago_role = 'operator';
  return [header, base64url(claims), signature].join('.');
}

function base64url(value: object): string {
  return Buffer.from(JSON.stringify(value)).toString('base64url');
}
