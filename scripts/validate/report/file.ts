/** Writes the page of --report. */
import { writeFile } from 'node:fs/promises';
import type { RunHistory } from '../../../functions/_shared/validation.ts';
import { lineBreak } from '../../command/printable.ts';
import { writePrivately } from '../../command/private-file.ts';
import { UsageError } from '../../command/usage.ts';
import type { Checked } from '../checks.ts';
import type { Ending, Frame } from '../verdict.ts';
import { summary } from '../words.ts';
import { pageOf } from './built.ts';
import type { Report } from './report.ts';

/** A page that could not be written. The checks themselves were done. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly hint = 'Name a file that can be written with --report, and check again.';
}

/** Writes the page. It appears under its name only when it is complete. */
export async function writeReport(
  file: string,
  frame: Frame,
  ending: Ending,
  checked: Checked,
  history: RunHistory,
): Promise<void> {
  const text = await pageOf(reportOf(frame, ending, checked, history));
  try {
    await writePrivately({ option: '--report', file, replaces: true }, (part) => writeFile(part, text));
  } catch (error) {
    if (error instanceof UsageError) throw new ReportError(error.message);
    throw new ReportError(`The report could not be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}

function reportOf(
  { target, options: { plan } }: Frame,
  { status, message, next }: Ending,
  { answer, purpose, startedAt, durationMs }: Checked,
  history: RunHistory,
): Report {
  const isElsewhere = target !== undefined && target.kind !== 'embedded';
  return {
    plan,
    database: isElsewhere ? new URL(target.url).host : 'the embedded Supabase, for development',
    message: message.split(lineBreak),
    tone: status === 'clean' && summary(answer) ? 'noted' : status,
    next: next.flatMap((text) => text.split(lineBreak)),
    purpose,
    startedAt,
    durationMs,
    answer,
    history,
  };
}
