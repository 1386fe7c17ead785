/** The kinds of ready-made plans: `imago plan new NAME --kind KIND`. */
import { backfill } from './backfill.ts';
import { dedupe } from './dedupe.ts';
import { external } from './external.ts';
import { extractTable } from './extract-table.ts';
import { fkAdd } from './fk-add.ts';
import { intToBigint } from './int-to-bigint.ts';
import { jsonToColumns } from './json-to-columns.ts';
import type { Kind } from './kind.ts';
import { notNull } from './not-null.ts';
import { renameColumn } from './rename-column.ts';
import { mergeColumns, splitColumn } from './split-column.ts';
import { textToEnum } from './text-to-enum.ts';
import { typeChange } from './type-change.ts';

export const kinds: Readonly<Record<string, Kind>> = {
  backfill,
  'not-null': notNull,
  'rename-column': renameColumn,
  'type-change': typeChange,
  'text-to-enum': textToEnum,
  'split-column': splitColumn,
  'merge-columns': mergeColumns,
  'json-to-columns': jsonToColumns,
  'fk-add': fkAdd,
  'extract-table': extractTable,
  dedupe,
  'int-to-bigint': intToBigint,
  external,
};
