/** What the checks at the end of a run have found: in words, and what follows from it. */
import type { Finding, ProgressAnswer } from '../../functions/_shared/answers.ts';
import { whole } from '../command/figures.ts';
import { commandLine, planFlags, siblingName } from '../command/invocation.ts';
import { lineBreak } from '../command/printable.ts';
import type { Context } from './context.ts';
import type { Ending } from './ending.ts';

/** `posts_with_wrong_avatar: 2`, a line each; says so when there are none, and nothing when nobody has looked. */
export function findingsText(findings: readonly Finding[] | null | undefined): string | undefined {
  if (findings?.length === 0) return 'nothing is wrong';
  return findings?.map(findingText).join(lineBreak);
}

function findingText({ name, found, held, error }: Finding): string {
  if (error) return `${name}: could not be evaluated (${error})`;
  return `${name}: ${whole(found)}${held > 0 ? `, ${held === found ? 'held' : `${whole(held)} of them held`}` : ''}`;
}

/** What is held was taken back alone on purpose: what is found of it is nothing wrong. */
export function isWrong({ found, held, error }: Finding): boolean {
  return found > held || Boolean(error);
}

/** Everything is moved, and the checks find something wrong; undefined when they do not. */
export function wrongAtEnd(
  context: Context,
  progress: ProgressAnswer,
): Pick<Ending, 'status' | 'message' | 'next'> | undefined {
  if (!progress.findings?.some(isWrong)) return undefined;
  return {
    status: 'left',
    message: 'All done, but the checks find something wrong.',
    next: [seeFindings(context)],
  };
}

/** What to do about findings: the command that explains them. */
export function seeFindings(context: Context): string {
  return `See what, and what to do: ${validateCommand(context)}`;
}

/** The command that shows each finding with keys and what to do about it. */
export function validateCommand({ options, program }: Context): string {
  return commandLine(siblingName(program, 'validate'), [...planFlags(options), '--detailed']);
}
