/** Two writes of the app to the two sides of one profile at the same instant: the sides end equal, no matter who is first at which point. */
import type { Sql } from 'postgres';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { value } from '../support/call.ts';
import { createApp } from '../support/conformance/app.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import { migrateAll, rollbackAll } from '../support/imago.ts';
import { pidOf, untilBlocked } from '../support/until.ts';

const plan = 'profile_gigs';
type Side = 'User' | 'Gigs';
type End = 'commit' | 'rollback';

let template: TestDatabase;
let db: TestDatabase;
let user: number;

beforeAll(async () => {
  template = await freshDatabase();
  await createApp(template.sql, 'tests/support/profile_gigs.sql', 40);
  await migrateAll(template.sql, { plan });
  user = Number(await value(template.sql, `select min("userId") from "Gigs" where "isProfileGig"`));
  // Fires between the app's write, which has its row by then, and the sync: triggers fire in the order of their names.
  await template.sql.unsafe(`
    create function public.gate() returns trigger language plpgsql as $$
    begin
      if current_setting('test.gate', true) <> '' then
        perform pg_advisory_xact_lock_shared(current_setting('test.gate')::integer);
      end if;
      return null;
    end $$;
    create trigger "a gate" after update on "User" for each statement execute function public.gate();
    create trigger "a gate" after update on "Gigs" for each statement execute function public.gate();`);
  await template.sql.end();
});
afterEach(() => db.drop());
afterAll(() => template.drop());

const GATES: Record<Side, number> = { User: 1, Gigs: 2 };

/** A writer of one side, in a transaction of its own. */
class Writer {
  readonly side: Side;
  readonly #sql: Sql;
  pid = 0;

  constructor(side: Side, sql = db.connect()) {
    this.side = side;
    this.#sql = sql;
  }

  async begin(gated: boolean): Promise<void> {
    this.pid = await pidOf(this.#sql);
    if (gated) await this.#sql`select set_config('test.gate', ${String(GATES[this.side])}, false)`;
    await this.#sql`begin`;
  }

  /** Writes the side's own name; settles once the sync has. */
  write(): Promise<unknown> {
    const skills = [this.side];
    return this.side === 'User'
      ? this.#sql`update "User" set skills = ${skills} where id = ${user}`.execute()
      : this.#sql`update "Gigs" set skills = ${skills} where "userId" = ${user} and "isProfileGig"`.execute();
  }

  async end(how: End): Promise<void> {
    await this.#sql.unsafe(how);
  }
}

const skills = async (side: Side) =>
  (side === 'User'
    ? await db.sql`select skills[1] as skill from "User" where id = ${user}`
    : await db.sql`select skills[1] as skill from "Gigs" where "userId" = ${user} and "isProfileGig"`)[0]
    ?.skill;

/** The sides are equal, at the latest after the next run, and everything goes back without a conflict. */
async function expectExact(wanted: Side[], { atOnce = true } = {}): Promise<void> {
  if (!atOnce) await migrateAll(db.sql, { plan });
  const now = [await skills('User'), await skills('Gigs')];
  expect(now[0]).toBe(now[1]);
  expect(wanted).toContain(now[0]);
  await db.sql`delete from imago.run where started_at is null`;
  const last = (await rollbackAll(db.sql, { plan })).at(-1);
  expect([...(await db.sql`select kind, table_name, reason from imago.failure`)]).toEqual([]);
  expect(last).toMatchObject({ state: 'succeeded', conflicts: 0 });
  expect(await skills('User')).toBe(now[0]);
  expect(await skills('Gigs')).toBeUndefined();
}

/** While entities are moved, syncs lock more. */
async function open(settled: boolean): Promise<void> {
  db = await freshDatabase({ template: template.name });
  if (!settled)
    await db.sql`insert into imago.run (plan, direction, state) values (${plan}, 'forward', 'running')`;
}

describe.each([
  ['two writers, once all are moved', true],
  ['two writers, while a run is under way', false],
])('%s', (_, settled) => {
  const orders: [string, Side[]][] = [
    ['the user first', ['User', 'Gigs']],
    ['the gig first', ['Gigs', 'User']],
  ];
  const ends: [End, End, Side[]][] = [
    ['commit', 'commit', ['User', 'Gigs']],
    ['rollback', 'commit', ['Gigs']],
    ['commit', 'rollback', ['User']],
  ];

  describe.each(orders)('both have their rows, and go on to the other side, %s', (_, order) => {
    test.each(ends)(
      'the user: %s, the gig: %s, no error and both sides equal',
      async (userEnds, gigEnds, wanted) => {
        await open(settled);
        const control = db.connect();
        for (const gate of Object.values(GATES)) await control`select pg_advisory_lock(${gate})`;
        const writers = { User: new Writer('User'), Gigs: new Writer('Gigs') };
        const done: Promise<void>[] = [];
        for (const side of order) {
          const writer = writers[side];
          await writer.begin(true);
          done.push(writer.write().then(() => writer.end(side === 'User' ? userEnds : gigEnds)));
          await untilBlocked(db.sql, writer.pid);
        }
        const [first, second] = order;
        await control`select pg_advisory_unlock(${GATES[first as Side]})`;
        // It waits for the row that the other one has.
        await untilBlocked(db.sql, writers[first as Side].pid);
        await control`select pg_advisory_unlock(${GATES[second as Side]})`;
        // Nobody gets an error: not of a deadlock, not of a lock.
        await Promise.all(done);
        await expectExact(wanted, { atOnce: gigEnds === 'commit' });
      },
    );
  });

  describe.each(orders)('one has written both sides when the other comes, %s', (_, order) => {
    test.each(['commit', 'rollback'] as const)(
      'the first: %s, no error and both sides equal',
      async (firstEnds) => {
        await open(settled);
        const [first, second] = order.map((side) => new Writer(side)) as [Writer, Writer];
        await first.begin(false);
        await first.write();
        await second.begin(false);
        const writing = second.write();
        await untilBlocked(db.sql, second.pid);
        await first.end(firstEnds);
        await writing;
        await second.end('commit');
        await expectExact([second.side]);
      },
    );
  });

  test.each<[Side, Side]>([
    ['User', 'Gigs'],
    ['Gigs', 'User'],
  ])(
    'a third one, who wants the row of %s as well, stands between the two: no error of a deadlock',
    async (side, other) => {
      await open(settled);
      // Without giving way the two would hold on for so long, and the third one's deadlock detector looks meanwhile.
      await db.sql`update imago.setting set value = '20000' where name = 'sync_wait_ms'`;
      const patient = db.connect({ role: 'supabase_admin' });
      await patient`set deadlock_timeout = '4s'`;
      const control = db.connect();
      for (const gate of Object.values(GATES)) await control`select pg_advisory_lock(${gate})`;
      const done: Promise<void>[] = [];
      const begin = async (writer: Writer, gated: boolean) => {
        await writer.begin(gated);
        done.push(writer.write().then(() => writer.end('commit')));
        await untilBlocked(db.sql, writer.pid);
      };
      const across = new Writer(other);
      await begin(new Writer(side), true);
      await begin(across, true);
      await begin(new Writer(side, patient), false);
      await control`select pg_advisory_unlock(${GATES[other]})`;
      // Its sync wants the row, too, and stands in line behind the third one.
      await untilBlocked(db.sql, across.pid);
      await control`select pg_advisory_unlock(${GATES[side]})`;
      await Promise.all(done);
      await expectExact(['User', 'Gigs']);
    },
  );
});
