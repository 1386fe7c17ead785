/** Who may do what through the edge functions: every caller, every function, every action. */
import { createClient, FunctionsHttpError } from '@supabase/supabase-js';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { prepareAll } from '../support/avatars.ts';
import { call, value } from '../support/call.ts';
import { freshDatabase, type TestDatabase } from '../support/database.ts';
import {
  CALLERS,
  type Caller,
  type FunctionsProject,
  type Reply,
  startFunctions,
} from '../support/functions.ts';
import { migrateAll } from '../support/imago.ts';
import { createTally } from '../support/tally.ts';

/** Callers that are treated alike. */
const GROUPS = {
  stranger: [
    'nothing',
    'publishable key',
    'publishable key as bearer',
    'wrong key',
    'part of a key',
    'secret key as bearer',
    'token in apikey',
    'token without Bearer',
    'secret key and bad token',
    'expired',
    'without expiry',
    'expiry null',
    'expired long ago',
    'expiry in words',
    'not yet valid',
    'wrong audience',
    'alg none',
    'stranger with the right kid',
    'unknown kid',
    'public key as HMAC secret',
    'changed after signing',
    'without subject',
  ],
  nobody: ['nobody', 'role in user_metadata', 'unknown role', 'list of roles', 'service_role claim'],
  viewer: ['viewer'],
  operator: ['operator', 'operator by supabase-js'],
  key: ['secret key default', 'secret key grafana'],
} as const satisfies Record<string, Caller[]>;
type Group = keyof typeof GROUPS;

/**
 * What each of them is answered: the status, and the error's code or what the answer says of the run. A function, what
 * it is asked, the run of the plan before, then the answers; `log` is what the log tells that was requested.
 *
 * Plan avatars has 8 users; MOVED of them are migrated, in a run that is running, paused, failed or succeeded; plan tally
 * has never been run.
 */
