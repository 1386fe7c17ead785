/** Having the plan checked, and what was found fixed. */
import { signal } from '@preact/signals';
import { type ValidationAnswer, validationAnswer } from '../../../functions/_shared/validation.ts';
import { breakdown, whole } from '../../command/figures.ts';
import type { Purpose } from '../../validate/checks.ts';
import { ask } from './connection.ts';
import { notice } from './drive.ts';
import { planName } from './state.ts';

export const validation = signal<ValidationAnswer | undefined>(undefined);
export const isChecking = signal(false);
/** What the answer came of. */
export const purpose = signal<Purpose>('check');

/** What fixing would do, a line for each check that it would fix something of. */
export const fixes = signal<string[]>([]);

/** Goes through all checks; the page shows how far they are. */
export async function check(): Promise<void> {
  await untilDone('check', {});
}

/** Finds out what fixing would do, and changes nothing. */
export async function previewFixes(): Promise<void> {
  await untilDone('preview', { fix_issues: true, dry_run: true });
  fixes.value = (validation.value?.checks ?? [])
    .filter(({ would_fix }) => would_fix > 0)
    .map(({ name, would_fix, written }) => {
      const rows = breakdown(written);
      return `${name}: ${whole(would_fix)} would be fixed${rows && ` (rows: ${rows})`}.`;
    });
}

export async function fix(): Promise<void> {
  await untilDone('fix', { fix_issues: true });
  const { fixed = 0, fixes_failed = 0 } = validation.value ?? {};
  notice.value = {
    kind: fixes_failed > 0 ? 'bad' : 'good',
    text: `${whole(fixed)} fixed${fixes_failed > 0 ? `, ${whole(fixes_failed)} could not be` : ''}.`,
    hint: 'A rollback takes the fixes back, too.',
  };
}

async function untilDone(wanted: Purpose, options: Record<string, unknown>): Promise<void> {
  const plan = planName.value;
  isChecking.value = true;
  try {
    for (;;) {
      const body = { plan, detailed: true, ...options, max_seconds: 4 };
      const answer = await ask('validate', { body }, validationAnswer);
      if (planName.value !== plan) return;
      validation.value = answer;
      purpose.value = wanted;
      if (!answer.has_more || answer.status === 'waiting') return;
    }
  } finally {
    isChecking.value = false;
  }
}
