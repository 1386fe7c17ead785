/** The control database: opened, checked for its version, asked; what goes wrong with it, in words. */
import type { Sql, TransactionSql } from 'postgres';
import { CallError } from '../call-error.ts';
import { backoffMs, pause } from '../command/retry.ts';
import { answerTo, openDatabase } from '../connection/open.ts';

/** The newest version of schema imago_fleet that this code knows. */
export const knownFleet = 3;

/** The schema of pg-boss beside it. */
export const jobsSchema = 'imago_fleet_jobs';

/**
 * A connection to the control database. The server ends what takes longer than any statement of ours. `heard` is called
 * when there is work, once the session has said that it is there (imago_fleet.beat).
 */
export function openControl(url: string, warn: (line: string) => void, heard?: () => void): Sql {
  return openDatabase(url, {
    settings: {
      application_name: 'imago fleet',
      statement_timeout: 60_000,
      lock_timeout: 30_000,
      timezone: 'UTC',
    },
    warn,
    ...(heard && { heard }),
  });
}

/** The version of the schema; undefined where there is none yet. Throws what kept it from being asked. */
export async function fleetVersion(sql: Sql): Promise<number | undefined> {
  try {
    const [row] = await answerTo(sql<{ version: number }[]>`select version from imago_fleet.version`);
    return row?.version;
  } catch (error) {
    if (/^(3F000|42P01)$/.test((error as { code?: string }).code ?? '')) return undefined;
    throw explained(error);
  }
}

/** Refuses a control database that has no fleet, or one of another version. */
export async function expectFleet(sql: Sql): Promise<void> {
  const version = await fleetVersion(sql);
  if (version === knownFleet) return;
  throw new CallError({
    code: 'FLEET',
    message:
      version === undefined
        ? 'The control database has no fleet yet.'
        : `The fleet in the control database is version ${version}, and this command knows version ${knownFleet}. It does nothing to it.`,
    hint:
      version !== undefined && version > knownFleet
        ? 'Upgrade the package imago on this machine.'
        : 'Make it: imago fleet init',
  });
}

/** SQLSTATEs, and the ways in which a connection ends, that a later try may not meet. */
const passing = /^(40...|55P03|57P0.|57014|08...|53300|CONNECT.*|E[A-Z]+|NETWORK|TIMEOUT)$/;

/** Whether the control database may answer the same question a moment later. */
export function isPassing(error: unknown): boolean {
  return passing.test((error as { code?: string }).code ?? '');
}

/** What an error of the control database comes to. Its own words may quote the statement. */
export function explained(error: unknown): Error {
  if (error instanceof CallError || (error as Error).name === 'UsageError') return error as Error;
  const { code, message, hint } = error as { code?: string; message: string; hint?: string };
  if (code === undefined) return error as Error;
  if (/^FL\d{3}$/.test(code)) return new CallError({ code, message, hint });
  if (passing.test(code)) {
    return new CallError({
      code,
      message: `The control database cannot be reached (${code}).`,
      hint: 'Check host and port of FLEET_DATABASE_URL, and that the server runs. What was begun stays; workers go on when it is back.',
    });
  }
  if (/^28/.test(code)) {
    return new CallError({
      code,
      message: `The control database refused the login of FLEET_DATABASE_URL (${code}).`,
      hint: 'Check user and password in it.',
    });
  }
  return new CallError({
    code,
    message: `The control database refused a statement with SQLSTATE ${code}.`,
    hint: 'imago fleet doctor looks for the cause.',
  });
}

/** Asks again for as long as the control database cannot be reached. Throws its last error once the signal comes. */
export async function lasting<Answer>(
  ask: () => PromiseLike<Answer>,
  signal: AbortSignal,
  onLost: (code: string) => void,
): Promise<Answer> {
  for (let failed = 1; ; failed += 1) {
    try {
      return await ask();
    } catch (error) {
      if (!isPassing(error) || signal.aborted) throw explained(error);
      if (failed === 1) onLost((error as { code: string }).code);
      await pause(backoffMs(Math.min(failed, 4)), signal);
    }
  }
}

export type AnySql = Sql | TransactionSql;
