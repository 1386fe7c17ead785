/** What the page knows of the fleet: read again and again while somebody looks at it. */
import { batch, effect, signal } from '@preact/signals';
import type { z } from 'zod';
import type { FleetProgress } from '../../../fleet/progress.ts';
import { fleetAnswer } from '../../fleet-answers.ts';
import { ask, canAsk, isFleet, type Trouble } from '../connection.ts';
import type { Notice } from '../drive.ts';
import { asTrouble } from '../state.ts';

type Seen = z.output<typeof fleetAnswer>;
export type Rollout = Seen['rollouts'][number];

/** Undefined: nothing was read yet. */
export const seen = signal<Seen | undefined>(undefined);
/** Of the rollout that is shown; undefined: not read yet. */
export const progress = signal<FleetProgress | undefined>(undefined);
/** The one that somebody has chosen; undefined: the open one, else the newest. */
const chosen = signal<number | undefined>(undefined);
/** What the last look met; undefined once one succeeds. */
export const fleetTrouble = signal<Trouble | undefined>(undefined);
/** What came of an action. */
export const fleetNotice = signal<Notice | undefined>(undefined);

const visibleMs = 2_000;
const hiddenMs = 15_000;

export function chooseRollout(rollout: number): void {
  batch(() => {
    chosen.value = rollout;
    if (progress.value?.rollout !== rollout) progress.value = undefined;
    fleetNotice.value = undefined;
  });
  lookAtFleet();
}

let timer: ReturnType<typeof setTimeout> | undefined;
let isLooking = false;
let isStale = false;

/** Looks now, and then every two seconds, less where nobody sees it, for as long as the fleet is shown. */
export function lookAtFleet(): void {
  isStale = true;
  if (!isLooking) void lookUntilFresh();
}

async function lookUntilFresh(): Promise<void> {
  clearTimeout(timer);
  isLooking = true;
  while (isStale) {
    isStale = false;
    await lookOnce();
  }
  isLooking = false;
  if (isFleet.value) timer = setTimeout(lookAtFleet, document.hidden ? hiddenMs : visibleMs);
}

async function lookOnce(): Promise<void> {
  if (!isFleet.value || !canAsk()) return;
  const wanted = chosen.value;
  try {
    const query = wanted === undefined ? {} : { rollout: String(wanted) };
    const answer = await ask('fleet', { query }, fleetAnswer);
    if (chosen.value !== wanted) return;
    batch(() => {
      seen.value = answer;
      progress.value = answer.progress ?? undefined;
      fleetTrouble.value = undefined;
    });
  } catch (error) {
    fleetTrouble.value = asTrouble(error);
  }
}

effect(() => {
  if (isFleet.value) lookAtFleet();
});

document.addEventListener('visibilitychange', () => {
  if (!document.hidden && isFleet.value) lookAtFleet();
});
