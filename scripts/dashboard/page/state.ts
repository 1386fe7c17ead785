/** What the page knows: read again and again while somebody looks. */
import { batch, computed, signal } from '@preact/signals';
import type { z } from 'zod';
import {
  failuresAnswer,
  logAnswer,
  performanceAnswer,
  plansAnswer,
  progressAnswer,
  reportAnswer,
} from '../../../functions/_shared/answers.ts';
import { runHistoryAnswer } from '../../../functions/_shared/validation.ts';
import { conditionIn } from '../../command/health.ts';
import { movedAlong } from './along.ts';
import { ask, canAsk, isFleet, isFleetAlone, Trouble } from './connection.ts';
import { type Ears, hear } from './hearing.ts';

export type Plans = z.output<typeof plansAnswer>;
export type Plan = Plans['plans'][number];
export type Progress = z.output<typeof progressAnswer>;
export type Lane = Progress['lanes'][number];
export type Role = NonNullable<Plans['role']>;

export const tabs = ['run', 'aside', 'checks', 'rehearsal', 'history', 'log', 'ending'] as const;
export type Tab = (typeof tabs)[number];

export const plans = signal<Plans | undefined>(undefined);
export const planName = signal<string | undefined>(undefined);
export const progress = signal<Progress | undefined>(undefined);
export const performance = signal<z.output<typeof performanceAnswer> | undefined>(undefined);
export const failures = signal<z.output<typeof failuresAnswer> | undefined>(undefined);
export const history = signal<z.output<typeof runHistoryAnswer> | undefined>(undefined);
export const report = signal<z.output<typeof reportAnswer> | undefined>(undefined);
export const log = signal<z.output<typeof logAnswer> | undefined>(undefined);
export const logLevel = signal<'info' | 'warning' | 'error'>('info');
export const tab = signal<Tab>('run');

/** What the last look met; undefined once one succeeds. */
export const trouble = signal<Trouble | undefined>(undefined);

export const role = computed<Role>(() => plans.value?.role ?? 'viewer');
export const plan = computed(() => plans.value?.plans.find(({ plan: name }) => name === planName.value));

/** A moment that this page has seen, for the picture. */
export interface Sample {
  /** Seconds. */
  at: number;
  rate: number | null;
  size: number | null;
  share: number | null;
  /** Why it is not all of the time, in words, and what that is about, which stays the same while the figures in it move. */
  reason: string;
  about: string;
}

export const samples = signal<Sample[]>([]);
const keptSamples = 1800;

/** Shows another plan, with nothing of the one before. */
export function choosePlan(name: string): void {
  batch(() => {
    planName.value = name;
    for (const one of [progress, performance, failures, history, report, log]) one.value = undefined;
    samples.value = [];
    samplesOf = undefined;
    tab.value = 'run';
  });
  look();
}

const visibleMs = 2_000;
const hiddenMs = 15_000;
/** While figures come by themselves. */
const heardMs = 10_000;
const freshMs = 5_000;
/** What takes long to count is asked for less often: a fifth of the time is for that. */
const restAfter = (tookMs: number): number => Math.min(hiddenMs, 4 * tookMs);
let heardAt = 0;
let timer: ReturnType<typeof setTimeout> | undefined;
/** Looking waits for the locks of a dry run, which would end early for that. */
export const isResting = signal(false);
let looking: Promise<void> | undefined;
let isStale = false;

/** Looks now, and then every two seconds; less where nobody sees it, or where Realtime tells it meanwhile. */
export function look(): void {
  if (isFleetAlone) return;
  isStale = true;
  looking ??= lookAll();
}

/** When the look that is under way has ended. */
export async function looked(): Promise<void> {
  await looking;
}

async function lookAll(): Promise<void> {
  clearTimeout(timer);
  let tookMs = 0;
  while (isStale) {
    isStale = false;
    const begun = Date.now();
    await lookOnce();
    tookMs = Date.now() - begun;
  }
  looking = undefined;
  const isTold = Date.now() - heardAt < freshMs;
  const restMs = document.hidden || isFleet.value ? hiddenMs : isTold ? heardMs : visibleMs;
  timer = setTimeout(look, trouble.value ? visibleMs : Math.max(restMs, restAfter(tookMs)));
}

