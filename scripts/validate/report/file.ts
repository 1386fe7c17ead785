/** Writes the page of --report. */
import { writeFile } from 'node:fs/promises';
import { writePrivately } from '../../command/private-file.ts';
import { UsageError } from '../../command/usage.ts';
import { page, type Report } from './page.ts';

/** A page that could not be written. The checks themselves were done. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly hint = 'Name a file that can be written with --report, and check again.';
}

/** Writes the page. It appears under its name only when it is complete. */
export async function writeReport(file: string, report: Report): Promise<void> {
  const text = page(report);
  try {
    await writePrivately({ option: '--report', file, replaces: true }, (part) => writeFile(part, text));
  } catch (error) {
    if (error instanceof UsageError) throw new ReportError(error.message);
    throw new ReportError(`The report could not be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
