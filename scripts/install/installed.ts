/** What of Imago a project has already. */
import { z } from 'zod';
import { checksum, type Marked, type Part, readMigration, sharedFolder, uninstallName } from './parts.ts';
import { type Project, places } from './project.ts';

/** A part in a project. */
export interface InstalledPart extends Marked {
  file: string;
}

/** Parts in the order in which they are applied, since they were last removed. */
export function installedParts(project: Project): InstalledPart[] {
  let parts: InstalledPart[] = [];
  for (const { file, text } of project.migrations) {
    const marked = readMigration(file.slice(places.migrations.length + 1), text);
    if (marked?.name === uninstallName) parts = [];
    else if (marked) parts.push({ file, ...marked });
  }
  return parts;
}

/** The migration that removes Imago, where it is the last of ours. */
export function lastUninstall(project: Project): InstalledPart | undefined {
  for (const { file, text } of project.migrations.toReversed()) {
    const marked = readMigration(file.slice(places.migrations.length + 1), text);
    if (marked) return marked.name === uninstallName ? { file, ...marked } : undefined;
  }
  return undefined;
}

/** Whether somebody changed the file of a part, as far as that can be known. */
export function isEdited(part: InstalledPart): boolean {
  return part.installed !== undefined && part.installed !== part.present;
}

/** Whether it was made from the very text that this package has. */
export function isCurrent(part: InstalledPart, ours: Part): boolean {
  return (part.installed ?? part.present) === checksum(ours.text);
}

/** Where the checksums of the edge functions' files are, as they were installed: TypeScript and JSON have no line for it. */
export const receiptFile = `${places.functions}/${sharedFolder}/installed.json`;

const receiptSchema = z.record(z.string(), z.string());

/** Checksums by path below supabase/functions/. */
export type Receipt = z.output<typeof receiptSchema>;

export function readReceipt(project: Project): Receipt {
  const text = project.read(receiptFile);
  if (text === undefined) return {};
  try {
    return receiptSchema.parse(JSON.parse(text));
  } catch {
    // Broken by a merge, perhaps: then every file that is not as ours is taken for edited.
    return {};
  }
}

export function receiptText(receipt: Receipt): string {
  const sorted = Object.fromEntries(Object.entries(receipt).sort(([a], [b]) => (a < b ? -1 : 1)));
  return `${JSON.stringify(sorted, null, 2)}\n`;
}
