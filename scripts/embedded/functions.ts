import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { once } from 'node:events';
import { realpath } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { z } from 'zod';
import { moduleFile, moduleFolders } from '../package.ts';
import { alive, endProcess } from './processes.ts';
import { projectFolder } from './push.ts';

/** What the functions are told of the project's keys: by name, and the public half of what Auth signs with. */
export interface FunctionKeys {
  publishable: Record<string, string>;
  secret: Record<string, string>;
  jwks: { keys: object[] };
}

/** What serveFunctions needs to know. */
export interface FunctionsOptions {
  /** SUPABASE_URL: where the functions find the Data API. It is all of the network that they may reach. */
  apiUrl: string;
  keys: FunctionKeys;
  /** The folder with one folder a function, instead of the project's. */
  folder?: string;
  /** More environment variables. */
  env?: Record<string, string>;
}

/** Edge functions, served by a Deno process of their own. */
export interface Functions {
  /** Where Deno itself answers: a function is at `${url}/NAME`. */
  url: string;
  pid: number;
  /** Passes a request for /functions/v1/NAME on; request and response are streamed. */
  answer(request: Request): Promise<Response>;
  /** The same, undefined where the connection broke before there was an answer. */
  tryToAnswer(request: Request): Promise<Response | undefined>;
  /** Resolves when Deno has ended, no matter who ended it. */
  gone: Promise<void>;
  close(): Promise<void>;
}

/** Starts Deno on the functions of a folder, with the environment that hosted Supabase gives them and no other rights. */
export async function serveFunctions(options: FunctionsOptions): Promise<Functions> {
  const folder = await realpath(options.folder ?? fileURLToPath(new URL('../../functions', import.meta.url)));
  const env = { ...hostedEnvironment(options.apiUrl, options.keys), ...options.env };
  const host = moduleFile(import.meta.url, './functions-host');
  const child = spawn(
    denoBinary(),
    [
      'run',
      ...permissions(options.apiUrl, folder, Object.keys(env)),
      ...FLAGS,
      host,
      pathToFileURL(folder).href,
    ],
    {
      cwd: projectFolder,
      env: { ...denoEnvironment(), ...env },
      // Its stdin is what ties it to us: it ends when that does, also when we are killed.
      stdio: ['pipe', 'pipe', 'inherit'],
      // A session of its own, so that Ctrl-C reaches us and not the functions behind our back.
      detached: true,
    },
  );
  const gone = new Promise<void>((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });
  child.stdin.on('error', () => {});
  const origin = `http://127.0.0.1:${await listeningPort(child, gone)}`;
  const pid = child.pid as number;
  return {
    url: `${origin}/functions/v1`,
    pid,
    gone,
    answer: async (request) => (await pass(request, origin)) ?? lostAnswer(),
    tryToAnswer: async (request) => await pass(request, origin),
    async close() {
      await endProcess(pid, 'SIGTERM');
      await gone;
    },
  };
}

/** For how long the end of a process is waited for whose connection broke, in milliseconds. */
const GONE_MS = 1000;

/** Edge functions that start with the first request, and again with the next one when Deno has ended meanwhile. */
export function functionsOnDemand(options: FunctionsOptions): Pick<Functions, 'answer' | 'close'> {
  let started: Promise<Functions | undefined> | undefined;
  const start = async () => {
    try {
      return await serveFunctions(options);
    } catch (error) {
      console.error(error);
      return undefined;
    }
  };
  const running = async () => {
    const before = started;
    const functions = await before;
    if (functions && alive(functions.pid)) return functions;
    // Of several requests that find it gone, one starts it.
    if (started === before) started = start();
    return await started;
  };
  const answered = async (request: Request): Promise<Response | undefined> => {
    const functions = await running();
    if (!functions) return inPlaceOfAnswer(503, 'BOOT_ERROR', 'Function failed to start (please check logs)');
    const answer = await functions.tryToAnswer(request);
    // Its process is seen to be gone a moment after its connections are.
    if (!answer) await Promise.race([functions.gone, delay(GONE_MS, undefined, { ref: false })]);
    return answer;
  };
  return {
    async answer(request) {
      const answer = await answered(request);
      if (answer) return answer;
      // A Deno that was killed just now may have begun the request: only one that changes nothing goes to its successor.
      return (request.method === 'GET' && (await answered(request))) || lostAnswer();
    },
    async close() {
      await (await started)?.close();
    },
  };
}

