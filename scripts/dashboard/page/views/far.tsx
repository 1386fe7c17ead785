/** How far a plan is: the percentage, in words, and as a bar. */
import type { Counts } from '../../../../functions/_shared/figures.ts';
import type { Words } from '../../../../functions/_shared/words.ts';
import { whole } from '../../../command/figures.ts';
import { Bar } from './bar.tsx';

export function Far({ counts, words, isBack }: { counts: Counts; words: Words; isBack: boolean }) {
  const { percentage, migrated, total, total_is_estimate } = counts;
  return (
    <>
      <div class="far">
        <strong class="percent">{percentage ?? 0} %</strong>
        <span class="muted">
          {whole(migrated)} of {total_is_estimate ? '≈ ' : ''}
          {whole(total)} {words.entity_plural} migrated
        </span>
      </div>
      <Bar label="Migrated" part={percentage ?? 0} whole={100} isBack={isBack} />
    </>
  );
}
