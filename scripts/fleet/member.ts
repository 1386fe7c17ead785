/** A member that is reached: its functions are called over its database URL, or through the API of its project. */
import type { Sql } from 'postgres';
import { z } from 'zod';
import { answers } from '../../functions/_shared/answers.ts';
import { engineAnswer } from '../../functions/_shared/engine.ts';
import { CallError } from '../call-error.ts';
import {
  type Answer,
  type Arguments,
  call,
  connect,
  type FunctionName,
  notUnderstood,
  request,
} from '../client.ts';
import { readVariables, text } from '../command/environment.ts';
import { keyKind } from '../command/keys.ts';
import { UsageError } from '../command/usage.ts';
import { checkedDatabaseUrl, readDatabaseUrl } from '../connection/address.ts';
import { openDatabase } from '../connection/open.ts';
import { transactionPort } from './environment.ts';
import { readSecret, secretPlace } from './secrets.ts';

/** A member as SQL hands it out: without its secret. */
export const memberSchema = secretPlace.extend({
  name: z.string(),
  kind: z.enum(['database', 'project']),
  url: z.string().nullish(),
});

export type Member = z.output<typeof memberSchema>;

export interface ReachedMember {
  /** Host, port and database, without login; none of a project. */
  address: string | undefined;
  /** With its secret: for what has to run over a connection, and never to be told. */
  databaseUrl: string | undefined;
  /** The version of the engine; undefined where there is none. */
  engine(): Promise<number | undefined>;
  call<Name extends FunctionName>(name: Name, args: Arguments<Name>): Promise<Answer<Name>>;
  /** The connection itself; none of a project. */
  sql: Sql | undefined;
  close(): Promise<void>;
}

/** Reads the secret of a member and prepares to call it; connects with the first call. */
export async function reachMember(
  member: Member,
  control: Sql,
  warn: (line: string) => void,
): Promise<ReachedMember> {
  const secret = await readSecret(member, control);
  if (member.kind === 'project') return project(member.url ?? '', secret);
  return database(secret, warn);
}

function project(url: string, key: string): ReachedMember {
  const kind = keyKind(key);
  if (kind !== 'secret' && kind !== 'unknown') {
    throw new UsageError(
      `What lies there is no secret key, but one of the kind ${kind}.`,
      'Put the secret key of the project (sb_secret_…) there: dashboard, Project Settings, API Keys.',
    );
  }
  const client = connect(url, key);
  return {
    address: undefined,
    databaseUrl: undefined,
    sql: undefined,
    call: (name, args) => call(client, name, args),
    async engine() {
      try {
        return versionOf(await request(client, 'get_engine_version', undefined as never));
      } catch (error) {
        if (error instanceof CallError && /^(PGRST202|42883)$/.test(error.code)) return undefined;
        throw error;
      }
    },
    close: async () => {},
  };
}

function database(secret: string, warn: (line: string) => void): ReachedMember {
  const { PGSSLROOTCERT: roots } = readVariables(z.object({ PGSSLROOTCERT: text }), process.env, '.env');
  const reading = { name: 'The database URL', roots };
  const databaseUrl = checkedDatabaseUrl(secret, reading);
  const { host, port, database: name } = readDatabaseUrl(databaseUrl, reading);
  if (port === transactionPort) {
    throw new UsageError(
      `The database URL leads to a pooler of transactions (port ${transactionPort}), where no session stays.`,
      'Put the URL of the direct connection or of the session pooler (port 5432) there.',
    );
  }
  const sql = openDatabase(databaseUrl, {
    settings: { application_name: 'imago fleet' },
    warn,
    hasArrays: false,
  });
  const ask = async (statement: string, values: readonly unknown[] = []): Promise<unknown> => {
    try {
      const [row] = await inTime(
        sql.unsafe<{ answer: unknown }[]>(statement, values as never[], { prepare: true }),
      );
      return row?.answer;
    } catch (error) {
      throw explain(error);
    }
  };
  return {
    address: `${host}:${port}/${name}`,
    databaseUrl,
    sql,
    async call(name, args) {
      const given = Object.entries(args ?? {}).filter(([, value]) => value !== undefined);
      const list = given.map(([key], i) => `${key} => $${i + 1}`).join(', ');
      const answer = await ask(
        `select public.${name}(${list}) as answer`,
        given.map(([, value]) => value),
      );
      const parsed = answers[name].safeParse(answer);
      if (!parsed.success) throw notUnderstood(name, parsed.error);
      return parsed.data as Answer<typeof name>;
    },
    async engine() {
      try {
        return versionOf(await ask('select public.get_engine_version() as answer'));
      } catch (error) {
        if (error instanceof CallError && error.code === '42883') return undefined;
        throw error;
      }
    },
    close: async () => await sql.end({ timeout: 1 }),
  };
}

function versionOf(answer: unknown): number {
  const parsed = engineAnswer.safeParse(answer);
  if (!parsed.success) throw notUnderstood('get_engine_version', parsed.error);
  return parsed.data.version;
}

/** The server ends a statement of ours long before: what takes this long is a connection that died without telling. */
const longestCallMs = 150_000;

async function inTime<Result>(asked: Promise<Result>): Promise<Result> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(
    () =>
      reject(
        new CallError({ code: 'TIMEOUT', message: `It did not answer within ${longestCallMs / 1000} s.` }),
      ),
    longestCallMs,
  );
  try {
    return await Promise.race([asked, late]);
  } finally {
    clearTimeout(timer);
  }
}

const sqlState = /^[0-9A-Z]{5}$/;

/** Without the words of the server, which may quote rows; ours may be told. */
function explain(error: unknown): Error {
  if (error instanceof CallError || error instanceof UsageError) return error;
  const { code = 'NETWORK', message, hint } = error as { code?: string; message: string; hint?: string };
  if (/^IM\d{3}$/.test(code)) return new CallError({ code, message, hint });
  if (/^28/.test(code)) {
    return new CallError({
      code,
      message: 'The database refuses the login.',
      hint: 'Correct user and password where its database URL lies.',
    });
  }
  if (code === '3D000') {
    return new CallError({
      code,
      message: 'There is no such database on the server.',
      hint: 'Correct the name where its database URL lies.',
    });
  }
  if (code === '42883') {
    return new CallError({
      code,
      message: 'The functions of Imago are not installed in it, or of another version.',
      hint: 'Push the migrations: imago fleet push',
    });
  }
  if (sqlState.test(code)) {
    return new CallError({ code, message: `The database refused the call with SQLSTATE ${code}.` });
  }
  return new CallError({
    code: 'NETWORK',
    message: `The database cannot be reached, or the connection was lost (${code}).`,
    hint: 'Check that it runs, and the host and port of its database URL.',
  });
}
