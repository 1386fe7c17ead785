/** Dead rows that a run leaves are told table by table, with what removes them. */
import type { Sql } from 'postgres';
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest';
import { call } from '../support/call.ts';
import { freshProject, runCommand } from '../support/command.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';

const bloat = async (sql: Sql) => (await call(sql, 'get_migration_report')).bloat;

/** Has the server count at once what this session has written. */
const flush = (sql: Sql) => sql`select pg_stat_force_next_flush()`;

/** No autovacuum but where a test wants one to come; none comes within a test, whose tables are small. */
const switchOff = async (sql: Sql, table: string) => {
  await sql.unsafe(`alter table ${table} set (autovacuum_enabled = false)`);
};

describe('the dead rows of a run', () => {
  let db: TestDatabase;

  beforeEach(async () => {
    db = await freshDatabase({ app: 'sample', users: 300 });
    return async () => await db.drop();
  });

  test('are not told where there are few', async () => {
    const small = await freshDatabase({ app: 'sample', users: 30 });
    onTestFinished(() => small.drop());
    await migrateAll(small.sql);
    await flush(small.sql);
    expect(await bloat(small.sql)).toEqual([]);
    expect(await small.sql`select from public.migration_log where event = 'bloat'`).toHaveLength(0);
  });

  test('are told with the vacuum that helps where autovacuum is off; it works as it stands', async () => {
    await db.sql`insert into public.users (username) select 'user ' || n from generate_series(1, 3000) n`;
    for (const table of ['public.users', 'public.posts']) await switchOff(db.sql, table);
    await db.sql.unsafe('analyze public.users');
    // What a call has written itself, the server has not counted while it works.
    await migrateAll(db.sql, { batch_size: 500, max_ms: 1 });
    await flush(db.sql);
    const [told] = await bloat(db.sql);
    expect(told).toMatchObject({
      relation: 'public.users',
      autovacuum: 'off',
      autovacuum_above: null,
      statement: 'vacuum (analyze) public.users;',
    });
    expect(told.dead_rows).toBeGreaterThan(1000);
    expect(told.dead_percent).toBeGreaterThan(10);
    expect(told.grown_bytes).toBeGreaterThan(0);
    const [line] = await db.sql`
      select level, detail from public.migration_log where event = 'bloat' and detail ->> 'relation' = 'public.users'`;
    expect(line).toMatchObject({ level: 'warning', detail: { statement: told.statement } });
    await db.sql.unsafe(told.statement);
    expect((await bloat(db.sql)).map(({ relation }: { relation: string }) => relation)).not.toContain(
      'public.users',
    );
  });

  test('count from the beginning of the run, and of a rollback, too', async () => {
    await db.sql`insert into public.users (username) select 'user ' || n from generate_series(1, 3000) n`;
    await switchOff(db.sql, 'public.users');
    const one = db.connect({ max: 1 });
    await one`update public.users set bio = 'before'`;
    await flush(one);
    await db.sql.unsafe('analyze public.users');
    await migrateAll(db.sql);
    await flush(db.sql);
    const [forward] = await bloat(db.sql);
    // What was dead before counts, but for what has been pruned meanwhile.
    expect(forward.dead_rows_of_run).toBeGreaterThan(0);
    expect(forward.dead_rows_of_run).toBeLessThan(forward.dead_rows - 1000);
    await rollbackAll(db.sql);
    await flush(db.sql);
    const back = (await bloat(db.sql)).find(
      ({ relation }: { relation: string }) => relation === 'public.users',
    );
    expect(back.dead_rows).toBeGreaterThan(forward.dead_rows);
    expect(
      await db.sql`select from public.migration_log l join imago.run r on r.id = l.run where event = 'bloat' and direction = 'rollback'`,
    ).not.toHaveLength(0);
  });

  test.each([
    ['comes', { autovacuum_vacuum_threshold: 10, autovacuum_vacuum_scale_factor: 0 }, null],
    ['later', { autovacuum_vacuum_threshold: 1000000 }, 'vacuum (analyze) public.users;'],
  ])('say what autovacuum makes of them: %s', async (autovacuum, parameters, statement) => {
    const settings = Object.entries(parameters).map(([name, number]) => `${name} = ${number}`);
    await db.sql.unsafe(`alter table public.users set (${settings.join(', ')})`);
    const reports = async () => {
      await db.sql`update public.users set bio = bio || '.' where bio is not null`;
      await flush(db.sql);
      return await db.sql`
        select imago.vacuum_threshold('public.users') as threshold`;
    };
    await db.sql`insert into public.users (username, bio) select 'user ' || n, '.' from generate_series(1, 3000) n`;
    const [row] = await reports();
    expect(Number(row?.threshold)).toBeGreaterThanOrEqual(Object.values(parameters)[0] as number);
    const found = await db.sql`
      select b from jsonb_array_elements(imago.bloat('avatars', null)) b where b ->> 'relation' = 'public.users'`;
    expect(found[0]?.b).toMatchObject({ autovacuum, statement });
  });

  test('are read from the catalogue and the statistics: no table is', async () => {
    const session = await db.connect().reserve();
    await session`begin`;
    await session`select imago.bloat('avatars', null)`;
    const read = await session`
      select relid::regclass::text as name from pg_stat_xact_user_tables where schemaname = 'public' and seq_tup_read + coalesce(idx_tup_fetch, 0) > 0`;
    await session`rollback`;
    session.release();
    expect(read).toEqual([]);
  });
});

test('the command tells the dead rows of a run at the end, for people and for programs', async () => {
  const { db, environment } = await freshProject({ app: 'sample', users: 300 });
  await db.sql`insert into public.users (username) select 'user ' || n from generate_series(1, 3000) n`;
  await switchOff(db.sql, 'public.users');
  const ended = await runCommand(['--yes'], environment);
  expect(ended.code).toBe(0);
  const said = ended.stdout.replace(/[│\s]+/g, ' ');
  expect(said).toMatch(
    /Dead rows public\.users [\d,]+ \(\d+ %\).* autovacuum does not come there: vacuum \(analyze\) public\.users;/,
  );
  const again = await runCommand(['--rollback', '--yes', '--json'], environment);
  expect(again.json().bloat[0]).toMatchObject({ relation: 'public.users', autovacuum: 'off' });
});