const MATRIX = `
  function | asked                                             | run       | stranger | nobody | viewer        | operator            | key                  | log
  migrate  | {}                                                | none      | 401      | 403    | 403           | 200 done            | 200 done             | run
  migrate  | {"action":"run","max_seconds":5,"batch_size":3}   | running   | 401      | 403    | 403           | 200 done            | 200 done             | run
  migrate  | {"backup":true}                                   | running   | 401      | 403    | 403           | 200 done            | 200 done             | run
  migrate  | {"backup":false}                                  | running   | 401      | 403    | 403           | 409 IM007           | 409 IM007            | run
  migrate  | {"max_failures":"3","on_failure":"stop"}          | none      | 401      | 403    | 403           | 200 done            | 200 done             | run
  migrate  | {"max_failures":"3"}                              | running   | 401      | 403    | 403           | 409 IM007           | 409 IM007            | run
  migrate  | {"on_failure":"rollback"}                         | none      | 401      | 403    | 403           | 403                 | 200 done             | run
  migrate  | {"dry_run":"preflight"}                           | none      | 401      | 403    | 403           | 200 done            | 200 done             |
  migrate  | {"dry_run":true,"max_failures":3}                 | none      | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  migrate  | {}                                                | paused    | 401      | 403    | 403           | 200 paused          | 200 paused           | run
  migrate  | {}                                                | failed    | 401      | 403    | 403           | 200 failed IM021    | 200 failed IM021     | run
  migrate  | {}                                                | succeeded | 401      | 403    | 403           | 200 done            | 200 done             | run
  migrate  | {"dry_run":true}                                  | none      | 401      | 403    | 403           | 200 done            | 200 done             |
  migrate  | {"dry_run":true}                                  | running   | 401      | 403    | 403           | 200 done            | 200 done             |
  migrate  | {"action":"pause"}                                | running   | 401      | 403    | 403           | 200 paused          | 200 paused           | pause
  migrate  | {"action":"pause"}                                | paused    | 401      | 403    | 403           | 409 IM008           | 409 IM008            | pause
  migrate  | {"action":"pause","plan":"tally"}                 | none      | 401      | 403    | 403           | 409 IM022           | 409 IM022            | pause
  migrate  | {"action":"resume"}                               | paused    | 401      | 403    | 403           | 200 running         | 200 running          | resume
  migrate  | {"action":"resume"}                               | running   | 401      | 403    | 403           | 409 IM008           | 409 IM008            | resume
  migrate  | {"action":"cancel"}                               | running   | 401      | 403    | 403           | 200 cancelled       | 200 cancelled        | cancel
  migrate  | {"action":"cancel"}                               | succeeded | 401      | 403    | 403           | 409 IM008           | 409 IM008            | cancel
  migrate  | {"action":"retry"}                                | failed    | 401      | 403    | 403           | 200 running         | 200 running          | retry
  migrate  | {"action":"retry"}                                | paused    | 401      | 403    | 403           | 409 IM008           | 409 IM008            | retry
  migrate  | {"plan":"nothing"}                                | none      | 401      | 403    | 403           | 404 IM001           | 404 IM001            |
  migrate  | {"plan":"nothing","action":"pause"}               | none      | 401      | 403    | 403           | 404 IM001           | 404 IM001            |
  migrate  | {"plan":"nothing","dry_run":true}                 | none      | 401      | 403    | 403           | 404 IM001           | 404 IM001            |
  migrate  | {"run":999999}                                    | running   | 401      | 403    | 403           | 404 IM034           | 404 IM034            | run
  migrate  | {"dry_run":true,"backup":false}                   | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  migrate  | {"action":"pause","batch_size":3}                 | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  migrate  | {"unknown":1}                                     | none      | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  migrate  | {"action":"finalize","dry_run":true}              | succeeded | 401      | 403    | 403           | 403                 | 200 not started      |
  migrate  | {"action":"finalize"}                             | succeeded | 401      | 403    | 403           | 403                 | 400 confirm_required |
  migrate  | {"action":"finalize","confirm":"avatars"}         | running   | 401      | 403    | 403           | 403                 | 409 IM038            | finalize
  migrate  | {"action":"schedule","every_seconds":5}           | running   | 401      | 403    | 403           | 409 IM031           | 409 IM031            | schedule
  migrate  | {"action":"schedule","finalize":true}             | running   | 401      | 403    | 403           | 403                 | 409 IM031            | schedule
  migrate  | {"action":"unschedule"}                           | running   | 401      | 403    | 403           | 409 IM031           | 409 IM031            | unschedule
  rollback | {"user_id":"MOVED"}                               | running   | 401      | 403    | 403           | 200 rolled_back     | 200 rolled_back      | rollback_user
  rollback | {"user_id":"MOVED","force":true}                  | succeeded | 401      | 403    | 403           | 200 rolled_back     | 200 rolled_back      | rollback_user_force
  rollback | {"entity":"MOVED"}                                | running   | 401      | 403    | 403           | 200 rolled_back     | 200 rolled_back      | rollback_user
  rollback | {"user_id":"ABSENT"}                              | running   | 401      | 403    | 403           | 200 not rolled_back | 200 not rolled_back  | rollback_user
  rollback | {"user_id":"MOVED","plan":"tally"}                | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  rollback | {"all":true,"confirm":"avatars"}                  | running   | 401      | 403    | 403           | 403                 | 200 done             | rollback
  rollback | {"all":true,"confirm":"avatars","force":true}     | failed    | 401      | 403    | 403           | 403                 | 200 done             | rollback_force
  rollback | {"all":true,"confirm":"avatars"}                  | succeeded | 401      | 403    | 403           | 403                 | 200 done             | rollback
  rollback | {"all":true,"confirm":"tally","plan":"tally"}     | none      | 401      | 403    | 403           | 403                 | 409 IM022            | rollback
  rollback | {"all":true,"confirm":"nothing","plan":"nothing"} | none      | 401      | 403    | 403           | 403                 | 404 IM001            |
  rollback | {"all":true,"confirm":"avatars","run":999999}     | running   | 401      | 403    | 403           | 403                 | 404 IM034            | rollback
  rollback | {"user_id":"MOVED","max_seconds":5}               | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  rollback | {"all":true}                                      | running   | 401      | 403    | 403           | 403                 | 400 confirm_required |
  rollback | {"all":true,"confirm":"tally"}                    | running   | 401      | 403    | 403           | 403                 | 400 confirm_required |
  rollback | {"all":true,"confirm":"Avatars"}                  | running   | 401      | 403    | 403           | 403                 | 400 confirm_required |
  rollback | {"all":true,"user_id":"MOVED"}                    | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  rollback | {"all":false,"confirm":"avatars"}                 | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  rollback | {}                                                | running   | 401      | 403    | 403           | 400 bad_body        | 400 bad_body         |
  progress |                                                   | running   | 401      | 403    | 200 running   | 200 running         | 200 running          |
  progress | ?plan=avatars&view=progress&format=json           | paused    | 401      | 403    | 200 paused    | 200 paused          | 200 paused           |
  progress | ?plan=tally                                       | none      | 401      | 403    | 200 none      | 200 none            | 200 none             |
  progress | ?view=performance                                 | succeeded | 401      | 403    | 200 succeeded | 200 succeeded       | 200 succeeded        |
  progress | ?view=statistics                                  | running   | 401      | 403    | 200           | 200                 | 200                  |
  progress | ?format=prometheus                                | running   | 401      | 403    | 200           | 200                 | 200                  |
  progress | ?plan=nothing                                     | none      | 401      | 403    | 404 IM001     | 404 IM001           | 404 IM001            |
  progress | ?plan=nothing&format=prometheus                   | none      | 401      | 403    | 404 IM001     | 404 IM001           | 404 IM001            |
  progress | ?view=plans                                       | running   | 401      | 403    | 200           | 200                 | 200                  |
  progress | ?view=failures                                    | failed    | 401      | 403    | 200           | 200                 | 200                  |
  progress | ?view=log&level=warning                           | running   | 401      | 403    | 200           | 200                 | 200                  |
  progress | ?view=log&format=prometheus                       | none      | 401      | 403    | 400 bad_body  | 400 bad_body        | 400 bad_body         |
  progress | ?view=secrets                                     | none      | 401      | 403    | 400 bad_body  | 400 bad_body        | 400 bad_body         |
  validate | {}                                                | running   | 401      | 403    | 200 done      | 200 done            | 200 done             |
  validate | {"detailed":true,"max_seconds":5}                 | succeeded | 401      | 403    | 200 done      | 200 done            | 200 done             |
  validate | {"dry_run":true}                                  | succeeded | 401      | 403    | 200 done      | 200 done            | 200 done             |
  validate | {"fix_issues":true}                               | succeeded | 401      | 403    | 403           | 403                 | 200 done             | fix
  validate | {"fix_issues":true,"dry_run":true}                | succeeded | 401      | 403    | 403           | 403                 | 200 done             |
  validate | {"plan":"nothing"}                                | none      | 401      | 403    | 404 IM001     | 404 IM001           | 404 IM001            |
  validate | {"unknown":1}                                     | none      | 401      | 403    | 400 bad_body  | 400 bad_body        | 400 bad_body         |
`;

