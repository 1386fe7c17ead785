/** What does the work of a line, turn by turn: a worker process, or the command. */
import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { z } from 'zod';
import { connect } from '../scripts/client.ts';
import { endChild, nextMessage, nextNews, project, startNode } from './children.ts';
import type { Method } from './methods.ts';
import type { Server } from './server.ts';
import { type Order, type State, stateSchema } from './work.ts';

export interface Runner {
  /** Works for a turn and stands still after it. */
  turn(): Promise<State>;
  /** Ends its processes, whatever they are at. */
  end(): Promise<void>;
}

/** Starts what does the work of a method on a database, by way of a pooler if it is told one; nothing of it is done yet. */
export async function startRunner(
  server: Server,
  method: Method,
  database: string,
  users: number,
  pooled?: (databaseUrl: string) => string,
): Promise<Runner> {
  if (method.key === 'e') return await startCommand(server, database, users, method.turnMs);
  const api = method.overHttp ? await startApi(server, database) : undefined;
  const { connections, turnMs } = method;
  const url = server.cluster.url('postgres', database);
  const databaseUrl = method.overPooler && pooled ? pooled(url) : url;
  return await startWorker(
    {
      ...{
        method: method.key,
        users,
        connections,
        databaseUrl,
        prepare: !method.overPooler,
        ...(turnMs && { turnMs }),
      },
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
      if (api) await endChild(api.child);
    },
  };
}

/** The command as somebody types it, from start to exit code; between its turns its calls wait. */
async function startCommand(
  server: Server,
  database: string,
  users: number,
  turnMs = Number.POSITIVE_INFINITY,
): Promise<Runner> {
  const api = await startApi(server, database);
  // Where no .env of the project can name another target.
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-bench-'));
  const memory = path.join(folder, 'memory');
  const preload = ['--import', path.join(project, 'bench/turns.ts')];
  const args = [...preload, 'scripts/migrate.ts', '--yes', '--json', '--workers', '1'];
  const env = {
    SUPABASE_URL: api.url,
    SUPABASE_SECRET_KEY: api.secretKey,
    BENCH_MEMORY_FILE: memory,
    BENCH_TURN_MS: String(turnMs),
    MIGRATION_LOG_LEVEL: 'warn',
  };
  let child: ChildProcess | undefined;
  return {
    async turn() {
      if (child) child.send({});
      else child = startNode(args, { cwd: folder, env, talks: true });
      const news = await nextNews(child);
      if ('message' in news) return stateSchema.parse(news.message);
      if (news.exitCode !== 0) throw new Error(`the command ended with exit code ${news.exitCode}`);
      return { moved: users, ended: true, clientBytes: Number(await readFile(memory, 'utf8')) };
    },
    async end() {
      if (child) await endChild(child);
      await endChild(api.child);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Api {
  url: string;
  secretKey: string;
  child: ChildProcess;
}

export async function startApi({ cluster }: Server, database: string): Promise<Api> {
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
  };
  const child = startNode(['bench/api.ts'], { env: { BENCH_API: JSON.stringify(settings) }, talks: true });
  const { url } = z.object({ url: z.string() }).parse(await nextMessage(child));
  // A project's Data API runs all the time: its first request of all, which reads the schema, is not what is measured.
  const first = await connect(url, secretKey).rpc('get_engine_version');
  if (first.error) throw new Error(`the Data API does not work: ${first.error.message}`);
  return { url, secretKey, child };
}