/** A request's signal tells that the caller has hung up, and nothing else; packages come from node_modules alone. */
const FLAGS = [
  '--unstable-no-legacy-abort',
  '--no-prompt',
  '--no-remote',
  '--cached-only',
  '--no-lock',
  '--node-modules-dir=manual',
];

/** The variables that hosted Supabase gives every function. */
function hostedEnvironment(apiUrl: string, keys: FunctionKeys): Record<string, string> {
  return {
    SUPABASE_URL: apiUrl,
    SUPABASE_PUBLISHABLE_KEYS: JSON.stringify(keys.publishable),
    SUPABASE_SECRET_KEYS: JSON.stringify(keys.secret),
    SUPABASE_JWKS: JSON.stringify(keys.jwks),
  };
}

/** Files of the functions and their packages, the Data API and an own port, the named variables; no others exist. */
function permissions(apiUrl: string, folder: string, variables: string[]): string[] {
  const api = new URL(apiUrl);
  const apiPort = api.port || (api.protocol === 'https:' ? '443' : '80');
  return [
    `--allow-read=${[folder, ...moduleFolders()].join(',')}`,
    `--allow-net=127.0.0.1:0,${api.hostname}:${apiPort}`,
    `--allow-env=${variables.join(',')}`,
    '--ignore-env',
  ];
}

/** What Deno itself needs of ours, above all to find its cache; the functions cannot read it. */
function denoEnvironment(): Record<string, string> {
  const names = ['HOME', 'DENO_DIR', 'XDG_CACHE_HOME', 'LOCALAPPDATA', 'USERPROFILE', 'SystemRoot', 'TMPDIR'];
  const found = names.flatMap((name) => (process.env[name] ? [[name, process.env[name]]] : []));
  return { ...Object.fromEntries(found), DENO_NO_UPDATE_CHECK: '1', NO_COLOR: '1' };
}

/** The file itself, without the package's script in front of it, which would be a process in between. */
function denoBinary(): string {
  return createRequire(import.meta.url)('deno/install_api.cjs').runInstall();
}

/** The port, which is all that the host's first line says; what follows is what functions print, for the log. */
async function listeningPort(
  child: ChildProcessByStdio<Writable, Readable, null>,
  gone: Promise<void>,
): Promise<number> {
  const lines = createInterface({ input: child.stdout });
  const first = once(lines, 'line').then(
    ([line]) => z.object({ port: z.number() }).parse(JSON.parse(line)).port,
  );
  const port = await Promise.race([first, gone]);
  if (port === undefined) throw new Error('Deno, which serves the edge functions, did not start');
  lines.on('line', (line) => console.error(line));
  return port;
}

/** Headers that belong to one connection, and those that fetch sets by itself. */
const OWN_TO_A_CONNECTION = ['connection', 'expect', 'host', 'keep-alive', 'transfer-encoding', 'upgrade'];

/** Undefined where the connection broke before there was an answer. */
async function pass(request: Request, origin: string): Promise<Response | undefined> {
  const { pathname, search } = new URL(request.url);
  const headers = new Headers(request.headers);
  for (const name of OWN_TO_A_CONNECTION) headers.delete(name);
  // fetch would unpack the answer and leave the headers as they are.
  headers.set('accept-encoding', 'identity');
  try {
    return await fetch(`${origin}${pathname}${search}`, {
      method: request.method,
      headers,
      redirect: 'manual',
      signal: request.signal,
      ...(request.body ? { body: request.body, duplex: 'half' as const } : {}),
    });
  } catch (error) {
    if (request.signal.aborted) throw error;
    console.error(error);
    return undefined;
  }
}

function lostAnswer(): Response {
  return inPlaceOfAnswer(500, 'WORKER_ERROR', 'Function exited due to an error (please check logs)');
}

/** What hosted Supabase answers when a function does not. */
function inPlaceOfAnswer(status: number, code: string, message: string): Response {
  return Response.json({ code, message }, { status });
}
