/** A replication slot whose consumer reads slowly, while a run could write fast. */
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest';
import { runBeside } from '../../bench/slot.ts';
import { expectAllMigrated, prepareAll } from '../support/avatars.ts';
import { call } from '../support/call.ts';
import { type TestCluster, testCluster } from '../support/cluster.ts';
import { freshDatabase } from '../support/database.ts';

let server: TestCluster;

beforeAll(async () => {
  server = await testCluster({
    settings: {
      wal_level: 'logical',
      max_slot_wal_keep_size: '32MB',
      max_wal_size: '32MB',
      min_wal_size: '32MB',
      // After a checkpoint the first write to each page takes all of it along: much to read, on slow machines above all.
      full_page_writes: 'on',
    },
  });
});
afterAll(() => server?.remove());

test.each([
  [
    'slowly that is looked at is kept, and the run comes to its end',
    2.5,
    300,
    [],
    { isLost: false, moved: 2000 },
  ],
  // A slow machine writes little a second; a fast one has fewer checkpoints, after which pages are written whole.
  ['very slowly that is not looked at is lost', 0.25, 1200, ['slot'], { isLost: true }],
])('a slot that is read %s', async (_what, megabytesPerSecond, length, ignore, expected) => {
  const db = await freshDatabase({ app: 'sample', users: 2000, on: server });
  onTestFinished(db.drop);
  await db.sql`update public.users set bio = (select string_agg(md5(id || n::text), '') from generate_series(1, ${length}) n)`;
  await db.sql`update imago.signal set slow = null, hold = null where name <> 'slot'`;
  await db.sql`update imago.setting set value = '100' where name in ('look_ms', 'backoff_ms')`;
  await prepareAll(db.sql);
  await call(db.sql, 'throttle_migration', { ignore });
  const reader = db.connect({ role: 'supabase_admin', max: 1 });
  // What a server does every 15 seconds by itself: a slot lets go of what was read, and is cut off for what was not.
  const admin = db.connect({ role: 'supabase_admin', max: 1 });
  let stopped = false;
  const checkpoints = (async () => {
    while (!stopped) {
      await admin`checkpoint`;
      await delay(200);
    }
  })();
  const ended = await runBeside(db.sql, reader, megabytesPerSecond * 1024 * 1024).finally(() => {
    stopped = true;
  });
  await checkpoints;
  expect(ended).toMatchObject(expected);
  if (!ended.isLost) await expectAllMigrated(db.sql);
});
