/** Sends what pg_net's stand-in has in its queue, when the transaction that asked for it has committed. */
import type { Sql } from 'postgres';
import { type Cluster, connect } from './cluster.ts';
import type { Background } from './jobs.ts';

interface Queued {
  id: string;
  method: string;
  url: string;
  headers: Record<string, string> | null;
  body: Uint8Array<ArrayBuffer> | null;
  timeout_milliseconds: number;
}

/** Sent at once, as pg_net does. */
const BATCH = 200;

/** Of an answer, what is kept. */
const CONTENT_LIMIT = 1024 * 1024;

export async function sendRequests(cluster: Pick<Cluster, 'url'>): Promise<Background> {
  const sql = connect(cluster, 'supabase_admin');
  let sending: Promise<void> | undefined;
  let isAsked = false;
  const sendAll = async (): Promise<void> => {
    while (isAsked) {
      isAsked = false;
      // What is left in the queue, because PostgreSQL went away, goes with the next request.
      if (await sendBatch(sql).catch(() => false)) isAsked = true;
    }
    sending = undefined;
  };
  const wake = (): void => {
    isAsked = true;
    sending ??= sendAll();
  };
  await sql.listen('pg_net', wake);
  wake();
  return {
    async close() {
      // A session that is just reading the types, cut off, would fail where nobody can catch it.
      await sql.end({ timeout: 1 });
      await sending;
    },
  };
}

/** Whether there were some. */
async function sendBatch(sql: Sql): Promise<boolean> {
  const [extension] = await sql<{ there: boolean }[]>`
    select to_regclass('net.http_request_queue') is not null as there`;
  if (!extension?.there) return false;
  await sql`delete from net._http_response where created < now() - interval '6 hours'`;
  const queued = await sql<Queued[]>`
    delete from net.http_request_queue where id in (select id from net.http_request_queue order by id limit ${BATCH})
    returning id::text, method, url, headers, body, timeout_milliseconds`;
  await Promise.all(
    queued.map(async (request) => {
      const response = { content_type: null, ...(await send(request)), id: request.id };
      await sql`insert into net._http_response ${sql(response)}`;
    }),
  );
  return queued.length > 0;
}

async function send({ method, url, headers, body, timeout_milliseconds }: Queued) {
  try {
    const response = await fetch(url, {
      method,
      headers: headers ?? {},
      body,
      // The headers may hold a key.
      redirect: 'manual',
      signal: AbortSignal.timeout(timeout_milliseconds),
    });
    return {
      status_code: response.status,
      content_type: response.headers.get('content-type'),
      headers: Object.fromEntries(response.headers),
      content: await beginningOf(response),
      timed_out: false,
    };
  } catch (error) {
    const timed_out = error instanceof Error && error.name === 'TimeoutError';
    const cause = error instanceof Error && error.cause instanceof Error ? error.cause : error;
    const reason = cause instanceof Error ? cause.message : String(cause);
    const error_msg = timed_out ? `Timeout of ${timeout_milliseconds} ms reached` : reason;
    return { timed_out, error_msg };
  }
}

/** What is beyond the limit is not waited for. */
async function beginningOf(response: Response): Promise<string> {
  const decoder = new TextDecoder();
  let text = '';
  for await (const chunk of response.body ?? []) {
    text += decoder.decode(chunk, { stream: true });
    if (text.length >= CONTENT_LIMIT) break;
  }
  // The one character that no text of PostgreSQL has.
  return text.slice(0, CONTENT_LIMIT).replaceAll('\0', '\ufffd');
}
