/** Having the plan checked, and what was found mended. */
import { signal } from '@preact/signals';
import { type ValidationAnswer, validationAnswer } from '../../../functions/_shared/validation.ts';
import { whole } from '../../command/figures.ts';
import { ask } from './connection.ts';
import { notice } from './drive.ts';
import { planName } from './state.ts';

export const validation = signal<ValidationAnswer | undefined>(undefined);
export const isChecking = signal(false);

/** Goes through all checks; the page shows how far they are. */
export async function check(): Promise<void> {
  await untilDone({ detailed: true });
}

export async function fix(): Promise<void> {
  await untilDone({ detailed: true, fix_issues: true });
  const { fixed = 0, fixes_failed = 0 } = validation.value ?? {};
  notice.value = {
    kind: fixes_failed > 0 ? 'bad' : 'good',
    text: `${whole(fixed)} mended${fixes_failed > 0 ? `, ${whole(fixes_failed)} could not be` : ''}.`,
    hint: 'A rollback takes the fixes back, too.',
  };
}

async function untilDone(options: Record<string, unknown>): Promise<void> {
  const plan = planName.value;
  isChecking.value = true;
  try {
    for (;;) {
      const body = { plan, ...options, max_seconds: 4 };
      const answer = await ask('validate', { body }, validationAnswer);
      if (planName.value !== plan) return;
      validation.value = answer;
      if (!answer.has_more || answer.status === 'waiting') return;
    }
  } finally {
    isChecking.value = false;
  }
}
