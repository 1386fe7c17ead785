import type { Sql } from 'postgres';
import { type ValidationAnswer, validationAnswer } from '../../functions/_shared/validation.ts';
import { call } from './call.ts';

const CALLS = 10_000;

/** One call of validate_migration. */
export async function validate(sql: Sql, args: Record<string, unknown> = {}): Promise<ValidationAnswer> {
  return validationAnswer.parse(await call(sql, 'validate_migration', args));
}

/** Calls until nothing is left to check or to fix; returns every answer. */
export async function validateAll(sql: Sql, args: Record<string, unknown> = {}): Promise<ValidationAnswer[]> {
  const answers: ValidationAnswer[] = [];
  while (answers.length < CALLS) {
    const answer = await validate(sql, args);
    answers.push(answer);
    if (!answer.has_more) return answers;
  }
  throw new Error(`validate_migration is not done after ${CALLS} calls: ${JSON.stringify(answers.at(-1))}`);
}

/** The last answer of a whole validation. */
export async function validated(sql: Sql, args: Record<string, unknown> = {}): Promise<ValidationAnswer> {
  const answer = (await validateAll(sql, args)).at(-1);
  if (!answer) throw new Error('no answer');
  return answer;
}

/** One check of an answer. */
export function checkOf(answer: ValidationAnswer, name: string): ValidationAnswer['checks'][number] {
  const check = answer.checks.find((candidate) => candidate.name === name);
  if (!check) throw new Error(`no check ${name}`);
  return check;
}

/** What was found, by check: only checks that found something. */
export function found(answer: ValidationAnswer): Record<string, number> {
  return Object.fromEntries(
    answer.checks.filter((check) => check.found > 0).map((check) => [check.name, check.found]),
  );
}
