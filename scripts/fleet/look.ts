/** Looks at members without changing anything: `fleet run --dry-run`, and `fleet doctor`. */
import type { Sql } from 'postgres';
import { knownEngine } from '../../functions/_shared/engine.ts';
import { CallError } from '../call-error.ts';
import { problemOf } from '../command/problem.ts';
import { type Member, reachMember } from './member.ts';
import { startRollout } from './rollout.ts';
import { SecretMissing } from './secrets.ts';
import type { Wish } from './wish.ts';

/** What was seen of a member. */
export interface Seen {
  member: string;
  /** It can be worked as it is. */
  isReady: boolean;
  engine: number | undefined;
  /** Entities to be moved, or to be taken back; of the plan that was asked for. */
  pending?: number;
  code?: string;
  reason?: string;
  hint?: string;
}

/** So many at once: a look is short, and mostly waiting. */
const lookers = 8;

/** Looks at each; with a plan also at what it lacks there, which takes no locks. */
export async function lookAt(
  members: readonly Member[],
  control: Sql,
  plan: string | undefined,
  direction: 'forward' | 'rollback',
  warn: (line: string) => void,
): Promise<Seen[]> {
  const seen: Seen[] = [];
  const left = members.entries();
  const look = async () => {
    for (const [i, member] of left) seen[i] = await lookAtOne(member, control, plan, direction, warn);
  };
  await Promise.all(Array.from({ length: lookers }, look));
  return seen;
}

async function lookAtOne(
  member: Member,
  control: Sql,
  plan: string | undefined,
  direction: 'forward' | 'rollback',
  warn: (line: string) => void,
): Promise<Seen> {
  const found: Seen = { member: member.name, isReady: false, engine: undefined };
  let reached: Awaited<ReturnType<typeof reachMember>> | undefined;
  try {
    reached = await reachMember(member, control, warn);
    found.engine = await reached.engine();
    if (found.engine !== knownEngine) return { ...found, ...otherVersion(found.engine) };
    if (plan === undefined) return { ...found, isReady: true };
    if (direction === 'forward') {
      const { problems = [] } = await reached.call('dry_run_migration', { plan, mode: 'preflight' });
      const error = problems?.find(({ severity }) => severity === 'error');
      if (error) {
        const { message, object, hint } = error;
        return {
          ...found,
          code: 'PREFLIGHT',
          reason: [object, message].filter(Boolean).join(': '),
          ...(hint && { hint }),
        };
      }
    }
    const progress = await reached.call('get_detailed_migration_progress', { plan });
    return {
      ...found,
      isReady: true,
      pending: direction === 'forward' ? progress.remaining : progress.migrated,
    };
  } catch (error) {
    const { code, message, hint } = problemOf(error);
    return {
      ...found,
      code: error instanceof SecretMissing ? 'SECRET' : code,
      reason: message.replace(/\.$/, ''),
      ...(hint && { hint }),
    };
  } finally {
    await reached?.close().catch(() => {});
  }
}

function otherVersion(engine: number | undefined): Pick<Seen, 'code' | 'reason' | 'hint'> {
  if (engine === undefined) {
    return { code: 'ENGINE_MISSING', reason: 'Imago is not installed in it', hint: 'imago fleet push' };
  }
  return engine > knownEngine
    ? { code: 'ENGINE_NEWER', reason: `its engine is version ${engine}`, hint: 'Upgrade the package imago.' }
    : { code: 'ENGINE_OLDER', reason: `its engine is version ${engine}`, hint: 'imago fleet push' };
}

export interface PlannedWave {
  number: number;
  name: string;
  members: string[];
}

/** Nothing of what was asked in it stays. */
class Undone extends Error {}

/** The waves that such a rollout would have, by the function that makes them, taken back. */
export async function plannedWaves(control: Sql, wish: Wish): Promise<PlannedWave[]> {
  let waves: PlannedWave[] = [];
  try {
    await control.begin(async (tx) => {
      const { rollout, joined } = await startRollout(tx, wish);
      if (joined) {
        throw new CallError({
          code: 'JOINED',
          message: `Rollout ${rollout} is open and has these options: it would be joined.`,
          hint: 'imago fleet status shows how far it is.',
        });
      }
      waves = [
        ...(await tx<PlannedWave[]>`
          select w.number, w.name, array_agg(x.member order by x.member) as members
          from imago_fleet.wave w join imago_fleet.rollout_member x on x.rollout = w.rollout and x.wave = w.number
          where w.rollout = ${rollout} group by w.number, w.name order by w.number`),
      ];
      throw new Undone();
    });
  } catch (error) {
    if (!(error instanceof Undone)) throw error;
  }
  return waves;
}
