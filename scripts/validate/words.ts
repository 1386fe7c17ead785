/** The words of the result, the same in the table and on the page. */
import type { CheckResult, Severity, ValidationAnswer } from '../../functions/_shared/validation.ts';
import { breakdown, counted, whole } from '../command/figures.ts';
import type { Purpose } from './checks.ts';

const phases = {
  before: 'before the migration',
  during: 'during the migration',
  after: 'after the migration',
} as const;

/** When, in relation to the migration, the checks were done. */
export function phaseText(answer: ValidationAnswer): string {
  return phases[answer.phase];
}

/** The worst first. */
export const severities: readonly Severity[] = ['error', 'warning', 'manual'];

/** Checks that found something, the worst and the most first. */
export function findings(answer: ValidationAnswer): CheckResult[] {
  const rank = ({ severity }: CheckResult): number => severities.indexOf(severity);
  return answer.checks
    .filter(({ found }) => found > 0)
    .sort((a, b) => rank(a) - rank(b) || b.found - a.found);
}

/** Checks that could not be done, or whose fix could not. */
export function broken(answer: ValidationAnswer): CheckResult[] {
  return answer.checks.filter(({ error }) => error);
}

/** `2 errors, 1 warning, 3 cases for a person`, of what is still wrong; empty when nothing is. */
export function summary({ errors, warnings, manual }: ValidationAnswer): string {
  return [
    errors > 0 && counted(errors, 'error'),
    warnings > 0 && counted(warnings, 'warning'),
    manual > 0 && counted(manual, 'case for a person', 'cases for a person'),
  ]
    .filter(Boolean)
    .join(', ');
}

/** How many checks were done, those left out that this app gives no occasion for. */
export function checksText(answer: ValidationAnswer): string {
  const applicable = answer.checks.filter((check) => check.applicable);
  const done = applicable.filter((check) => !check.partial && !check.error);
  return done.length === applicable.length
    ? counted(done.length, 'check')
    : `${done.length} of ${counted(applicable.length, 'check')}`;
}

/** Rows read, where the checks were about rows. */
export function rowsText(answer: ValidationAnswer): string {
  return answer.checked > answer.checks.length ? `${counted(answer.checked, 'row')} read` : '';
}

/** How many, with a word where it is not all. */
export function foundText(check: CheckResult): string {
  return `${whole(check.found)}${check.partial ? ' or more' : ''}`;
}

/** What a fix did, or would do. */
export function fixText(check: CheckResult, purpose: Purpose): string {
  // A cross-check that has no fix of its own is fixed along with the others.
  if (!check.fixable) return purpose === 'fix' && check.left === 0 ? 'gone' : '–';
  const fixed = whole(purpose === 'preview' ? check.would_fix : check.fixed);
  const rows = breakdown(check.written);
  const failed = check.fixes_failed > 0 ? `, ${whole(check.fixes_failed)} failed` : '';
  return `${fixed}${rows && ` (${rows})`}${failed}`;
}

/** Why a check could not be done, on one line. */
export function troubleText({ error }: CheckResult): string {
  return [[error?.code, error?.message].filter(Boolean).join(': '), error?.hint].filter(Boolean).join('. ');
}
