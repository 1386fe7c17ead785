/** A fleet: a control database, members that are real databases, and workers in this process. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { onTestFinished } from 'vitest';
import { Terminal } from '../../scripts/command/terminal.ts';
import { openControl } from '../../scripts/fleet/control.ts';
import { addMembers } from '../../scripts/fleet/members.ts';
import { newMember, type TypedMember } from '../../scripts/fleet/new-member.ts';
import type { FleetProgress } from '../../scripts/fleet/progress.ts';
import { readProgress, startRollout } from '../../scripts/fleet/rollout.ts';
import { installFleet } from '../../scripts/fleet/schema.ts';
import { type Wish, wishOf } from '../../scripts/fleet/wish.ts';
import { work } from '../../scripts/fleet/worker.ts';
import { type DatabaseOptions, freshDatabase, madeOnce, type TestDatabase } from './database.ts';
import { until } from './until.ts';

/** Users of each member. */
export const USERS = 20;

const template = madeOnce(async () => {}, { app: 'sample', users: USERS });

/** A database with the sample app, which nobody has begun to migrate. */
export async function freshMember(): Promise<TestDatabase> {
  return await freshDatabase({ template: await template() });
}

export interface Fleet {
  url: string;
  control: Sql;
  close(): Promise<void>;
}

/** A control database with the fleet made in it; on another server where one is named. */
export async function freshFleet(options: Pick<DatabaseOptions, 'on'> = {}): Promise<Fleet> {
  const db = await freshDatabase({ migrated: false, ...options });
  const control = openControl(db.url, () => {});
  await installFleet(control);
  return {
    url: db.url,
    control,
    async close() {
      await control.end({ timeout: 0 });
      await db.drop();
    },
  };
}

/** Adds a member with nothing behind it, or what is said of it. */
export async function addMember({ control }: Fleet, name: string, typed: TypedMember = {}): Promise<void> {
  const place = Object.keys(typed).some((key) => /Env|File|Vault/.test(key))
    ? {}
    : { databaseUrlEnv: 'NOT_SET' };
  await addMembers(control, [newMember(name, { ...place, ...typed })], true);
}

/** Adds a real database; its URL lies in a variable of this process. */
export async function addDatabase(
  fleet: Fleet,
  name: string,
  typed: TypedMember = {},
): Promise<TestDatabase> {
  const db = await freshMember();
  const variable = `FLEET_TEST_${name.replaceAll(/\W/g, '_').toUpperCase()}`;
  process.env[variable] = db.url;
  await addMember(fleet, name, { databaseUrlEnv: variable, ...typed });
  return db;
}

/** What a rollout is begun with where nothing else is said. */
export const wish = (given: Partial<Wish> = {}): Wish => wishOf('migrate', 'avatars', given);

export async function begin({ control }: Fleet, given: Partial<Wish> = {}): Promise<number> {
  return (await startRollout(control, wish(given))).rollout;
}

/** A worker in this process, until it is stopped or the test ends; tests that run at the same time say which one. */
export function startWorker(
  { url }: Fleet,
  atEnd: (stop: () => Promise<void>) => void = onTestFinished,
): { stop: () => Promise<void> } {
  const ended = new AbortController();
  const working = work({ controlUrl: url, slots: 4, terminal: new Terminal('error'), signal: ended.signal });
  const stop = async () => {
    ended.abort();
    await working;
  };
  atEnd(() => stop().catch(() => {}));
  return { stop };
}

/** Waits longer than elsewhere, and looks less often: a worker that died is missed after ten seconds, and taken over some more later. */
export async function patiently(what: string, condition: () => Promise<boolean>): Promise<void> {
  const look = async () => {
    if (await condition()) return true;
    await delay(100);
    return false;
  };
  await until(what, look, 120_000);
}

/** Waits until a rollout is in one of these states. */
export async function untilState(
  { control }: Fleet,
  rollout: number,
  ...states: FleetProgress['state'][]
): Promise<FleetProgress> {
  let progress: FleetProgress | undefined;
  await patiently(`rollout ${rollout} is ${states.join(' or ')}`, async () => {
    // While the control database is away nobody knows.
    progress = await readProgress(control, rollout).catch(() => undefined);
    if (!progress) return false;
    return states.includes(progress.state);
  });
  return progress as FleetProgress;
}

/** Users with an avatar, avatars in all, and posts whose avatar is not their author's. */
export async function counts({
  sql,
}: TestDatabase): Promise<{ moved: number; avatars: number; wrong: number }> {
  const [there] = await sql<{ prepared: boolean }[]>`
    select exists (select from pg_attribute where attrelid = 'public.posts'::regclass and attname = 'avatar_id') as prepared`;
  if (!there?.prepared) return { moved: 0, avatars: 0, wrong: 0 };
  const [row] = await sql<{ moved: number; avatars: number; wrong: number }[]>`
    select (select count(*)::int from users where active_avatar_id is not null) as moved,
      (select count(*)::int from avatars) as avatars,
      (select count(*)::int from posts p where not exists (
        select from avatars a where a.id = p.avatar_id and a.owner_user_id = p.user_id)) as wrong`;
  return row as { moved: number; avatars: number; wrong: number };
}
