/** The objects that statements make and take away, by name. */
import type { Statement } from './statements.ts';
import { relationName, stringsIn, type Tree, treeOf } from './tree.ts';

/** A name with its schema, which is public where none is said; a schema is its name alone. */
export type Name = readonly [schema: string, name?: string | undefined];

/** What is there after a statement that was not there before, and what is not there any more. */
export function madeAndGone({ tree }: Pick<Statement, 'tree'>): { made: Name[]; gone: Name[] } {
  const { DropStmt: drop, RenameStmt: rename, AlterObjectSchemaStmt: move } = tree;
  if (drop)
    return {
      made: [],
      gone: (drop.objects ?? []).flatMap((node) => droppedName(treeOf(node), drop.removeType)),
    };
  if (rename?.newname !== undefined) {
    const { newname } = rename;
    if (rename.renameType === 'OBJECT_SCHEMA') return { made: [[newname]], gone: [[rename.subname ?? '']] };
    // Parts of an object, which have a name below it.
    if (rename.subname !== undefined) return { made: [], gone: [] };
    const gone = full(relationName(rename.relation)) ?? objectName(treeOf(rename.object));
    return gone ? { made: [[gone[0], newname]], gone: [gone] } : { made: [], gone: [] };
  }
  if (move?.newschema !== undefined) {
    const gone = full(relationName(move.relation)) ?? objectName(treeOf(move.object));
    return gone ? { made: [[move.newschema, gone[1]]], gone: [gone] } : { made: [], gone: [] };
  }
  const name = madeName(tree);
  return { made: name ? [name] : [], gone: [] };
}

/** What a create statement makes. */
function madeName(tree: Tree): Name | undefined {
  const { CreateSchemaStmt: schema, IndexStmt: index, DefineStmt: defined } = tree;
  if (schema) return [schema.schemaname ?? schema.authrole?.rolename ?? ''];
  if (index)
    return index.idxname === undefined
      ? undefined
      : full([...relationName(index.relation).slice(0, -1), index.idxname]);
  const relation =
    tree.CreateStmt?.relation ??
    tree.CreateForeignTableStmt?.base?.relation ??
    tree.CreateTableAsStmt?.into?.rel ??
    tree.ViewStmt?.view ??
    tree.CreateSeqStmt?.sequence ??
    tree.CompositeTypeStmt?.typevar;
  if (relation) return relation.relpersistence === 't' ? undefined : full(relationName(relation));
  const defines = defined?.kind === 'OBJECT_AGGREGATE' || defined?.kind === 'OBJECT_TYPE';
  const names =
    tree.CreateFunctionStmt?.funcname ??
    tree.CreateEnumStmt?.typeName ??
    tree.CreateRangeStmt?.typeName ??
    tree.CreateDomainStmt?.domainname ??
    (defines ? defined.defnames : undefined);
  return full(stringsIn(names));
}

function droppedName(object: Tree, kind: string | undefined): Name[] {
  if (kind === 'OBJECT_SCHEMA') return [[object.String?.sval ?? '']];
  // The name of a trigger, policy or rule is one below that of its table.
  if (['OBJECT_TRIGGER', 'OBJECT_POLICY', 'OBJECT_RULE'].includes(kind ?? '')) return [];
  const name = objectName(object);
  return name ? [name] : [];
}

function objectName({ List: list, ObjectWithArgs: routine, TypeName: type }: Tree): Name | undefined {
  return full(stringsIn(list?.items ?? routine?.objname ?? type?.names));
}

function full(parts: readonly string[]): Name | undefined {
  const [name, schema = 'public'] = [...parts].reverse();
  return name === undefined ? undefined : [schema, name];
}
