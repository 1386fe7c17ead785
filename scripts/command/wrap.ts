/** Text that has to fit a width: nothing of it is ever cut off. */
import stringWidth from 'string-width';
import { lineBreak, printable } from './printable.ts';

/** A piece of a line that stays together where it can. */
export interface Part {
  text: string;
  paint?: ((text: string) => string) | undefined;
}

const separator = ' · ';

const asItIs = (text: string): string => text;

/** `one · two · three` in as many lines as it takes, broken between parts; a part that is wider than a line, between words. */
export function wrapParts(parts: readonly Part[], width: number): string[] {
  const lines: string[] = [];
  let line = '';
  let used = 0;
  for (const { text, paint = asItIs } of parts) {
    for (const [i, piece] of wrapWords(text, width).entries()) {
      const isNext = i === 0 && used > 0;
      const needed = stringWidth(piece) + (isNext ? separator.length : 0);
      if (isNext && used + needed <= width) {
        line += separator + paint(piece);
        used += needed;
        continue;
      }
      if (used > 0) lines.push(line);
      line = paint(piece);
      used = stringWidth(piece);
    }
  }
  return used > 0 ? [...lines, line] : lines;
}

/** The lines of a text, made printable, broken between words; a word that is wider than a line, anywhere. */
export function wrapWords(text: string, width: number): string[] {
  return text.split(lineBreak).flatMap((line) => wrapLine(printable(line), Math.max(1, width)));
}

function wrapLine(text: string, width: number): string[] {
  if (stringWidth(text) <= width) return [text];
  // What is set in stays set in.
  const indent = /^ */.exec(text)?.[0].slice(0, width - 1) ?? '';
  const lines: string[] = [];
  let line = indent;
  for (const word of text
    .trim()
    .split(/ +/)
    .flatMap((one) => pieces(one, width - indent.length))) {
    const isFirst = line === indent;
    if (!isFirst && stringWidth(line) + 1 + stringWidth(word) > width) {
      lines.push(line);
      line = indent + word;
    } else line += isFirst ? word : ` ${word}`;
  }
  return [...lines, line];
}

function pieces(word: string, width: number): string[] {
  const found: string[] = [];
  let piece = '';
  for (const character of word) {
    if (piece && stringWidth(piece + character) > width) {
      found.push(piece);
      piece = '';
    }
    piece += character;
  }
  return [...found, piece];
}
