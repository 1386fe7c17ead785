/**
 * `npm run bench -- foreground`: what the app's own statements take while a migration runs beside them, against what they
 * take alone. Latency counts from the moment at which each transaction was due, so that waiting in line counts, too.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { whole } from '../../scripts/command/figures.ts';
import { connect } from '../../scripts/embedded/cluster.ts';
import { describeMachine } from '../machine.ts';
import { type Method, methodOf } from '../methods.ts';
import { startRunner } from '../runners.ts';
import {
  copyTemplate,
  createTemplate,
  dropDatabase,
  type Server,
  startServer,
  type Template,
} from '../server.ts';
import { findPgbench, runApp } from './app.ts';
import { type ForegroundOptions, parseForeground, type Writers } from './options.ts';
import { type Pooler, startPooler } from './pooler.ts';
import { type Line, middle, toText } from './report.ts';

/** Measures all lines, and prints their table. Exit code 2 without pgbench. */
export async function foreground(argv: readonly string[]): Promise<number> {
  const options = parseForeground(argv);
  const pgbench = await findPgbench();
  if (pgbench === undefined) {
    console.error('pgbench is missing: it drives the app. On Debian: apt-get install postgresql-contrib');
    return 2;
  }
  const server = await startServer();
  const pooler = options.only.includes('p')
    ? await startPooler(server.cluster.url('postgres', 'postgres'))
    : undefined;
  if (options.only.includes('p') && !pooler)
    console.error('Without line p: pgbouncer is missing. On Debian: apt-get install pgbouncer');
  try {
    const machine = await describeMachine(server.admin);
    console.error(`${whole(options.users)} users: loading`);
    const template = await createTemplate(server, options.users);
    const lines: Line[] = [];
    for (const writers of options.writers) {
      const measured = (title: string, method?: Method) =>
        measure({ server, template, options, pgbench, pooler }, writers, title, method);
      lines.push(await measured('alone'));
      for (const key of options.only.filter((wanted) => wanted !== 'p' || pooler)) {
        const method = methodOf(key);
        lines.push(await measured(method.title, method));
      }
      // What the machine does besides changes from minute to minute: alone is measured before and after.
      lines.push(await measured('alone'));
    }
    const results = middle(lines);
    process.stdout.write(
      options.json
        ? `${JSON.stringify({ machine, ...options, lines: results })}\n`
        : `${toText(results, options)}\n`,
    );
    return 0;
  } finally {
    await pooler?.end();
    await server.remove();
  }
}

/** What all lines have in common. */
interface Stand {
  server: Server;
  template: Template;
  options: ForegroundOptions;
  pgbench: string;
  pooler: Pooler | undefined;
}

/** The app's sessions are warm before the work begins, and have seen some of it before they are measured. */
const aloneSeconds = 2;
const besideSeconds = 4;

async function measure(
  { server, template, options, pgbench, pooler }: Stand,
  writers: Writers,
  title: string,
  method?: Method,
): Promise<Line> {
  const { rate, seconds, users } = options;
  console.error(`${writers} writers, ${title}`);
  const database = await copyTemplate(server, template, method?.isImago ?? false, method?.indexedFirst);
  const runner = method && (await startRunner(server, method, database, users, pooler?.url));
  try {
    await server.admin.unsafe('checkpoint');
    let stopped = false;
    let failed = false;
    const app = runApp({
      ...{ pgbench, users, writers, rate, seconds },
      url: server.cluster.url('postgres', database),
      warmUpSeconds: aloneSeconds + besideSeconds,
    });
    await delay(aloneSeconds * 1000);
    const working = runner && work();
    const latencies = await app;
    stopped = true;
    const sql = connect(server.cluster, 'postgres', database);
    const [row] = await sql<
      { moved: number }[]
    >`select count(active_avatar_id)::integer as moved from public.users`.finally(() => sql.end());
    await Promise.race([working, delay(10)]);
    return {
      ...{ title, method: method?.key, writers, latencies, failed },
      moved: method ? (row?.moved ?? 0) : undefined,
    };

    async function work(): Promise<void> {
      while (!stopped && !(await runner?.turn().catch(fail))?.ended);
    }

    /** At the end of the time it is ended in the middle of whatever it does; before, an error of the server ended it. */
    function fail(): { ended: true } {
      failed ||= !stopped;
      return { ended: true };
    }
  } finally {
    await runner?.end();
    await dropDatabase(server, database);
  }
}
