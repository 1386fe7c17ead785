/** The statements between two databases, by `supabase db diff` with its bundled pg-delta. */
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Node } from 'libpg-query';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { treeOf } from '../sql/tree.ts';
import { runCli } from '../supabase-cli.ts';
import { Problem } from './problem.ts';

/** The statements that lead from one database to another. */
export async function diffDatabases(from: string, to: string): Promise<Statement[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-diff-'));
  try {
    const file = path.join(folder, 'diff.sql');
    // Everybody on the machine can read a command line: passwords go into a file.
    const passwords = path.join(folder, 'pgpass');
    await writeFile(passwords, [from, to].map(passwordLine).join(''), { mode: 0o600 });
    const ends = [withoutPassword(from), withoutPassword(to)] as const;
    const { code, output } = await runCli(
      folder,
      ['db', 'diff', '--from', ends[0], '--to', ends[1], '--output', file],
      { PGPASSFILE: passwords },
    );
    if (code !== 0) {
      const said = output.replaceAll(ends[0], 'the first database').replaceAll(ends[1], 'the second');
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

/** As libpq's password file has it. */
function passwordLine(url: string): string {
  const { hostname, port, pathname, username, password } = new URL(url);
  const fields = [hostname, port || '5432', pathname.slice(1), username, password];
  const escaped = fields.map((field) => decodeURIComponent(field).replaceAll(/[\\:]/g, '\\$&'));
  return `${escaped.join(':')}\n`;
}

function withoutPassword(url: string): string {
  const address = new URL(url);
  address.password = '';
  return address.href;
}

/**
 * Comments of extensions belong to whoever made them, and the schema public to the platform. The setting is said once,
 * by whoever writes the file.
 */
function isForeign({ tree }: Statement): boolean {
  const { VariableSetStmt: set, CommentStmt: comment, GrantStmt: grant, AlterOwnerStmt: owner } = tree;
  if (set) return set.name === 'check_function_bodies';
  if (comment?.objtype === 'OBJECT_EXTENSION') return true;
  const isPublic = (node: Node | undefined) => treeOf(node).String?.sval === 'public';
  if (comment) return comment.objtype === 'OBJECT_SCHEMA' && isPublic(comment.object);
  if (owner) return owner.objectType === 'OBJECT_SCHEMA' && isPublic(owner.object);
  return grant?.objtype === 'OBJECT_SCHEMA' && (grant.objects ?? []).every(isPublic);
}
