/** What people want of a rollout, and what they get where they say nothing. */
import type { RunOptions } from './piece.ts';

/** What a rollout is begun with; fixed by the command that begins it. */
export interface Wish {
  kind: 'migrate' | 'rollback' | 'push';
  plan: string | undefined;
  waves: string[];
  members: string[];
  labels: string[];
  perServer: number | undefined;
  stopPercent: number;
  soakSeconds: number;
  tries: number;
  run: RunOptions;
}

/** A rollout as it is without any options, changed by what is given. */
export function wishOf(kind: Wish['kind'], plan: string | undefined, given: Partial<Wish> = {}): Wish {
  return {
    kind,
    plan,
    waves: ['100%'],
    members: [],
    labels: [],
    perServer: undefined,
    stopPercent: 10,
    soakSeconds: 0,
    tries: 10,
    run: {},
    ...given,
  };
}
