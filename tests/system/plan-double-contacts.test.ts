import { readFileSync } from 'node:fs';
import type { Sql } from 'postgres';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { checkPlan } from '../../scripts/plan/check.ts';
import { checksOf } from '../../scripts/plan/conformance/suite.ts';
import { createApp } from '../support/conformance/app.ts';
import type { Fixture } from '../support/conformance/fixture.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';

/** A plan that merges rows into one: what every plan has to keep holds for rows that go and come back. */

const PLAN = 'double_contacts';
const APP = 'tests/fixtures/plans/double_contacts/app.sql';
const migration = readFileSync('tests/fixtures/plans/double_contacts/plan.sql', 'utf8');

const fixture: Fixture = {
  app: APP,
  writers: [
    {
      name: 'new contacts',
      side: 'old',
      write: (sql, n) => sql`insert into public."Contacts" ("e-mail") values (${`new${n}@example.com`})`,
    },
    {
      name: 'orders of those who stay',
      side: 'old',
      write: (sql, n) => sql`
        insert into public.orders ("Contact", note)
        select min(c."Id"), ${`new ${n}`} from public."Contacts" c where c.key = ${`person${5 * (n % 12)}@example.com`}`,
    },
  ],
  differing: `select k."Id" as entity from public."Contacts" k join public."Contacts" d on d.key = k.key and d."Id" > k."Id"
    where not exists (select from public."Contacts" e where e.key = k.key and e."Id" < k."Id")`,
  expectations: [
    {
      name: 'each address has one contact, with the orders and tags of all',
      wrong: `
        select from public."Contacts" k
        where (select count(*) from public.orders o where o."Contact" = k."Id") <> 2 + 2 * coalesce(k.doubles, 0)
           or (select count(*) from public.tags t where t."Contact" = k."Id") <> 2 + coalesce(k.doubles, 0)`,
    },
  ],
};

async function withPlan(db: TestDatabase): Promise<TestDatabase> {
  await db.sql.unsafe(migration);
  return db;
}

describe(`the plan ${PLAN}`, () => {
  let template: TestDatabase;
  const copies: TestDatabase[] = [];
  const copy = async (name: string) => {
    const db = await freshDatabase({ template: name });
    copies.push(db);
    return db;
  };
  beforeAll(async () => {
    template = await withPlan(await freshDatabase());
    await createApp(template.sql, APP, 60);
    // Nobody may be connected to a database that is copied.
    await template.sql.end();
  });
  afterAll(() => Promise.all([template, ...copies].map((db) => db.drop())));

  const place = {
    bare: async () => await withPlan(await freshDatabase()),
    app: () => copy(template.name),
    copy,
  };
  // The others differ least from plan to plan, and are tried with those that come with Imago.
  const titles = /^(forward and back|each address|a caller that is killed|one entity that cannot|once moved)/;
  for (const { title, run } of checksOf(PLAN, fixture, place).filter((check) => titles.test(check.title))) {
    test(title, run);
  }

  test('imago plan check finds nothing wrong with it, but that no sync follows', async () => {
    const { sql, drop } = await freshDatabase();
    const makeApp = (db: Sql, entities: number) => createApp(db, APP, entities);
    const findings = await checkPlan(sql, { plan: PLAN, migration, makeApp }).finally(drop);
    expect(findings.map(({ about, severity }) => [about, severity])).toEqual([['sync', 'warning']]);
  });
});
