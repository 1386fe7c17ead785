/** Gets what is installed: through the Data API, or over a database connection where that does not work. */
import { CallError } from '../call-error.ts';
import { connect, notUnderstood, request } from '../client.ts';
import type { Terminal } from '../command/terminal.ts';
import { answerTo, openDatabase } from '../connection/open.ts';
import { lookAtConnection, type SeenConnection } from './connection.ts';
import type { Finding } from './diagnose.ts';
import { type Installation, installationAnswer } from './installation.ts';

export interface Reachable {
  url: string;
  secretKey: string;
  databaseUrl: string | undefined;
}

/** What was seen; without an installation, what kept it from being seen. */
export interface Seen {
  installation: Installation | undefined;
  database: SeenConnection['database'];
  /** What is wrong with the ways to it. */
  findings: Finding[];
}

/** Looks. Throws what has nothing to do with the installation, like a wrong key or no network. */
export async function look(reachable: Reachable, terminal: Terminal): Promise<Seen> {
  const { databaseUrl } = reachable;
  // First, since what is wrong with the way decides on what may be sent along it.
  const way = await lookAtConnection(databaseUrl);
  const usable = way.findings.some(({ severity }) => severity === 'error') ? undefined : databaseUrl;
  const { installation, findings } = await lookThrough(reachable, usable, terminal);
  return { installation, database: way.database, findings: [...way.findings, ...findings] };
}

async function lookThrough(
  { url, secretKey }: Reachable,
  databaseUrl: string | undefined,
  terminal: Terminal,
): Promise<Omit<Seen, 'database'>> {
  try {
    const answer = await request(connect(url, secretKey), 'inspect_installation', undefined as never);
    return { installation: parse(answer), findings: [] };
  } catch (error) {
    // Not there, not for this role, or somebody's schema cache is old: seen from inside it may be told which.
    if (!(error instanceof CallError) || !/^(PGRST20[23]|42883|42501)$/.test(error.code)) throw error;
    if (databaseUrl === undefined) {
      if (error.code === '42501') throw error;
      return { installation: undefined, findings: [notInstalled] };
    }
    const installation = await lookInside(databaseUrl, terminal);
    return { installation, findings: [installation ? notCallable(error) : notInstalled] };
  }
}

async function lookInside(databaseUrl: string, terminal: Terminal): Promise<Installation | undefined> {
  const sql = openDatabase(databaseUrl, { warn: (line) => terminal.warn(line) });
  try {
    const [row] = await answerTo(sql<{ answer: unknown }[]>`select public.inspect_installation() as answer`);
    return parse(row?.answer);
  } catch (error) {
    if (/^(42883|3F000)$/.test((error as { code?: string }).code ?? '')) return undefined;
    throw error;
  } finally {
    await sql.end({ timeout: 1 });
  }
}

function parse(answer: unknown): Installation {
  const parsed = installationAnswer.safeParse(answer);
  if (!parsed.success) throw notUnderstood('inspect_installation', parsed.error);
  return parsed.data;
}

const notInstalled: Finding = {
  severity: 'error',
  code: 'not_installed',
  object: 'public.inspect_installation()',
  message: 'Imago is not installed in this database, or only in part, or in an older version.',
  remedy: 'Add its migrations to your project (npx --no imago install) and push them: npx supabase db push.',
};

function notCallable({ code }: CallError): Finding {
  return {
    severity: 'error',
    code: 'not_callable',
    object: 'public.inspect_installation()',
    message: `The functions are in the database, and the Data API does not call them (${code}).`,
    remedy:
      code === '42501'
        ? 'grant execute on function public.inspect_installation() to service_role; and see the findings on rights.'
        : "Have the API look again: notify pgrst, 'reload schema'; and see that schema public is exposed.",
  };
}
