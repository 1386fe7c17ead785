/** `db upgrade [version]`: applies what is pending. */

import { isUnnamed } from './alone.ts';
import { applyVersion, type Back, putBackPostponed, scriptIn } from './apply.ts';
import { postponedVersions } from './attic.ts';
import type { PutBack } from './back.ts';
import type { Context, Ending } from './context.ts';
import { compareHistory, readHistory, type Standing } from './history.ts';
import { Problem } from './problem.ts';
import { compareVersions, type Project, readProject, type Version } from './project.ts';

export async function upgrade(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const goal =
    context.options.argument === undefined ? undefined : expectVersion(project, context.options.argument);
  const { sql } = await context.connect();
  const standing = compareHistory(project, await readHistory(sql));
  expectSound(standing, context.program);
  const versions = standing.pending.filter(
    ({ version }) => goal === undefined || compareVersions(version, goal.version) <= 0,
  );
  expectInOrder(context, standing, versions);
  for (const version of versions) expectNamed(context, version);
  const postponed = await postponedVersions(sql);
  if (versions.length === 0 && postponed.length === 0) {
    const message = goal ? `Version ${goal.version} is applied.` : 'Everything is applied.';
    return { status: 'done', message, data: { current: standing.current, applied: [] } };
  }
  await context.confirm(
    [
      ...(postponed.length > 0 ? [`Put back what is still aside of ${postponed.join(', ')}?`] : []),
      ...(versions.length > 0
        ? [`Apply ${versions.map(({ version, name }) => `${version}_${name}`).join(', ')}?`]
        : []),
    ].join(' '),
  );
  const back: Back[] = [];
  for (const version of postponed) back.push(await putBackPostponed(context, version));
  return await applyAll(context, versions, standing.current, back);
}

/** Applies versions one after the other; Ctrl-C stops between two of them. */
export async function applyAll(
  context: Context,
  versions: readonly Version[],
  before: string | null,
  alreadyBack: readonly Back[] = [],
): Promise<Ending> {
  const applied: string[] = [];
  const back = [...alreadyBack];
  for (const { version, name } of versions) {
    if (context.signal.aborted) break;
    const current = versions.find((other) => other.version === version) as Version;
    context.terminal.info(`Applying ${version}_${name} …`);
    back.push(await applyVersion(context, current));
    applied.push(version);
  }
  const putBack = back.flatMap((one) => one.putBack);
  const refreshed = back.flatMap((one) => one.refreshed);
  const interrupted = applied.length < versions.length;
  const current = [...applied, before ?? ''].sort().at(-1) || null;
  return {
    status: interrupted ? 'interrupted' : 'done',
    message: `${interrupted ? 'Stopped' : 'Done'}: ${applied.length} of ${versions.length} applied, the database is at version ${current ?? 'none'}.`,
    lines: [...putBack.map(putBackLine), ...refreshed.map((view) => `Computed ${view} again.`)],
    data: { current, applied, put_back: putBack, refreshed },
  };
}

function putBackLine({ object, rows, left, newer }: PutBack): string {
  const kept =
    left > 0
      ? `; ${left} stay in imago_attic, as what they refer to, belong to or were made from is not there as it was`
      : '';
  const changed = newer > 0 ? `; ${newer} changed since, which stay as they are` : '';
  return `Put back ${object}: ${rows} ${rows === 1 ? 'row' : 'rows'}${kept}${changed}.`;
}

export function expectVersion(project: Project, wanted: string): Version {
  const found = project.versions.filter(
    ({ version, name }) => version === wanted || `${version}_${name}` === wanted,
  );
  const [version] =
    found.length > 0 ? found : project.versions.filter((candidate) => candidate.version.startsWith(wanted));
  if (version) return version;
  throw new Problem(
    'no-version',
    `There is no version ${wanted} in supabase/migrations/.`,
    'db history lists them.',
  );
}

/** Refuses a history that cannot be built upon. */
export function expectSound({ unknown, edited }: Standing, program: string): void {
  if (unknown.length > 0) {
    const names = unknown.map(({ version, name }) => (name ? `${version}_${name}` : version));
    throw new Problem(
      'unknown-version',
      `The database has versions that supabase/migrations/ has not: ${names.join(', ')}.`,
      'Get their files: from where they were applied (git pull), or from the history itself (npx supabase migration fetch). Where they are to be forgotten: npx supabase migration repair --status reverted VERSION.',
    );
  }
  if (edited.length > 0) {
    throw new Problem(
      'edited',
      `Edited after it was applied: ${edited.map(({ file }) => file).join(', ')}.`,
      `The database has what the file said before. Restore the file and put the change into a new version; or, where the database is as the file says now, take its word: ${program} stamp VERSION.`,
    );
  }
}

/** Refuses what could not be recognised after an interruption. */
function expectNamed(context: Context, version: Version): void {
  if (!isUnnamed(scriptIn(context, version))) return;
  throw new Problem(
    'unnamed-index',
    `${version.file} builds an index concurrently and does not name it: after an interruption nobody could tell it from others.`,
    'Give it a name: create index concurrently NAME on … . Nothing was changed.',
  );
}

function expectInOrder(
  context: Context,
  { outOfOrder, current }: Standing,
  versions: readonly Version[],
): void {
  const late = outOfOrder.filter((version) => versions.includes(version));
  if (late.length === 0 || context.options.includeAll) return;
  throw new Problem(
    'out-of-order',
    `Older than version ${current}, which is applied, and not applied: ${late.map(({ file }) => file).join(', ')}.`,
    'Somebody else made it at the same time. Where the order does not matter, apply it all the same: --include-all. Otherwise give the file, and its way back, a new number after the newest one.',
  );
}
