/** The function gigs over HTTP: the same answers before, while and after the plan profile_gigs, and who gets them. */
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { finalize } from '../support/conformance/steps.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { type FunctionsProject, type Reply, startFunctions } from '../support/functions.ts';
import { migrateAll } from '../support/imago.ts';

const plan = 'profile_gigs';

let db: TestDatabase;
let sql: Sql;
let project: FunctionsProject;
/** A freelancer with two gigs of their own, and a client without any. */
let freelancer: { id: number; gigs: Record<string, unknown>[]; columns: Record<string, unknown> };
let client: number;

beforeAll(async () => {
  db = await freshDatabase();
  sql = db.sql;
  await createApp(sql, 'tests/support/profile_gigs.sql', 60);
  const [user] = await sql`
    select u.id, (select jsonb_agg(to_jsonb(g) order by g.id) from "Gigs" g where g."userId" = u.id) as gigs,
      jsonb_build_object('description', u.description, 'skills', u.skills, 'codingLanguages', u."codingLanguages",
        'yearsOfExperience', u."yearsOfExperience", 'certificates', u.certificates) as columns
    from "User" u
    where u.role = 'freelancer' and u."isProfileInfoSet" and cardinality(u.skills) > 1 and u."yearsOfExperience" > 0
      and (select count(*) from "Gigs" g where g."userId" = u.id) = 2
    order by u.id limit 1`;
  freelancer = user as typeof freelancer;
  const [other] = await sql`select id from "User" where role = 'client' order by id limit 1`;
  client = other?.id;
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

/** As somebody who is signed in, with this in their app_metadata. */
async function get(path: string, appMetadata: object = {}, userMetadata: object = {}): Promise<Reply> {
  const token = await project.tokens.tokenWith(appMetadata, userMetadata);
  return await project.call('nothing', `gigs/${path}`, {
    method: 'GET',
    headers: { authorization: `Bearer ${token}` },
  });
}

const profile = async (id: number | string) => await get(`get-user-profile/${id}`);
const ownGigs = async (id: unknown, query = '') => await get(`get-user-gigs${query}`, { user_id: id });

/** A refusal has this form, always. */
function expectRefused(reply: Reply, status: number, code: string): void {
  expect([reply.status, reply.json]).toEqual([
    status,
    { code, message: expect.stringMatching(/\S/), hint: expect.stringMatching(/\S/) },
  ]);
}

describe('callers of the function gigs', () => {
  test.each([
    ['nothing', 401, 'unauthorized'],
    ['publishable key', 401, 'unauthorized'],
    ['wrong key', 401, 'unauthorized'],
    ['expired', 401, 'unauthorized'],
    ['changed after signing', 401, 'unauthorized'],
    ['service_role claim', 403, 'forbidden'],
  ] as const)('of the kind “%s” are refused, and the database is not asked', async (caller, status, code) => {
    for (const path of [`get-user-profile/${freelancer.id}`, 'get-user-gigs', 'nothing']) {
      project.asked.length = 0;
      expectRefused(await project.call(caller, `gigs/${path}`, { method: 'GET' }), status, code);
      expect(project.asked).toEqual([]);
    }
  });

  test('get the gigs of app_metadata.user_id, whatever address, user_metadata and query say', async () => {
    await sql`update "User" set email = 'somebody@example.test' where id = ${freelancer.id}`;
    for (const user_id of [
      undefined,
      null,
      'x',
      '',
      0,
      -1,
      1.5,
      2 ** 40,
      [freelancer.id],
      { id: freelancer.id },
    ]) {
      expectRefused(await ownGigs(user_id), 403, 'no_user');
    }
    expectRefused(await get('get-user-gigs', {}, { user_id: freelancer.id }), 403, 'no_user');
    expectRefused(await ownGigs(client, `?userId=${freelancer.id}`), 400, 'bad_body');
    const reply = await project.call('secret key default', 'gigs/get-user-gigs', { method: 'GET' });
    expectRefused(reply, 403, 'no_user');
    expect((await ownGigs(client)).json).toEqual([]);
    expect((await ownGigs(String(freelancer.id))).json).toHaveLength(2);
  });

  test('other than the service role may not call the SQL functions behind it', async () => {
    for (const role of ['anon', 'authenticated'] as const) {
      const session = db.connect({ role });
      for (const query of ['get_user_profile_gig(1)', 'get_user_gigs(1, true)']) {
        await expect(session.unsafe(`select public.${query}`)).rejects.toMatchObject({ code: '42501' });
      }
    }
  });
});

describe('a request to the function gigs', () => {
  test('is a user by number, a known path and a known query, by GET', async () => {
    for (const id of ['abc', '1e3', '0', '-1', '1.5', '99999999999', '2147483648', '%27', '1;drop']) {
      expectRefused(await profile(id), 400, 'bad_body');
    }
    expectRefused(await profile(2_147_483_647), 404, 'not_found');
    expectRefused(await get(''), 404, 'not_found');
    expectRefused(await get('get-user-profile'), 404, 'not_found');
    expectRefused(await get('get-user-profile/1/2'), 404, 'not_found');
    expectRefused(await get(`get-user-profile/${client}?full=true`), 400, 'bad_body');
    expectRefused(await ownGigs(client, '?includeProfileGigs=yes'), 400, 'bad_body');
    expectRefused(
      await ownGigs(client, '?includeProfileGigs=true&includeProfileGigs=false'),
      400,
      'bad_body',
    );
    const posted = await project.call('viewer', 'gigs/get-user-gigs', { json: {} });
    expectRefused(posted, 405, 'method_not_allowed');
  });
});

test('the function gigs answers alike before prepare, prepared, migrated and finalized, and says where a profile is from', async () => {
  const fromUser = { userId: freelancer.id, source: 'user', profile: freelancer.columns };
  const expectBefore = async () => {
    expect((await ownGigs(freelancer.id)).json).toEqual(freelancer.gigs);
    expect((await ownGigs(freelancer.id, '?includeProfileGigs=false')).json).toEqual(freelancer.gigs);
  };
  const all = async () => (await ownGigs(freelancer.id, '?includeProfileGigs=true')).json;

  await expectBefore();
  expect(await all()).toEqual(freelancer.gigs);
  expect((await profile(freelancer.id)).json).toEqual(fromUser);

  await prepareAll(sql, plan);
  await expectBefore();
  expect((await all()).map((gig: { isProfileGig: boolean }) => gig.isProfileGig)).toEqual([false, false]);
  expect((await profile(freelancer.id)).json).toEqual(fromUser);

  expect((await migrateAll(sql, { plan })).at(-1)).toMatchObject({ state: 'succeeded' });
  await expectBefore();
  expect(await all()).toHaveLength(3);
  const fromGig = (await profile(freelancer.id)).json;
  expect(fromGig).toMatchObject({
    userId: freelancer.id,
    source: 'gig',
    profile: {
      ...freelancer.columns,
      description: expect.any(String),
      category: 'Development & IT',
      price: 0,
    },
  });
  expect((await profile(client)).json).toMatchObject({ userId: client, source: 'user' });

  expect((await finalize(sql, plan)).at(-1)).toMatchObject({ state: 'finalized' });
  await expectBefore();
  expect((await profile(freelancer.id)).json).toEqual(fromGig);
  expect((await profile(client)).json).toMatchObject({
    source: 'user',
    profile: { skills: null, certificates: null },
  });
});

test('the function gigs gives out nothing of a user but the profile', async () => {
  const users = await sql<
    { id: number; email: string; password: string; username: string }[]
  >`select * from "User"`;
  for (const { id, email, password } of users.slice(0, 20)) {
    const { text } = await profile(id);
    expect([text.includes(email), text.includes(password)]).toEqual([false, false]);
  }
  expect(Object.keys(await call(sql, 'get_user_profile_gig', { user_id: freelancer.id }))).toEqual([
    'source',
    'userId',
    'profile',
  ]);
});

test('the function gigs without the tables of the app answers 404, and tells nothing of its insides', async () => {
  const bare = await freshDatabase();
  await project.use(bare);
  // What the Data API prints of it is for its own log.
  const printed = vi.spyOn(console, 'error').mockReturnValue();
  try {
    expectRefused(await profile(1), 404, 'not_installed');
  } finally {
    printed.mockRestore();
    await project.use(db);
    await bare.drop();
  }
});
