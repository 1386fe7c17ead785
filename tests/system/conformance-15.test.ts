import { afterAll, beforeAll, expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { everyPlan } from '../support/conformance/plans.ts';
import { conform } from '../support/conformance.ts';
import { freshDatabase } from '../support/database.ts';

/** Every plan on PostgreSQL 15, the oldest that Supabase has. */

let cluster: TestCluster;
beforeAll(async () => {
  cluster = await testCluster({ version: 15 });
});
afterAll(() => cluster?.remove());

test('the server is PostgreSQL 15', async () => {
  const db = await freshDatabase({ on: cluster });
  try {
    expect(await value(db.sql, 'show server_version')).toMatch(/^15\./);
  } finally {
    await db.drop();
  }
});

await everyPlan((plan, fixture) => conform(plan, fixture, () => cluster));
