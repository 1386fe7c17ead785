/** The page as it is served here: the file that anybody may host, told that it is at home. */
import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import { packageFolder } from '../package.ts';

const run = promisify(execFile);

/** The page, which shows the address of the project that this process works on, if any, and whether there is a fleet. */
export async function pageText(target: string | undefined, hasFleet: boolean): Promise<string> {
  const built = path.extname(import.meta.filename) === '.js' ? await packed() : await compiled();
  const fleet = hasFleet ? ' data-fleet' : '';
  return built.replace('<html ', `<html data-target="${escaped(target ?? 'fleet:')}"${fleet} `);
}

async function packed(): Promise<string> {
  return await readFile(path.join(packageFolder, 'dist', 'dashboard.html'), 'utf8');
}

/** A clone has its sources, and they may have changed. */
async function compiled(): Promise<string> {
  const script = path.join(packageFolder, 'scripts', 'build-page.ts');
  const { stdout } = await run(process.execPath, [script], { maxBuffer: 16 * 1024 * 1024 });
  return stdout;
}

const escaped = (text: string): string => text.replaceAll('&', '&amp;').replaceAll('"', '&quot;');
