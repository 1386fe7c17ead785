import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareAll } from './support/avatars.ts';
import { freshDatabase, type TestDatabase } from './support/database.ts';

/** Which settings our functions change or rest on, asked of the catalogue once a plan is prepared and has its generated ones. */

let db: TestDatabase;

beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 10 });
  await prepareAll(db.sql);
});

afterAll(() => db.drop());

/** Functions whose body matches a pattern, each with the names of the settings that its clauses give back. */
async function functions(pattern: string): Promise<{ name: string; settings: string[] }[]> {
  return db.sql`
    select p.oid::regprocedure::text as name, array(
      select split_part(c, '=', 1) from unnest(p.proconfig) c order by 1) as settings
    from pg_proc p join pg_namespace n on n.oid = p.pronamespace
    where n.nspname in ('imago', 'imago_undo', 'avatars', 'public') and p.prosrc ~ ${pattern}
    order by 1`;
}

describe('a function that changes lock_timeout', () => {
  test('has a clause for it, which gives the caller back what the caller had', async () => {
    const changing = await functions(`set_config\\('lock_timeout'`);
    expect(changing.length).toBeGreaterThan(10);
    expect(changing.filter(({ settings }) => !settings.includes('lock_timeout'))).toEqual([]);
  });
});
