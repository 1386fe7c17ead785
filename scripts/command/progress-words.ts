/** How far a plan is, in words: the same for the bar, for who watches, in a log file and in the table at the end. */
import type { Lane } from '../../functions/_shared/answers.ts';
import type { Cohort, Counts, Figures } from '../../functions/_shared/figures.ts';
import type { Words } from '../../functions/_shared/words.ts';
import { counted, countedEntities, duration, whole } from './figures.ts';
import type { Part } from './wrap.ts';

type Stage = Figures['stages'][number];

/** Before a number: what is marked as an estimate in one place is marked in all. */
export function about({ total_is_estimate }: Counts): string {
  return total_is_estimate ? 'about ' : '';
}

/** Rounded down by SQL: 100 means done. */
export function percentText({ percentage }: Counts): string {
  return `${percentage ?? 0} %`;
}

/** `40,564 of about 187,000 users migrated`. */
export function migratedText(counts: Counts, words: Words): string {
  return `${whole(counts.migrated)} of ${about(counts)}${countedEntities(counts.total, words)} migrated`;
}

/** `10 %, 3 by key, staff`: which entities runs take, where that is not all. */
export function cohortText({ percent, keys, names }: NonNullable<Cohort>): string {
  return [percent > 0 && `${percent} %`, keys > 0 && `${whole(keys)} by key`, ...names]
    .filter(Boolean)
    .join(', ');
}

/** `180 outside of 10 %`: pending, and not in the cohort that runs take. */
export function outsideText(figures: Figures): string | undefined {
  if (!figures.cohort) return undefined;
  return `${about(figures)}${whole(figures.outside)} outside of the cohort (${cohortText(figures.cohort)})`;
}

/** `31 pending, of them 1 failed`, or what is to be taken back; what failed and what is in conflict is always said. */
export function leftParts(
  counts: Counts,
  direction: string | null | undefined,
  alarm: (text: string) => string = (text) => text,
): Part[] {
  const { conflicts, failed, held, migrated, pending } = counts;
  return [
    {
      text: `${about(counts)}${whole(direction === 'rollback' ? migrated : pending)} ${leftWord(direction)}`,
    },
    { text: `${whole(failed)} failed`, ...(failed > 0 && { paint: alarm }) },
    ...(held > 0 ? [{ text: `${whole(held)} held (rolled back alone)` }] : []),
    ...(conflicts > 0 ? [{ text: counted(conflicts, 'conflict'), paint: alarm }] : []),
  ];
}

function leftWord(direction: string | null | undefined): string {
  return direction === 'rollback' ? 'to take back' : 'pending';
}

/** `202,800 a minute`; nothing while nothing moves. */
export function rateText({ per_minute }: { per_minute?: number | null | undefined }): string | undefined {
  return per_minute ? `${whole(per_minute)} a minute` : undefined;
}

/** `2 min 5 s left`. */
export function restText({ eta_seconds }: { eta_seconds?: number | null | undefined }): string | undefined {
  return eta_seconds ? `${duration(eta_seconds * 1000)} left` : undefined;
}

/** `██▓░░░ 2 of 6 lanes done`: the ranges of the pass that is being walked; nothing where there is but one. */
export function laneText(
  { lanes }: { lanes: readonly Lane[] },
  direction: string | null | undefined,
  width: number,
): string | undefined {
  const open = lanes.filter(({ done }) => !done);
  // The way back begins with the last stage.
  const stage = direction === 'rollback' ? open.at(-1)?.stage : open[0]?.stage;
  const next = open.find((lane) => lane.stage === stage);
  if (next === undefined) return undefined;
  const pass = lanes.filter((lane) => lane.stage === next.stage && lane.pass === next.pass);
  const text = `${whole(pass.filter(({ done }) => done).length)} of ${counted(pass.length, 'lane')} done`;
  if (pass.length < 2 || pass.length + text.length >= width) return undefined;
  const marks = pass.map(({ done, processed }) => (done ? '█' : (processed ?? 0) > 0 ? '▓' : '░'));
  return `${marks.join('')} ${text}`;
}

/** A line for each stage of a plan that has several, or only for those that have begun and not ended. */
export function stageParts(figures: Figures, alarm?: (text: string) => string, onlyBegun = false): Part[][] {
  const { direction, stages } = figures;
  if (stages.length < 2) return [];
  const shown = stages.filter(({ migrated, pending }) => !onlyBegun || (migrated > 0 && pending > 0));
  return shown.map((stage) => [
    {
      text: `${stageName(stage, stages)}: ${whole(stage.migrated)} of ${about(stage)}${whole(stage.total)} migrated`,
    },
    { text: percentText(stage) },
    ...leftParts(stage, direction, alarm),
  ]);
}

/** What a stage calls its entities, and its number where another calls them the same. */
function stageName({ entity_plural: name, stage }: Stage, all: readonly Stage[]): string {
  return all.filter((other) => other.entity_plural === name).length > 1 ? `${name} (stage ${stage})` : name;
}
