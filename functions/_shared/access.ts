/** Who may call a function, and as what. */
import { type SupabaseContext, type WithSupabaseConfig, withSupabase } from '@supabase/server';
import { answering } from './answering.ts';
import { fetchJson } from './fetching.ts';
import { problem } from './problems.ts';

/**
 * For `withSupabase`: a signed-in user of this project, or any secret key by whatever name. `user` comes first, so that a
 * token that is present decides: a secret key beside a bad token does not make it good.
 *
 * CORS is done by `answering`, which also answers what never gets here.
 */
const access = {
  auth: ['user', 'secret:*'],
  audience: 'authenticated',
  cors: 'disabled',
  supabaseOptions: { global: { fetch: fetchJson } },
} as const satisfies WithSupabaseConfig;

/** What a function does for a caller who may; the dashboard of this machine calls it as well. */
export type Work = (
  request: Request,
  database: SupabaseContext['supabaseAdmin'],
  caller: Caller,
) => Promise<Response>;

/** A function that answers callers of at least this rank. */
export function served(
  method: 'GET' | 'POST',
  least: Rank,
  work: Work,
): { fetch: (request: Request) => Promise<Response> } {
  const handler = authorised(
    async (request, { supabaseAdmin, ...context }) =>
      await work(request, supabaseAdmin, callerOf(context, least)),
  );
  return { fetch: answering(method, handler) };
}

/** Hands on the requests that come with one of these, and answers all others. */
export function authorised(
  handler: (request: Request, context: SupabaseContext) => Promise<Response>,
): (request: Request) => Promise<Response> {
  return withSupabase(access, async (request, context) => {
    expectEnd(context);
    return await handler(request, context);
  });
}

/** A token says until when it is good. `withSupabase` looks at the time if there is one, and is content without. */
function expectEnd({ authMode, jwtClaims }: Credentials): void {
  if (authMode === 'user' && typeof jwtClaims?.exp !== 'number') throw problem('unauthorized');
}

/** From the least to the most. */
const ranks = ['none', 'viewer', 'operator', 'key'] as const;
export type Rank = (typeof ranks)[number];

/** Who calls. */
export interface Caller {
  /** `key:<name of the key>` or `user:<id>`: goes into the log. */
  name: string;
  rank: Rank;
}

/** What `withSupabase` found out about the credentials. */
type Credentials = Pick<SupabaseContext, 'authMode' | 'authKeyName' | 'jwtClaims'>;

/** The caller, who has at least this rank; else the request ends with `forbidden`. */
export function callerOf(context: Credentials, least: Rank): Caller {
  const caller: Caller =
    context.authMode === 'secret'
      ? { name: `key:${context.authKeyName}`, rank: 'key' }
      : { name: `user:${context.jwtClaims?.sub}`, rank: rankOf(context) };
  demand(caller, least);
  return caller;
}

/** Ends the request with `forbidden`, always the same, unless the caller has this rank. */
export function demand(caller: Caller, least: Rank): void {
  if (ranks.indexOf(caller.rank) < ranks.indexOf(least)) throw problem('forbidden');
}

/** By app_metadata, which users cannot write; user_metadata they can. */
function rankOf({ jwtClaims }: Credentials): Rank {
  const role = jwtClaims?.app_metadata?.imago_role;
  const isUser = jwtClaims?.role === 'authenticated';
  return isUser && (role === 'viewer' || role === 'operator') ? role : 'none';
}
