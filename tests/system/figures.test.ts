/** The figures of a plan where they are estimated, and on a real terminal. */
import { isDeepStrictEqual, stripVTControlCharacters } from 'node:util';
import type { Sql } from 'postgres';
import { afterEach, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call } from '../support/call.ts';
import { freshProject, startOnTerminal } from '../support/command.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from '../support/database.ts';
import { expectSameFigures, framesOf, readJson, readText } from '../support/figures.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { createTally } from '../support/tally.ts';
import { until } from '../support/until.ts';

const databases: TestDatabase[] = [];

async function database(options: DatabaseOptions): Promise<TestDatabase> {
  const db = await freshDatabase(options);
  databases.push(db);
  return db;
}

afterEach(async () => {
  await Promise.all(databases.splice(0).map((db) => db.drop()));
});

/** Small batches, until so many are moved. */
async function work(
  sql: Sql,
  name: 'migrate_batch' | 'rollback_batch',
  plan: string,
  enough: number,
): Promise<number> {
  let moved = 0;
  while (moved < enough) {
    const answer = await call(sql, name, { plan, max_ms: 1 });
    moved += answer.migrated ?? answer.rolled_back;
    if (!answer.has_more) break;
  }
  return moved;
}

describe('SQL, --stats-only, --watch, the bar, the table at the end and their JSON show the same', () => {
  test('of a large table whose statistics are old, with rows added and deleted meanwhile, a second run, and the way back: what was moved, exactly', async () => {
    const { sql, connect } = await database({ app: 'none' });
    const plan = 'tally';
    await createTally(sql, 'bigint', []);
    await sql.unsafe(`
      alter table public.items set (autovacuum_enabled = false);
      insert into public.items (id) select n from generate_series(1, 105000) n;
      analyze public.items;
      insert into public.items (id) select n from generate_series(105001, 125000) n;`);
    const same = async (migrated: number) => {
      const shown = await expectSameFigures(sql, plan);
      expect(shown).toMatchObject({ isEstimate: true, migrated });
      return shown;
    };
    await same(0);
    let moved = await work(sql, 'migrate_batch', plan, 20_000);
    await same(moved);
    // Another caller, and the app.
    moved += await work(connect(), 'migrate_batch', plan, 10_000);
    await sql`delete from public.items where id between 120001 and 122000`;
    await sql`insert into public.items (id, done) select n, true from generate_series(130001, 131000) n`;
    await call(sql, 'pause_migration', { plan });
    await same(moved);
    await call(sql, 'cancel_migration', { plan });
    await same(moved);
    // The second run passes over what the first has moved: the figures never go back.
    moved += (await call(sql, 'migrate_batch', { plan, max_ms: 1 })).migrated;
    await same(moved);
    moved += await work(sql, 'migrate_batch', plan, 15_000);
    await same(moved);
    const last = await migrateAll(sql, { plan });
    moved += last.reduce((sum, answer) => sum + answer.migrated, 0);
    expect(moved).toBe(123_000);
    // A thousand were born migrated: the walk has come by them.
    expect(await same(124_000)).toMatchObject({ total: 124_000, left: 0, percentage: 100 });
    const back = await work(sql, 'rollback_batch', plan, 20_000);
    await same(124_000 - back);
    await call(sql, 'cancel_migration', { plan });
    await same(124_000 - back);
    await rollbackAll(sql, { plan });
    expect(await same(0)).toMatchObject({ total: 124_000, left: 0, percentage: 0 });
  });

  test('of a large table of which the plan concerns fewer than the planner thinks: what was moved, exactly, at the end too', async () => {
    const { sql } = await database({ app: 'none' });
    const plan = 'tally';
    await createTally(
      sql,
      'bigint',
      Array.from({ length: 101_000 }, (_, i) => i),
      {
        pending: `not i.done and i.id % 3 = 0 and i.label like '%item'`,
      },
    );
    await sql`create view tally.concerned as select i.id as entity from public.items i where i.id % 3 = 0 and i.label like '%item'`;
    const moved = await work(sql, 'migrate_batch', plan, 5_000);
    expect(await expectSameFigures(sql, plan)).toMatchObject({ isEstimate: true, migrated: moved });
    await migrateAll(sql, { plan });
    const all = Math.ceil(101_000 / 3);
    expect(await expectSameFigures(sql, plan)).toMatchObject({ migrated: all, total: all, left: 0 });
    const back = await work(sql, 'rollback_batch', plan, 5_000);
    expect(await expectSameFigures(sql, plan)).toMatchObject({ migrated: all - back, total: all });
  });
});

// The script command of util-linux makes the terminal.
test.skipIf(process.platform !== 'linux')(
  'on a real terminal of 80 columns the bar and --watch show what SQL tells, no line is cut off, and so does the table at the end',
  async () => {
    const { db, environment } = await freshProject();
    const { sql } = db;
    await prepareAll(sql);
    await sql`update imago.setting set value = '2' where name = 'max_sub_batches'`;
    while ((await call(sql, 'migrate_batch', { batch_size: 10 })).migrated === 0);
    const release = Promise.withResolvers<void>();
    const held = Promise.withResolvers<void>();
    // Nobody moves while somebody holds the run.
    const holding = db.connect().begin(async (tx) => {
      await tx`select from imago.run for update`;
      held.resolve();
      await release.promise;
    });
    await held.promise;
    const told = async () => readJson(await call(sql, 'get_detailed_migration_progress'));
    const driven = startOnTerminal(['--yes'], environment, 80);
    const watched = startOnTerminal(['--watch'], environment, 80);
    for (const { written } of [driven, watched]) {
      await until('it shows what SQL tells', async () => {
        const shown = readText(framesOf(written()).at(-1) ?? '');
        return isDeepStrictEqual(shown, await told());
      });
    }
    release.resolve();
    await holding;
    for (const { code, written } of await Promise.all([driven.finished, watched.finished])) {
      const frames = framesOf(written);
      const lines = frames.flatMap((frame) => stripVTControlCharacters(frame).split(/\r?\n/));
      expect(lines.filter((line) => / (failed|migrated)\b/.test(line) && line.length > 80)).toEqual([]);
      expect({ code, ...readText(frames.at(-1) ?? '') }).toEqual({ code: 0, ...(await told()) });
    }
  },
);
