/** The typed supabase-js client and the one way in which the Node side calls the SQL functions. */
import { createClient, type SupabaseClient } from '@supabase/supabase-js';
import type { z } from 'zod';
import { answers } from '../functions/_shared/answers.ts';
import { engineAnswer, knownEngine } from '../functions/_shared/engine.ts';
import { type BadAnswer, badAnswerTo, fetchJson } from '../functions/_shared/fetching.ts';
import { CallError } from './call-error.ts';
import type { Database } from './database.types.ts';

export type Client = SupabaseClient<Database>;

type Functions = Database['public']['Functions'];

/** A function of schema public that the Node side knows the answer of. */
export type FunctionName = keyof typeof answers & keyof Functions;

/** What a call of that function gives, parsed. */
export type Answer<Name extends FunctionName> = z.output<(typeof answers)[Name]>;

/** The arguments of that function, as `supabase gen types` reads them from the database. */
export type Arguments<Name extends FunctionName> = Functions[Name]['Args'];

/** Connects to a project's Data API with a secret key. Nothing is kept and nothing is refreshed in the background. */
export function connect(url: string, secretKey: string): Client {
  return createClient<Database>(url, secretKey, {
    auth: { persistSession: false, autoRefreshToken: false, detectSessionInUrl: false },
    global: { fetch: fetchJson },
  });
}

/**
 * The longest that a call may take. The server ends a statement of the service role after 8 s unless somebody raised
 * that, so what takes this long is a connection that died without telling.
 */
const longestCallMs = 60_000;

/** Calls one SQL function and parses what it answers. Throws a {@link CallError}, whatever went wrong. */
export async function call<Name extends FunctionName>(
  client: Client,
  name: Name,
  args: Arguments<Name>,
): Promise<Answer<Name>> {
  await expectKnownEngine(client);
  const parsed = answers[name].safeParse(await request(client, name, args));
  if (!parsed.success) throw notUnderstood(name, parsed.error);
  return parsed.data as Answer<Name>;
}

/** Calls one SQL function, of whatever version, and gives what it answers. Throws a {@link CallError}. */
export async function request<Name extends keyof Functions>(
  client: Client,
  name: Name,
  args: Functions[Name]['Args'],
): Promise<unknown> {
  const signal = AbortSignal.timeout(longestCallMs);
  // supabase-js would retry some of these by itself, without a word: retrying is decided in one place, retry.ts.
  const { data, error, status } = await client
    .rpc(name, args as never)
    .abortSignal(signal)
    .retry(false);
  const bad = badAnswerTo(signal);
  if (bad) throw notBelieved(bad, 'The server of SUPABASE_URL');
  if (error) throw explain(error, status, signal.aborted);
  return data;
}

/** An answer in a form that this version does not know. */
export function notUnderstood(name: string, { issues }: z.ZodError): CallError {
  const where = issues.map((issue) => issue.path.join('.') || '(whole)').join(', ');
  return new CallError({
    code: 'ANSWER',
    message: `${name} gave an answer that this version does not understand (${where}).`,
    hint: 'The engine in the database and this command are of different versions: push the migrations of this version.',
    status: 200,
  });
}

const knownEngines = new WeakMap<Client, Promise<void>>();

/** Refuses an engine that is newer than this command knows: before the first call, so that it does nothing to it. */
async function expectKnownEngine(client: Client): Promise<void> {
  const known = knownEngines.get(client) ?? askEngine(client);
  knownEngines.set(client, known);
  try {
    await known;
  } catch (error) {
    // A retry asks again.
    knownEngines.delete(client);
    throw error;
  }
}

async function askEngine(client: Client): Promise<void> {
  const parsed = engineAnswer.safeParse(await request(client, 'get_engine_version', undefined as never));
  if (!parsed.success) throw notUnderstood('get_engine_version', parsed.error);
  if (parsed.data.version <= knownEngine) return;
  throw new CallError({
    code: 'ENGINE',
    message: `The engine in the database is version ${parsed.data.version}, and this command knows up to ${knownEngine}. It does nothing to it.`,
    hint: 'Upgrade the package imago (or pull the newer version of the repository).',
    status: 200,
  });
}

