/** A database with an app and its plan, and all who work on it. */
import { setTimeout as delay } from 'node:timers/promises';
import type { Sql } from 'postgres';
import { createApp } from '../../scripts/embedded/sample.ts';
import { prepare } from '../../scripts/plan/conformance/steps.ts';
import { passForLarge } from '../support/callers.ts';
import { MIGRATED, neverRest } from '../support/cluster.ts';
import type { App } from './app.ts';
import { codeOf, lost, type Machine } from './machine.ts';
import { Model } from './model.ts';
import type { Tally } from './tally.ts';

export type Direction = 'migrate_batch' | 'rollback_batch';

export interface World {
  app: App;
  machine: Machine;
  database: string;
  /** The session that brings the faults about, one after the other; no fault but a crash ends it. */
  control: Sql;
  model: Model;
  tally: Tally;
  direction: Direction;
  /** Faults that are on and that stop a run: nobody takes it up before they are over. */
  stopping: Set<string>;
  /** The fault that is on; empty between two. */
  fault: string;
}

/**
 * Entities a sub-batch, so that there are many moments. The sizes that the engine chooses from there are its own
 * matter: here all stay small.
 */
const most = 3;

/** What faults stand on: a ledger of the app's writes, and a disk that is full where the kernel has such a device. */
const ground = `
  create schema torture;
  create table torture.written (n bigint primary key);
  create function torture.keep_small() returns trigger language plpgsql as $$
  begin
    new.batch_size := least(new.batch_size, ${most});
    return new;
  end
  $$;
  create trigger keep_small before insert or update on imago.lane for each row execute function torture.keep_small();
  -- A clock that moves by seconds must not make a hold of minutes: those are tested elsewhere, and take as long.
  update imago.setting set value = '100' where name = 'backoff_ms';`;

const fullDisk = `
  create function torture.full_disk() returns trigger language plpgsql security definer as $$
  begin
    if imago.in_batch() then
      copy (select repeat('x', 100000)) to '/dev/full';
    end if;
    return null;
  end
  $$;
  grant usage on schema torture to public;`;

/** Makes the database that those of this app are copies of. */
export async function makeTemplate(machine: Machine, app: App): Promise<string> {
  const name = `torture_${app.plan}`;
  await createDatabase(machine, name, MIGRATED);
  const sql = machine.connect('direct', name, 'operator');
  const superuser = machine.connect('direct', name, 'operator', 'supabase_admin');
  try {
    await createApp(sql, new URL(`../../${app.file}`, import.meta.url), app.entities);
    await sql.unsafe(ground);
    await superuser.unsafe(fullDisk);
    await passForLarge(superuser, app.walked);
    await neverRest(sql);
  } finally {
    await Promise.all([sql.end(), superuser.end()]);
  }
  return name;
}

export async function openWorld(
  machine: Machine,
  app: App,
  template: string,
  number: number,
  tally: Tally,
): Promise<World> {
  const database = `torture_${app.plan}_${number}`;
  await createDatabase(machine, database, template);
  const control = machine.connect('direct', database, 'operator');
  const model = await Model.read(control);
  await prepare(control, app.plan);
  return {
    app,
    machine,
    database,
    control,
    model,
    tally,
    direction: 'migrate_batch',
    stopping: new Set(),
    fault: '',
  };
}

/** Opens the session that brings the faults about again, after a crash. */
export async function reopen(world: World): Promise<void> {
  await world.control.end({ timeout: 0 });
  world.control = world.machine.connect('direct', world.database, 'operator');
}

export async function closeWorld({ machine, database, control }: World): Promise<void> {
  await control.end({ timeout: 0 });
  const admin = machine.connect('direct', 'postgres', 'operator', 'supabase_admin');
  await admin.unsafe(`drop database ${database} with (force)`).finally(() => admin.end());
}

/**
 * Asks in a session of its own, again while the server is not there. One session for all would not do: where several wait
 * for it while it is opened again, the driver forgets them.
 */
export async function ask<T>({ machine, database }: World, question: (sql: Sql) => Promise<T>): Promise<T> {
  const until = Date.now() + 60_000;
  for (;;) {
    const sql = machine.connect('direct', database, 'operator');
    try {
      return await question(sql);
    } catch (error) {
      if (!lost.test(codeOf(error)) || Date.now() > until) throw error;
      await delay(20);
    } finally {
      await sql.end({ timeout: 0 });
    }
  }
}

async function createDatabase(machine: Machine, name: string, template: string): Promise<void> {
  const admin = machine.connect('direct', 'postgres', 'operator', 'supabase_admin');
  await admin
    .unsafe(`create database ${name} template ${template} strategy file_copy owner postgres`)
    .finally(() => admin.end());
}
