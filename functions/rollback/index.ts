/** POST: takes one entity back, or everything, for a while. See docs/functions.md. */
import { demand, served, type Work } from '../_shared/access.ts';
import { readBody } from '../_shared/body.ts';
import { call } from '../_shared/database.ts';
import { drive } from '../_shared/driving.ts';
import { problem } from '../_shared/problems.ts';
import { rollbackRequest } from '../_shared/requests.ts';
import { lastOf, streamed, wantsStream } from '../_shared/streaming.ts';

export const work: Work = async (request, database, caller) => {
  const { plan, user_id, entity, stage, force, confirm, max_seconds, run } = await readBody(
    request,
    rollbackRequest,
  );
  const isAll = user_id === undefined && entity === undefined;
  if (isAll) {
    demand(caller, 'key');
    if (confirm !== plan) throw problem('confirm_required');
  }
  const action = `${isAll ? 'rollback' : 'rollback_user'}${force ? '_force' : ''}`;
  await call(database, 'log_request', { plan, action, caller: caller.name });
  if (user_id !== undefined)
    return Response.json(await call(database, 'rollback_user_migration', { user_id, force }));
  if (entity !== undefined)
    return Response.json(await call(database, 'rollback_entity', { plan, entity, stage, force }));

  const batches = drive({
    plan,
    direction: 'rollback',
    maxSeconds: max_seconds,
    run,
    batch: (_, max_ms, driven) => call(database, 'rollback_batch', { plan, max_ms, force, run: driven }),
    signal: request.signal,
  });
  return wantsStream(request) ? streamed(batches) : Response.json(await lastOf(batches));
};

export default served('POST', 'operator', work);
