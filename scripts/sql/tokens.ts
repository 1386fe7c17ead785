/** The words and signs of SQL, told apart without understanding it. They hold for what PostgreSQL's parser refuses, too. */

export interface Token {
  kind: 'space' | 'comment' | 'word' | 'literal' | 'symbol';
  text: string;
  start: number;
}

const patterns: [Token['kind'], RegExp][] = [
  ['space', /\s+/y],
  ['comment', /--[^\n]*/y],
  ['literal', /[eE]'(?:[^'\\]|\\[\s\S]|'')*(?:'|$)/y],
  ['literal', /'(?:[^']|'')*(?:'|$)/y],
  ['literal', /"(?:[^"]|"")*(?:"|$)/y],
  ['literal', /\$([\p{L}_][\p{L}\p{N}_]*)?\$[\s\S]*?(?:\$\1\$|$(?![\s\S]))/uy],
  ['word', /[\p{L}_][\p{L}\p{N}_$]*/uy],
  ['symbol', /[\s\S]/uy],
];

export function* tokenize(sql: string): Generator<Token> {
  let at = 0;
  while (at < sql.length) {
    const token = sql.startsWith('/*', at) ? blockComment(sql, at) : match(sql, at);
    yield token;
    at += token.text.length;
  }
}

export function isCode({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'comment';
}

/** Where the first word or sign stands; undefined where there is none. */
export function firstCode(sql: string): number | undefined {
  for (const token of tokenize(sql)) if (isCode(token)) return token.start;
  return undefined;
}

/** In one line, without comments. */
export function inOneLine(sql: string): string {
  return [...tokenize(sql)]
    .map(({ kind, text }) => (kind === 'comment' ? ' ' : text))
    .join('')
    .replaceAll(/\s+/g, ' ')
    .trim();
}

/** A stretch of a text, from its first character to the one after its last. */
export interface Piece {
  start: number;
  end: number;
}

/** Splits at the semicolons that end statements: not in literals, comments, brackets and SQL-standard function bodies. */
export function splitByTokens(sql: string): Piece[] {
  const pieces: Piece[] = [];
  let [start, brackets, blocks] = [0, 0, 0];
  let before: Token | undefined;
  const end = (at: number): void => {
    if (before) pieces.push({ start, end: at });
    [start, brackets, blocks, before] = [at + 1, 0, 0, undefined];
  };
  for (const token of tokenize(sql)) {
    if (token.text === ';' && brackets <= 0 && blocks <= 0) {
      end(token.start);
      continue;
    }
    if (token.text === '(') brackets += 1;
    if (token.text === ')') brackets -= 1;
    blocks += blockStep(token, before, blocks);
    if (isCode(token)) before = token;
  }
  end(sql.length);
  return pieces;
}

/** `begin atomic … end` holds semicolons of its own, and `case … end` within it. */
function blockStep(token: Token, before: Token | undefined, blocks: number): number {
  if (token.kind !== 'word') return 0;
  const word = token.text.toLowerCase();
  if (word === 'atomic') return before?.text.toLowerCase() === 'begin' ? 1 : 0;
  if (blocks === 0) return 0;
  return word === 'case' ? 1 : word === 'end' ? -1 : 0;
}

function match(sql: string, start: number): Token {
  for (const [kind, pattern] of patterns) {
    pattern.lastIndex = start;
    const found = pattern.exec(sql);
    if (found) return { kind, text: found[0], start };
  }
  throw new Error('unreachable: the last pattern takes anything');
}

/** Comments of this kind nest. */
function blockComment(sql: string, start: number): Token {
  let depth = 0;
  let at = start;
  do {
    if (sql.startsWith('/*', at)) depth += 1;
    else if (sql.startsWith('*/', at)) depth -= 1;
    else {
      at += 1;
      continue;
    }
    at += 2;
  } while (depth > 0 && at < sql.length);
  return { kind: 'comment', text: sql.slice(start, at), start };
}
