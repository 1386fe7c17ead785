/** An option that is null is no option that was left out: no public function takes it for its default, or for no. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { refusal } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

let db: TestDatabase;

beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 10 });
});
afterAll(() => db.drop());

/** What has to be given beside the option. */
const given: Record<string, string> = { entity: `'1'`, user_id: 'gen_random_uuid()', plan: `'avatars'` };

test('each option of a public function that has a default other than null refuses null, and nothing has moved', async () => {
  const options = await db.sql<{ name: string; option: string; needed: string[] }[]>`
    select p.proname as name, a.name as option,
      (p.proargnames)[1:p.pronargs - p.pronargdefaults] as needed
    from pg_proc p
    cross join lateral unnest((p.proargnames)[1:p.pronargs]) with ordinality a(name, n)
    where p.pronamespace = 'public'::regnamespace and obj_description(p.oid) like 'Imago: %' and p.prokind = 'f'
      and a.n > p.pronargs - p.pronargdefaults
      and pg_get_function_arg_default(p.oid, a.n::integer) not like 'NULL%'`;
  const said: string[] = [];
  for (const { name, option, needed } of options) {
    const others = needed.map((one) => `${one} => ${given[one] ?? 'null'}`);
    const error = await refusal(
      db.sql.unsafe(`select public.${name}(${[...others, `${option} => null`].join(', ')})`),
    );
    said.push(`${name} ${option}: ${error.code}`);
  }
  // A name is looked up, and a range is looked at: null is in neither.
  const wrong = said.filter((line) => !/: (IM004|IM015)$|( plan: IM001)$/.test(line));
  expect(wrong).toEqual([]);
  for (const dry of ['migrate_batch', 'validate_migration', 'finalize_migration', 'cleanup_migration']) {
    expect(said).toContain(`${dry} dry_run: IM004`);
  }
  expect(await db.sql`select count(*)::int from imago.run`).toEqual([{ count: 0 }]);
});
