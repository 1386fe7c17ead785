import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { APPS, busyUsers, rollbackUser } from '../support/rollback.ts';
import { allChecksums, expectNoTraces, UNTOUCHED, userStates } from '../support/state.ts';
import { stopSync } from '../support/sync.ts';

const databases: TestDatabase[] = [];

async function database(
  app: 'sample' | 'guide',
  users: number,
  avatars?: 'prepared' | 'migrated',
): Promise<TestDatabase> {
  const db = await freshDatabase({ app, users, ...(avatars && { avatars }) });
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** The avatar that is active for a user. */
const activeAvatar = (sql: Sql, user: string) =>
  value<string>(sql, 'select active_avatar_id from public.users where id = $1', [user]);

/** Conflicts as the engine has written them down: entity, relation, key and reason. */

const conflicts = async (sql: Sql) => [
  ...(await sql<{ entity: string; relation: string; key: string; reason: string }[]>`
    select entity, table_name as relation, row_key as key, reason from imago.failure where kind = 'conflict' order by 1, 2, 3, 4`),
];

describe('a rollback that removes an avatar', () => {
  const references = [
    ['cascade', 'uuid not null references public.avatars (id) on delete cascade'],
    ['set null', 'uuid references public.avatars (id) on delete set null'],
    ['set default', 'uuid default null references public.avatars (id) on delete set default'],
    ['restrict', 'uuid not null references public.avatars (id) on delete restrict'],
    ['no action, deferred', 'uuid not null references public.avatars (id) deferrable initially deferred'],
  ] as const;

  test.each(references)('never touches rows that refer to it: on delete %s', async (_, column) => {
    const { sql } = await database('sample', 40, 'migrated');
    await sql.unsafe(
      `create table public."app's badges" (id int generated always as identity primary key, avatar ${column})`,
    );
    const [user = '', freed = ''] = await busyUsers(sql, APPS[0]);
    const avatar = await activeAvatar(sql, user);
    const other = await activeAvatar(sql, freed);
    await sql`insert into public."app's badges" (avatar) values (${avatar}), (${avatar}), (${other})`;
    await sql`delete from public."app's badges" where avatar = ${other}`;
    const badges = () => sql`select * from public."app's badges" order by id`;
    const before = await userStates(sql);
    const rows = await badges();
    const reason = `referenced by public."app's badges"`;

    for (const force of [false, true]) {
      expect(await rollbackUser(sql, user, force)).toMatchObject({
        rolled_back: false,
        conflicts: [{ relation: 'public.avatars', key: avatar, reason }],
      });
      expect((await rollbackAll(sql, { force })).at(-1)).toMatchObject({ state: 'failed', conflicts: 1 });
      expect(await conflicts(sql)).toEqual([
        { entity: user, relation: 'public.avatars', key: avatar, reason },
      ]);
      expect([...(await badges())]).toEqual([...rows]);
      for (const [id, state] of await userStates(sql)) {
        expect(state).toEqual(
          id === user ? before.get(id) : { own: before.get(id)?.own, written: UNTOUCHED },
        );
      }
    }

    await sql`delete from public."app's badges"`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    await expectNoTraces(sql);
  });

  test('never touches what refers to it by another column or from a partition', async () => {
    const { sql } = await database('sample', 40, 'migrated');
    const [user = '', other = ''] = await busyUsers(sql, APPS[0]);
    await sql.unsafe(`
      alter table public.avatars add column handle int generated always as identity unique;
      create table public.mentions (handle int references public.avatars (handle) on delete cascade, at date) partition by range (at);
      create table public.mentions_2026 partition of public.mentions for values from ('2026-01-01') to ('2027-01-01');
      create table public.parents (child uuid references public.avatars (id) on delete cascade);
      insert into public.mentions (handle, at) select handle, '2026-05-05' from public.avatars where owner_user_id = '${user}';
      alter table public.avatars add column parent uuid references public.avatars (id) on delete cascade;`);
    // One avatar refers to another: one that stays keeps the one that it refers to.
    const [avatar, parent] = [await activeAvatar(sql, user), await activeAvatar(sql, other)];
    await sql`update public.avatars set parent = ${parent} where id = ${avatar}`;
    await rollbackAll(sql);
    expect(await conflicts(sql)).toEqual(
      [
        { entity: user, relation: 'public.avatars', key: avatar, reason: 'referenced by public.mentions' },
        { entity: other, relation: 'public.avatars', key: parent, reason: 'referenced by public.avatars' },
      ].sort((a, b) => (a.entity < b.entity ? -1 : 1)),
    );
    expect(await value(sql, 'select count(*)::int from public.mentions')).toBe(1);
    await sql`delete from public.mentions`;
    await rollbackAll(sql);
    expect(await value(sql, 'select count(*)::int from public.avatars')).toBe(0);
    await expectNoTraces(sql);
  });

  test('keeps it while a row that goes back later in the same rollback refers to it', async () => {
    const { sql } = await database('sample', 220);
    const original = await allChecksums(sql);
    await migrateAll(sql);
    // The first user's avatar is referred to by the last one's: two batches.
    await sql`alter table public.avatars add column parent uuid references public.avatars (id) on delete cascade`;
    await sql`
      update public.avatars set parent = (select active_avatar_id from public.users order by id limit 1)
      where owner_user_id = (select id from public.users order by id desc limit 1)`;
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await value(sql, `select count(*)::int from imago.log where event = 'conflict'`)).toBe(1);
    expect(await allChecksums(sql)).toMatchObject(original);
    await expectNoTraces(sql);
  });

  const keys = [
    ['that sets it null', 'foreign key (avatar_id) references public.avatars (id) on delete set null'],
    ['that cascades', 'foreign key (avatar_id) references public.avatars (id) on delete cascade'],
    ['that refuses', 'foreign key (avatar_id) references public.avatars (id)'],
    [
      'that sets it null beside one that cascades',
      `foreign key (avatar_id) references public.avatars (id) on delete set null,
         add foreign key (avatar_id) references public.avatars (id) on delete cascade`,
    ],
    [
      'that sets it null, switched off',
      'foreign key (avatar_id) references public.avatars (id) on delete set null; alter table public.avatars disable trigger all',
    ],
    ['that is not there', 'check (body is not null)'],
  ] as const;

  test.each(keys)('detaches posts written since that refer to it by a foreign key %s', async (_, key) => {
    const { sql, connect } = await database('sample', 40, 'migrated');
    await connect({ role: 'supabase_admin' }).unsafe(
      `alter table public.posts drop constraint posts_avatar_id_fkey, add ${key}`,
    );
    await stopSync(sql);
    const [user = ''] = await busyUsers(sql, APPS[0]);
    const avatar = await activeAvatar(sql, user);
    await sql`insert into public.posts (user_id, avatar_id, body) values (${user}, ${avatar}, 'since')`;
    const posts = await value(sql, 'select count(*) from public.posts');
    const answers = await rollbackAll(sql);
    expect(answers.at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(answers.map(({ rows }) => rows['public.posts:detached'] ?? 0).reduce((a, b) => a + b)).toBe(1);
    expect(await value(sql, 'select count(*) from public.posts')).toBe(posts);
    expect(await value(sql, 'select count(*)::int from public.posts where avatar_id is not null')).toBe(0);
  });

  test('takes no post with it by a foreign key of several columns', async () => {
    const { sql } = await database('sample', 40);
    const original = await allChecksums(sql);
    await migrateAll(sql);
    await sql.unsafe(`
      alter table public.avatars add unique (id, owner_user_id);
      alter table public.posts add foreign key (avatar_id, user_id)
        references public.avatars (id, owner_user_id) on delete cascade;`);
    const [user = ''] = await busyUsers(sql, APPS[0]);
    expect(await rollbackUser(sql, user)).toMatchObject({ rolled_back: true, conflicts: [] });
    expect((await rollbackAll(sql)).at(-1)).toMatchObject({ state: 'succeeded', conflicts: 0 });
    expect(await allChecksums(sql)).toMatchObject(original);
  });
});
