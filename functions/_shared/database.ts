/** Calls the SQL functions, as the service role, and puts what goes wrong into words that may be told. */
import type { SupabaseContext } from '@supabase/server';
import type { z } from 'zod';
import { answers, type LogLine, logAnswer } from './answers.ts';
import { engineAnswer, knownEngine } from './engine.ts';
import { badAnswerTo } from './fetching.ts';
import { Problem, problem } from './problems.ts';
import { ruleFor } from './statuses.ts';

export type FunctionName = keyof typeof answers;
export type Answer<Name extends FunctionName> = z.output<(typeof answers)[Name]>;

type Client = SupabaseContext['supabaseAdmin'];

/**
 * The longest that one call is waited for. The Data API ends a statement after 8 s; what takes longer is a connection
 * that died without telling. The last call of a request of 140 s still ends within the 150 s of hosted functions.
 */
const longestCallMs = 9_500;

/** Calls one SQL function and parses what it answers; throws a {@link Problem}. */
export async function call<Name extends FunctionName>(
  client: Client,
  name: Name,
  args: Record<string, unknown>,
): Promise<Answer<Name>> {
  await expectKnownEngine(client);
  const parsed = answers[name].safeParse(await request(client, name, args));
  if (!parsed.success) throw problem('wrong_version');
  return parsed.data as Answer<Name>;
}

const levels = ['info', 'warning', 'error'] as const;
export type Level = (typeof levels)[number];

/** What a request of the log gives at most, the newest first. */
const logLines = 200;

/** The newest lines of the log of a plan, of this level and those above. */
export async function readLog(client: Client, plan: string, level: Level = 'info'): Promise<LogLine[]> {
  await expectKnownEngine(client);
  const data = await settled((signal) =>
    client
      .from('migration_log')
      .select('created_at, run, level, event, entity, sqlstate, detail')
      .eq('plan', plan)
      .in('level', levels.slice(levels.indexOf(level)))
      .order('created_at', { ascending: false })
      .limit(logLines)
      .abortSignal(signal)
      .retry(false),
  );
  const parsed = logAnswer.safeParse({ plan, lines: data });
  if (!parsed.success) throw problem('wrong_version');
  return parsed.data.lines;
}

async function request(client: Client, name: string, args: Record<string, unknown>): Promise<unknown> {
  return await settled((signal) => client.rpc(name, args).abortSignal(signal).retry(false));
}

/** What a request of the Data API has come to. */
interface Reply {
  data: unknown;
  error: { code?: string; message: string; hint?: string | null } | null;
  status: number;
}

async function settled(ask: (signal: AbortSignal) => PromiseLike<Reply>): Promise<unknown> {
  const signal = AbortSignal.timeout(longestCallMs);
  const { data, error, status } = await ask(signal);
  const bad = badAnswerTo(signal);
  if (bad) {
    console.error(bad.fault);
    throw problem('bad_answer');
  }
  if (error) throw explain(error, status);
  return data;
}

/** So long an engine that was known counts as known: a function may run for hours, and the engine be upgraded meanwhile. */
const trustedMs = 60_000;
let trustedUntil = 0;

/** Refuses an engine that is newer than this code knows. */
async function expectKnownEngine(client: Client): Promise<void> {
  if (performance.now() < trustedUntil) return;
  const parsed = engineAnswer.safeParse(await request(client, 'get_engine_version', {}));
  if (!parsed.success) throw problem('wrong_version');
  if (parsed.data.version > knownEngine) throw problem('engine_newer');
  trustedUntil = performance.now() + trustedMs;
}

/** Messages of our own name tables, keys and counts. All others may quote SQL or values of rows, and are not passed on. */
const ours = /^IM\d{3}$/;

/** No such function, table, schema, or no such one that the Data API knows. */
const missing = /^(PGRST106|PGRST20[25]|42883|42P01|3F000)$/;

function explain(error: { code?: string; message: string; hint?: string | null }, status: number): Problem {
  const code = error.code ?? '';
  // Status 0: no answer came. A server error without a code comes from something in front of the database.
  if (status === 0 || (code === '' && status >= 500)) return problem('unavailable');
  if (missing.test(code)) return problem('not_installed');

  const rule = ruleFor(code);
  if (ours.test(code) && rule)
    return new Problem(rule.status, { code, message: error.message, hint: error.hint ?? '' });
  console.error(`SQLSTATE ${code || 'unknown'}, HTTP ${status}`);
  if (!rule) return problem('internal');
  if (rule.code) return problem(rule.code);
  return new Problem(rule.status, {
    code,
    message: `The database refused the call with SQLSTATE ${code}.`,
    hint: `${rule.meaning.charAt(0).toUpperCase()}${rule.meaning.slice(1)}.`,
  });
}
