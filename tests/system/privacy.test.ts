import { afterAll, describe, expect, onTestFinished, test } from 'vitest';
import { call, refusal, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';

const SECRET = 'SECRET-7f3a';

/** The sample app, prepared, with words of people that must not turn up anywhere. */
async function database(): Promise<TestDatabase> {
  const db = await freshDatabase({ app: 'sample', users: 20, avatars: 'prepared' });
  onTestFinished(db.drop);
  await db.sql`update public.users set username = ${`${SECRET}-u`}, display_name = ${`${SECRET}-n`}, bio = ${`${SECRET}-b`}`;
  return db;
}

describe('what people wrote about themselves', () => {
  let checked = 0;

  afterAll(() => {
    expect(checked).toBeGreaterThan(10);
  });

  /** Neither an error nor a record of ours holds a word of it. */
  async function expectNoSecret(db: TestDatabase, errors: unknown[]): Promise<void> {
    for (const error of errors) {
      checked++;
      const told = error as Record<string, unknown>;
      expect(
        JSON.stringify([told.message, told.detail, told.hint, told.constraint_name, told.column_name]),
      ).not.toContain(SECRET);
    }
    for (const table of [
      'imago.log',
      'imago.failure',
      'imago.run',
      'imago.batch',
      'imago.lane',
      'public.migration_log',
    ]) {
      const rows = await db.sql.unsafe(`select * from ${table}`);
      expect([table, JSON.stringify(rows).includes(SECRET)]).toEqual([table, false]);
    }
  }

  const poisons: [string, string, string][] = [
    [
      'a check constraint',
      `alter table public.avatars add constraint short check (length(bio) < 3 or bio not like 'SECRET%')`,
      '23514',
    ],
    [
      'a trigger that quotes the row',
      `create function public.tell() returns trigger language plpgsql as $$ begin
         raise exception 'cannot take %', new.bio using detail = new.bio, hint = new.bio; end $$;
       create trigger tell before insert on public.avatars for each row execute function public.tell()`,
      'P0001',
    ],
    ['an over-long name', `alter table public.avatars alter column name type varchar(5)`, '22001'],
    ['a unique bio', `create unique index one_bio on public.avatars (left(bio, 6))`, '23505'],
    [
      'a cast in a trigger',
      `create function public.cast_it() returns trigger language plpgsql as $$ begin
         perform new.bio::integer; return new; end $$;
       create trigger cast_it before insert on public.avatars for each row execute function public.cast_it()`,
      '22P02',
    ],
    [
      'an error in a column expression',
      `alter table public.avatars add column n integer generated always as (length(bio) / (length(bio) - length(bio))) stored`,
      '22012',
    ],
  ];

  test.each(poisons)('stays out of errors and logs: %s', async (_, sql, sqlstate) => {
    const db = await database();
    await db.sql.unsafe(sql);
    const user_id = await value<string>(db.sql, 'select id from public.users order by id limit 1');
    const errors: unknown[] = [];
    if (sqlstate !== '23505') {
      const error = await refusal(call(db.sql, 'migrate_user_to_avatar_centric', { user_id }));
      expect(error.code).toBe('IM023');
      expect(error.message).toContain(sqlstate);
      errors.push(error);
    }
    errors.push(await call(db.sql, 'migrate_users_batch', { batch_size: 10 }));
    errors.push(...(await migrateAll(db.sql)));
    errors.push(
      await call(db.sql, 'dry_run_migration'),
      await call(db.sql, 'get_migration_performance_stats'),
    );
    errors.push(await call(db.sql, 'get_detailed_migration_progress'));
    expect(await value(db.sql, 'select distinct sqlstate from imago.failure')).toBe(sqlstate);
    await expectNoSecret(db, errors);
  });

  test('stays out of the journal and of what conflicts tell', async () => {
    const db = await database();
    await migrateAll(db.sql);
    const tables = await db.sql`select undo_table as name from imago.plan_write where plan = 'avatars'`;
    expect(tables.length).toBe(4);
    for (const { name } of tables) {
      expect(JSON.stringify(await db.sql`select * from imago_undo.${db.sql(name)}`)).not.toContain(SECRET);
    }
    await db.sql`update public.avatars set bio = ${`${SECRET} of an avatar`}`;
    const answers = await rollbackAll(db.sql);
    expect(answers.at(-1)?.conflicts).toBe(20);
    expect(JSON.stringify(answers)).not.toContain(SECRET);
    await expectNoSecret(db, []);
  });
});
