/** What does the work of a line, turn by turn: a worker process, or the command. */
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { connect } from '../scripts/client.ts';
import { endChild, nextMessage, project, startNode } from './children.ts';
import type { Method } from './methods.ts';
import type { Server } from './server.ts';
import { type Order, type State, stateSchema } from './work.ts';

export interface Runner {
  /** Works for a turn and stands still after it. */
  turn(): Promise<State>;
  /** Ends its processes, whatever they are at. */
  end(): Promise<void>;
}

/** Starts what does the work of a method on a database; nothing of it is done yet. */
export async function startRunner(
  server: Server,
  method: Method,
  database: string,
  users: number,
): Promise<Runner> {
  if (method.key === 'e') return await startCommand(server, database);
  const api = method.overHttp ? await startApi(server, database, false) : undefined;
  const { connections, turnMs } = method;
  const databaseUrl = server.cluster.url('postgres', database);
  return await startWorker(
    {
      ...{ method: method.key, users, connections, databaseUrl, ...(turnMs && { turnMs }) },
      ...(api && { api: { url: api.url, secretKey: api.secretKey } }),
    },
    api,
  );
}

async function startWorker(order: Order, api: Api | undefined): Promise<Runner> {
  const child = startNode(['bench/work.ts', JSON.stringify(order)], { talks: true });
  await nextMessage(child);
  return {
    async turn() {
      const state = nextMessage(child);
      child.send({});
      return stateSchema.parse(await state);
    },
    async end() {
      await endChild(child);
      await api?.end();
    },
  };
}

/** The command as somebody types it, from start to exit code; a turn is a batch and what the command does for it. */
async function startCommand(server: Server, database: string): Promise<Runner> {
  const api = await startApi(server, database, true);
  // Where no .env of the project can name another target.
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-'));
  const memory = path.join(folder, 'memory');
  const preload = ['--import', path.join(project, 'bench/memory.ts')];
  const args = [...preload, 'scripts/migrate.ts', '--yes', '--json', '--workers', '1'];
  let exit: Promise<number | null> | undefined;
  let moved = 0;
  let end = async (): Promise<void> => {};

  function start(): Promise<number | null> {
    const child = startNode(args, {
      cwd: folder,
      env: {
        SUPABASE_URL: api.url,
        SUPABASE_SECRET_KEY: api.secretKey,
        BENCH_MEMORY_FILE: memory,
        MIGRATION_LOG_LEVEL: 'warn',
      },
    });
    end = () => endChild(child);
    return new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', resolve);
    });
  }

  return {
    async turn() {
      const batch = nextMessage(api.child);
      if (exit) api.child.send({});
      else exit = start();
      const first = await Promise.race([batch, exit]);
      if (typeof first === 'object' && first !== null) {
        ({ moved } = batchSchema.parse(first));
        return { moved, ended: false, clientBytes: 0 };
      }
      // The Data API has nothing more to say, and ends only after this.
      batch.catch(() => {});
      if (first !== 0) throw new Error(`the command ended with exit code ${first}`);
      return { moved, ended: true, clientBytes: Number(await readFile(memory, 'utf8')) };
    },
    async end() {
      await end();
      await api.end();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

const batchSchema = z.object({ moved: z.number() });

interface Api {
  url: string;
  secretKey: string;
  child: ReturnType<typeof startNode>;
  end(): Promise<void>;
}

async function startApi({ cluster }: Server, database: string, turns: boolean): Promise<Api> {
  const secretKey = `sb_secret_${randomBytes(16).toString('hex')}`;
  const settings = {
    urls: Object.fromEntries(
      (['postgres', 'supabase_admin', 'authenticator'] as const).map((role) => [
        role,
        cluster.url(role, database),
      ]),
    ),
    keys: {
      publishableKey: 'sb_publishable_bench',
      secretKey,
      jwtSecret: randomBytes(32).toString('hex'),
    },
    turns,
  };
  const child = startNode(['bench/api.ts'], { env: { BENCH_API: JSON.stringify(settings) }, talks: true });
  const { url } = z.object({ url: z.string() }).parse(await nextMessage(child));
  // A project's Data API runs all the time: its first request of all, which reads the schema, is not what is measured.
  const first = await connect(url, secretKey).rpc('get_engine_version');
  if (first.error) throw new Error(`the Data API does not work: ${first.error.message}`);
  return { url, secretKey, child, end: () => endChild(child) };
}
