/** GET: profiles and gigs of the app that plan profile_gigs migrates, the same before, while and after. See docs/functions.md. */
import type { SupabaseContext } from '@supabase/server';
import { authorised } from '../_shared/access.ts';
import { answering } from '../_shared/answering.ts';
import { readQuery, readValue } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { problem } from '../_shared/problems.ts';
import { gigsRequest, noFields, userId } from '../_shared/requests.ts';

type Route = (request: Request, context: SupabaseContext, parameter: string) => Promise<Response>;

const routes: [path: RegExp, answer: Route][] = [
  [/^\/gigs\/get-user-profile\/([^/]+)$/, userProfile],
  [/^\/gigs\/get-user-gigs$/, userGigs],
];

export default {
  fetch: answering(
    'GET',
    authorised(async (request, context) => {
      expectMember(context);
      const { pathname } = new URL(request.url);
      for (const [path, answer] of routes) {
        const found = path.exec(pathname);
        if (found) return await answer(request, context, found[1] ?? '');
      }
      throw problem('not_found');
    }),
    { paths: true },
  ),
};

/** The professional profile of any user; it holds what they show to everybody, and says where it comes from. */
async function userProfile(
  request: Request,
  { supabaseAdmin }: SupabaseContext,
  id: string,
): Promise<Response> {
  readQuery(request, noFields);
  const user_id = readValue(id, 'userId', userId);
  const profile = await call(supabaseAdmin, 'get_user_profile_gig', { user_id });
  if (!profile.source) throw problem('not_found');
  return Response.json(profile);
}

/** The gigs of the user who is signed in, and of nobody else. */
async function userGigs(request: Request, context: SupabaseContext): Promise<Response> {
  const user_id = signedInUser(context);
  const { includeProfileGigs: include_profile_gigs } = readQuery(request, gigsRequest);
  return Response.json(await call(context.supabaseAdmin, 'get_user_gigs', { user_id, include_profile_gigs }));
}

/** Any secret key, or a token of a user who is signed in: not one that claims another role. */
function expectMember({ authMode, jwtClaims }: SupabaseContext): void {
  if (authMode === 'user' && jwtClaims?.role !== 'authenticated') throw problem('forbidden');
}

/** By app_metadata, which users cannot write: anyone who comes first can sign up an address. */
function signedInUser({ authMode, jwtClaims }: SupabaseContext): number {
  const id = userId.safeParse(jwtClaims?.app_metadata?.user_id);
  if (authMode !== 'user' || !id.success) throw problem('no_user');
  return id.data;
}
