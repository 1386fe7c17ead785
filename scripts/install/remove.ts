/** Works out how Imago goes from a project. Writes nothing. */
import { binName } from '../command/invocation.ts';
import { below, numbered } from './add.ts';
import type { Change } from './changes.ts';
import { withoutFunctions } from './config.ts';
import { withoutVariables } from './environment.ts';
import { installedParts, isEdited, lastUninstall, readReceipt, receiptFile } from './installed.ts';
import { asMigration, checksum, uninstallPart } from './parts.ts';
import { Problem } from './problem.ts';
import { type Project, places } from './project.ts';
import { change, type Kept, type Work } from './work.ts';

/** The migration that removes everything from the database, and the files that are still as they were installed. */
export function removal(project: Project, discardJournal: boolean): Work {
  const migration = uninstallMigration(project, discardJournal);
  const changes: Change[] = [];
  const kept: Kept[] = [];
  const receipt = Object.entries(readReceipt(project));
  for (const [file, installed] of receipt) {
    const present = project.read(below(file));
    if (present === undefined) continue;
    if (checksum(present) === installed)
      changes.push({ file: below(file), before: present, after: undefined });
    else kept.push({ file: below(file), newer: true, reason: 'edited since it was installed' });
  }
  if (receipt.length > 0) changes.push(...change(project, receiptFile, undefined));
  const names = receipt.flatMap(([file]) => /^([^_/][^/]*)\/index\.ts$/.exec(file)?.[1] ?? []);
  const stays = new Set(kept.map(({ file }) => file));
  const removed = names.filter((name) => !stays.has(below(`${name}/index.ts`)));
  changes.push(...change(project, places.config, withoutFunctions(project.config, removed)));
  changes.push(...change(project, places.environment, withoutVariables(project.read(places.environment))));
  if (changes.length + migration.length === 0 && !lastUninstall(project)) {
    throw new Problem(
      'not-installed',
      'There is nothing of Imago in this project.',
      `Name the folder of the project that has it: ${binName()} install DIR --uninstall`,
    );
  }
  return { changes: [...changes, ...migration], kept, unchanged: 0, plans: [], functions: removed };
}

/** A new migration; or the one that is there already, rewritten where it was asked for otherwise. */
function uninstallMigration(project: Project, discardJournal: boolean): Change[] {
  const part = uninstallPart(discardJournal);
  if (installedParts(project).length > 0) return numbered(project, [part]);
  const present = lastUninstall(project);
  return present && !isEdited(present) ? change(project, present.file, asMigration(part)) : [];
}
