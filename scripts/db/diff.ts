/** The statements between two databases, by `supabase db diff` with its bundled pg-delta. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { runCli } from '../supabase-cli.ts';
import { Problem } from './problem.ts';
import { type Statement, splitStatements } from './statements.ts';

/** The statements that lead from one database to another. */
export async function diffDatabases(from: string, to: string): Promise<Statement[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-diff-'));
  try {
    const file = path.join(folder, 'diff.sql');
    const { code, output } = await runCli(folder, [
      'db',
      'diff',
      '--from',
      from,
      '--to',
      to,
      '--output',
      file,
    ]);
    if (code !== 0) {
      const said = output.replaceAll(from, 'the first database').replaceAll(to, 'the second');
      throw new Problem(
        'diff-fails',
        `supabase db diff failed: ${said}`,
        'Write this version by hand: migrate --empty "message".',
      );
    }
    // Where there is no difference the file is empty or not written at all.
    const text = await readFile(file, 'utf8').catch(() => '');
    return splitStatements(text).filter((statement) => !isForeign(statement));
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * Comments of extensions belong to whoever made them, and the schema public to the platform. The setting is said once,
 * by whoever writes the file.
 */
function isForeign({ text }: Statement): boolean {
  return /^(COMMENT ON EXTENSION |SET local check_function_bodies |(GRANT|REVOKE) .* ON SCHEMA "public" |(ALTER|COMMENT ON) SCHEMA "public" )/.test(
    text,
  );
}
