/** What should be installed: read from the migrations of this package, so that nobody has to keep a list. */
import { createHash } from 'node:crypto';
import type { CreateFunctionStmt } from 'libpg-query';
import type { Part } from '../install/parts.ts';
import { splitStatements } from '../sql/statements.ts';
import { optionIn, relationName, stringsIn, type Tree, treeOf } from '../sql/tree.ts';

export interface ExpectedFunction {
  /** Of the text between the quotes. */
  body: string;
  comment: string | undefined;
  definer: boolean;
}

export interface Expectation {
  /** By `schema.name`. */
  functions: Map<string, ExpectedFunction>;
  /** Tables and views, with their comments. */
  relations: Map<string, string | undefined>;
}

/** What the parts make, one after the other: a later one replaces what an earlier one has made. */
export function expectation(parts: readonly Part[]): Expectation {
  const functions = new Map<string, ExpectedFunction>();
  const relations = new Map<string, string | undefined>();
  for (const { tree } of parts.flatMap(({ text }) => splitStatements(text))) {
    const { CreateFunctionStmt: made, CommentStmt: said, DropStmt: dropped } = tree;
    for (const node of dropped?.objects ?? []) {
      const name = objectName(treeOf(node));
      functions.delete(name);
      relations.delete(name);
    }
    if (made) {
      const name = stringsIn(made.funcname).join('.');
      functions.set(name, { ...functionOf(made), comment: functions.get(name)?.comment });
    }
    const relation = relationName(tree.CreateStmt?.relation ?? tree.ViewStmt?.view).join('.');
    if (relation !== '') relations.set(relation, relations.get(relation));
    if (said?.comment === undefined) continue;
    const name = objectName(treeOf(said.object));
    const comment = fingerprint(said.comment);
    const found = functions.get(name);
    if (said.objtype === 'OBJECT_TABLE' || said.objtype === 'OBJECT_VIEW') relations.set(name, comment);
    else if ((said.objtype === 'OBJECT_FUNCTION' || said.objtype === 'OBJECT_PROCEDURE') && found)
      found.comment = comment;
  }
  return { functions, relations };
}

function functionOf({ options }: CreateFunctionStmt): Omit<ExpectedFunction, 'comment'> {
  const as = (options ?? []).map((node) => treeOf(node).DefElem).find((option) => option?.defname === 'as');
  const [body = ''] = stringsIn(treeOf(as?.arg).List?.items);
  return { body: fingerprint(body), definer: optionIn(options, 'security') === true };
}

function objectName({ List: list, ObjectWithArgs: routine }: Tree): string {
  return stringsIn(list?.items ?? routine?.objname).join('.');
}

/** As the database makes it: md5 of the text. */
function fingerprint(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
