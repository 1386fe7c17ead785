/** POST: moves a plan forward for a while, or steers it: pauses, resumes, cancels, retries, schedules, finalizes. See docs/functions.md. */
import { demand, served, type Work } from '../_shared/access.ts';
import { readBody } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { drive } from '../_shared/driving.ts';
import { problem } from '../_shared/problems.ts';
import { migrateRequest } from '../_shared/requests.ts';
import { lastOf, streamed, wantsStream } from '../_shared/streaming.ts';

const transitions = {
  pause: 'pause_migration',
  resume: 'resume_migration',
  cancel: 'cancel_migration',
  retry: 'retry_failed_migrations',
  unschedule: 'unschedule_migration',
} as const;

export const work: Work = async (request, database, caller) => {
  const {
    plan,
    action,
    max_seconds,
    batch_size,
    dry_run,
    run,
    cohort,
    every_seconds,
    finalize,
    confirm,
    ...ofTheRun
  } = await readBody(request, migrateRequest);
  // It takes back what earlier runs have moved, too.
  if (ofTheRun.on_failure === 'rollback') demand(caller, 'key');
  // The way back is closed by it.
  if (action === 'finalize' || finalize) demand(caller, 'key');
  if (action === 'finalize') {
    if (dry_run) return Response.json(await call(database, 'finalize_migration', { plan, dry_run: true }));
    if (confirm !== plan) throw problem('confirm_required', 'Finalizing has to be confirmed.');
  }
  // What was not sent is undefined, and so not passed on: then it is what the run has.
  const options = { plan, batch_size, cohort, ...ofTheRun };

  if (dry_run) {
    const mode = dry_run === true ? 'sample' : dry_run;
    // It ends by itself before the statement timeout does it.
    const max_ms = mode === 'sample' ? Math.min(2_000, max_seconds * 700) : max_seconds * 1_000;
    return Response.json(
      await call(database, 'dry_run_migration', {
        plan,
        batch_size,
        max_ms: Math.round(max_ms),
        mode,
        cohort,
      }),
    );
  }
  await call(database, 'log_request', { plan, action, caller: caller.name });
  if (action === 'finalize') return Response.json(await call(database, 'finalize_migration', { plan }));
  if (action === 'schedule') {
    const every = every_seconds === undefined ? undefined : `${every_seconds} seconds`;
    return Response.json(await call(database, 'schedule_migration', { plan, every, finalize }));
  }
  if (action !== 'run') return Response.json(await call(database, transitions[action], { plan }));

  const batches = drive({
    plan,
    direction: 'forward',
    maxSeconds: max_seconds,
    run,
    batch: (direction, max_ms, driven) =>
      direction === 'forward'
        ? call(database, 'migrate_batch', { ...options, max_ms, run: driven })
        : call(database, 'rollback_batch', { plan, max_ms, run: driven }),
    signal: request.signal,
  });
  return wantsStream(request) ? streamed(batches) : Response.json(await lastOf(batches));
};

export default served('POST', 'operator', work);