interface Row {
  name: string;
  asked: string;
  run: string;
  answers: Record<Group, string>;
  log: string;
  /** The place of the row in the table. */
  nr: number;
}

const [, ...rows] = MATRIX.trim()
  .split('\n')
  .map((line, nr): Row => {
    const [name = '', asked = '', run = '', ...cells] = line.split('|').map((cell) => cell.trim());
    const answers = Object.fromEntries(Object.keys(GROUPS).map((group, i) => [group, cells[i]]));
    return { name, asked, run, answers: answers as Row['answers'], log: cells[5] ?? '', nr };
  });

/** So many of those who are treated alike ask a row; the next row has the next of them. */
const AT_ONCE = 3;

/** Who of a group asks a row: all of them where a function comes first in the table, some of them elsewhere. */
function askers(group: Group, row: Row, some = AT_ONCE): Caller[] {
  const callers: readonly Caller[] = GROUPS[group];
  if (callers.length <= some || row === rows.find(({ name }) => name === row.name)) return [...callers];
  return Array.from({ length: some }, (_, i) => callers[(row.nr * some + i) % callers.length] as Caller);
}

const ABSENT = '11111111-1111-4111-8111-111111111111';

let db: TestDatabase;
let project: FunctionsProject;
/** The run of plan avatars as it stands; undefined when a call has changed it. */
let arranged: string | undefined;
/** Everything but the date that came with a 401 or 403, as one text; there must be one of each. */
const refusals = { 401: new Set<string>(), 403: new Set<string>() };

