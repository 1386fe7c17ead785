/** Has batches done, one after the other, for as long as this page is open. Others who work on the run do it at the same time. */
import { computed, signal } from '@preact/signals';
import { type BatchAnswer, batchAnswer } from '../../../functions/_shared/answers.ts';
import { countedEntities } from '../../command/figures.ts';
import { ask } from './connection.ts';
import { asTrouble, look, plan, planName } from './state.ts';

export type Direction = 'forward' | 'rollback';

interface Drive {
  plan: string;
  direction: Direction;
  force?: boolean;
  callers: number;
  /** Hangs up on what is under way. */
  calls: AbortController;
}

export const drive = signal<Drive | undefined>(undefined);
export const isDriving = computed(() => drive.value !== undefined && drive.value.plan === planName.value);

/** What came of it, or of another action. */
export interface Notice {
  kind: 'good' | 'bad' | 'told';
  text: string;
  hint?: string;
}
export const notice = signal<Notice | undefined>(undefined);

export function tell(error: unknown): void {
  const { code, message, hint } = asTrouble(error);
  notice.value = { kind: 'bad', text: `${message} (${code})`, hint };
}

/** So long a request works, in seconds. Each is a line in the log; a pause ends it at once. */
const requestSeconds = 20;
/** Tries in a row without an answer that bring it on. */
const patience = 30;

/** Begins, with so many callers. Ends by itself when there is nothing more to do, or somebody has to decide. */
export function begin(wanted: Omit<Drive, 'calls'>): void {
  if (drive.value) return;
  notice.value = undefined;
  const mine = { ...wanted, calls: new AbortController() };
  drive.value = mine;
  for (let i = 0; i < wanted.callers; i += 1) void work(mine);
}

/** Hangs up: the batches that are running are the last. The run stays as it is. */
export function letGo(): void {
  drive.value?.calls.abort();
  drive.value = undefined;
}

window.addEventListener('beforeunload', (event) => {
  if (drive.value) event.preventDefault();
});

async function work(mine: Drive): Promise<void> {
  const isOn = (): boolean => drive.value === mine;
  let run: number | undefined;
  let failedTries = 0;
  while (isOn()) {
    try {
      const answer = await once(mine, run);
      failedTries = 0;
      // A busy answer may name none.
      run = answer.run == null ? run : Number(answer.run);
      look();
      const end = endOf(answer, mine.direction);
      if (end) return finish(mine, end);
      await delay(answer.retry_after_ms ?? 0);
    } catch (error) {
      if (!isOn()) return;
      const met = asTrouble(error);
      failedTries += 1;
      if (!met.passes || failedTries > patience) {
        return finish(mine, { kind: 'bad', text: `${met.message} (${met.code})`, hint: met.hint });
      }
      await delay(Math.min(10_000, 500 * 2 ** failedTries));
    }
  }
}

async function once(
  { plan: name, direction, force, calls }: Drive,
  run: number | undefined,
): Promise<BatchAnswer> {
  const body = { plan: name, max_seconds: requestSeconds, ...(run !== undefined && { run }) };
  if (direction === 'forward') return await ask('migrate', { body }, batchAnswer, calls.signal);
  const all = { ...body, all: true, confirm: name, ...(force && { force }) };
  return await ask('rollback', { body: all }, batchAnswer, calls.signal);
}

/** The first caller that ends says why, and the batches of the others are their last. */
function finish(mine: Drive, end: Notice): void {
  if (drive.value !== mine) return;
  letGo();
  notice.value = mine.plan === planName.value ? end : { ...end, text: `${mine.plan}: ${end.text}` };
  look();
}

function endOf(answer: BatchAnswer, direction: Direction): Notice | undefined {
  const words = plan.value ?? { entity_singular: 'entity', entity_plural: 'entities' };
  const { status, has_more, error } = answer;
  if (status === 'done' || !has_more) {
    if (status === 'cancelled') return { kind: 'told', text: 'The run was cancelled.' };
    const left =
      direction === 'forward'
        ? answer.failures_left > 0 &&
          `${countedEntities(answer.failures_left, words)} set aside: see Set aside.`
        : answer.conflicts > 0 && `${countedEntities(answer.conflicts, words)} in conflict: see Set aside.`;
    const all = direction === 'forward' ? 'All done.' : 'All taken back.';
    return left ? { kind: 'told', text: `${all.slice(0, -1)}, except ${left}` } : { kind: 'good', text: all };
  }
  if (status === 'paused') return { kind: 'told', text: 'Paused. Nothing is lost; Resume goes on.' };
  if (status === 'cancelled') return { kind: 'told', text: 'The run was cancelled.' };
  if (status === 'external')
    return {
      kind: 'told',
      text: `Stage ${answer.stage ?? 1} is done outside of the database.`,
      hint: answer.hint ?? 'npm run migrate, in the folder of the project, goes on.',
    };
  if (status === 'failed')
    return {
      kind: 'bad',
      text: `The run was stopped: ${error?.message ?? 'see the log'}${error?.code ? ` (${error.code})` : ''}`,
      hint: error?.hint ?? 'Fix the cause, then Retry.',
    };
  return undefined;
}

async function delay(ms: number): Promise<void> {
  if (ms > 0) await new Promise((resolve) => setTimeout(resolve, ms * (1 + Math.random() / 4)));
}
