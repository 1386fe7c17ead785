/** What goes wrong on purpose. Each begins and ends by itself; false where it has met nobody. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Sql } from 'postgres';
import { call, value } from '../support/call.ts';
import { codeOf } from './machine.ts';
import { reopen, type World } from './world.ts';

/** Random choices of one fault. */
export interface Chance {
  /** From 0 up to, not including, a limit. */
  below(limit: number): number;
  one<T>(list: readonly T[]): T | undefined;
}

export interface Fault {
  name: string;
  strike(world: World, chance: Chance): Promise<boolean>;
}

const caller = fileURLToPath(new URL('../support/caller.ts', import.meta.url));

/** Errors of an operator who comes in the way of others, and lets it be. */
const inTheWay = /^(55P03|57014|40P01|IM008|IM016|IM022)$/;

export const faults: readonly Fault[] = [
  {
    name: 'a caller is killed',
    strike: (world, chance) => end(world, chance, 'caller', 'pg_terminate_backend'),
  },
  {
    name: "a caller's statement is cancelled",
    strike: (world, chance) => end(world, chance, 'caller', 'pg_cancel_backend'),
  },
  {
    name: "a caller's process is killed",
    async strike(world, chance) {
      const args = JSON.stringify({ plan: world.app.plan, max_ms: 1 });
      const child = spawn(
        process.execPath,
        [caller, world.machine.url('callers', world.database), world.direction, args],
        { stdio: 'ignore' },
      );
      const gone = once(child, 'close');
      const isAtWork = `select exists (select from pg_stat_activity where application_name = 'child'
        and datname = current_database() and query like '%${world.direction}%')`;
      while (child.exitCode === null && !(await value<boolean>(world.control, isAtWork))) await delay(5);
      await delay(chance.below(15));
      child.kill('SIGKILL');
      await gone;
      return child.signalCode === 'SIGKILL';
    },
  },
  {
    name: 'a writer is killed',
    strike: (world, chance) => end(world, chance, 'writer', 'pg_terminate_backend'),
  },
  {
    name: 'the server stops hard',
    async strike(world) {
      await world.machine.crash();
      await reopen(world);
      return true;
    },
  },
  {
    name: 'a reply to a caller is lost',
    strike: ({ machine }, chance) => soon(() => machine.wires.callers.loseReply(chance.below)),
  },
  {
    name: "a caller's connection is cut",
    strike: ({ machine }, chance) => soon(() => machine.wires.callers.cut(chance.below)),
  },
  {
    name: 'a reply to a writer is lost',
    strike: ({ machine }, chance) => soon(() => machine.wires.writers.loseReply(chance.below)),
  },
  {
    name: "a writer's connection is cut",
    strike: ({ machine }, chance) => soon(() => machine.wires.writers.cut(chance.below)),
  },
  {
    name: 'rows are locked',
    async strike(world, chance) {
      const table = chance.one(world.app.walked);
      const place = `offset ${chance.below(world.app.entities / 2)} limit ${1 + chance.below(8)}`;
      return await holding(world, chance.below(900), (tx) =>
        tx.unsafe(`select from ${table} ${place} for update`),
      );
    },
  },
  {
    name: 'a table is locked',
    async strike(world, chance) {
      const table = await writtenTable(world, chance);
      return await holding(world, chance.below(300), (tx) => tx.unsafe(`lock table ${table} in share mode`));
    },
  },
  {
    name: 'a trigger of the journal is disabled',
    async strike(world, chance) {
      const triggers = await world.control<{ relation: string; trigger: string }[]>`
        select t.tgrelid::regclass::text as relation, quote_ident(t.tgname) as trigger
        from imago.plan_write w cross join unnest(array['insert', 'update', 'delete']) kind
        join pg_trigger t on t.tgrelid = to_regclass(w.relation) and t.tgname = imago.trigger_name(w.plan, kind)
        where w.plan = ${world.app.plan} order by 1, 2`;
      const chosen = chance.one(triggers);
      if (!chosen) return false;
      const alter = (how: string) => `alter table ${chosen.relation} ${how} trigger ${chosen.trigger}`;
      return await stopped(world, 'trigger', chance.below(300), alter('disable'), alter('enable'));
    },
  },
  {
    name: 'the disk is full',
    async strike(world, chance) {
      const table = await writtenTable(world, chance);
      const on = `create trigger full_disk before insert or update or delete on ${table} execute function torture.full_disk()`;
      return await stopped(world, 'disk', chance.below(200), on, `drop trigger full_disk on ${table}`);
    },
  },
  {
    name: 'the app refuses rows',
    async strike(world, chance) {
      const table = await writtenTable(world, chance);
      const on = `
        create function torture.refuse() returns trigger language plpgsql as
          'begin if imago.in_batch() then raise exception using errcode = ''check_violation'', message = ''refused''; end if; return null; end';
        create trigger refuse after insert or update on ${table} for each row execute function torture.refuse()`;
      const off = `drop trigger refuse on ${table}; drop function torture.refuse()`;
      return await stopped(world, 'refusal', chance.below(100), on, off);
    },
  },
  {
    name: 'the clock jumps',
    async strike({ control }, chance) {
      const by = chance.one(['-1 day', '-1 hour', '-5 seconds', '5 seconds', '1 hour', '1 day']);
      await moveMoments(control, String(by));
      return true;
    },
  },
  {
    name: 'a statement timeout',
    async strike(world, chance) {
      const sql = world.machine.connect('direct', world.database, 'hurried');
      try {
        await sql.unsafe(`set statement_timeout = ${4 + chance.below(40)}`);
        for (let calls = 0; calls < 4; calls++) {
          await call(sql, world.direction, { plan: world.app.plan }).catch((error) => {
            if (!/^(57014|40|55|53|IM)/.test(codeOf(error))) throw error;
          });
        }
      } finally {
        await sql.end({ timeout: 0 });
      }
      return true;
    },
  },
  {
    name: 'paused and resumed',
    async strike(world, chance) {
      const { plan } = world.app;
      const paused = await letBe(call(world.control, 'pause_migration', { plan }));
      if (!paused) return false;
      await delay(chance.below(80));
      while (!(await letBe(call(world.control, 'resume_migration', { plan })))) {
        if (!(await isPaused(world))) break;
        await delay(10);
      }
      return true;
    },
  },
];

