/** `fleet doctor`: what keeps the fleet from working, and what to do about it. */
import type { Sql } from 'postgres';
import { expectFleet, jobsSchema } from './control.ts';
import { lookAt } from './look.ts';
import { listMembers } from './members.ts';
import { Queue } from './queue.ts';

export interface Finding {
  severity: 'error' | 'warning';
  code: string;
  /** A member, a rollout, or the control database. */
  object: string;
  message: string;
  remedy: string;
}

export interface Diagnosis {
  findings: Finding[];
  members: number;
  reachable: number;
  workers: number;
}

/** Looks at everything. Throws where the control database cannot be asked at all. */
export async function diagnose(control: Sql, jobs: Sql, warn: (line: string) => void): Promise<Diagnosis> {
  await expectFleet(control);
  const members = await listMembers(control);
  const seen = await lookAt(members, control, undefined, 'forward', warn);
  const [alive] = await control<{ workers: number }[]>`
    select count(*)::integer as workers from imago_fleet.worker w where imago_fleet.is_alive(w.id)`;
  const workers = alive?.workers ?? 0;
  return {
    members: members.length,
    reachable: seen.filter(({ isReady }) => isReady).length,
    workers,
    findings: [
      ...(await queueFindings(jobs)),
      ...(await rolloutFindings(control, workers)),
      ...seen
        .filter(({ isReady }) => !isReady)
        .map(
          ({ member, code = '', reason = '', hint = '' }): Finding => ({
            severity: code.startsWith('ENGINE') ? 'warning' : 'error',
            code,
            object: member,
            message: reason,
            remedy:
              hint || 'Correct it where its secret lies, or describe it again: imago fleet add --replace',
          }),
        ),
    ],
  };
}

/** Whether the tables of pg-boss are those of the version here. */
async function queueFindings(jobs: Sql): Promise<Finding[]> {
  const queue = new Queue(jobs, false, () => {});
  try {
    await queue.open();
    return [];
  } catch {
    return [
      {
        severity: 'error',
        code: 'QUEUE',
        object: jobsSchema,
        message: 'The queue is missing in the control database, or of another version.',
        remedy: 'imago fleet init',
      },
    ];
  } finally {
    await queue.close().catch(() => {});
  }
}

/** Open rollouts that nobody works, and members of whose job nobody has heard for minutes. */
async function rolloutFindings(control: Sql, workers: number): Promise<Finding[]> {
  const rows = await control<{ id: string; state: string; reason: string | null; stuck: number }[]>`
    select r.id, r.state, r.reason, (
      select count(*)::integer from imago_fleet.rollout_member x
      where x.rollout = r.id and x.state = 'working' and x.seen_at < clock_timestamp() - interval '3 minutes') as stuck
    from imago_fleet.rollout r where r.state in ('running', 'stopped') order by r.id`;
  return rows.flatMap(({ id, state, reason, stuck }): Finding[] => {
    const object = `rollout ${id}`;
    if (state === 'stopped') {
      const remedy = 'imago fleet status shows who failed and why; then imago fleet retry, resume or cancel.';
      return [
        { severity: 'warning', code: 'STOPPED', object, message: `It was stopped (${reason}).`, remedy },
      ];
    }
    if (workers === 0) {
      const remedy = 'Start some: imago fleet worker, or imago fleet run --workers 2';
      return [
        {
          severity: 'error',
          code: 'NO_WORKER',
          object,
          message: 'It is running, and no worker is alive.',
          remedy,
        },
      ];
    }
    if (stuck === 0) return [];
    const message = `Of ${stuck} members nothing was heard for minutes.`;
    return [
      {
        severity: 'warning',
        code: 'STUCK',
        object,
        message,
        remedy: 'Look at the logs of the workers; they are taken over by themselves.',
      },
    ];
  });
}
