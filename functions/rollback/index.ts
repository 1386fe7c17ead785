/** POST: takes one user back, or everything, for a while. See docs/functions.md. */
import { authorised, callerOf, demand } from '../_shared/access.ts';
import { answering } from '../_shared/answering.ts';
import { readBody } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { drive } from '../_shared/driving.ts';
import { problem } from '../_shared/problems.ts';
import { rollbackRequest } from '../_shared/requests.ts';
import { lastOf, streamed, wantsStream } from '../_shared/streaming.ts';

export default {
  fetch: answering(
    'POST',
    authorised(async (request, { supabaseAdmin: database, ...context }) => {
      const caller = callerOf(context, 'operator');
      const { plan, user_id, force, confirm, max_seconds, run } = await readBody(request, rollbackRequest);
      if (user_id === undefined) {
        demand(caller, 'key');
        if (confirm !== plan) throw problem('confirm_required');
      }
      const action = `${user_id === undefined ? 'rollback' : 'rollback_user'}${force ? '_force' : ''}`;
      await call(database, 'log_request', { plan, action, caller: caller.name });
      if (user_id !== undefined)
        return Response.json(await call(database, 'rollback_user_migration', { user_id, force }));

      const batches = drive({
        plan,
        direction: 'rollback',
        maxSeconds: max_seconds,
        run,
        batch: (_, max_ms, driven) => call(database, 'rollback_batch', { plan, max_ms, force, run: driven }),
        signal: request.signal,
      });
      return wantsStream(request) ? streamed(batches) : Response.json(await lastOf(batches));
    }),
  ),
};
