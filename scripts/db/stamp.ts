/** `db stamp VERSION`: marks versions as applied without running them. */
import type { Context, Ending } from './context.ts';
import { addToHistory, ensureHistory, lockHistory, readHistory, removeFromHistory } from './history.ts';
import { compareVersions, readProject } from './project.ts';
import { expectVersion } from './upgrade.ts';

export async function stamp(context: Context): Promise<Ending> {
  const project = await readProject(context.folder);
  const wanted = context.options.argument ?? '';
  const goal = /^0+$/.test(wanted) ? '0' : expectVersion(project, wanted).version;
  const marked = project.versions.filter(({ version }) => compareVersions(version, goal) <= 0);
  const { sql } = await context.connect();
  const later = (await readHistory(sql)).filter(({ version }) => compareVersions(version, goal) > 0);
  await context.confirm(
    `Mark ${marked.length} versions as applied${later.length > 0 ? ` and ${later.length} later ones as not applied` : ''}, without running anything?`,
  );
  await sql.begin(async (tx) => {
    await ensureHistory(tx);
    await lockHistory(tx);
    for (const version of marked) await addToHistory(tx, version);
    for (const { version } of later) await removeFromHistory(tx, version);
  });
  const names = (versions: readonly { version: string }[]) => versions.map(({ version }) => version);
  return {
    status: 'done',
    message: `The history says version ${goal === '0' ? 'none' : goal}. Nothing was run.`,
    next: [`See whether that is so: ${context.program} check`],
    data: { current: goal === '0' ? null : goal, marked: names(marked), unmarked: names(later) },
  };
}
