/** `fleet worker --target`: helps with one large member, beside the worker that has it in hand; any number of them, anywhere. */
import { hostname } from 'node:os';
import { z } from 'zod';
import { knownEngine } from '../../functions/_shared/engine.ts';
import { CallError } from '../call-error.ts';
import { problemOf } from '../command/problem.ts';
import { pause } from '../command/retry.ts';
import { expectFleet, explained, lasting, openControl } from './control.ts';
import { memberSchema, type ReachedMember, reachMember } from './member.ts';
import { runOptions } from './piece.ts';
import type { Working } from './worker.ts';

const targetSchema = z.object({
  rollout: z.number(),
  kind: z.enum(['migrate', 'rollback']),
  plan: z.string(),
  options: z.looseObject({ run: runOptions }),
  member: memberSchema,
});

type Target = z.output<typeof targetSchema>;

/** How often it looks whether somebody has the member in hand, and says that it is there and what it has moved. */
const lookMs = 500;
const beatMs = 4_000;
const reportMs = 1_000;

/** Helps until the signal comes. The member's own worker prepares, ends the run and says how it went. */
export async function workTarget(working: Working & { target: string }): Promise<void> {
  const { controlUrl, target: name, slots, terminal, signal } = working;
  const control = openControl(controlUrl, (line) => terminal.warn(line));
  const id = crypto.randomUUID();
  const own = working.name ?? `${hostname()} ${process.pid} for ${name}`;
  const ask = <Answer>(question: () => PromiseLike<Answer>) =>
    lasting(question, signal, (code) =>
      terminal.warn(`The control database is away (${code}); waiting for it.`),
    );
  try {
    await expectFleet(control);
    await control`select imago_fleet.target(${name})`;
    terminal.info(`Worker ${own}: ${slots} calls at a time.`);
    let beatAt = Number.NEGATIVE_INFINITY;
    while (!signal.aborted) {
      if (performance.now() - beatAt > beatMs) {
        beatAt = performance.now();
        await ask(() => control`select imago_fleet.beat(${id}, ${own}, ${slots})`);
      }
      const [row] = await ask(
        () => control<{ target: unknown }[]>`select imago_fleet.target(${name}) as target`,
      );
      if (row?.target != null) {
        const target = targetSchema.parse(row.target);
        await Promise.all(Array.from({ length: slots }, () => help(target)));
      }
      await pause(lookMs, signal);
    }
  } catch (error) {
    if (!signal.aborted) throw explained(error);
  } finally {
    await control`delete from imago_fleet.worker where id = ${id}`.catch(() => {});
    await control.end({ timeout: 2 });
  }

  /** Calls batches of the run that is under way, over a connection of its own, until there is no more or nobody has the member in hand. */
  async function help({ rollout, member, ...wanted }: Target): Promise<void> {
    let reached: ReachedMember | undefined;
    let moved = 0;
    let startedAt = performance.now();
    const report = async () => {
      const seconds = Math.max(1, (performance.now() - startedAt) / 1000);
      const told = { moved, perMinute: Math.round((moved * 60) / seconds) };
      [moved, startedAt] = [0, performance.now()];
      const [row] = await ask(
        () => control<{ on: boolean }[]>`
          select imago_fleet.help(${rollout}, ${member.name}, ${id}, ${told.moved}, ${told.perMinute}) as on`,
      );
      return row?.on ?? false;
    };
    try {
      reached = await reachMember(member, control, (line) => terminal.warn(`${member.name}: ${line}`));
      if ((await reached.engine()) !== knownEngine) return;
      const run = await runOf(reached, wanted);
      while (run !== undefined && !signal.aborted) {
        const answer = await batch(reached, wanted, run);
        moved += wanted.kind === 'migrate' ? answer.migrated : answer.rolled_back;
        const isOver = !answer.has_more || answer.state !== 'running';
        if (isOver || performance.now() - startedAt > reportMs) {
          if (!(await report()) || isOver) return;
        }
        await pause(answer.retry_after_ms ?? 0, signal);
      }
    } catch (error) {
      // What is wrong with the member is for its own worker to say.
      terminal.debug(`${member.name}: ${error instanceof CallError ? error.code : problemOf(error).code}.`);
    } finally {
      if (moved > 0) await report();
      await reached?.close().catch(() => {});
    }
  }
}

/** The run that is under way in this direction: a call that names it opens no other one when it comes too late. */
async function runOf(member: ReachedMember, { plan, kind }: Pick<Target, 'plan' | 'kind'>) {
  const seen = await member.call('get_detailed_migration_progress', { plan });
  const isWanted = seen.direction === (kind === 'migrate' ? 'forward' : 'rollback');
  return seen.state === 'running' && isWanted && seen.run != null ? Number(seen.run) : undefined;
}

async function batch(
  member: ReachedMember,
  { plan, kind, options }: Pick<Target, 'plan' | 'kind' | 'options'>,
  run: number,
) {
  const { force, max_ms, batch_size } = options.run;
  const call = { plan, run, ...(max_ms !== undefined && { max_ms }) };
  return kind === 'rollback'
    ? await member.call('rollback_batch', { ...call, ...(force && { force }) })
    : await member.call('migrate_batch', { ...call, ...(batch_size !== undefined && { batch_size }) });
}
