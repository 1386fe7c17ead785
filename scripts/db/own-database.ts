/** Statements that name the database that they run in: versions call it as the target is called, a shadow has another name. */
import { type Statement, splitStatements } from '../sql/statements.ts';
import { isCode, type Token, tokenize } from '../sql/tokens.ts';
import { stringsIn, type Tree } from '../sql/tree.ts';
import { quote, readable } from './names.ts';
import { Problem } from './problem.ts';
import type { Script } from './running.ts';

/** The database that a script runs in. */
export interface OwnDatabase {
  name: string;
  /** The names that versions have for it. */
  called: ReadonlySet<string>;
}

/** What it is called on every hosted project, and by all that is written for one. */
export const HOSTED_DATABASE = 'postgres';

/** The script with the name that its database has here; no other one is touched. */
export function inDatabase(script: Script, own: OwnDatabase): Script {
  return { ...script, statements: script.statements.map((statement) => named(script, statement, own)) };
}

function named({ file }: Script, statement: Statement, { name, called }: OwnDatabase): Statement {
  const { tree, line } = statement;
  const names = databasesIn(tree);
  if (names.length === 0) return statement;
  const refuse = (what: string, hint: string) =>
    new Problem('other-database', `${file}:${line} ${what}.`, hint);
  const moves = movesDatabase(tree);
  if (moves) {
    throw refuse(
      `${moves} a database, and a version is about what is in one: databases belong to the server`,
      'Do this by hand, outside of versions, and take it out of the file.',
    );
  }
  const other = names.find((found) => !called.has(found));
  if (other !== undefined) {
    throw refuse(
      `names the database ${readable(other)}, and a version is for one database, which is called ${[...called].map((own) => readable(own)).join(' or ')}`,
      "Name the database that the version is applied to, or do not name it: do $$ begin execute format('alter database %I set …', current_database()); end $$;",
    );
  }
  const text = replaced(statement.text, name);
  const [again] = splitStatements(text);
  const found = again && databasesIn(again.tree);
  if (again && found?.length === names.length && found.every((other) => other === name))
    return { ...statement, text, tree: again.tree, start: again.start };
  throw refuse(
    'names its database in a way that cannot be told from the other words',
    'Write the name plainly, in double quotes where it needs them.',
  );
}

/** What is done to the database as a whole. */
function movesDatabase(tree: Tree): string | undefined {
  if (tree.CreatedbStmt) return 'makes';
  if (tree.DropdbStmt) return 'drops';
  return tree.RenameStmt && 'renames';
}

/** The databases that a statement names. */
function databasesIn(tree: Tree): string[] {
  const { CommentStmt: comment, SecLabelStmt: label, AlterOwnerStmt: owner, ReindexStmt: reindex } = tree;
  const isDatabase = (kind: string | undefined) => kind === 'OBJECT_DATABASE';
  const names = [
    tree.CreatedbStmt?.dbname,
    tree.DropdbStmt?.dbname,
    tree.AlterDatabaseStmt?.dbname,
    tree.AlterDatabaseSetStmt?.dbname,
    tree.AlterDatabaseRefreshCollStmt?.dbname,
    tree.AlterRoleSetStmt?.database,
    isDatabase(tree.RenameStmt?.renameType) ? tree.RenameStmt?.subname : undefined,
    reindex?.kind === 'REINDEX_OBJECT_DATABASE' || reindex?.kind === 'REINDEX_OBJECT_SYSTEM'
      ? reindex.name
      : undefined,
    ...(isDatabase(tree.GrantStmt?.objtype) ? stringsIn(tree.GrantStmt?.objects) : []),
    ...(isDatabase(comment?.objtype) && comment?.object ? stringsIn([comment.object]) : []),
    ...(isDatabase(label?.objtype) && label?.object ? stringsIn([label.object]) : []),
    ...(isDatabase(owner?.objectType) && owner?.object ? stringsIn([owner.object]) : []),
  ];
  return names.filter((name) => name !== undefined);
}

/** Each of the names that stand after the word `database`, or `system`, becomes this one. */
function replaced(text: string, name: string): string {
  const tokens = [...tokenize(text)].filter(isCode);
  const word = (at: number) => tokens[at]?.text.toLowerCase() ?? '';
  const before = /^(alter|in|on|reindex|\))$/;
  let at = tokens.findIndex(
    (_, index) => /^(database|system)$/.test(word(index)) && before.test(word(index - 1)),
  );
  if (word(at + 1) === 'concurrently') at += 1;
  const found: Token[] = [];
  for (at += 1; ; at += 2) {
    const token = tokens[at];
    if (token) found.push(token);
    if (word(at + 1) !== ',') break;
  }
  let [written, end] = ['', 0];
  for (const token of found) {
    written += text.slice(end, token.start) + quote(name);
    end = token.start + token.text.length;
  }
  return written + text.slice(end);
}