const ears: Ears = {
  event: look,
  figures: (heard) => {
    const now = progress.value && movedAlong(progress.value, heard);
    if (!now) return look();
    heardAt = Date.now();
    batch(() => {
      progress.value = now;
      takeSample(now);
    });
  },
};

document.addEventListener('visibilitychange', () => {
  if (!document.hidden && canAsk()) look();
});
isFleet.subscribe((isElsewhere) => {
  if (!isElsewhere && plans.value) look();
});

async function lookOnce(): Promise<void> {
  if (!canAsk()) return hear(undefined, ears);
  if (isResting.value) return;
  try {
    const seen = await ask('progress', { query: { view: 'plans' } }, plansAnswer);
    const name = planName.value ?? firstOf(seen)?.plan;
    const isHere = seen.plans.some(({ plan: one, source_exists }) => one === name && source_exists);
    const now = name !== undefined && isHere ? await lookAtPlan(name) : undefined;
    hear(seen.realtime && isHere ? name : undefined, ears);
    // What belongs together is shown together.
    batch(() => {
      plans.value = seen;
      planName.value ??= name;
      if (now && planName.value === name) {
        progress.value = now;
        takeSample(now);
      }
      trouble.value = undefined;
    });
  } catch (error) {
    trouble.value = asTrouble(error);
  }
}

/** The plan that is shown first: one that runs, else one that this app has the tables for. */
function firstOf({ plans: all }: Plans): Plan | undefined {
  return all.find(({ state }) => state === 'running') ?? all.find((one) => one.source_exists) ?? all[0];
}

async function lookAtPlan(name: string): Promise<Progress> {
  const query = (view: string, more = {}): { query: Record<string, string> } => ({
    query: { plan: name, view, ...more },
  });
  const level = logLevel.value;
  const knowsRun = history.value?.runs.some(({ run }) => Number(run) === Number(progress.value?.run));
  const [seen] = await Promise.all([
    ask('progress', query('progress'), progressAnswer),
    tab.value === 'run' && keep(performance, name, ask('progress', query('performance'), performanceAnswer)),
    // The picture of a run begins before this page did.
    (tab.value === 'history' || !knowsRun) &&
      keep(history, name, ask('progress', query('history'), runHistoryAnswer)),
    tab.value === 'aside' && keep(failures, name, ask('progress', query('failures'), failuresAnswer)),
    tab.value === 'log' && keep(log, name, ask('progress', query('log', { level }), logAnswer)),
    tab.value === 'ending' && !report.value && lookAtSizes(),
  ]);
  return seen;
}

/** Counting reads whole tables, so this is asked for once, and by hand. */
export async function lookAtSizes(): Promise<void> {
  const name = planName.value;
  if (name !== undefined)
    await keep(report, name, ask('progress', { query: { plan: name, view: 'report' } }, reportAnswer));
}

/** An answer for a plan that is not shown any more is dropped. */
async function keep<Value>(
  into: { value: Value | undefined },
  name: string,
  answer: Promise<Value>,
): Promise<void> {
  const value = await answer;
  if (planName.value === undefined || planName.value === name) into.value = value;
}

let samplesOf: unknown;

function takeSample(seen: Progress): void {
  const { run, per_minute } = seen;
  if (samplesOf !== run) {
    samplesOf = run;
    const points = history.value?.runs.find((one) => Number(one.run) === Number(run))?.points ?? [];
    samples.value = points.map((point) => ({
      at: Date.parse(point.at) / 1000,
      rate: point.per_minute ?? null,
      size: point.batch_size ?? null,
      share: null,
      reason: '',
      about: '',
    }));
  }
  if (seen.state !== 'running') return;
  const sizes = seen.lanes.filter(({ done }) => !done).map(({ batch_size }) => batch_size ?? 0);
  const at = Date.now() / 1000;
  const last = samples.value.at(-1)?.at ?? 0;
  if (at <= last) return;
  const { share, reason, about } = conditionIn(seen);
  const sample = {
    at,
    // What moved a moment ago does not while it waits.
    rate: share === 0 ? 0 : (per_minute ?? 0),
    size: sizes.length > 0 ? Math.max(...sizes) : null,
    share,
    reason,
    about,
  };
  samples.value = [...samples.value.slice(-keptSamples), sample];
}

export function asTrouble(error: unknown): Trouble {
  if (error instanceof Trouble) return error;
  return new Trouble({ code: 'page', message: `The page failed: ${error}`, hint: 'Load it again.' });
}