/** Faults that this machine cannot bring about, each with the reason. */
export function missingFaults(): Record<string, string> {
  return existsSync('/dev/full') ? {} : { 'the disk is full': 'there is no /dev/full' };
}

/** Ends somebody's session or statement: of those at work first. */
async function end({ control }: World, chance: Chance, who: string, how: string): Promise<boolean> {
  const sessions = await control<{ pid: number }[]>`
    select pid from pg_stat_activity where application_name = ${who} and datname = current_database() and state <> 'idle' order by pid`;
  const victim = chance.one(sessions);
  if (!victim) return false;
  await control.unsafe(`select ${how}(${victim.pid})`);
  return true;
}

/** Tries at many moments, for requests are short. */
async function soon(act: () => boolean): Promise<boolean> {
  for (let looks = 0; looks < 200; looks++) {
    if (act()) return true;
    await delay(1);
  }
  return false;
}

async function writtenTable({ app, control }: World, chance: Chance): Promise<string> {
  const tables = await control<{ relation: string }[]>`
    select distinct relation from imago.plan_write where plan = ${app.plan} and entity_column is not null order by 1`;
  return chance.one(tables)?.relation ?? '';
}

/** Holds locks for a while, in a session of its own. */
async function holding(world: World, ms: number, lock: (tx: Sql) => PromiseLike<unknown>): Promise<boolean> {
  const sql = world.machine.connect('direct', world.database, 'holder');
  try {
    const held = await letBe(
      sql.begin(async (tx) => {
        await tx`set local lock_timeout = '1s'`;
        await lock(tx as unknown as Sql);
        await delay(ms);
      }),
    );
    return held;
  } finally {
    await sql.end({ timeout: 0 });
  }
}

/** Does something that stops a run, and takes it back after a while. */
async function stopped(world: World, name: string, ms: number, on: string, off: string): Promise<boolean> {
  const { control, stopping } = world;
  const alter = (statement: string) =>
    // Several statements in one are one transaction.
    letBe(control.unsafe(`set local lock_timeout = '300ms'; ${statement}`));
  stopping.add(name);
  try {
    if (!(await alter(on))) return false;
    await delay(ms);
    while (!(await alter(off))) await delay(10);
    return true;
  } finally {
    stopping.delete(name);
  }
}

/** False where somebody was in the way. */
async function letBe(work: PromiseLike<unknown>): Promise<boolean> {
  try {
    await work;
    return true;
  } catch (error) {
    if (inTheWay.test(codeOf(error))) return false;
    throw error;
  }
}

async function isPaused({ app, control }: World): Promise<boolean> {
  return await value<boolean>(
    control,
    `select exists (select from imago.run where plan = '${app.plan}' and state = 'paused')`,
  );
}

/**
 * Stands in for a clock that jumps: what Imago compares with the time is moved by as much the other way. Its log, the
 * journal's batches and what is never compared keep their moments.
 */
async function moveMoments(sql: Sql, by: string): Promise<void> {
  const columns = await sql<{ name: string; sets: string }[]>`
    select c.oid::regclass::text as name, string_agg(format('%1$I = %1$I + %2$L::interval', a.attname, ${by}::text), ', ') as sets
    from pg_class c join pg_attribute a on a.attrelid = c.oid and a.atttypid = 'timestamptz'::regtype and not a.attisdropped
    where c.relnamespace = 'imago'::regnamespace and c.relkind = 'r'
      and c.relname in ('allowance', 'governor', 'health', 'lane', 'reading', 'run', 'throttle', 'validation')
    group by c.oid order by 1`;
  for (const { name, sets } of columns) {
    // What a call holds is moved by the next jump.
    await sql.unsafe(
      `update ${name} set ${sets} where ctid = any (array(select ctid from ${name} for update skip locked))`,
    );
  }
}
