import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

/** Which settings our functions change or rest on, asked of the catalogue once a plan is prepared and has its generated ones. */

let db: TestDatabase;

beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 10 });
  await prepareAll(db.sql);
});

afterAll(() => db.drop());

/** Functions whose body matches a pattern, each with the settings that its clauses make and give back. */
async function functions(pattern: string): Promise<{ name: string; settings: Record<string, string> }[]> {
  return db.sql`
    select format('%I.%I', n.nspname, p.proname) as name, (
      select jsonb_object_agg(lower(split_part(c, '=', 1)), substr(c, strpos(c, '=') + 1)) from unnest(p.proconfig) c) as settings
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in (select 'imago' union select 'imago_undo' union select 'public' union select name from imago.plan) and p.prosrc ~ ${pattern}
    order by 1`;
}

describe('a function that changes lock_timeout', () => {
  test('has a set clause for it, so that the caller gets back what it had', async () => {
    const changing = await functions(`set_config\\('lock_timeout'`);
    expect(changing.length).toBeGreaterThan(10);
    expect(changing.filter(({ settings }) => settings.lock_timeout === undefined)).toEqual([]);
  });
});

describe('a function that takes fingerprints of rows', () => {
  const FORMATS = {
    timezone: 'UTC',
    datestyle: 'ISO, YMD',
    intervalstyle: 'postgres',
    extra_float_digits: '1',
    bytea_output: 'hex',
  };
  /** These only write the SQL of the generated functions, which take them. */
  const WRITERS = [
    'imago.build_capture',
    'imago.build_lock',
    'imago.capture_update',
    'imago.sync_journal_updates',
  ];

  test('fixes the five settings of their text format, like all the others', async () => {
    const taking = await functions(`imago\\.fingerprint\\(|array\\[pg_catalog\\.hashtext\\(`);
    expect(taking.filter(({ name }) => WRITERS.includes(name)).map(({ name }) => name)).toEqual(WRITERS);
    const others = taking.filter(({ name }) => !WRITERS.includes(name));
    expect(others.some(({ name }) => name.startsWith('imago_undo.'))).toBe(true);
    expect(others.map(({ name, settings }) => [name, settings])).toEqual(
      others.map(({ name }) => [name, expect.objectContaining(FORMATS)]),
    );
  });
});
