/** `imago doctor --probe`: tries Imago on a project, in schemas that it makes and drops, and says how it went. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { Sql } from 'postgres';
import { z } from 'zod';
import { connect, request } from '../../client.ts';
import { ask, expectSomebody } from '../../command/ask.ts';
import { type Environment, readEnvironment } from '../../command/environment.ts';
import { programName } from '../../command/invocation.ts';
import { type Reached, reach, sayTarget } from '../../command/reach.ts';
import { fail } from '../../command/refuse.ts';
import { type Desk, runShell } from '../../command/shell.ts';
import { writeLine, writeText } from '../../command/streams.ts';
import { chooseTarget, type EmbeddedTarget, type ProjectTarget } from '../../command/target.ts';
import type { Terminal } from '../../command/terminal.ts';
import { UsageError } from '../../command/usage.ts';
import { openDatabase } from '../../connection/open.ts';
import { packageFolder } from '../../package.ts';
import { type Options, parseOptions } from '../options.ts';
import { removeJob, tryCron, tryRights, tryTimeouts, tryVersions, tryWrites } from './database.ts';
import { tryEngine } from './engine.ts';
import { type Attempt, attempt, Failed, type Part } from './part.ts';
import { blockOf, withoutSecrets } from './report.ts';
import { countScratch, findLeftovers, makeScratch, removeScratch, scratchName } from './scratch.ts';
import { tryApi, tryConnection, tryFunctions } from './ways.ts';

interface Read {
  options: Options;
  environment: Environment;
  target: ProjectTarget | EmbeddedTarget;
}

/** What was tried; or why nothing was. */
type Ending = { parts: Part[]; interrupted: boolean } | { error: unknown } | 'declined';

/** Runs the probe with these arguments (without node and script) and gives its exit code. */
export async function runProbe(argv: readonly string[]): Promise<number> {
  return await runShell<Read, Ending>(argv, {
    command: 'doctor',
    read: () => {
      const options = parseOptions(argv, programName('doctor'));
      const environment = readEnvironment();
      const target = chooseTarget(environment, {});
      if (target.kind === 'project') {
        if (target.databaseUrl === undefined) {
          throw new UsageError(
            '--probe makes a schema of its own in the database, and DATABASE_URL is not set.',
            'Set it to the connection string that the dashboard shows under Connect (direct, or session pooler on port 5432).',
          );
        }
        if (!options.yes) expectSomebody('--probe makes and drops schemas of its own in a project');
      }
      return { options, environment, target };
    },
    level: ({ environment }) => environment.MIGRATION_LOG_LEVEL,
    stopping: () => ({
      first: 'Stopping after what is being tried; then what was made is removed.',
      second: 'Left at once. What was made is removed by the next --probe, from an hour on.',
    }),
    act: async ({ options, environment, target }, desk) => {
      const { terminal, signal } = desk;
      sayTarget(terminal, target);
      const name = scratchName();
      const question = `Make the schemas ${name} and ${name}_app there, try Imago in them, and drop them?`;
      if (target.kind === 'project' && !options.yes && !(await ask(question, terminal, signal))) {
        return 'declined';
      }
      const reached = await reach(target, terminal);
      desk.atEnd(() => reached.release());
      const parts = await new Probe(reached, name, environment, options.wait, desk).run();
      return { parts, interrupted: signal.aborted };
    },
    failed: (_, error) => ({ error }),
    report: ({ options, environment }, ending, terminal) => say(ending, options, environment, terminal),
  });
}

/** One probe. */
class Probe {
  readonly #url: string;
  readonly #api: { url: string; secretKey: string; publishableKey: string | undefined };
  readonly #name: string;
  readonly #wait: boolean;
  readonly #terminal: Terminal;
  readonly #signal: AbortSignal;
  readonly #parts: Part[] = [];

  constructor(reached: Reached, name: string, environment: Environment, wait: boolean, desk: Desk) {
    this.#url = reached.databaseUrl ?? '';
    const { SUPABASE_PUBLISHABLE_KEY: publishable, SUPABASE_ANON_KEY: anon } = environment;
    this.#api = { url: reached.url, secretKey: reached.secretKey, publishableKey: publishable ?? anon };
    this.#name = name;
    this.#wait = wait;
    this.#terminal = desk.terminal;
    this.#signal = desk.signal;
  }

