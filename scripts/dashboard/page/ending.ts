/** What finalize would do, and what stands in its way. */
import { signal } from '@preact/signals';
import { type FinalizeAnswer, finalizeAnswer } from '../../../functions/_shared/finalizing.ts';
import { ask } from './connection.ts';
import { tell } from './drive.ts';
import { planName } from './state.ts';

export const finalizing = signal<FinalizeAnswer | undefined>(undefined);

/** Changes nothing. */
export async function lookAtFinalize(): Promise<void> {
  const plan = planName.value;
  try {
    const answer = await ask(
      'migrate',
      { body: { plan, action: 'finalize', dry_run: true } },
      finalizeAnswer,
    );
    if (planName.value === plan) finalizing.value = answer;
  } catch (error) {
    tell(error);
  }
}
