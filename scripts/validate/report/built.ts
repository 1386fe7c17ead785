/** The page of --report is made of parts of the dashboard, which are built: with the package, or from a clone's sources just now. */
import { execFile } from 'node:child_process';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { packageFolder } from '../../package.ts';
import type { Report } from './report.ts';

const run = promisify(execFile);

interface Built {
  page: (report: Report) => string;
}

/** The page as one HTML document. */
export async function pageOf(report: Report): Promise<string> {
  const isPacked = path.extname(import.meta.filename) === '.js';
  const file = pathToFileURL(path.join(packageFolder, 'dist', 'report.js'));
  const { page } = (await import(isPacked ? file.href : await compiled())) as Built;
  return page(report);
}

async function compiled(): Promise<string> {
  const script = path.join(packageFolder, 'scripts', 'build-report.ts');
  const { stdout } = await run(process.execPath, [script], { maxBuffer: 16 * 1024 * 1024 });
  return `data:text/javascript;base64,${Buffer.from(stdout).toString('base64')}`;
}
