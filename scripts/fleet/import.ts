/** `fleet import`: members from a file of CSV or JSON, or the projects of an account. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';
import { BadAnswer, fetchJson } from '../../functions/_shared/fetching.ts';
import { CallError } from '../client.ts';
import { UsageError } from '../command/usage.ts';
import { isLoopback } from '../connection/loopback.ts';
import type { FleetEnvironment } from './environment.ts';
import { type ImportWish, lineSchema, type NewMember, newMember } from './new-member.ts';

/** Reads them. Throws a UsageError that names the line; nothing is stored yet. */
export async function readImport(wish: ImportWish, environment: FleetEnvironment): Promise<NewMember[]> {
  return wish.from === 'file' ? fromFile(wish) : await fromProjects(wish, environment);
}

function fromFile({ file, marks }: ImportWish & { from: 'file' }): NewMember[] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8').replace(/^\uFEFF/, '');
  } catch (error) {
    throw new UsageError(`${file} cannot be read (${(error as NodeJS.ErrnoException).code}).`);
  }
  const lines = /^\s*\[/.test(text) ? jsonLines(text, file) : csvLines(text, file);
  const members = lines.map(({ where, line }) => {
    const parsed = lineSchema.safeParse(line);
    if (!parsed.success) {
      const [issue] = parsed.error.issues;
      throw new UsageError(
        `${where}: ${issue?.code === 'unrecognized_keys' ? `there is no ${issue.keys.join(', ')}` : `${issue?.path.join('.')} is not a text`}.`,
        `The names are ${Object.keys(lineSchema.shape).join(', ')}.`,
      );
    }
    const { name, label, ...said } = parsed.data;
    const labels = (typeof label === 'string' ? label.split(/[;\s]+/) : (label ?? [])).filter(Boolean);
    return newMember(
      name,
      {
        ...marks,
        ...definedOf({
          databaseUrlEnv: said.database_url_env,
          databaseUrlFile: said.database_url_file,
          databaseUrlVault: said.database_url_vault,
          projectUrl: said.project_url,
          keyEnv: said.key_env,
          keyFile: said.key_file,
          keyVault: said.key_vault,
          wave: said.wave,
          server: said.server,
        }),
        label: [...(marks.label ?? []), ...labels],
      },
      `${where}: `,
    );
  });
  if (members.length === 0) throw new UsageError(`${file} has no members.`);
  return members;
}

interface Line {
  where: string;
  line: unknown;
}

function jsonLines(text: string, file: string): Line[] {
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    throw new UsageError(
      `${file} is not JSON.`,
      'It is an array of objects, or CSV with a line of names first.',
    );
  }
  return (parsed as unknown[]).map((line, i) => ({ where: `${file}, member ${i + 1}`, line }));
}

function csvLines(text: string, file: string): Line[] {
  const [head, ...rows] = csvRows(text, file);
  const names = head?.cells ?? [];
  if (!names.includes('name')) {
    throw new UsageError(
      `${file} does not begin with a line of names.`,
      'Begin it like this: name,database_url_env,label,wave,server',
    );
  }
  return rows.map(({ number, cells }) => {
    const where = `${file}, line ${number}`;
    if (cells.length !== names.length) {
      throw new UsageError(`${where} has ${cells.length} fields, and the first line ${names.length}.`);
    }
    // An empty field says nothing.
    const entries = names.map((name, i) => [name, cells[i]] as const).filter(([, value]) => value !== '');
    return { where, line: Object.fromEntries(entries) };
  });
}

/** Fields in quotes may have commas, quotes (doubled) and line breaks in them. */
function csvRows(text: string, file: string): { number: number; cells: string[] }[] {
  const rows: { number: number; cells: string[] }[] = [];
  const field = /(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r?\n|\r|$)/y;
  let number = 1;
  let cells: string[] = [];
  for (let at = 0; at < text.length; at = field.lastIndex) {
    field.lastIndex = at;
    const found = field.exec(text);
    if (!found)
      throw new UsageError(
        `${file}, line ${number} cannot be read.`,
        'Look at its quotes: each " inside is doubled.',
      );
    const [whole, quoted, bare = '', end = ''] = found;
    cells.push((quoted?.replaceAll('""', '"') ?? bare).trim());
    const ends = end !== ',';
    if (ends && cells.some((cell) => cell !== '')) rows.push({ number, cells });
    if (ends) cells = [];
    number += whole.split(/\r?\n|\r/).length - 1;
    if (whole === '') break;
  }
  if (cells.length > 0) rows.push({ number, cells: [...cells, ''] });
  return rows;
}

const definedOf = <Fields extends Record<string, string | undefined>>(fields: Fields) =>
  Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined && value !== ''));

const projectsSchema = z.array(
  z.looseObject({ id: z.string().regex(/^[a-z]{20}$/), status: z.string().nullish() }),
);

const managementApi = 'https://api.supabase.com';

/** The projects of an account that are not paused; each named by its ref, which is its alone. */
async function fromProjects(
  { keyEnv, marks }: ImportWish & { from: 'projects' },
  { SUPABASE_ACCESS_TOKEN: token, SUPABASE_API_URL: api = managementApi }: FleetEnvironment,
): Promise<NewMember[]> {
  if (token === undefined) {
    throw new UsageError(
      'SUPABASE_ACCESS_TOKEN is not set, which lists the projects.',
      'Make one in the dashboard: Account, Access Tokens.',
    );
  }
  const url = URL.parse(api);
  if (!url || (url.protocol !== 'https:' && !isLoopback(url.hostname))) {
    throw new UsageError(
      'SUPABASE_API_URL must begin with https://: the token would be readable on the way.',
    );
  }
  const projects = projectsSchema.safeParse(await ask(`${api.replace(/\/$/, '')}/v1/projects`, token));
  if (!projects.success) {
    throw new CallError({
      code: 'ANSWER',
      message: 'The Management API gave an answer that is no list of projects.',
    });
  }
  return projects.data
    .filter(({ status }) => !/^(INACTIVE|PAUSED|REMOVED|GOING_DOWN|PAUSING)/.test(status ?? ''))
    .map(({ id }) =>
      newMember(id, {
        ...marks,
        projectUrl: `https://${id}.supabase.co`,
        keyEnv: keyEnv.replaceAll('{ref}', id),
      }),
    );
}

const answerMs = 30_000;

async function ask(url: string, token: string): Promise<unknown> {
  try {
    const response = await fetchJson(url, {
      headers: { authorization: `Bearer ${token}`, accept: 'application/json' },
      signal: AbortSignal.timeout(answerMs),
    });
    if (response.ok) return await response.json();
    throw new CallError({
      code: 'HTTP',
      message: `The Management API answered HTTP ${response.status}.`,
      hint:
        response.status === 401
          ? 'Look at SUPABASE_ACCESS_TOKEN: it may have been revoked.'
          : 'Try it again in a moment.',
    });
  } catch (error) {
    if (error instanceof CallError) throw error;
    if (error instanceof BadAnswer)
      throw new CallError({ code: error.fault, message: `The Management API: ${error.message}` });
    throw new CallError({
      code: 'NETWORK',
      message: 'The Management API cannot be reached.',
      hint: 'Look at the network.',
    });
  }
}
