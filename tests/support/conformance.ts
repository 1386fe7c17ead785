import { afterAll, beforeAll, describe, test } from 'vitest';
import { checksOf } from '../../scripts/plan/conformance/suite.ts';
import type { TestServer } from './cluster.ts';
import { createApp } from './conformance/app.ts';
import type { Fixture } from './conformance/fixture.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from './database.ts';
import { expectSameFigures } from './figures.ts';

/**
 * The checks of `imago plan test` as tests, and that every path shows the same figures. `server` gives another PostgreSQL
 * than the tests share: what can differ between versions is tried there, what takes long is not tried again; `only` names checks
 * by how they begin.
 */
export function conform(
  plan: string,
  fixture: Fixture,
  server?: () => TestServer,
  only: readonly string[] = [''],
): void {
  describe(`the plan ${plan}`, () => {
    const made: TestDatabase[] = [];
    const make = async (options: DatabaseOptions = {}) => {
      const db = await freshDatabase({ ...options, ...(server && { on: server() }) });
      made.push(db);
      return db;
    };
    let template: TestDatabase;

    beforeAll(async () => {
      template = await make();
      await createApp(template.sql, fixture.app, fixture.entities ?? 60);
      // Nobody may be connected to a database that is copied.
      await template.sql.end();
    });
    afterAll(() => Promise.all(made.map((db) => db.drop())));

    const place = {
      bare: () => make(),
      app: () => make({ template: template.name }),
      copy: (name: string) => make({ template: name }),
      figures: expectSameFigures,
    };
    const checks = checksOf(plan, fixture, place);
    const unknown = only.filter((start) => !checks.some(({ title }) => title.startsWith(start)));
    if (unknown.length > 0) throw new Error(`there is no check ${unknown.join(', ')}`);
    for (const { title, onceIsEnough, run } of checks) {
      const isTried = only.some((start) => title.startsWith(start));
      if (isTried && !(server && onceIsEnough)) test(title, run);
    }
  });
}
