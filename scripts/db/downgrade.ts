/** `db downgrade [version or -n]`: takes versions back; what they would drop is moved aside. */
import { scriptIn, takeBack } from './apply.ts';
import type { MovedAside } from './aside.ts';
import type { Context, Ending } from './context.ts';
import { compareHistory, readHistory, type Standing } from './history.ts';
import { Problem } from './problem.ts';
import { compareVersions, type Project, readProject, type Version } from './project.ts';
import { type Measured, Shadow } from './shadow.ts';
import type { Effect } from './structure.ts';
import { expectSound, expectVersion } from './upgrade.ts';

export async function downgrade(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const { sql } = await context.connect();
  const standing = compareHistory(project, await readHistory(sql));
  expectSound(standing, context.program);
  const versions = versionsToTakeBack(project, standing, context.options.argument ?? '-1');
  if (versions.length === 0) {
    return {
      status: 'done',
      message: 'There is nothing to take back.',
      data: { current: standing.current, taken_back: [] },
    };
  }
  for (const version of versions) expectWayBack(context, version);
  await context.confirm(`Take back ${versions.map(({ version, name }) => `${version}_${name}`).join(', ')}?`);

  const effects = await measureWaysBack(context, standing.applied, versions);
  const takenBack: string[] = [];
  const moved: MovedAside[] = [];
  for (const version of versions) {
    if (context.signal.aborted) break;
    context.terminal.info(`Taking back ${version.version}_${version.name} …`);
    moved.push(...(await takeBack(context, version, effects.get(version.version) ?? [])));
    takenBack.push(version.version);
  }
  const current =
    standing.applied.filter(({ version }) => !takenBack.includes(version)).at(-1)?.version ?? null;
  const interrupted = takenBack.length < versions.length;
  return {
    status: interrupted ? 'interrupted' : 'done',
    message: `${interrupted ? 'Stopped' : 'Done'}: ${takenBack.length} of ${versions.length} taken back, the database is at version ${current ?? 'none'}.`,
    lines: moved.map(({ object, rows }) => `Moved aside ${object}: ${rows} ${rows === 1 ? 'row' : 'rows'}.`),
    ...(moved.length > 0 && { next: [`It is put back by: ${context.program} upgrade`] }),
    data: { current, taken_back: takenBack, moved_aside: moved },
  };
}

/** Newest first. */
function versionsToTakeBack(project: Project, { applied }: Standing, goal: string): Version[] {
  const newestFirst = [...applied].reverse();
  const count = /^-(\d+)$/.exec(goal)?.[1];
  if (count !== undefined) return newestFirst.slice(0, Number(count));
  if (/^0+$/.test(goal)) return newestFirst;
  const { version } = expectVersion(project, goal);
  return newestFirst.filter((candidate) => compareVersions(candidate.version, version) > 0);
}

function expectWayBack(context: Context, version: Version): void {
  if (version.wayBack) {
    scriptIn(context, version.wayBack);
    return;
  }
  throw new Problem(
    'no-way-back',
    `${version.file} has no way back.`,
    `Write it by hand as supabase/ways-back/${version.version}_${version.name}.sql. ${context.program} migrate writes it with each version; a baseline, and what others wrote, have none. Nothing was changed.`,
  );
}

/** What each way back does to what is there, found out where there is nothing to lose. */
async function measureWaysBack(
  context: Context,
  applied: readonly Version[],
  versions: readonly Version[],
): Promise<Map<string, Effect[]>> {
  const shadow = await Shadow.create(await context.shadows());
  try {
    await shadow.apply(applied);
    const effects = new Map<string, Effect[]>();
    for (const { version, wayBack } of versions) {
      if (!wayBack) continue;
      const { net, statements } = await shadow.measure(wayBack);
      effects.set(
        version,
        net.map((effect) => withValuesThen(effect, statements)),
      );
    }
    return effects;
  } finally {
    await shadow.drop();
  }
}

/** A changed type with the enum values that it has at the moment of the change: a way back may rename some later. */
function withValuesThen(effect: Effect, statements: readonly Measured[]): Effect {
  if (effect.kind !== 'type-changed') return effect;
  const first = statements
    .flatMap(({ effects }) => effects)
    .find(
      (other) =>
        other.kind === 'type-changed' &&
        other.to.typeId !== other.column.typeId &&
        other.relation.oid === effect.relation.oid &&
        other.column.number === effect.column.number,
    );
  return first?.kind === 'type-changed'
    ? { ...effect, to: { ...effect.to, labels: first.to.labels } }
    : effect;
}
