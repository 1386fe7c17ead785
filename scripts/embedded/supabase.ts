import { fork } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { indented } from '../command/printable.ts';
import { moduleFile } from '../package.ts';
import { takeFolder } from './folder.ts';
import {
  defaultFolder,
  type Endpoints,
  type Hello,
  type Outcome,
  outcomeSchema,
  readState,
  replySchema,
} from './state.ts';

/** What a command wants of the embedded Supabase. */
export interface EmbeddedOptions {
  /** Users of the sample app. Without it whatever is there is taken, and an empty database gets 20,000. */
  sample?: number | undefined;
  /** The file of SQL that makes another app instead; it reads the setting sample.users. */
  app?: string | undefined;
  /** The project whose migrations make another app instead; without isAsked only where there is none yet. */
  project?: { folder: string; isAsked: boolean } | undefined;
  /** Starts over with a new database. */
  reset?: boolean;
  /** Only keeps it running, and lets others reset it. */
  keeper?: boolean;
  /** Where it keeps its data. */
  folder?: string;
  /** Hears what is being done, a sentence a step. */
  onStep?: (text: string) => void;
}

/** A running embedded Supabase, held. */
export interface EmbeddedSupabase extends Endpoints {
  /** Whether another command had it running already. */
  shared: boolean;
  /** Resolves when it ends, by release() or because somebody ended it. */
  ended: Promise<void>;
  /** Lets go of it. The last command to do so stops it, and waits until it has stopped. */
  release(): Promise<void>;
}

/** Long enough for somebody else's reset of a large database, and short enough to end some day. */
const START_TIMEOUT_MS = 180_000;
const HANDSHAKE_TIMEOUT_MS = 5_000;
const RETRY_MS = 50;

/** Starts the embedded Supabase, or joins the one that is running, and prepares its database. */
export async function ensureEmbedded(options: EmbeddedOptions = {}): Promise<EmbeddedSupabase> {
  const folder = path.resolve(options.folder ?? defaultFolder);
  await takeFolder(folder);

  const deadline = Date.now() + START_TIMEOUT_MS;
  let started: Starter | undefined;
  try {
    for (;;) {
      const held = await join(folder, options, started !== undefined);
      if (held) return held;
      if (started?.alive()) {
        throw new Error(`The embedded Supabase does not answer. Its log: ${logFile(folder)}`);
      }
      if (Date.now() > deadline) {
        throw new Error(`The embedded Supabase did not start in time. Its log: ${logFile(folder)}`);
      }
      options.onStep?.('Starting PostgreSQL');
      started = await startServer(folder, options.reset ?? false);
      // Another command is starting it, or it is about to stop: look again soon.
      if (!started) await delay(RETRY_MS);
    }
  } finally {
    started?.letGo();
  }
}

interface Starter {
  alive(): boolean;
  letGo(): void;
}

/** Starts the server process; undefined when another one has the folder. */
async function startServer(folder: string, reset: boolean): Promise<Starter | undefined> {
  const log = openSync(logFile(folder), 'a', 0o600);
  const child = fork(moduleFile(import.meta.url, './server'), [folder, ...(reset ? ['--reset'] : [])], {
    // A session of its own: Ctrl-C is for the command, which then lets go.
    detached: true,
    // node:sqlite, of which it needs the file lock, is announced as experimental.
    execArgv: ['--disable-warning=ExperimentalWarning'],
    stdio: ['ignore', log, log, 'ipc'],
  });
  closeSync(log);
  const outcome = await new Promise<Outcome>((resolve) => {
    child.once('message', (message) => resolve(outcomeSchema.parse(message)));
    child.once('error', (error) => resolve({ type: 'failed', message: error.message }));
    child.once('exit', async (code, signal) => {
      const tail = (await readFile(logFile(folder), 'utf8')).trim().split('\n').slice(-5).join('\n');
      const ended = `its process ended (${signal ?? `exit code ${code}`}). The end of ${logFile(folder)}:`;
      resolve({ type: 'failed', message: `${ended}\n${tail}` });
    });
  });
  if (outcome.type === 'busy') return undefined;
  if (outcome.type === 'failed') {
    throw new Error(indented(`The embedded Supabase did not start: ${outcome.message}`));
  }
  return {
    alive: () => child.exitCode === null && child.signalCode === null,
    letGo() {
      if (child.connected) child.disconnect();
      child.unref();
    },
  };
}

/** Connects to the server that state.json names and waits for the database; undefined when no server answers. */
async function join(
  folder: string,
  options: EmbeddedOptions,
  ours: boolean,
): Promise<EmbeddedSupabase | undefined> {
  const state = readState(folder);
  if (!state) return undefined;
  const socket = connect(state.control.port, '127.0.0.1');
  // Whatever goes wrong with it ends in `close`.
  socket.on('error', () => {});
  const ended = new Promise<void>((resolve) => socket.once('close', () => resolve()));
  const hello: Hello = {
    token: state.control.token,
    kind: options.keeper ? 'keeper' : 'command',
    sample: options.sample ?? null,
    app: options.app === undefined ? null : path.resolve(options.app),
    project: options.project ? { ...options.project, folder: path.resolve(options.project.folder) } : null,
    // A server of our own has started over already.
    reset: options.reset === true && !ours,
  };
  socket.write(`${JSON.stringify(hello)}\n`);

  const endpoints = await converse(socket, options.onStep);
  if (!endpoints) return undefined;
  return {
    ...endpoints,
    shared: !ours,
    ended,
    async release() {
      socket.end();
      await ended;
    },
  };
}

/** Reads the server's replies up to `ready`; undefined when what has the port is not, or no longer, the server. */
async function converse(
  socket: Socket,
  onStep: ((text: string) => void) | undefined,
): Promise<Endpoints | undefined> {
  return await new Promise((resolve, reject) => {
    let welcome = false;
    const timer = setTimeout(() => socket.destroy(), HANDSHAKE_TIMEOUT_MS);
    const lines = createInterface({ input: socket });
    lines.on('error', () => {});
    socket.once('close', () => {
      clearTimeout(timer);
      if (welcome) reject(new Error('The embedded Supabase was stopped while it prepared the database'));
      else resolve(undefined);
    });
    lines.on('line', (line) => {
      const reply = replySchema.safeParse(parse(line));
      if (!reply.success) {
        socket.destroy();
        return;
      }
      switch (reply.data.type) {
        case 'welcome':
          welcome = true;
          clearTimeout(timer);
          break;
        case 'step':
          onStep?.(reply.data.text);
          break;
        case 'ready':
          resolve(reply.data.endpoints);
          break;
        case 'failed':
          reject(new Error(indented(reply.data.message)));
          socket.end();
          break;
      }
    });
  });
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined;
  }
}

function logFile(folder: string): string {
  return path.join(folder, 'server.log');
}
