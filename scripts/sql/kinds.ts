/** What kinds of statements there are, as far as it matters for how they are run. */
import type { Statement } from './statements.ts';
import { optionIn, type Tree, treeOf } from './tree.ts';

type Understood = Pick<Statement, 'tree'>;

/** What a statement does to the transaction around it; undefined where it does nothing to it. */
export function transactionStep({ tree }: Understood): 'opens' | 'closes' | 'steers' | undefined {
  const { TransactionStmt: step } = tree;
  if (!step) return undefined;
  if (step.kind === 'TRANS_STMT_BEGIN' || step.kind === 'TRANS_STMT_START') return 'opens';
  return step.kind === 'TRANS_STMT_COMMIT' && !step.chain ? 'closes' : 'steers';
}

/** Whether PostgreSQL runs it outside of transactions only. */
export function runsAlone({ tree }: Understood): boolean {
  const { ReindexStmt: reindex, ClusterStmt: cluster } = tree;
  return (
    tree.IndexStmt?.concurrent === true ||
    tree.DropStmt?.concurrent === true ||
    (reindex !== undefined &&
      (optionIn(reindex.params, 'concurrently') === true ||
        !['REINDEX_OBJECT_INDEX', 'REINDEX_OBJECT_TABLE'].includes(reindex.kind ?? ''))) ||
    (cluster !== undefined && cluster.relation === undefined) ||
    tree.VacuumStmt?.is_vacuumcmd === true ||
    detaches(tree) ||
    movesDatabase(tree) ||
    subscribes(tree) ||
    always.some((kind) => kind in tree)
  );
}

const always = [
  'AlterSystemStmt',
  'CreatedbStmt',
  'DropdbStmt',
  'CreateTableSpaceStmt',
  'DropTableSpaceStmt',
] as const satisfies (keyof Tree)[];

function detaches({ AlterTableStmt: alter }: Tree): boolean {
  return (alter?.cmds ?? []).some((cmd) => {
    const { subtype, def } = treeOf(cmd).AlterTableCmd ?? {};
    return subtype === 'AT_DetachPartition' && treeOf(def).PartitionCmd?.concurrent === true;
  });
}

function movesDatabase({ AlterDatabaseStmt: alter }: Tree): boolean {
  return (alter?.options ?? []).some((option) => treeOf(option).DefElem?.defname === 'tablespace');
}

/** What connects to another server, which cannot be taken back. */
function subscribes({ CreateSubscriptionStmt: create, AlterSubscriptionStmt: alter }: Tree): boolean {
  if (create)
    return optionIn(create.options, 'connect') !== false && optionIn(create.options, 'create_slot') !== false;
  if (alter?.kind === 'ALTER_SUBSCRIPTION_REFRESH') return true;
  return alter?.kind?.endsWith('_PUBLICATION') === true && optionIn(alter.options, 'refresh') !== false;
}

/** Whether tables that were there are what they were after it. What is not understood, and what cascades, may do anything. */
export function leavesTables({ tree }: Understood): boolean {
  const [kind = ''] = Object.keys(tree);
  const { DropStmt: drop, AlterTableStmt: alter, RenameStmt: rename } = tree;
  const about =
    rename?.renameType ?? tree.AlterOwnerStmt?.objectType ?? tree.AlterObjectSchemaStmt?.objectType;
  if (drop) return drop.behavior !== 'DROP_CASCADE' && beside.has(drop.removeType);
  if (alter) return beside.has(alter.objtype) || (alter.cmds ?? []).every((cmd) => leavesRows(treeOf(cmd)));
  return (
    kind.startsWith('Create') || harmless.has(kind) || about === 'OBJECT_TABCONSTRAINT' || beside.has(about)
  );
}

/** Whether it may write rows: by itself, or by the functions that it calls. */
export function mayBringRows({ tree }: Understood): boolean {
  const [kind] = Object.keys(tree);
  return kind === undefined || writing.has(kind);
}

const writing = new Set<string>([
  'CallStmt',
  'CopyStmt',
  'CreateTableAsStmt',
  'DeleteStmt',
  'DoStmt',
  'ExecuteStmt',
  'InsertStmt',
  'MergeStmt',
  'SelectStmt',
  'UpdateStmt',
] satisfies (keyof Tree)[]);

/** Objects that stand beside tables, or upon them. */
const beside = new Set<string | undefined>([
  'OBJECT_AGGREGATE',
  'OBJECT_FUNCTION',
  'OBJECT_INDEX',
  'OBJECT_MATVIEW',
  'OBJECT_POLICY',
  'OBJECT_PROCEDURE',
  'OBJECT_ROUTINE',
  'OBJECT_RULE',
  'OBJECT_TRIGGER',
  'OBJECT_VIEW',
]);

const harmless = new Set<string>([
  'AlterFunctionStmt',
  'AlterPolicyStmt',
  'CommentStmt',
  'CompositeTypeStmt',
  'DefineStmt',
  'GrantRoleStmt',
  'GrantStmt',
  'IndexStmt',
  'InsertStmt',
  'RuleStmt',
  'SelectStmt',
  'UpdateStmt',
  'VariableSetStmt',
  'ViewStmt',
] satisfies (keyof Tree)[]);

function leavesRows({ AlterTableCmd: cmd }: Tree): boolean {
  if (cmd?.behavior === 'DROP_CASCADE') return false;
  // A primary key makes its columns not null.
  if (cmd?.subtype === 'AT_AddConstraint') return treeOf(cmd.def).Constraint?.contype !== 'CONSTR_PRIMARY';
  return untouching.has(cmd?.subtype);
}

const untouching = new Set<string | undefined>([
  'AT_ColumnDefault',
  'AT_DisableRowSecurity',
  'AT_DropConstraint',
  'AT_DropNotNull',
  'AT_EnableRowSecurity',
  'AT_ForceRowSecurity',
  'AT_NoForceRowSecurity',
  'AT_ValidateConstraint',
]);
