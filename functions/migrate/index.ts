/** POST: moves a plan forward for a while, or pauses, resumes, cancels or retries the run. See docs/functions.md. */
import { authorised, callerOf, demand } from '../_shared/access.ts';
import { answering } from '../_shared/answering.ts';
import { readBody } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { drive } from '../_shared/driving.ts';
import { migrateRequest } from '../_shared/requests.ts';
import { lastOf, streamed, wantsStream } from '../_shared/streaming.ts';

const transitions = {
  pause: 'pause_migration',
  resume: 'resume_migration',
  cancel: 'cancel_migration',
  retry: 'retry_failed_migrations',
} as const;

export default {
  fetch: answering(
    'POST',
    authorised(async (request, { supabaseAdmin: database, ...context }) => {
      const caller = callerOf(context, 'operator');
      const { plan, action, max_seconds, batch_size, dry_run, run, cohort, ...ofTheRun } = await readBody(
        request,
        migrateRequest,
      );
      // It takes back what earlier runs have moved, too.
      if (ofTheRun.on_failure === 'rollback') demand(caller, 'key');
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
    }),
  ),
};
