/** A full logical backup with pg_dump, taken before anything changes. */
import { execFile, spawn } from 'node:child_process';
import { statSync } from 'node:fs';
import { promisify } from 'node:util';
import { CallError } from '../call-error.ts';
import { bytes, duration } from '../command/figures.ts';
import { indented } from '../command/printable.ts';
import { expectPlace, writePrivately } from '../command/private-file.ts';
import type { Terminal } from '../command/terminal.ts';
import { UsageError } from '../command/usage.ts';
import { type DatabaseAddress, readDatabaseUrl } from '../connection/address.ts';
import { libpqVariables, undirected, withRootsFile } from '../connection/children.ts';
import { answerTo, openDatabase } from '../connection/open.ts';

const run = promisify(execFile);

export interface DumpRequest {
  file: string;
  databaseUrl: string | undefined;
  /** The project that will be migrated; the dump must be of the same one. */
  projectUrl: string | undefined;
  /** The pg_dump to use instead of the one on PATH. */
  program: string | undefined;
  signal: AbortSignal;
}

/** A dump that could not be taken: nothing was changed, the migration must not start. */
export class DumpError extends Error {
  override readonly name = 'DumpError';
  readonly hint: string | undefined;

  constructor(message: string, hint?: string) {
    super(message);
    this.hint = hint;
  }
}

/** Checks what can be known without a connection. Throws a UsageError. */
export function checkDump(request: Pick<DumpRequest, 'file' | 'databaseUrl' | 'projectUrl'>): void {
  if (request.databaseUrl === undefined) {
    throw new UsageError(
      '--dump needs a connection to the database itself, and DATABASE_URL is not set.',
      'Set it to the connection string that the dashboard shows under Connect (direct, or session pooler on port 5432).',
    );
  }
  const address = addressOf(request.databaseUrl);
  if (address.port === 6543) {
    throw new UsageError(
      'DATABASE_URL goes to the transaction pooler (port 6543), through which pg_dump cannot work.',
      'Use the direct connection or the session pooler (port 5432).',
    );
  }
  const [api, database] = [projectRef(request.projectUrl), databaseRef(address)];
  if (api && database && api !== database) {
    throw new UsageError(
      `DATABASE_URL belongs to project ${database}, SUPABASE_URL to project ${api}: the dump would be of the wrong database.`,
    );
  }
  expectPlace(placeOf(request));
}

/** It holds everything that the database holds. */
const placeOf = ({ file }: Pick<DumpRequest, 'file'>) => ({ option: '--dump', file, replaces: false });

/** Takes the dump. The file appears under its name only when it is complete. */
export async function takeDump(request: DumpRequest, terminal: Terminal): Promise<void> {
  checkDump(request);
  const databaseUrl = request.databaseUrl ?? '';
  const program = request.program ?? 'pg_dump';
  const [own, server] = [await programVersion(program), await serverVersion(databaseUrl, terminal)];
  if (own.major < server) {
    throw new DumpError(
      `${program} is version ${own.text}, the server is PostgreSQL ${server}: pg_dump must not be older than the server.`,
      `Install the client tools of PostgreSQL ${server} and put them on PATH, or name the program in PG_DUMP.`,
    );
  }

  const startedAt = performance.now();
  terminal.info(`Dumping the database to ${request.file} with pg_dump ${own.text} …`);
  // A plain script for *.sql, to be read and run by psql; otherwise the compressed format of pg_restore.
  const format = request.file.endsWith('.sql') ? 'plain' : 'custom';
  let size = 0;
  try {
    await writePrivately(placeOf(request), async (part) => {
      const args = ['--format', format, '--file', part, '--no-password'];
      await pgDump(program, args, addressOf(databaseUrl), request.signal);
      size = statSync(part).size;
    });
  } catch (error) {
    throw explained(error, request.file);
  }
  terminal.info(
    `Dumped ${bytes(size)} in ${duration(performance.now() - startedAt)}. Restore with: ${format === 'plain' ? 'psql -f' : 'pg_restore -d <database>'} ${request.file}`,
  );
}

function explained(error: unknown, file: string): unknown {
  if (error instanceof UsageError) return new DumpError(error.message, error.hint);
  const { code, syscall } = error as NodeJS.ErrnoException;
  // A program that cannot be started is no matter of the file.
  if (syscall === undefined || syscall.startsWith('spawn')) return error;
  return new DumpError(`${file} could not be written (${code}).`, 'Name another file with --dump.');
}

async function programVersion(program: string): Promise<{ major: number; text: string }> {
  let stdout: string;
  try {
    ({ stdout } = await run(program, ['--version']));
  } catch {
    throw new DumpError(
      `No pg_dump was found (${program}).`,
      'Install the PostgreSQL client tools, or name the program in PG_DUMP. Supabase also keeps daily backups of its own.',
    );
  }
  const text = /(\d+)[.\d]*/.exec(stdout);
  if (!text) throw new DumpError(`${program} does not look like pg_dump: it tells no version.`);
  return { major: Number(text[1]), text: text[0] };
}

async function serverVersion(databaseUrl: string, terminal: Terminal): Promise<number> {
  const sql = openDatabase(databaseUrl, { warn: (line) => terminal.warn(line) });
  try {
    const [row] = await answerTo(
      sql<{ version: number }[]>`select current_setting('server_version_num')::int as version`,
    );
    return Math.floor((row?.version ?? 0) / 10_000);
  } catch (error) {
    if (error instanceof CallError) throw new DumpError(error.message, error.hint);
    const { code, errno } = error as { code?: string; errno?: string };
    throw new DumpError(
      `The database of DATABASE_URL cannot be reached (${code ?? errno ?? 'no reason given'}).`,
      'Check host, port and password.',
    );
  } finally {
    await sql.end({ timeout: 1 });
  }
}

async function pgDump(
  program: string,
  args: string[],
  address: DatabaseAddress,
  signal: AbortSignal,
): Promise<void> {
  await withRootsFile(address, async (roots) => {
    const env = { ...undirected(process.env), ...libpqVariables(address, roots) };
    await ended(program, args, env, signal);
  });
}

async function ended(
  program: string,
  args: string[],
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<void> {
  const child = spawn(program, args, {
    env,
    stdio: ['ignore', 'ignore', 'pipe'],
    signal,
  });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => {
    said = (said + chunk.toString()).slice(-2000);
  });
  await new Promise<void>((resolve, reject) => {
    child.once('error', (error) =>
      reject(signal.aborted ? new DumpError('The dump was interrupted.') : error),
    );
    child.once('close', (code) =>
      code === 0
        ? resolve()
        : reject(new DumpError(`pg_dump failed (exit code ${code}).`, indented(said) || undefined)),
    );
  });
}

function projectRef(url: string | undefined): string | undefined {
  return url && /^([a-z0-9]{20})\.supabase\.(co|in)$/.exec(URL.parse(url)?.hostname ?? '')?.[1];
}

function databaseRef({ host, user }: DatabaseAddress): string | undefined {
  return (
    /^db\.([a-z0-9]{20})\.supabase\.(co|in)$/.exec(host)?.[1] ?? /^postgres\.([a-z0-9]{20})$/.exec(user)?.[1]
  );
}

function addressOf(databaseUrl: string): DatabaseAddress {
  return readDatabaseUrl(databaseUrl, { name: 'DATABASE_URL' });
}
