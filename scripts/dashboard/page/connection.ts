/** What the page asks: the process that has served it, or the edge functions of a project that somebody has signed in to. */
import { signal } from '@preact/signals';
import { z } from 'zod';
import { accessToken, signedIn, signOut } from './signing.ts';

/** Something that could not be had or done: a code, what it means, and what to do. */
export class Trouble extends Error {
  override readonly name = 'Trouble';
  readonly code: string;
  readonly hint: string;
  readonly status: number;

  constructor(problem: { code: string; message: string; hint?: string | undefined; status?: number }) {
    super(problem.message);
    this.code = problem.code;
    this.hint = problem.hint ?? '';
    this.status = problem.status ?? 0;
  }

  /** The same may well succeed a moment later. */
  get passes(): boolean {
    return this.code === 'offline' || this.status === 429 || this.status >= 502;
  }
}

/** The address of the project that the process behind this page works on, `fleet:` without one; undefined on any other web server. */
export const target: string | undefined = document.documentElement.dataset.target;

/** Whether that process has a fleet; no other web server has one. */
export const hasFleet = target !== undefined && document.documentElement.dataset.fleet !== undefined;

/** Whether the fleet is all that it has: there is no project, and no plan to look at. */
export const isFleetAlone = target === 'fleet:';

/** What stands behind the # once the token does not. */
const places = ['', '#plans', '#fleet'];
const isFleetHash = (): boolean => isFleetAlone || (hasFleet && location.hash === '#fleet');

/** Whether the fleet is looked at, and not the plans of the project. */
export const isFleet = signal(isFleetHash());

const tokenName = 'imago-token';

/** The token stands in the address once; from then on this tab keeps it, and the address can be shown. */
function readToken(): string | undefined {
  const given = location.hash.slice(1);
  if (!places.includes(location.hash)) {
    sessionStorage.setItem(tokenName, given);
    history.replaceState(null, '', location.pathname);
  }
  return sessionStorage.getItem(tokenName) ?? undefined;
}

// Another start of the command at the same port: only what is behind the # differs, and nothing would be loaded.
addEventListener('hashchange', () => {
  if (hasFleet && places.includes(location.hash)) isFleet.value = isFleetHash();
  else location.reload();
});

const token = target === undefined ? undefined : readToken();

/** Whether there is somebody to ask. */
export function canAsk(): boolean {
  return target === undefined ? signedIn.value !== undefined : token !== undefined;
}

/** What the project is called at the top of the page. */
export function targetName(): string {
  const { hostname } = new URL(target ?? signedIn.value?.url ?? location.href);
  return /^(127\.|localhost$)/.test(hostname) ? 'Supabase on this machine' : hostname;
}

/** Whether the last request was answered, no matter by what. */
export const isOffline = signal(false);

type Name = 'progress' | 'migrate' | 'rollback' | 'validate' | 'fleet';

/** What is sent: a query with GET, a body with POST. */
export type Sent = { query: Record<string, string> } | { body: Record<string, unknown> };

/** The functions that are behind are those of the process that serves this page. */
const newer = {
  code: 'engine_newer',
  message: 'The engine in the database is newer than the command that serves this page.',
  hint: 'Upgrade the package imago (or pull the newer version of the repository), and start the dashboard again.',
};

const refusal = z.looseObject({ code: z.string(), message: z.string(), hint: z.string().nullish() });

/** Asks, and reads the answer by its schema. Throws {@link Trouble}. */
export async function ask<Schema extends z.ZodType>(
  name: Name,
  sent: Sent,
  schema: Schema,
  signal?: AbortSignal,
): Promise<z.output<Schema>> {
  const response = await send(name, sent, signal);
  const text = await response.text().catch(() => '');
  const json = parsed(text);
  if (!response.ok) {
    const known = refusal.safeParse(json);
    if (response.status === 401 && target === undefined) signOut();
    if (known.success) {
      const { code, message, hint } =
        target === undefined || known.data.code !== newer.code ? known.data : newer;
      throw new Trouble({ code, message, hint: hint ?? undefined, status: response.status });
    }
    throw new Trouble({
      code: `HTTP ${response.status}`,
      message: `The ${target === undefined ? 'edge function' : 'dashboard'} answered HTTP ${response.status}.`,
      hint: response.status === 404 ? 'Deploy the edge functions: npx supabase functions deploy.' : '',
      status: response.status,
    });
  }
  const answer = schema.safeParse(json);
  if (answer.success) return answer.data;
  throw new Trouble({
    code: 'wrong_version',
    message: 'The answer is in a form that this page does not know.',
    hint: 'Engine, functions and page have to be of one version: take the page of the version that is installed.',
    status: 500,
  });
}

async function send(name: Name, sent: Sent, signal: AbortSignal | undefined): Promise<Response> {
  const base = target === undefined ? (signedIn.value?.url ?? '') : location.origin;
  const bearer = target === undefined ? await accessToken() : token;
  const query = 'query' in sent ? `?${new URLSearchParams(sent.query)}` : '';
  try {
    const path = name === 'fleet' ? '/fleet' : `/functions/v1/${name}`;
    const response = await fetch(`${base}${path}${query}`, {
      method: 'body' in sent ? 'POST' : 'GET',
      headers: {
        authorization: `Bearer ${bearer}`,
        ...('body' in sent && { 'content-type': 'application/json' }),
      },
      ...('body' in sent && { body: JSON.stringify(sent.body) }),
      ...(signal && { signal }),
      cache: 'no-store',
      credentials: 'omit',
      redirect: 'error',
      referrerPolicy: 'no-referrer',
    });
    isOffline.value = false;
    return response;
  } catch {
    // Nobody is there any more to want an answer.
    if (signal?.aborted) throw new Trouble({ code: 'hung up', message: 'Hung up.' });
    isOffline.value = true;
    throw new Trouble({
      code: 'offline',
      message: 'Nobody answers.',
      hint:
        target === undefined
          ? 'Check the network, and that the project is not paused. This page tries again by itself.'
          : 'The command that serves this page has ended, or does not get through: start it again with npm run dashboard (or npx --no imago dashboard), and open its new address.',
    });
  }
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
