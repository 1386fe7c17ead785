/** `db status` and `db history`: where the database is, without changing or starting anything that is not needed. */
import type { Sql } from 'postgres';
import { halfWay } from './alone.ts';
import { listAttic } from './attic.ts';
import type { Context, Ending } from './context.ts';
import { compareHistory, readHistory, type Standing } from './history.ts';
import { readProject, type SqlFile } from './project.ts';
import { readScript } from './running.ts';

export async function status(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const { sql } = await context.connect();
  const standing = compareHistory(project, await readHistory(sql));
  const attic = await listAttic(sql);
  const left = await interrupted(sql, standing);
  const pending = standing.pending.map(({ version, name }) => `${version}_${name}`);
  const lines = [
    `Current   ${standing.current ?? 'none'}`,
    `Applied   ${standing.applied.length + standing.unknown.length}`,
    `Pending   ${pending.length === 0 ? 'none' : pending.join(', ')}`,
    ...troubles(standing),
    ...left.map(
      ({ version, found, next }) =>
        `Half-way  ${version}: ${found}, and the history does not say so; ${next} goes on there`,
    ),
    ...attic.map(
      ({ version, object, rows, left, postponed }) =>
        `Aside     ${object}: ${rows} rows, ${left ? 'not put back' : postponed ? 'not put back yet: upgrade goes on there' : `waiting for version ${version}`}`,
    ),
  ];
  return {
    status: 'done',
    message: pending.length === 0 ? 'Every version is applied.' : `${pending.length} to apply.`,
    lines,
    ...(pending.length > 0 && { next: [`Apply: ${context.program} upgrade`] }),
    data: {
      current: standing.current,
      applied: [...standing.applied, ...standing.unknown].map(({ version }) => version).sort(),
      ...toJson(standing),
      half_way: left,
      aside: attic,
    },
  };
}

/** What runs outside of a transaction and was interrupted before the history was told. */
async function interrupted(
  sql: Sql,
  { pending, applied }: Standing,
): Promise<{ version: string; found: string; next: 'upgrade' | 'downgrade' }[]> {
  const last = applied.at(-1);
  const scripts = [
    ...pending.map((version) => ({ version, script: version, next: 'upgrade' as const })),
    ...(last?.wayBack ? [{ version: last, script: last.wayBack, next: 'downgrade' as const }] : []),
  ];
  const all = [];
  for (const { version, script, next } of scripts) {
    const found = isAlone(script) ? await halfWay(sql, readScript(script)) : undefined;
    if (found) all.push({ version: `${version.version}_${version.name}`, found, next });
  }
  return all;
}

/** A file that cannot be read as a script is no concern of a look at the database. */
function isAlone(file: SqlFile): boolean {
  try {
    return !readScript(file).inTransaction;
  } catch {
    return false;
  }
}

export async function history(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const { sql } = await context.connect();
  const standing = compareHistory(project, await readHistory(sql));
  const isIn = (list: readonly { version: string }[], version: string) =>
    list.some((other) => other.version === version);
  const versions = [
    ...project.versions.map(({ version, name, checksum, wayBack }) => ({
      version,
      name,
      applied: isIn(standing.applied, version),
      way_back: wayBack !== undefined,
      edited: isIn(standing.edited, version),
      known: true,
      checksum,
    })),
    ...standing.unknown.map(({ version, name }) => ({
      version,
      name: name ?? '',
      applied: true,
      way_back: false,
      edited: false,
      known: false,
      checksum: null,
    })),
  ].sort((a, b) => (a.version < b.version ? -1 : 1));
  const lines = versions.map(({ version, name, applied, way_back, edited, known }) =>
    [
      applied ? 'applied' : 'pending',
      `${version}_${name}`,
      known ? (way_back ? '' : 'no way back') : 'no file',
      edited ? 'edited since' : '',
    ]
      .filter(Boolean)
      .join('  '),
  );
  return {
    status: 'done',
    message: `${versions.length} versions, ${standing.pending.length} pending.`,
    lines,
    data: { current: standing.current, versions },
  };
}

/** What speaks against going on, a line each. */
export function troubles({ unknown, edited, outOfOrder }: Standing): string[] {
  return [
    ...unknown.map(
      ({ version }) => `Unknown   ${version}: the database has it, supabase/migrations/ has not`,
    ),
    ...edited.map(({ file }) => `Edited    ${file}: after it was applied`),
    ...outOfOrder.map(({ file }) => `Too old   ${file}: pending, though a newer one is applied`),
  ];
}

export function toJson({ pending, unknown, edited, outOfOrder }: Standing) {
  const numbers = (versions: readonly { version: string }[]) => versions.map(({ version }) => version);
  return {
    pending: numbers(pending),
    unknown: numbers(unknown),
    edited: numbers(edited),
    out_of_order: numbers(outOfOrder),
  };
}