beforeAll(async () => {
  db = await freshDatabase({ app: 'sample', users: 8 });
  await createTally(db.sql, 'integer', [1, 2, 3]);
  await prepareAll(db.sql);
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

/** Brings plan avatars to where a row wants it, with an empty log; returns a user who is migrated, if there is one. */
async function arrange(run: string): Promise<string | undefined> {
  const { sql } = db;
  if (run !== arranged) await start(run);
  arranged = run;
  await sql`delete from imago.log`;
  return await value<string>(
    sql,
    'select id from users where active_avatar_id is not null order by id limit 1',
  );
}

/** Begins again, by hand: with rollbacks, and what they take away prepared again, this would take ten times as long. */
async function start(run: string): Promise<void> {
  const { sql } = db;
  await prepareAll(sql);
  const undo = await sql`select undo_table as name from imago.plan_write where undo_table is not null`;
  await sql.unsafe(`
    truncate ${undo.map(({ name }) => `imago_undo."${name}"`).join(', ')};
    delete from imago.failure;
    delete from imago.run;
    update public.users set active_avatar_id = null where active_avatar_id is not null;
    update public.posts set avatar_id = null where avatar_id is not null;
    update public.follows set avatar_id = null where avatar_id is not null;
    delete from public.avatars`);
  if (run === 'none') return;
  if (run === 'succeeded') await migrateAll(sql);
  else await call(sql, 'migrate_users_batch', { batch_size: 1, batch_offset: 0 });
  if (run === 'paused') await call(sql, 'pause_migration');
  if (run === 'failed')
    await sql`select imago.transition_run(max(id), 'fail', '42P01', 'IM021', array['42P01']) from imago.run`;
}

async function ask(caller: Caller, { name, asked }: Row, moved = ABSENT): Promise<Reply> {
  if (name === 'progress') return await project.call(caller, name, { method: 'GET', query: asked });
  const body = JSON.parse(asked.replace('MOVED', moved).replace('ABSENT', ABSENT));
  return await project.call(caller, name, { json: body });
}

/** An answer in the words of the table. */
function inShort({ status, json }: Reply): string {
  if (status === 401 || status === 403) return String(status);
  if (status >= 400) return `${status} ${json?.code}`;
  const { status: outcome, state, rolled_back: back, error } = json ?? {};
  const said = typeof back === 'boolean' ? `${back ? '' : 'not '}rolled_back` : (outcome ?? state);
  return [status, said, error?.code].filter(Boolean).join(' ');
}

test('the table of rights has every caller in one group', () => {
  expect(Object.values(GROUPS).flat().toSorted()).toEqual(CALLERS.toSorted());
});

describe('callers without the right', () => {
  test.each(rows.map((row) => [row.name, row.asked, row] as const))(
    '%s %s: the same 401 or 403',
    async (_, __, row) => {
      // Their answers do not depend on the run: that is what is tested here.
      const moved = await arrange('running');
      project.asked.length = 0;
      for (const group of Object.keys(GROUPS) as Group[]) {
        const answer = row.answers[group];
        if (answer !== '401' && answer !== '403') continue;
        const callers = askers(group, row);
        const replies = await Promise.all(callers.map((caller) => ask(caller, row, moved)));
        for (const [i, reply] of replies.entries()) {
          expect([callers[i], inShort(reply)]).toEqual([callers[i], answer]);
          expect(reply.json).toEqual({
            code: answer === '401' ? 'unauthorized' : 'forbidden',
            message: expect.any(String),
            hint: expect.any(String),
          });
          const headers = [...reply.headers].filter(([name]) => name !== 'date').toSorted();
          refusals[answer].add(JSON.stringify([headers, reply.text]));
        }
      }
      // Not asked, the database cannot tell by an error or by the time it takes what there is.
      expect(project.asked).toEqual([]);
    },
  );

  test('all get the same 401 or 403, to the byte, whatever exists', () => {
    expect(refusals[401].size).toBe(1);
    expect(refusals[403].size).toBe(1);
  });
});

describe('callers who may', () => {
  const allowed = rows.flatMap((row) =>
    (Object.keys(GROUPS) as Group[]).flatMap((group) => {
      const answer = row.answers[group];
      return answer === '401' || answer === '403'
        ? []
        : askers(group, row, 1).map((caller) => [caller, row.name, row.asked, row.run, answer, row] as const);
    }),
  );

  test.each(allowed)('%s: %s %s (run: %s) is answered %s', async (caller, _, __, ___, answer, row) => {
    const moved = await arrange(row.run);
    const reply = await ask(caller, row, moved);
    if (reply.status === 200 && row.log !== '') arranged = undefined;
    expect([inShort(reply), reply.text]).toEqual([answer, expect.anything()]);
    if (reply.status >= 400) {
      expect(reply.json).toEqual({
        code: answer.split(' ')[1],
        message: expect.stringMatching(/\S/),
        hint: expect.stringMatching(/\S/),
      });
    }
    const requested = await db.sql`select detail from public.migration_log where event = 'requested'`;
    const wanted = row.log === '' ? [] : [{ action: row.log, caller: project.nameOf(caller) }];
    expect(requested.map(({ detail }) => detail)).toEqual(wanted);
  });
});

describe('supabase-js', () => {
  test('with a secret key may pause a run and look', async () => {
    await arrange('running');
    arranged = undefined;
    const client = createClient(project.url, project.secretKey);
    const paused = await client.functions.invoke('migrate', { body: { action: 'pause' } });
    expect([paused.error, paused.data.state]).toEqual([null, 'paused']);
    const progress = await client.functions.invoke('progress', { method: 'GET' });
    expect([progress.error, progress.data.state]).toEqual([null, 'paused']);
  });

  test('with the publishable key and the token of an operator may pause, with that of a viewer may look only', async () => {
    await arrange('running');
    arranged = undefined;
    const as = (bearer: 'operator' | 'viewer') =>
      createClient(project.url, project.publishableKey, {
        accessToken: async () => project.tokens.tokenOf(bearer),
      });
    const paused = await as('operator').functions.invoke('migrate', { body: { action: 'pause' } });
    expect(paused.data.state).toBe('paused');
    const progress = await as('viewer').functions.invoke('progress', { method: 'GET' });
    expect(progress.data.state).toBe('paused');
    const { error } = await as('viewer').functions.invoke('migrate', { body: { action: 'resume' } });
    expect(error).toBeInstanceOf(FunctionsHttpError);
    expect(await error.context.json()).toMatchObject({ code: 'forbidden' });
  });

  test('with the publishable key alone gets 401', async () => {
    const client = createClient(project.url, project.publishableKey);
    const { error } = await client.functions.invoke('progress', { method: 'GET' });
    expect(error.context.status).toBe(401);
  });
});
