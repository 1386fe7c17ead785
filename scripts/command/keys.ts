/** Tells the kinds of Supabase API keys apart, without calling anybody. */
import { z } from 'zod';

export type KeyKind = 'secret' | 'publishable' | 'user' | 'access-token' | 'expired' | 'unknown';

const claimsSchema = z.looseObject({ role: z.string().optional(), exp: z.number().optional() });

/**
 * The kind of a key. New keys say it in their prefix, older ones are JWTs that carry a role. Self-hosted projects may
 * have keys of their own making: `unknown` is left to the server to judge.
 */
export function keyKind(key: string, now = Date.now()): KeyKind {
  if (key.startsWith('sb_secret_')) return 'secret';
  if (key.startsWith('sb_publishable_')) return 'publishable';
  if (key.startsWith('sbp_')) return 'access-token';

  const claims = jwtClaims(key);
  if (!claims) return 'unknown';
  if (claims.role === 'anon') return 'publishable';
  if (claims.role === 'authenticated') return 'user';
  if (claims.exp !== undefined && claims.exp * 1000 < now) return 'expired';
  return claims.role === 'service_role' ? 'secret' : 'unknown';
}

function jwtClaims(key: string): z.output<typeof claimsSchema> | undefined {
  const parts = key.split('.');
  if (parts.length !== 3 || !parts[1]) return undefined;
  try {
    return claimsSchema.safeParse(JSON.parse(Buffer.from(parts[1], 'base64url').toString('utf8'))).data;
  } catch {
    return undefined;
  }
}