const sqlState = /^[0-9A-Z]{5}$/;

/** SQLSTATE classes whose messages are about the server or the schema; the others may quote values of rows. */
const quotesNoRows = /^(IM|08|25|28|3D|40|42|53|54|55|57|58)/;

function explain(
  error: { code?: string | null; message?: string; details?: string | null; hint?: string | null },
  status: number,
  timedOut: boolean,
): CallError {
  const code = error.code ?? '';
  const hint = error.hint ?? undefined;

  if (timedOut) {
    return new CallError({
      code: 'TIMEOUT',
      message: `No answer within ${longestCallMs / 1000} s.`,
      hint: 'The batch either was committed whole or not at all; run the same command again.',
      status,
    });
  }
  if (status === 0) {
    return notReached(networkCause(`${error.message} ${error.details}`));
  }
  if (code === 'PGRST202' || code === '42883') {
    return new CallError({
      code,
      message: 'The functions of Imago are not installed on this project, or of another version.',
      hint: 'Install them with: npx supabase db push',
      status,
    });
  }
  if (code === '42501' || status === 401 || status === 403) {
    return new CallError({
      code: code || 'HTTP',
      message: `The project refused the key (${code || `HTTP ${status}`}).`,
      hint: 'Use the secret key (sb_secret_…) or the service_role key of this very project, as SUPABASE_SECRET_KEY.',
      status,
    });
  }
  if (sqlState.test(code)) {
    const message = quotesNoRows.test(code)
      ? (error.message ?? `SQLSTATE ${code}`)
      : `The database refused the call with SQLSTATE ${code}.`;
    return new CallError({ code, message, hint: quotesNoRows.test(code) ? hint : undefined, status });
  }
  if (code.startsWith('PGRST')) {
    return new CallError({ code, message: error.message ?? code, hint, status });
  }
  return new CallError({
    code: 'HTTP',
    message: `The server answered HTTP ${status}.`,
    hint: status === 404 ? 'Is SUPABASE_URL the URL of the project, like https://<ref>.supabase.co?' : hint,
    status,
  });
}

/** The short name of what went wrong below HTTP, like ECONNREFUSED; supabase-js hides it in a stack trace. */
function networkCause(text: string): string {
  return (
    text.match(/\b(E[A-Z_]{4,}|UND_ERR_[A-Z_]+|[A-Z_]*(CERT|SIGNED|ISSUER)[A-Z_]*)\b/)?.[0] ?? 'no answer'
  );
}

/** A connection that did not come about or went, by the short name of the cause. */
export function notReached(cause: string): CallError {
  if (/^ERR_(TLS|SSL)_|CERT|SIGNED|ISSUER/.test(cause)) {
    return new CallError({
      code: 'TLS',
      message: `The server of SUPABASE_URL does not prove who it is (${cause}), so this may be somebody in its place. The key was not sent.`,
      hint: 'Check SUPABASE_URL and the clock. Where the server has a CA of its own, name the file of its certificate in NODE_EXTRA_CA_CERTS.',
    });
  }
  return new CallError({
    code: 'NETWORK',
    message: `The connection was lost or could not be made (${cause}).`,
    hint: 'Check SUPABASE_URL, that the project is not paused, and the network.',
  });
}

/** An answer that cannot be one of Imago's, whatever its status. */
export function notBelieved({ fault, status, message }: BadAnswer, who: string): CallError {
  const isRedirect = fault === 'REDIRECT';
  return new CallError({
    code: fault,
    status,
    message: `${who} gave an answer that cannot be used (HTTP ${status}). ${message}${isRedirect ? ' The key was not sent there.' : ''}`,
    hint: isRedirect
      ? 'Set SUPABASE_URL to the address of the project itself, https://<ref>.supabase.co or its custom domain.'
      : 'Is SUPABASE_URL the URL of the project, like https://<ref>.supabase.co? A login page or a proxy may stand before it.',
  });
}
