/** Splits SQL into statements, as far as that can be done without understanding it. */
import { createHash } from 'node:crypto';

/** One statement as it was written, with the comments before it and without its semicolon. */
export interface Statement {
  text: string;
  /** The line of the file on which its first word stands. */
  line: number;
  /** Its first words, lower case, for telling what kind it is. */
  words: string[];
}

interface Token {
  kind: 'space' | 'comment' | 'word' | 'literal' | 'symbol';
  text: string;
  start: number;
}

/** How many first words of a statement are kept. */
const WORDS = 8;

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

/** Splits at the semicolons that end statements: not in literals, comments, brackets and SQL-standard function bodies. */
export function splitStatements(sql: string): Statement[] {
  const statements: Statement[] = [];
  let tokens: Token[] = [];
  let brackets = 0;
  let blocks = 0;
  const end = (): void => {
    const first = tokens.find(isCode);
    if (first) {
      const text = tokens.map(({ text }) => text).join('');
      const line = sql.slice(0, first.start).split('\n').length;
      statements.push({ text: text.trim(), line, words: firstWords(tokens) });
    }
    [tokens, brackets, blocks] = [[], 0, 0];
  };
  for (const token of tokenize(sql)) {
    if (token.text === ';' && brackets <= 0 && blocks <= 0) {
      end();
      continue;
    }
    if (token.text === '(') brackets += 1;
    if (token.text === ')') brackets -= 1;
    blocks += blockStep(token, tokens, blocks);
    tokens.push(token);
  }
  end();
  return statements;
}

/** `begin atomic … end` holds semicolons of its own, and `case … end` within it. */
function blockStep(token: Token, before: Token[], blocks: number): number {
  if (token.kind !== 'word') return 0;
  const word = token.text.toLowerCase();
  if (word === 'atomic') return before.findLast(isCode)?.text.toLowerCase() === 'begin' ? 1 : 0;
  if (blocks === 0) return 0;
  return word === 'case' ? 1 : word === 'end' ? -1 : 0;
}

function isCode({ kind }: Token): boolean {
  return kind !== 'space' && kind !== 'comment';
}

function firstWords(tokens: Token[]): string[] {
  return tokens
    .filter(({ kind }) => kind === 'word')
    .slice(0, WORDS)
    .map(({ text }) => text.toLowerCase());
}

/**
 * A checksum of what the statements say: comments, white space and line endings do not count. Files and what the
 * history table keeps of them, which the CLI has split in its own way, give the same one.
 */
export function checksum(sql: string): string {
  const text = sql.replaceAll('\r\n', '\n');
  const said = splitStatements(text).map((statement) =>
    [...tokenize(statement.text)]
      .filter(isCode)
      .map((token) => token.text)
      .join(' '),
  );
  return createHash('sha256').update(said.join('\n;\n')).digest('hex').slice(0, 16);
}

function* tokenize(sql: string): Generator<Token> {
  let at = 0;
  while (at < sql.length) {
    const token = sql.startsWith('/*', at) ? blockComment(sql, at) : match(sql, at);
    yield token;
    at += token.text.length;
  }
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
