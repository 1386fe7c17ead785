/** The statements between two databases, by `supabase db diff` with its bundled pg-delta. */
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Node } from 'libpg-query';
import { type DatabaseAddress, readDatabaseUrl } from '../connection/address.ts';
import { withoutPassword, withPasswordFile, withRootsFile } from '../connection/children.ts';
import { type Statement, splitStatements } from '../sql/statements.ts';
import { stringsIn, type Tree, treeOf } from '../sql/tree.ts';
import { runCli } from '../supabase-cli.ts';
import type { Catalog } from './catalog.ts';
import { readable } from './names.ts';
import { Problem } from './problem.ts';

/** A database with what is in it. */
export interface Known {
  url: string;
  catalog: Catalog;
}

/** The statements that lead from one database, which is on this machine, to another. */
export async function diffDatabases(from: string, to: string): Promise<Statement[]> {
  const folder = await mkdtemp(path.join(tmpdir(), 'imago-diff-'));
  try {
    const file = path.join(folder, 'diff.sql');
    const [first, second] = [addressOf(from), addressOf(to)];
    const { code, output, ends } = await withRootsFile(second, async (roots) => {
      const ends = [withoutPassword(first), withoutPassword({ ...second, roots })] as const;
      const args = ['db', 'diff', '--from', ends[0], '--to', ends[1], '--output', file];
      return await withPasswordFile([first, second], async (passwords) => ({
        ends,
        ...(await runCli(folder, args, passwords)),
      }));
    });
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

/** The same where it is known what is in both. */
export async function diffKnown(from: Known, to: Known): Promise<Statement[]> {
  const isSame = (extension: string) => {
    const name = `extension ${readable(extension)}`;
    const [before, after] = [from, to].map(
      ({ catalog }) => catalog.get(name)?.aspects.get('definition')?.value,
    );
    return before !== undefined && before === after;
  };
  // Extensions that cannot be moved have objects where they want, wherever they are said to be.
  const remakes = (tree: Tree) => extensionsOf(tree).some(isSame);
  return (await diffDatabases(from.url, to.url)).filter(({ tree }) => !remakes(tree));
}

/** The extensions that a statement makes or drops. */
function extensionsOf({ CreateExtensionStmt: made, DropStmt: dropped }: Tree): string[] {
  if (made) return [made.extname ?? ''];
  return dropped?.removeType === 'OBJECT_EXTENSION' ? stringsIn(dropped.objects) : [];
}

function addressOf(url: string): DatabaseAddress {
  return readDatabaseUrl(url, { name: 'The database URL' });
}

/**
 * Comments of extensions belong to the owner of the extension, and the schema public to the platform. The setting is said once,
 * where the file is written. Jobs of pg_cron are rows, and bound to the database that they are in.
 */
function isForeign({ tree }: Statement): boolean {
  const { VariableSetStmt: set, CommentStmt: comment, GrantStmt: grant, AlterOwnerStmt: owner } = tree;
  if (set) return set.name === 'check_function_bodies';
  if (calls(tree, 'cron')) return true;
  if (comment?.objtype === 'OBJECT_EXTENSION') return true;
  const isPublic = (node: Node | undefined) => treeOf(node).String?.sval === 'public';
  if (comment) return comment.objtype === 'OBJECT_SCHEMA' && isPublic(comment.object);
  if (owner) return owner.objectType === 'OBJECT_SCHEMA' && isPublic(owner.object);
  return grant?.objtype === 'OBJECT_SCHEMA' && (grant.objects ?? []).every(isPublic);
}

/** Whether it does nothing but to call a function of a schema. */
function calls({ SelectStmt: select }: Tree, schema: string): boolean {
  const [target] = select?.targetList ?? [];
  const { FuncCall: call } = treeOf(treeOf(target).ResTarget?.val);
  return stringsIn(call?.funcname).at(-2) === schema;
}
