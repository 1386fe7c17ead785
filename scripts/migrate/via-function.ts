/** `--via-function`: what changes something is asked of the edge functions, which ask SQL. */
import { z } from 'zod';
import { answers } from '../../functions/_shared/answers.ts';
import { BadAnswer, fetchJson } from '../../functions/_shared/fetching.ts';
import { CallError } from '../call-error.ts';
import { type Answer, type Arguments, type FunctionName, notBelieved, notReached } from '../client.ts';
import type { ViaFunction } from '../command/caller.ts';

/** A request to an edge function. */
interface Ask {
  name: 'migrate' | 'rollback';
  body: Record<string, unknown>;
}

/** Seconds of batches that one request drives: so long Ctrl-C waits, and so often there is something to tell. */
const secondsOfOneRequest = 5;

/** What `--max-ms` may be here, as the functions have it. */
export const requestMs = { from: 1_000, to: 140_000 } as const;

/** On top of what a request may take by itself: starting the function, and a last batch that runs into its timeout. */
const graceMs = 20_000;

/** How each call is asked of a function. All others only look, and ask SQL as always. */
const asks: { [Name in FunctionName]?: (args: Arguments<Name>) => Ask } = {
  migrate_batch: ({ max_ms, ...args }) => ({ name: 'migrate', body: { ...args, ...seconds(max_ms) } }),
  rollback_batch: ({ max_ms, ...args }) => ({
    name: 'rollback',
    body: { ...args, ...seconds(max_ms), all: true, confirm: args.plan },
  }),
  dry_run_migration: ({ mode, max_ms, ...args }) => ({
    name: 'migrate',
    body: { ...args, dry_run: mode, ...(max_ms !== undefined && { max_seconds: max_ms / 1000 }) },
  }),
  rollback_user_migration: (args) => ({ name: 'rollback', body: { ...args } }),
  pause_migration: ({ plan }) => ({ name: 'migrate', body: { plan, action: 'pause' } }),
  resume_migration: ({ plan }) => ({ name: 'migrate', body: { plan, action: 'resume' } }),
  cancel_migration: ({ plan }) => ({ name: 'migrate', body: { plan, action: 'cancel' } }),
  retry_failed_migrations: ({ plan }) => ({ name: 'migrate', body: { plan, action: 'retry' } }),
};

/** The edge functions of the project at this URL. */
export function viaFunction(url: string, secretKey: string): ViaFunction {
  return (name, args) => {
    const ask = asks[name]?.(args);
    if (!ask) return undefined;
    return post(`${url}/functions/v1/${ask.name}`, secretKey, ask).then((body) => parse(name, ask, body));
  };
}

function seconds(maxMs: number | undefined): { max_seconds: number } {
  return { max_seconds: maxMs === undefined ? secondsOfOneRequest : maxMs / 1000 };
}

async function post(url: string, secretKey: string, { name, body }: Ask): Promise<unknown> {
  const timeoutMs = Number(body.max_seconds ?? 0) * 1000 + graceMs;
  let response: Response;
  let text: string;
  try {
    response = await fetchJson(url, {
      method: 'POST',
      headers: { apikey: secretKey, 'content-type': 'application/json' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    text = await response.text();
  } catch (error) {
    throw unanswered(error, name, timeoutMs);
  }
  if (!response.ok) throw refused(response.status, text, name);
  return parseJson(text);
}

/** The answer to one request, which drives many batches, sums them up in the form of one batch's answer. */
function parse<Name extends FunctionName>(name: Name, ask: Ask, body: unknown): Answer<Name> {
  const parsed = answers[name].safeParse(body);
  if (parsed.success) return parsed.data as Answer<Name>;
  throw new CallError({
    code: 'ANSWER',
    message: `The edge function ${ask.name} gave an answer that this version does not understand.`,
    hint: 'The edge functions and this command are of different versions: deploy those of this one with npx supabase functions deploy.',
  });
}

function unanswered(error: unknown, name: string, timeoutMs: number): CallError {
  if ((error as Error).name === 'TimeoutError') {
    return new CallError({
      code: 'TIMEOUT',
      message: `No answer of the edge function ${name} within ${timeoutMs / 1000} s.`,
      hint: 'A batch either was committed whole or not at all; run the same command again.',
    });
  }
  if (error instanceof BadAnswer) return notBelieved(error, `The edge function ${name}`);
  const { code = 'no answer' } = ((error as Error).cause ?? {}) as { code?: string };
  return notReached(code);
}

const problemSchema = z.looseObject({
  code: z.string().optional(),
  message: z.string().optional(),
  hint: z.string().optional(),
});

/** What the function, or Supabase in its place, answers instead of a result. */
function refused(status: number, text: string, name: string): CallError {
  const { code = '', message, hint } = problemSchema.safeParse(parseJson(text)).data ?? {};
  // Ours explain themselves. Those of Supabase, like WORKER_LIMIT, do not name the function.
  const isOurs = sqlState.test(code) || /^[a-z_]+$/.test(code);
  if (status === 404 && !isOurs) {
    return new CallError({
      code: 'NOT_DEPLOYED',
      message: `The edge function ${name} is not deployed on this project.`,
      hint: 'Deploy it with: npx supabase functions deploy. Or leave --via-function out.',
      status,
    });
  }
  if (status === 401 || status === 403) {
    return new CallError({
      code: code || 'HTTP',
      message: `The edge function ${name} refused the key (HTTP ${status}).`,
      hint: 'Edge functions take a secret key (sb_secret_…) of this very project, as SUPABASE_SECRET_KEY; a service_role key they do not.',
      status,
    });
  }
  // A second try is for what lies between us and the database; the function's own refusals stay as they are.
  const passing = status === 429 || (status >= 500 && !lasting.has(code) && !sqlState.test(code));
  return new CallError({
    code: passing || code === '' ? 'HTTP' : code,
    message:
      isOurs && message
        ? message
        : `The edge function ${name} answered HTTP ${status}${code && ` (${code})`}.`,
    hint: isOurs ? hint : 'Look at the log of the function: dashboard, Edge Functions.',
    status,
  });
}

const sqlState = /^[0-9A-Z]{5}$/;

/** Failures of the functions that a retry does not fix. */
const lasting = new Set(['internal', 'wrong_version', 'engine_newer']);

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
