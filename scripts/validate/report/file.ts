/** Writes the page of --report. */
import { randomUUID } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { page, type Report } from './page.ts';

/** A page that could not be written. The checks themselves were done. */
export class ReportError extends Error {
  override readonly name = 'ReportError';
  readonly hint = 'Name a file that can be written with --report, and check again.';
}

/** Writes the page. It appears under its name only when it is complete. */
export async function writeReport(file: string, report: Report): Promise<void> {
  const text = page(report);
  const unfinished = `${file}.${randomUUID().slice(0, 8)}.tmp`;
  try {
    await writeFile(unfinished, text);
    await rename(unfinished, file);
  } catch (error) {
    await rm(unfinished, { force: true });
    throw new ReportError(`The report could not be written (${(error as NodeJS.ErrnoException).code}).`);
  }
}
