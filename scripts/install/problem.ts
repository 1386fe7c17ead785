/** Why nothing was written, each with a stable code. */

import { CodedProblem } from '../command/coded-problem.ts';

/** Every code, with the cause that docs/install.md gives for it. */
export const problems = {
  'not-a-project': 'The folder does not exist, or has no `supabase/` in it.',
  'no-config': 'The folder has no `supabase/config.toml`.',
  'own-repository': 'The folder is that of Imago itself.',
  'no-such-plan': '`--plans` names a plan that this package does not have.',
  'newer-engine': 'The project has parts of an Imago that is newer than this package.',
  'name-taken':
    'A migration or model of the project makes a schema, function or view of a name that Imago needs.',
  'function-taken': 'The project has an edge function of a name that Imago needs.',
  'config-broken': '`supabase/config.toml` is not TOML.',
  'config-form': '`supabase/config.toml` has its functions in a form to which nothing can be appended.',
  'not-installed': 'There is nothing of Imago in the project that could be removed.',
  'not-writable': 'A file or folder of the project cannot be written.',
} as const;

export type ProblemCode = keyof typeof problems;

/** A refusal. Nothing has been changed. */
export class Problem extends CodedProblem<ProblemCode> {}
