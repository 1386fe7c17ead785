/** The edge functions on databases whose users move in small batches. A file that imports this has the functions for its tests. */
import { afterAll, afterEach, beforeAll, expect, onTestFinished } from 'vitest';
import { type Answer, value } from './call.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from './database.ts';
import { type Caller, type FunctionsProject, passOn, startFunctions } from './functions.ts';

/** Who calls, unless it matters. */
export const KEY: Caller = 'secret key default';
export const STREAM = { accept: 'text/event-stream' };
/** Users of most of the databases, and how many a call moves. */
export const USERS = 120;
export const BATCH = 10;

/** A database that nobody migrates; between tests it is behind the functions. */
export let db: TestDatabase;
/** The functions, for all tests of a file. */
export let project: FunctionsProject;

beforeAll(async () => {
  db = await freshDatabase();
  project = await startFunctions(db);
});

afterAll(async () => {
  await project?.close();
  await db?.drop();
});

afterEach(() => {
  project.during = passOn;
  project.asked.length = 0;
});

/** Puts a database of its own behind the functions for one test; each call moves one small batch. */
export async function behind(options: DatabaseOptions = {}): Promise<TestDatabase> {
  const fresh = await freshDatabase({ app: 'sample', users: USERS, avatars: 'prepared', ...options });
  await fresh.sql.unsafe(`
    alter table imago.setting drop constraint max_sub_batches_is_2_or_more;
    update imago.setting set value = '1' where name = 'max_sub_batches';
    create function public.small() returns trigger language plpgsql as
      'begin new.batch_size := ${BATCH}; return new; end';
    create trigger small before insert or update on imago.lane for each row execute function public.small()`);
  await project.use(fresh);
  onTestFinished(async () => {
    await project.use(db);
    await fresh.drop();
  });
  return fresh;
}

/** Does something at the nth call of a SQL function: in place of the database if it answers, else before it. */
export function atCall(
  name: string,
  n: number,
  act: (pass: () => Promise<Response>) => Promise<unknown>,
): void {
  let calls = 0;
  project.during = async (called, pass) => {
    if (called !== name || ++calls !== n) return await pass();
    const answer = await act(pass);
    return answer instanceof Response ? answer : await pass();
  };
}

/** Comes back when Deno has answered a few requests: what it was about to do before, it has done. */
export async function quiet(): Promise<void> {
  for (let i = 0; i < 3; i += 1) await project.call('viewer', 'progress', { method: 'GET' });
}

/** How many users have an avatar. */
export const moved = async ({ sql }: TestDatabase) =>
  await value<number>(sql, 'select count(*)::int from users where active_avatar_id is not null');

/** The events of a stream as they come. */
export async function* events(response: Response): AsyncGenerator<{ event: string; data: Answer }> {
  let text = '';
  for await (const chunk of (response.body as ReadableStream<Uint8Array>).pipeThrough(
    new TextDecoderStream(),
  )) {
    text += chunk;
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event = '', data = ''] = /^event: (\w+)\ndata: (.+)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      yield { event, data: JSON.parse(data) };
    }
  }
  expect(text).toBe('');
}

/** All that comes. */
export async function all<T>(values: AsyncIterable<T>): Promise<T[]> {
  const list: T[] = [];
  for await (const item of values) list.push(item);
  return list;
}
