/** Workers that help with one large member, beside the one that has it in hand. */
import { afterEach, expect, test } from 'vitest';
import { Terminal } from '../../scripts/command/terminal.ts';
import { workTarget } from '../../scripts/fleet/target.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import {
  addMember,
  begin,
  counts,
  type Fleet,
  freshFleet,
  patiently,
  startWorker,
  untilState,
} from '../support/fleet.ts';

const users = 300;
let fleet: Fleet;
let large: TestDatabase;

afterEach(async () => {
  await fleet?.close();
  await large?.drop();
});

test('move part of it there and back, each entity once, and are counted', async () => {
  fleet = await freshFleet();
  large = await freshDatabase({ app: 'sample', users, avatars: 'prepared' });
  process.env.FLEET_TEST_LARGE = large.url;
  await addMember(fleet, 'large', { databaseUrlEnv: 'FLEET_TEST_LARGE' });
  const ended = new AbortController();
  const helping = workTarget({
    ...{ controlUrl: fleet.url, target: 'large', slots: 2, name: undefined },
    ...{ terminal: new Terminal('error'), signal: ended.signal },
  });
  const helped = async (rollout: number) => {
    const [row] = await fleet.control<{ moved: number }[]>`
      select coalesce(sum(moved), 0)::int as moved from imago_fleet.helper where rollout = ${rollout}`;
    return row?.moved ?? 0;
  };
  // The helper is there first, and calls are so small that both have something to do.
  await patiently('the helper is there', async () => {
    const [row] = await fleet.control`select from imago_fleet.worker`;
    return row !== undefined;
  });
  startWorker(fleet);
  for (const kind of ['migrate', 'rollback'] as const) {
    // Nobody is moved before the helper is there.
    const held = kind === 'migrate' && (await holdUsers(large));
    const rollout = await begin(fleet, {
      kind,
      run: { max_ms: 1, ...(kind === 'migrate' && { batch_size: 1 }) },
    });
    if (held) {
      await patiently('the helper calls', async () => {
        const [row] = await fleet.control`select from imago_fleet.helper where rollout = ${rollout}`;
        return row !== undefined;
      });
      await held.release();
    }
    const progress = await untilState(fleet, rollout, 'succeeded', 'failed', 'stopped');
    expect(progress).toMatchObject({ state: 'succeeded', entities: { moved: users, remaining: 0 } });
    const { moved, avatars, wrong } = await counts(large);
    expect([moved, avatars]).toEqual(kind === 'migrate' ? [users, users] : [0, 0]);
    if (kind === 'migrate') expect(wrong).toBe(0);
    if (kind === 'migrate') expect(await helped(rollout)).toBeGreaterThan(0);
  }
  ended.abort();
  await helping;
});

test('refuses a member that there is not', async () => {
  fleet = await freshFleet();
  await expect(
    workTarget({
      ...{ controlUrl: fleet.url, target: 'nobody', slots: 1, name: undefined },
      ...{ terminal: new Terminal('error'), signal: new AbortController().signal },
    }),
  ).rejects.toMatchObject({ code: 'FL004' });
});

/** Locks all users of it. */
async function holdUsers(db: TestDatabase) {
  const sql = db.connect();
  await sql`begin`;
  await sql`select from public.users for update`;
  return { release: async () => void (await sql`rollback`) };
}
