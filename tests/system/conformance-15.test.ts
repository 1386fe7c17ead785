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

/** The two that have the most of what stands on the version: several stages, syncs of both sides, tables that they make. */
const whole = ['profile_gigs', 'staging_to_production'];
/** SQL of the plan runs in these; what the engine does besides is the same for each plan. */
const runs = ['forward and back', 'once moved', 'finalize'];

await everyPlan((plan, fixture) =>
  conform(plan, fixture, () => cluster, whole.includes(plan) ? undefined : runs),
);