  /** Tries everything, and removes what it has made whatever becomes of it. */
  async run(): Promise<Part[]> {
    await this.#try('connection', () => tryConnection(this.#url));
    // Who is at the other end is not known: nothing is said there.
    if (this.#failed('connection')) return this.#parts;
    const sql = this.#open();
    try {
      await this.#tryAll(sql);
    } finally {
      await sql.end({ timeout: 0 });
      await this.#remove();
    }
    return this.#parts;
  }

  async #tryAll(sql: Sql): Promise<void> {
    const name = this.#name;
    await this.#try('versions', () => tryVersions(sql, packageVersion()));
    await this.#try('rights', () => tryRights(sql));
    await this.#try('writes', () => tryWrites(sql));
    await this.#try('timeouts', () => tryTimeouts(sql));
    await this.#try('Data API', () => tryApi(this.#api));
    await this.#try('engine', async () => {
      if (this.#failed('writes')) throw new Failed('the database takes no writes');
      await makeScratch(sql, name);
      return await tryEngine({
        sql,
        open: () => this.#open(),
        name,
        batchByApi: this.#failed('Data API') ? undefined : () => this.#batchByApi(),
        signal: this.#signal,
        onStep: (step) => this.#terminal.info(`Trying the engine: ${step} …`),
      });
    });
    const plan = this.#failed('engine') ? 'avatars' : name;
    await this.#try('functions', () => tryFunctions(this.#api, plan));
    await this.#try('cron', () => tryCron({ sql, name, wait: this.#wait, signal: this.#signal }));
  }

  async #batchByApi(): Promise<void> {
    const args = { plan: this.#name, max_ms: 1, batch_size: 10 };
    await request(connect(this.#api.url, this.#api.secretKey), 'migrate_batch', args);
  }

  /** In a session of its own: the other one may be what has died. */
  async #remove(): Promise<void> {
    const work: Attempt = async () => {
      const sql = this.#open();
      try {
        const leftovers = await findLeftovers(sql);
        for (const name of [this.#name, ...leftovers]) {
          await removeJob(sql, name);
          // A database that takes no writes would refuse to drop even what is not there.
          if ((await countScratch(sql, name)) === 0) continue;
          await removeScratch(sql, name);
          const left = await countScratch(sql, name);
          if (left > 0) throw new Failed(`${left} things are left of ${name}; the next --probe tries again`);
        }
        return leftovers.length === 0
          ? 'nothing is left'
          : `nothing is left, of ${leftovers.length} earlier ones neither`;
      } finally {
        await sql.end({ timeout: 0 });
      }
    };
    this.#terminal.info('Removing what was made …');
    this.#parts.push(await attempt('removal', work));
  }

  async #try(name: string, work: Attempt): Promise<void> {
    if (this.#signal.aborted) return;
    this.#terminal.info(`Trying ${name} …`);
    const part = await attempt(name, work);
    // What an interrupt has ended says nothing.
    if (!this.#signal.aborted) this.#parts.push(part);
  }

  #failed(name: string): boolean {
    return this.#parts.some((part) => part.name === name && part.status === 'failed');
  }

  /** Known by its name, so that nobody is left at work when it ends. */
  #open(): Sql {
    return openDatabase(this.#url, {
      settings: { application_name: this.#name, lock_timeout: '10s', statement_timeout: '60s' },
      warn: (line) => this.#terminal.warn(line),
    });
  }
}

function packageVersion(): string {
  const text = readFileSync(path.join(packageFolder, 'package.json'), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}

function say(ending: Ending, { json }: Options, environment: Environment, terminal: Terminal): number {
  if (ending === 'declined') {
    terminal.info('Nothing was made.');
    return 3;
  }
  if ('error' in ending) return fail(ending.error, terminal, json);
  const { parts, interrupted } = ending;
  const failed = parts.filter(({ status }) => status === 'failed').map(({ name }) => name);
  const exitCode = interrupted ? 130 : failed.length > 0 ? 3 : 0;
  const message = interrupted
    ? 'Interrupted.'
    : failed.length > 0
      ? `Not as it should be: ${failed.join(', ')}.`
      : 'All that applies here works.';
  const status = interrupted ? 'interrupted' : failed.length > 0 ? 'findings' : 'sound';
  const object = { type: 'result', status, exit_code: exitCode, message, parts };
  if (json) writeLine(JSON.parse(withoutSecrets(JSON.stringify(object), environment)));
  else writeText(...blockOf(parts).map((line) => withoutSecrets(line, environment)));
  terminal.info(message);
  if (!json && !interrupted)
    terminal.info('The block above has no keys, addresses or rows in it: paste it into an issue.');
  return exitCode;
}
