import type { Fixture as Behaviour } from '../../../scripts/plan/conformance/fixture.ts';

/** What the conformance suite has to know of a plan of this repository. */
export interface Fixture extends Behaviour {
  /** SQL that makes the app and its rows, as a path from the root. It reads the setting sample.users: how many entities. */
  app: string;
}
