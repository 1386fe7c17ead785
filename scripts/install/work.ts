/** What an invocation comes to: the changes, and what is left to the user. */
import type { Change } from './changes.ts';
import type { Project } from './project.ts';

/** A file that was left alone although there is something to say about it. */
export interface Kept {
  file: string;
  /** True when this package has something newer for it, which is the user's to take over. */
  newer: boolean;
  reason: string;
}

export interface Work {
  changes: Change[];
  kept: Kept[];
  /** Files that are as they should be. */
  unchanged: number;
  /** Plans and functions, as they are after it. */
  plans: string[];
  functions: string[];
}

/** The change of one file to a text; none where it is that already. */
export function change(project: Project, file: string, after: string | undefined): Change[] {
  const before = project.read(file);
  return before === after ? [] : [{ file, before, after }];
}
