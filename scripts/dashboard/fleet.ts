/** The fleet, for the page: this process asks the control database, and its address and the secrets of members stay here. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import { readBody, readQuery } from '../../functions/_shared/body.ts';
import { Problem, problem } from '../../functions/_shared/problems.ts';
import { CallError } from '../call-error.ts';
import { expectFleet, explained, isPassing, openControl } from '../fleet/control.ts';
import { changeRollout, findRollout, readProgress, startRollout } from '../fleet/rollout.ts';
import type { Wish } from '../fleet/wish.ts';
import {
  type FleetChanged,
  type FleetWish,
  type fleetAnswer,
  fleetQuery,
  fleetWish,
} from './fleet-answers.ts';

export interface FleetDesk {
  answer(request: Request): Promise<Response>;
  close(): Promise<void>;
}

/** So many rollouts can be chosen. */
const listed = 50;

export function openFleet(url: string, warn: (line: string) => void): FleetDesk {
  const control = openControl(url, warn);
  return {
    answer: async (request) => {
      try {
        if (request.method === 'GET') return Response.json(await seen(control, request));
        if (request.method !== 'POST') return problem('method_not_allowed').toResponse();
        const wish = await readBody(request, fleetWish);
        await expectFleet(control);
        return Response.json(await change(control, wish));
      } catch (error) {
        return refusal(error);
      }
    },
    close: () => control.end({ timeout: 1 }),
  };
}

async function seen(control: Sql, request: Request): Promise<z.input<typeof fleetAnswer>> {
  const { rollout } = readQuery(request, fleetQuery);
  await expectFleet(control);
  const [counted] = await control<{ members: number }[]>`
    select count(*)::integer as members from imago_fleet.member`;
  const rollouts = await control<RolloutRow[]>`
    select r.id::integer as rollout, r.kind, r.plan, r.state, to_json(r.created_at) as begun_at
    from imago_fleet.rollout r order by r.id desc limit ${listed}`;
  const shown =
    rollouts.length === 0 ? undefined : (rollout ?? (await findRollout(control, undefined, undefined)));
  return {
    members: counted?.members ?? 0,
    rollouts: [...rollouts],
    progress: shown === undefined ? null : await readProgress(control, shown),
  };
}

type RolloutRow = z.input<typeof fleetAnswer>['rollouts'][number];

async function change(control: Sql, wish: FleetWish): Promise<FleetChanged> {
  if (wish.action === 'rollback') return await takeBack(control, wish);
  return await changeRollout(control, wish.rollout, wish.action, {
    members: wish.action === 'retry' && wish.member !== undefined ? [wish.member] : [],
    despite_failures: wish.action === 'resume' && wish.despite_failures === true,
    stop_percent: wish.action === 'resume' ? (wish.stop_percent ?? null) : null,
  });
}

/** Which members a rollout was for, and how it was asked to go about it. */
const askedFor = z.object({
  waves: z.array(z.string()),
  members: z.array(z.string()),
  labels: z.array(z.string()),
  per_server: z.number().nullish(),
  stop_percent: z.number(),
  tries: z.number(),
});

/** The same members in the same waves, back. */
async function takeBack(
  control: Sql,
  { rollout, confirm, force }: FleetWish & { action: 'rollback' },
): Promise<FleetChanged> {
  const { kind, plan, options } = await readProgress(control, rollout);
  if (kind === 'push' || plan == null) throw nothingToTakeBack(rollout);
  if (confirm !== plan) throw problem('confirm_required');
  const { per_server, stop_percent, ...same } = askedFor.parse(options);
  const wish: Wish = {
    ...same,
    kind: 'rollback',
    plan,
    perServer: per_server ?? undefined,
    stopPercent: stop_percent,
    soakSeconds: 0,
    run: force ? { force } : {},
  };
  const begun = await startRollout(control, wish);
  return { rollout: begun.rollout, members: 0 };
}

const nothingToTakeBack = (rollout: number): CallError =>
  new CallError({
    code: 'FL003',
    message: `Rollout ${rollout} has pushed migrations of a project: there is no way back from that.`,
    hint: 'Write a migration that undoes it, and push that.',
  });

/** In the form in which the page reads what is refused; never the words of the driver, which may quote a statement. */
function refusal(error: unknown): Response {
  if (error instanceof Problem) return error.toResponse();
  const met = explained(error);
  const { code = 'unexpected', hint } = met as CallError;
  const isKnown = met instanceof CallError;
  return Response.json(
    {
      code,
      message: isKnown ? met.message : 'The dashboard failed at this.',
      ...(isKnown && hint !== undefined && { hint }),
    },
    { status: statusOf(code) },
  );
}

function statusOf(code: string): number {
  if (code === 'FL001' || code === 'FLEET') return 404;
  if (/^FL/.test(code)) return 409;
  return isPassing({ code }) ? 503 : 500;
}
