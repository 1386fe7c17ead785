import type { Role } from '../../scripts/embedded/cluster.ts';
import type { TestDatabase } from './database.ts';

/** A line of cron.job. */
export interface Job {
  jobid: string;
  jobname: string;
  schedule: string;
  command: string;
  username: string;
  active: boolean;
}

/** How a run of a job ended, as cron.job_run_details has it. */
export interface JobRun {
  job: string;
  status: 'succeeded' | 'failed';
  message: string;
}

/** Gives a database the stand-in for pg_cron. */
export async function installCron(db: TestDatabase): Promise<void> {
  await db.sql`create extension pg_cron`;
}

/** Gives a database the stand-in for pg_net. */
export async function installNet(db: TestDatabase): Promise<void> {
  await db.sql`create extension pg_net`;
}

/** All jobs, of all owners. */
export async function jobs(db: TestDatabase): Promise<Job[]> {
  const superuser = db.connect({ role: 'supabase_admin' });
  const rows = await superuser<Job[]>`
    select jobid, jobname, schedule, command, username, active from cron.job order by jobid`;
  await superuser.end();
  return [...rows];
}

/**
 * Runs each active job `times` at once, as pg_cron does: in a new session of the job's user, without a statement timeout,
 * and with the outcome in cron.job_run_details. pg_cron itself never lets a job overlap with itself.
 */
export async function runJobs(db: TestDatabase, times = 1): Promise<JobRun[]> {
  const due = (await jobs(db)).filter(({ active }) => active);
  return await Promise.all(due.flatMap((job) => Array.from({ length: times }, () => runJob(db, job))));
}

/** Runs jobs one after the other until there is none, at most so many times. */
export async function runJobsToTheEnd(db: TestDatabase, times = 200): Promise<JobRun[]> {
  const runs: JobRun[] = [];
  for (let round = 0; round < times; round += 1) {
    const ran = await runJobs(db);
    if (ran.length === 0) return runs;
    runs.push(...ran);
  }
  throw new Error(`the jobs are still there after ${times} runs: ${JSON.stringify(runs.at(-1))}`);
}

async function runJob(db: TestDatabase, job: Job): Promise<JobRun> {
  const session = db.connect({ role: job.username as Role });
  const run = await session.unsafe(job.command).then(
    (rows): JobRun => {
      return { job: job.jobname, status: 'succeeded', message: `${rows.length} row` };
    },
    (error: Error): JobRun => ({
      job: job.jobname,
      status: 'failed',
      message: `ERROR: ${error.message}`,
    }),
  );
  await session.end();
  const superuser = db.connect({ role: 'supabase_admin', max: 1 });
  await superuser`set default_transaction_read_only = off`;
  await superuser`
    insert into cron.job_run_details (jobid, database, username, command, status, return_message)
    values (${job.jobid}, ${db.name}, ${job.username}, ${job.command}, ${run.status}, ${run.message})`;
  await superuser.end();
  return run;
}
