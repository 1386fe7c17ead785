/** Rollouts: begun or joined, followed, changed. All decisions are made in the control database. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import { CallError } from '../call-error.ts';
import { pause } from '../command/retry.ts';
import type { AnySql } from './control.ts';
import { explained, isPassing } from './control.ts';
import { type FleetProgress, fleetProgress } from './progress.ts';
import type { Wish } from './wish.ts';

const startedSchema = z.object({ rollout: z.number(), joined: z.boolean(), outside: z.number().nullish() });

export type Started = z.output<typeof startedSchema>;

/** Begins it, or joins the one that has the same options. */
export async function startRollout(control: AnySql, wish: Wish): Promise<Started> {
  const options = {
    waves: wish.waves,
    members: wish.members,
    labels: wish.labels,
    per_server: wish.perServer ?? null,
    stop_percent: wish.stopPercent,
    soak_seconds: wish.soakSeconds,
    tries: wish.tries,
    run: wish.run,
  };
  const [row] = await control<{ answer: unknown }[]>`
    select imago_fleet.start_rollout(${wish.kind}, ${wish.plan ?? null}, ${control.json(options as never)}) as answer`;
  return startedSchema.parse(row?.answer);
}

export async function findRollout(
  control: Sql,
  plan: string | undefined,
  rollout: number | undefined,
): Promise<number> {
  const [row] = await control<{ id: string }[]>`
    select imago_fleet.find_rollout(${plan ?? null}, ${rollout ?? null}) as id`;
  return Number(row?.id);
}

export async function readProgress(control: AnySql, rollout: number): Promise<FleetProgress> {
  const [row] = await control<{ answer: unknown }[]>`select imago_fleet.progress(${rollout}) as answer`;
  const parsed = fleetProgress.safeParse(row?.answer);
  if (parsed.success) return parsed.data;
  throw new CallError({
    code: 'ANSWER',
    message: 'The control database gave an answer that this version does not understand.',
    hint: 'Bring its schema to this version: imago fleet init',
  });
}

const changedSchema = z.object({ rollout: z.number(), state: z.string(), members: z.number() });

export type Changed = z.output<typeof changedSchema>;

export async function changeRollout(
  control: Sql,
  rollout: number,
  action: string,
  options: { members: string[]; despite_failures: boolean; stop_percent: number | null },
): Promise<Changed> {
  const [row] = await control<{ answer: unknown }[]>`
    select imago_fleet.change(${rollout}, ${action}, ${control.json(options)}) as answer`;
  return changedSchema.parse(row?.answer);
}

/** Whether it goes on by itself. */
export const goesOn = ({ state }: FleetProgress): boolean => state === 'running';

const lookMs = 1_000;

/** Shows it until it ends, rests or is stopped. While the control database is away, it waits. */
export async function follow(
  control: Sql,
  rollout: number,
  signal: AbortSignal,
  show: (progress: FleetProgress) => void,
  lost: (code: string) => void,
): Promise<FleetProgress> {
  let isLost = false;
  let last: FleetProgress | undefined;
  for (;;) {
    try {
      last = await readProgress(control, rollout);
      isLost = false;
      show(last);
      if (!goesOn(last) || signal.aborted) return last;
    } catch (error) {
      if (!isPassing(error) || (signal.aborted && last === undefined)) throw explained(error);
      if (!isLost) lost((error as { code: string }).code);
      isLost = true;
      if (signal.aborted && last) return last;
    }
    await pause(lookMs, signal);
  }
}
