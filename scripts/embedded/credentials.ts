import { CompactSign, type CryptoKey, compactVerify, importJWK, type JWK } from 'jose';
import { z } from 'zod';

/** Keys of an embedded Supabase, in the form that hosted projects have them. */
export interface Keys {
  publishableKey: string;
  secretKey: string;
  /** What @supabase/lite signs with. Nobody else knows of it. */
  jwtSecret: string;
  /** What the project signs the tokens of its users with, a private key; without it they stay as lite makes them. */
  signingKey?: JWK;
}

/**
 * Stands between callers and @supabase/lite, which signs by a shared secret. To callers it looks like a hosted project,
 * whose tokens are signed by a key whose public half everybody may read.
 */
export interface Credentials {
  /** The request as lite understands it. */
  inward(request: Request): Promise<Request>;
  /** The answer with tokens that can be verified by the public half. */
  outward(request: Request, response: Response): Promise<Response>;
}

const ALGORITHM = 'ES256';
const JWKS_PATH = '/auth/v1/.well-known/jwks.json';

/** A sign-in, a refresh and so on. The token of lite leaves out what hosted Auth puts into it of the user. */
const sessionSchema = z.looseObject({
  access_token: z.string(),
  user: z.looseObject({ app_metadata: z.unknown(), user_metadata: z.unknown() }),
});

/** What everybody may know of a signing key: SUPABASE_JWKS. */
export function publicHalf({ d: _private, ...key }: JWK): { keys: JWK[] } {
  return { keys: [key] };
}

/** The credentials of the project at this URL. */
export async function openCredentials({ signingKey, jwtSecret }: Keys, url: string): Promise<Credentials> {
  if (!signingKey) return { inward: async (request) => request, outward: async (_, response) => response };
  const tokens = await translation(signingKey, jwtSecret);
  return {
    async inward(request) {
      const bearer = /^Bearer (.+)$/i.exec(request.headers.get('authorization') ?? '')?.[1];
      if (!bearer) return request;
      const headers = new Headers(request.headers);
      headers.set('authorization', `Bearer ${await tokens.inward(bearer)}`);
      return new Request(request, { headers });
    },
    async outward(request, response) {
      const { pathname } = new URL(request.url);
      if (!pathname.startsWith('/auth/v1/') || !response.ok) return response;
      if (pathname === JWKS_PATH) return inPlaceOf(response, publicHalf(signingKey));
      if (!response.headers.get('content-type')?.startsWith('application/json')) return response;
      const session = sessionSchema.safeParse(await response.clone().json());
      if (!session.success) return response;
      const { app_metadata, user_metadata } = session.data.user;
      const claims = { iss: `${url}/auth/v1`, app_metadata, user_metadata };
      const access_token = await tokens.outward(session.data.access_token, claims);
      return inPlaceOf(response, { ...session.data, access_token });
    },
  };
}

function inPlaceOf({ status, headers }: Response, body: object): Response {
  const response = Response.json(body, { status, headers });
  response.headers.delete('content-length');
  return response;
}

/**
 * Turns lite's tokens into those of the project, and back. Only signatures are looked at: whether a token is expired is
 * for the reader of the token to check.
 */
async function translation(signingKey: JWK, jwtSecret: string) {
  const key = await importJWK(signingKey, ALGORITHM);
  const publicKey = await importJWK(publicHalf(signingKey).keys[0] as JWK, ALGORITHM);
  const secret = new TextEncoder().encode(jwtSecret);
  return {
    /** What the project has not signed stays as it is, for lite to refuse. */
    async inward(token: string): Promise<string> {
      const payload = await signed(token, publicKey, ALGORITHM);
      if (!payload) return token;
      return await new CompactSign(payload).setProtectedHeader({ alg: 'HS256', typ: 'JWT' }).sign(secret);
    },
    async outward(token: string, more: object): Promise<string> {
      const payload = await signed(token, secret, 'HS256');
      if (!payload) throw new Error('a token of Auth that it has not signed');
      const claims = { ...JSON.parse(new TextDecoder().decode(payload)), ...more };
      return await new CompactSign(new TextEncoder().encode(JSON.stringify(claims)))
        .setProtectedHeader({ alg: ALGORITHM, typ: 'JWT', kid: signingKey.kid ?? '' })
        .sign(key);
    },
  };
}

async function signed(
  token: string,
  key: CryptoKey | Uint8Array,
  algorithm: string,
): Promise<Uint8Array | undefined> {
  return await compactVerify(token, key, { algorithms: [algorithm] }).then(
    ({ payload }) => payload,
    () => undefined,
  );
}
