/** For how long a run was slowed or held for one reason, of all that the page has seen. */
import type { Sample } from './state.ts';

export interface Stretch {
  /** Seconds. */
  from: number;
  to: number;
  /** The least that it was given. */
  share: number;
  /** As it was said last. */
  reason: string;
  about: string;
}

/** In order; one that goes on ends with what was seen last. */
export function stretchesIn(samples: readonly Sample[]): Stretch[] {
  const found: Stretch[] = [];
  let last: Stretch | undefined;
  for (const { at, share, reason, about } of samples) {
    if (last) last.to = at;
    if (share === null || share === 1) {
      last = undefined;
    } else if (last && ['', last.about].includes(about) && (last.share === 0) === (share === 0)) {
      // What has no reason of its own is on its way back from the one before.
      last.share = Math.min(last.share, share);
      if (about !== '') last.reason = reason;
    } else {
      last = { from: at, to: at, share, reason, about };
      found.push(last);
    }
  }
  return found;
}
