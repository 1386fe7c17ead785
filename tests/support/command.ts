import { type ChildProcess, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, type JWK } from 'jose';
import { onTestFinished } from 'vitest';
import type { Cluster } from '../../scripts/embedded/cluster.ts';
import { publicHalf } from '../../scripts/embedded/credentials.ts';
import { openDataApi, serveHttp } from '../../scripts/embedded/data-api.ts';
import { functionsOnDemand } from '../../scripts/embedded/functions.ts';
import { type DatabaseOptions, freshDatabase, type TestDatabase } from './database.ts';
import { cheapStarts } from './starts.ts';

const root = fileURLToPath(new URL('../../', import.meta.url));
const keys = {
  publishableKey: 'sb_publishable_test',
  secretKey: 'sb_secret_test',
  jwtSecret: 'a secret of at least thirty-two characters',
};

/** What a project signs the tokens of its users with, made once for a file of tests. */
let signing: Promise<JWK> | undefined;
async function makeSigningKey(): Promise<JWK> {
  const { privateKey } = await generateKeyPair('ES256', { extractable: true });
  return { ...(await exportJWK(privateKey)), kid: randomUUID(), alg: 'ES256', use: 'sig' };
}

/** A database with an app, the Data API on it and the edge functions, as the command sees a project. */
export interface Project {
  db: TestDatabase;
  url: string;
  publishableKey: string;
  secretKey: string;
  /** What makes the command work on it. */
  environment: Record<string, string>;
}

/** A project of its own for one test, gone with it. */
export async function freshProject({
  functionsFolder,
  ...options
}: DatabaseOptions & {
  /** The edge functions that are deployed, instead of the project's. */
  functionsFolder?: string;
} = {}): Promise<Project> {
  const db = await freshDatabase({ app: 'sample', users: 300, ...options });
  const url = (role = 'postgres') => {
    const address = new URL(db.url);
    address.username = role;
    return address.href;
  };
  signing ??= makeSigningKey();
  const signingKey = await signing;
  const { server, url: apiUrl } = await serveHttp(undefined, () => api, {
    answer: (request) => functions.answer(request),
  });
  // They cost nothing until one is called.
  const functions = functionsOnDemand({
    apiUrl,
    keys: {
      publishable: { default: keys.publishableKey },
      secret: { default: keys.secretKey },
      jwks: publicHalf(signingKey),
    },
    ...(functionsFolder !== undefined && { folder: functionsFolder }),
  });
  const api = await openDataApi({ url } as Cluster, { ...keys, signingKey }, apiUrl);
  onTestFinished(async () => {
    server.closeAllConnections();
    server.close();
    await functions.close();
    await api.close();
    await db.drop();
  });
  return {
    db,
    url: apiUrl,
    publishableKey: keys.publishableKey,
    secretKey: keys.secretKey,
    environment: { SUPABASE_URL: apiUrl, SUPABASE_SECRET_KEY: keys.secretKey, DATABASE_URL: db.url },
  };
}

/** How a command ended. */
export interface Finished {
  code: number | null;
  stdout: string;
  stderr: string;
  /** stdout as the one JSON object that --json promises; throws when it is anything else. */
  // biome-ignore lint/suspicious/noExplicitAny: tests look at fields that differ from command to command
  json(): any;
}

/** A running command. */
export interface Running {
  child: ChildProcess;
  finished: Promise<Finished>;
  /** Resolves as soon as stderr holds this text. */
  says(text: string): Promise<void>;
  /** What stdout holds so far. */
  stdout(): string;
}

/** Starts the command as a process of its own, without a terminal, with nothing of the tester's environment that it reads. */
export function startCommand(
  args: readonly string[],
  environment: Record<string, string> = {},
  { script = 'scripts/migrate.ts', cwd = root }: { script?: string; cwd?: string } = {},
): Running {
  const { PATH = '', HOME = '' } = process.env;
  const child = spawn(process.execPath, [path.join(root, script), ...args], {
    cwd,
    env: {
      PATH,
      HOME,
      ...cheapStarts,
      ...(cwd === root && { IMAGO_ENV_FILE: '/dev/null' }),
      ...environment,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  const waiting: { text: string; resolve: () => void }[] = [];
  child.stdout.on('data', (chunk: Buffer) => {
    stdout += chunk;
  });
  child.stderr.on('data', (chunk: Buffer) => {
    stderr += chunk;
    for (const { text, resolve } of waiting) if (stderr.includes(text)) resolve();
  });
  const finished = new Promise<Finished>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, stdout, stderr, json: () => JSON.parse(stdout) }));
  });
  const says = async (text: string): Promise<void> => {
    const said = new Promise<void>((resolve) => {
      waiting.push({ text, resolve });
      if (stderr.includes(text)) resolve();
    });
    const ended = finished.then(() => {
      if (!stderr.includes(text)) throw new Error(`it ended without saying "${text}":\n${stderr}${stdout}`);
    });
    await Promise.race([said, ended]);
  };
  return { child, finished, says, stdout: () => stdout };
}

/** Starts the command on a terminal of so many columns; what it writes there is stdout. */
export function startOnTerminal(
  args: readonly string[],
  environment: Record<string, string>,
  columns: number,
): { written: () => string; finished: Promise<{ code: number | null; written: string }> } {
  const { PATH = '', HOME = '' } = process.env;
  const line = [process.execPath, path.join(root, 'scripts/migrate.ts'), ...args]
    .map((word) => `'${word}'`)
    .join(' ');
  const child = spawn('script', ['-qefc', `stty cols ${columns} rows 24; exec ${line}`, '/dev/null'], {
    cwd: root,
    env: { PATH, HOME, ...cheapStarts, TERM: 'xterm', SUPABASE_URL: '', ...environment },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  let written = '';
  child.stdout.on('data', (chunk: Buffer) => {
    written += chunk;
  });
  const finished = new Promise<{ code: number | null; written: string }>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, written }));
  });
  return { written: () => written, finished };
}

/** Runs a script of ours on a terminal, and types this answer when it asks. */
export async function answerOnTerminal(
  words: readonly string[],
  environment: Record<string, string>,
  answer: string,
): Promise<{ code: number | null; said: string }> {
  const line = [process.execPath, ...words].map((word) => `'${word}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    cwd: root,
    env: { PATH: process.env.PATH, ...cheapStarts, ...environment },
  });
  let said = '';
  let answered = false;
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  child.stdout.on('data', (chunk: Buffer) => {
    said += chunk;
    if (answered || !said.includes('[y/N]')) return;
    answered = true;
    child.stdin.write(`${answer}\n`);
  });
  return { code: await ended, said };
}

/** Runs the command to its end. */
export async function runCommand(...args: Parameters<typeof startCommand>): Promise<Finished> {
  return await startCommand(...args).finished;
}
