/** A worker goes on for days: what it holds does not grow with the members that it has worked. */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { Terminal } from '../../scripts/command/terminal.ts';
import { takenSchema, workPiece } from '../../scripts/fleet/piece.ts';
import type { TestDatabase } from '../support/database.ts';
import { type Fleet, freshFleet, freshMember, USERS } from '../support/fleet.ts';

let fleet: Fleet;
let member: TestDatabase;
beforeAll(async () => {
  fleet = await freshFleet();
  member = await freshMember();
  process.env.FLEET_TEST_MEMORY = member.url;
});
afterAll(async () => {
  await member.drop();
  await fleet.close();
});

setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as () => void;

/** Bytes that live, and resources that keep a process from ending. */
function held(): { bytes: number; resources: number } {
  collect();
  return { bytes: process.memoryUsage().heapUsed, resources: process.getActiveResourcesInfo().length };
}

test('forty pieces of work leave neither memory nor connections nor timers behind', async () => {
  const signal = new AbortController().signal;
  const piece = async () =>
    await workPiece({
      control: fleet.control,
      terminal: new Terminal('error'),
      signal,
      report: async () => true,
      taken: takenSchema.parse({
        attempt: 1,
        task: 'move',
        is_retry: false,
        kind: 'migrate',
        plan: 'avatars',
        options: { run: {} },
        member: { name: 'acme', kind: 'database', secret_kind: 'env', secret_name: 'FLEET_TEST_MEMORY' },
        moved: 0,
        worked_ms: 0,
      }),
    });
  expect(await piece()).toMatchObject({ state: 'succeeded', moved: USERS });
  for (let i = 0; i < 10; i += 1) await piece();
  const before = held();
  for (let i = 0; i < 40; i += 1) expect(await piece()).toMatchObject({ state: 'succeeded' });
  const after = held();
  // 25 kB a piece; a connection, or an answer that is kept, is more.
  expect(after.bytes - before.bytes).toBeLessThan(1_000_000);
  expect(after.resources).toBeLessThanOrEqual(before.resources + 2);
});
