/** Where the command works: the project that SUPABASE_URL names, or the embedded Supabase. */
import { checkedDatabaseUrl } from '../connection/address.ts';
import { isLoopback } from '../connection/loopback.ts';
import type { Environment } from './environment.ts';
import { keyKind } from './keys.ts';
import { UsageError } from './usage.ts';

/** A Supabase project by URL and key, as the environment names it. */
export interface ProjectTarget {
  kind: 'project';
  url: string;
  secretKey: string;
  databaseUrl: string | undefined;
}

/** The embedded Supabase, which is yet to be started. */
export interface EmbeddedTarget {
  kind: 'embedded';
}

/** Decides on the target and refuses what cannot work. Calls nobody and starts nothing. */
export function chooseTarget(
  environment: Environment,
  options: { sample?: number | undefined; reset?: boolean | undefined },
): ProjectTarget | EmbeddedTarget {
  if (environment.SUPABASE_URL === undefined) {
    expectNoKey(environment);
    return { kind: 'embedded' };
  }

  for (const flag of ['sample', 'reset'] as const) {
    if (options[flag] === undefined || options[flag] === false) continue;
    throw new UsageError(
      `--${flag} is for the embedded Supabase only, and SUPABASE_URL names a project.`,
      'Unset SUPABASE_URL (also in .env) to work on the embedded one.',
    );
  }
  return {
    kind: 'project',
    url: projectUrl(environment.SUPABASE_URL),
    secretKey: secretKey(environment),
    databaseUrl: databaseUrl(environment),
  };
}

/** A key without a URL: the URL may have been lost, and the embedded Supabase is not what was meant. */
function expectNoKey(environment: Environment): void {
  const name = (['SUPABASE_SECRET_KEY', 'SUPABASE_SERVICE_ROLE_KEY'] as const).find(
    (key) => environment[key] !== undefined,
  );
  if (name === undefined) return;
  throw new UsageError(
    `${name} is set, and SUPABASE_URL is not: it is not said which project the key opens.`,
    `Set SUPABASE_URL as well. To work on the embedded Supabase, unset ${name} (also in .env).`,
  );
}

/** DATABASE_URL, with what protects it said in it. */
export function databaseUrl({ DATABASE_URL, PGSSLROOTCERT }: Environment): string | undefined {
  if (DATABASE_URL === undefined) return undefined;
  return checkedDatabaseUrl(DATABASE_URL, { name: 'DATABASE_URL', roots: PGSSLROOTCERT });
}

function projectUrl(value: string): string {
  const example = 'It looks like https://<ref>.supabase.co; the dashboard shows it under Connect.';
  const url = URL.parse(value);
  if (!url) throw new UsageError('SUPABASE_URL is not a URL.', example);
  if (url.protocol.startsWith('postgres')) {
    throw new UsageError(
      'SUPABASE_URL is a database URL, but the URL of the API is needed.',
      `${example} The database URL belongs into DATABASE_URL.`,
    );
  }
  if (url.protocol !== 'https:' && url.protocol !== 'http:') {
    throw new UsageError('SUPABASE_URL must start with https:// (or http:// for a local one).', example);
  }
  if (url.protocol === 'http:' && !isLoopback(url.hostname)) {
    throw new UsageError(
      `SUPABASE_URL starts with http:// and ${url.hostname} is not this machine: the secret key would be readable on the way.`,
      'Write https://. Where the project has no TLS, reach it through a tunnel (ssh -L) as http://127.0.0.1:<port>.',
    );
  }
  if (/(^|\.)supabase\.com$/.test(url.hostname)) {
    throw new UsageError('SUPABASE_URL is an address of the dashboard, not of a project.', example);
  }
  if (url.username || url.password || url.search || url.hash) {
    throw new UsageError('SUPABASE_URL must hold neither credentials nor parameters.', example);
  }
  return url.href.replace(/\/(rest\/v1\/?)?$/, '');
}

const whichKey =
  'Set SUPABASE_SECRET_KEY to the secret key (sb_secret_…), or SUPABASE_SERVICE_ROLE_KEY to the service_role key: dashboard, Project Settings, API Keys. Never put either into a browser.';

function secretKey(environment: Environment): string {
  const name = environment.SUPABASE_SECRET_KEY ? 'SUPABASE_SECRET_KEY' : 'SUPABASE_SERVICE_ROLE_KEY';
  const key = environment[name];
  if (!key) {
    if (environment.SUPABASE_PUBLISHABLE_KEY || environment.SUPABASE_ANON_KEY) {
      throw new UsageError(
        'Only a publishable (anon) key is set. It is public, every visitor of the app has it, so the database must not let it migrate anything.',
        whichKey,
      );
    }
    throw new UsageError('SUPABASE_URL is set, but no secret key.', whichKey);
  }
  switch (keyKind(key)) {
    case 'publishable':
      throw new UsageError(
        `${name} holds a publishable (anon) key. It is public, every visitor of the app has it, so the database must not let it migrate anything.`,
        whichKey,
      );
    case 'user':
      throw new UsageError(
        `${name} holds the session token of a signed-in user, who must not migrate other people's rows.`,
        whichKey,
      );
    case 'access-token':
      throw new UsageError(
        `${name} holds a personal access token, which manages projects but does not open their data.`,
        whichKey,
      );
    case 'expired':
      throw new UsageError(`${name} holds a key that has expired.`, whichKey);
    default:
      return key;
  }
}
