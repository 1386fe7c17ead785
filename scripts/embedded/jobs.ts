/** Runs the jobs of pg_cron's stand-in as pg_cron does: each in a session of its own, never beside itself, by the clock of GMT. */
import type { Sql } from 'postgres';
import { type Cluster, connect } from './cluster.ts';

/** What goes on beside the requests until it is closed. */
export interface Background {
  close(): Promise<void>;
}

interface Job {
  jobid: string;
  command: string;
  username: string;
  /** Of a schedule like "10 seconds". */
  seconds: number | null;
  /** Whether the minute that has begun is one of the schedule. */
  due: boolean | null;
}

const TICK_MS = 1000;

export function runJobs(cluster: Pick<Cluster, 'url'>): Background {
  const superuser = connect(cluster, 'supabase_admin');
  const underWay = new Map<string, Run>();
  /** When a job with an interval was last begun, or first seen. */
  const begun = new Map<string, number>();
  let minute = currentMinute();
  let ticking: Promise<void> | undefined;

  const tick = async (): Promise<void> => {
    const jobs = await activeJobs(superuser);
    const isNewMinute = minute !== currentMinute();
    minute = currentMinute();
    for (const [id, run] of underWay) {
      if (!jobs.some(({ jobid }) => jobid === id)) run.cancel();
    }
    for (const job of jobs) {
      if (underWay.has(job.jobid)) continue;
      if (job.seconds === null ? !(isNewMinute && job.due) : !isOver(job.jobid, job.seconds)) continue;
      begun.set(job.jobid, Date.now());
      const run = start(cluster, superuser, job);
      underWay.set(job.jobid, run);
      void run.ended.then(() => underWay.delete(job.jobid));
    }
  };
  const isOver = (id: string, seconds: number): boolean => {
    const since = begun.get(id) ?? Date.now();
    begun.set(id, since);
    return Date.now() - since >= seconds * 1000;
  };

  const timer = setInterval(() => {
    // While PostgreSQL is away there is nothing to run; when it is back, what is due comes again.
    ticking ??= tick()
      .catch(() => {})
      .finally(() => {
        ticking = undefined;
      });
  }, TICK_MS);
  return {
    async close() {
      clearInterval(timer);
      for (const { cancel } of underWay.values()) cancel();
      await Promise.all([ticking, ...[...underWay.values()].map(({ ended }) => ended)]);
      await superuser.end({ timeout: 0 });
    },
  };
}

async function activeJobs(superuser: Sql): Promise<Job[]> {
  const [extension] = await superuser<
    { there: boolean }[]
  >`select to_regclass('cron.job') is not null as there`;
  if (!extension?.there) return [];
  return await superuser<Job[]>`
    select jobid::text, command, username, cron.seconds(schedule) as seconds,
      cron.is_due(schedule, date_trunc('minute', now())) as due
    from cron.job where active and database = current_database()`;
}

interface Run {
  ended: Promise<void>;
  cancel(): void;
}

/** Its outcome is in cron.job_run_details. */
function start(cluster: Pick<Cluster, 'url'>, superuser: Sql, { jobid, command, username }: Job): Run {
  const session = connect(cluster);
  const query = session.unsafe(command);
  const work = async (): Promise<void> => {
    const [details] = await superuser<{ runid: string }[]>`
      insert into cron.job_run_details (jobid, database, username, command, status, start_time)
      values (${jobid}, current_database(), ${username}, ${command}, 'running', clock_timestamp()) returning runid::text`;
    const [status, message] = await outcome();
    await superuser`
      update cron.job_run_details set status = ${status}, return_message = ${message}, end_time = clock_timestamp()
      where runid = ${details?.runid ?? null}`;
  };
  const outcome = async (): Promise<['succeeded' | 'failed', string]> => {
    if (username !== 'postgres') return ['failed', 'ERROR: the embedded Supabase runs jobs of postgres only'];
    try {
      const results = await query;
      // Of several statements, the last one.
      const { command: verb, count } = (results.command ? results : results.at(-1)) as typeof results;
      return [
        'succeeded',
        verb === 'SELECT' ? `${count} ${count === 1 ? 'row' : 'rows'}` : `${verb} ${count}`,
      ];
    } catch (error) {
      return ['failed', `ERROR: ${(error as Error).message}`];
    }
  };
  const ended = work()
    .catch(() => {})
    .finally(() => session.end({ timeout: 0 }));
  return { ended, cancel: () => void query.cancel() };
}

function currentMinute(): number {
  return Math.floor(Date.now() / 60_000);
}
