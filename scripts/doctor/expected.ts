/** What should be installed: read from the migrations of this package, so that nobody has to keep a list. */
import { createHash } from 'node:crypto';
import type { Part } from '../install/parts.ts';

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

const functionPattern = /^create (?:or replace )?function (\w+\.\w+)\(([\s\S]*?)\nas \$\$([\s\S]*?)\$\$;$/gm;
const relationPattern = /^create (?:table|view) (\w+\.\w+)/gm;
const commentPattern = /^comment on (function|table|view) (\w+\.\w+)(?:\(.*?\))? is '((?:[^']|'')*)';$/gm;
const dropPattern = /^drop (?:function|table|view) (?:if exists )?(\w+\.\w+)/gm;

/** What the parts make, one after the other: a later one replaces what an earlier one has made. */
export function expectation(parts: readonly Part[]): Expectation {
  const functions = new Map<string, ExpectedFunction>();
  const relations = new Map<string, string | undefined>();
  for (const { text } of parts) {
    for (const [, name = ''] of text.matchAll(dropPattern)) {
      functions.delete(name);
      relations.delete(name);
    }
    for (const [, name = '', attributes = '', body = ''] of text.matchAll(functionPattern)) {
      const definer = /^security definer$/m.test(attributes);
      functions.set(name, { body: fingerprint(body), comment: functions.get(name)?.comment, definer });
    }
    for (const [, name = ''] of text.matchAll(relationPattern)) relations.set(name, relations.get(name));
    for (const [, kind, name = '', literal = ''] of text.matchAll(commentPattern)) {
      const comment = fingerprint(literal.replaceAll("''", "'"));
      const found = functions.get(name);
      if (kind !== 'function') relations.set(name, comment);
      else if (found) found.comment = comment;
    }
  }
  return { functions, relations };
}

/** As the database makes it: md5 of the text. */
function fingerprint(text: string): string {
  return createHash('md5').update(text).digest('hex');
}
