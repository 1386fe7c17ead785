/** Our SQL with every sentence in it worded otherwise, each place in its own way. */

/** No sentences, although they look like some: states of the API, names of jobs and plan nodes, formats, and values that a plan writes. */
const codes = new Set([
  'cleaned up',
  'cleaning up',
  'not started',
  'rolled back',
  'imago ',
  'imago run ',
  'no key update',
  'skip locked',
  'read committed',
  'ROW EXCLUSIVE',
  'SHARE ROW EXCLUSIVE',
  'ACCESS EXCLUSIVE',
  ' is null',
  ' is not null',
  'client backend',
  'Plan Rows',
  ' WHEN \\((.*)\\) EXECUTE (?:FUNCTION|PROCEDURE) ',
  'ISO, YMD',
  'YYYY-MM-DD HH24:MI',
  'YYYY-MM-DD "at" HH24:MI',
  'Node Type',
  'Relation Name',
  'Development & IT',
  'Professional profile for ',
  'A friendly and creative persona.',
  's Professional Profile',
  'type public."Role"',
  'type public."UserRole"',
]);

/** How SQL begins: ours is written in lower case. */
const begins =
  /^(select|insert|update|delete|with|create|alter|drop|lock|comment|grant|revoke|analyze|explain|execute|for|if|begin|case|when|exists|not exists|not null|order|cross|where|from|into|and|or|as|add|set|security|collate|old table|new table|boolean|integer|bigint|numeric|text|character|timestamp|double|strict)\b/;

/** What stands in SQL, and in no sentence. */
const within =
  /::|current_setting|^array\[|^imago_undo\.|\$[0-9$]|:=|^[a-z]\.|^\w+(\.\w+)?\(|_%|%I\(|\(select |^%I (is not null|<>)|^(u|nullif)\.|^%s (<|>|<=) |^\d+ \w+$/;

function isSentence(text: string): boolean {
  if (codes.has(text) || text.includes('\n')) return false;
  // A word before something that is appended to it, as in 'fix ' || name.
  if (/^[A-Za-z]{2,} $/.test(text)) return !begins.test(text);
  if (/^[A-Z][a-z]+: %/.test(text)) return true;
  const start = text.trimStart();
  if (!/^["%A-Za-z]/.test(start) || (start.match(/(?<![%$\w])[A-Za-z]{2,}/g) ?? []).length < 2) return false;
  return (
    / /.test(start.trimEnd()) && (/^[A-Z][a-z ]/.test(start) || !(begins.test(start) || within.test(start)))
  );
}

/** Words backwards, placeholders as they are, and a number that no other place has. */
function otherwise(text: string, number: number): string {
  const words = text.replace(/%(\d+\$)?[sIL%]|''|[A-Za-z]{2,}/g, (found) =>
    /^[A-Za-z]/.test(found) ? [...found].reverse().join('') : found,
  );
  const [end = ''] = /\s*$/.exec(words) ?? [];
  return `${words.slice(0, words.length - end.length)} [${number}]${end}`;
}

export interface Reworded {
  text: string;
  /** What was reworded, in order. */
  sentences: string[];
  /** What was taken for SQL, a code or a name although it has a space in it. */
  kept: string[];
}

/** Rewords what stands between quotes in a text of SQL, whether in a function's body or not, comments on objects included. */
export function reword(text: string): Reworded {
  const sentences: string[] = [];
  const kept: string[] = [];
  const next = (sentence: string): string => {
    sentences.push(sentence);
    return otherwise(sentence, sentences.length);
  };
  // A comment of the source, a quoted name, a literal; whatever comes first.
  const reworded = text.replace(/--[^\n]*|"(?:[^"]|"")*"|'(?:[^']|'')*'/g, (token, at: number) => {
    if (!token.startsWith("'")) return token;
    const inner = token.slice(1, -1);
    if (inner === '') return token;
    const before = text.slice(Math.max(0, at - 300), at);
    if (/\bcomment on [^;]*? is $/.test(before) && !inner.includes('%L')) return `'${next(inner)}'`;
    if (isSentence(inner)) return `'${next(inner)}'`;
    // Sentences within a statement that is put together.
    const statement = inner.includes("''''")
      ? inner
      : inner.replace(/''([^'\n]+)''/g, (literal, nested: string) =>
          isSentence(nested) ? `''${next(nested)}''` : literal,
        );
    if (statement === inner && / /.test(inner.trim())) kept.push(inner);
    return `'${statement}'`;
  });
  return { text: reworded, sentences, kept };
}
