/**
 * Makes text safe to print. Names, keys and messages come from databases and servers: control characters in them would
 * paint over the terminal or retitle it, characters that turn the direction of a line would let one name pass for
 * another, and a line break would let a name go on as a line of ours.
 *
 * Our own colours and line breaks are marks with a number that nobody outside of this process knows. Whatever else looks
 * like them is replaced. What prints (streams.ts, terminal.ts, frame.ts) does that itself, so that no caller can forget it.
 */
import { randomInt } from 'node:crypto';
import { inspect } from 'node:util';

/** Joins letters or emoji, or keeps them apart; and chooses among the forms of the character before it. */
const joiner = String.raw`[\u200c\u200d]`;
const selector = String.raw`\p{Variation_Selector}`;

/** Alphabets that need no joiners: in them one would only tell two names apart that look the same. */
const unjoined = String.raw`[\p{Script=Latin}\p{Script=Cyrillic}\p{Script=Greek}\p{Default_Ignorable_Code_Point}]`;
const emoji = String.raw`\p{Extended_Pictographic}`;

/**
 * What acts or cannot be seen: control and format characters, separators of lines, lone surrogates, and what is drawn as
 * nothing, like fillers and the blank of Braille. Joiners and selectors stay where words and emoji need them.
 */
const hazards = new RegExp(
  [
    String.raw`(?!${joiner}|${selector})[\p{Cc}\p{Cf}\p{Cs}\p{Zl}\p{Zp}\p{Default_Ignorable_Code_Point}\u2800]`,
    String.raw`(?<![[\p{L}\p{M}]--${unjoined}]|${emoji}\ufe0f?|\p{Emoji_Modifier})${joiner}`,
    String.raw`(?<!${emoji}|\p{Ideographic}|\p{Script=Mongolian})(?<![#*0-9](?=\ufe0f\u20e3))${selector}`,
  ].join('|'),
  'gv',
);

/** Text from outside, on one line. */
export function printable(text: string): string {
  return text.replaceAll(hazards, '\ufffd');
}

/** JSON with the same characters escaped: it says the same to every parser. */
export function printableJson(json: string): string {
  return json.replaceAll(hazards, (character) => {
    const units = Array.from({ length: character.length }, (_, i) => character.charCodeAt(i));
    return units.map((unit) => `\\u${unit.toString(16).padStart(4, '0')}`).join('');
  });
}

/** In the form of a colour, so that it takes no room wherever widths are counted. */
const secret = Array.from({ length: 3 }, () => randomInt(1_000, 10_000)).join(';');
const mark = (code: number): string => `\u001b[${secret};${code}m`;
const marks = new RegExp(`\u001b\\[${secret};(\\d+)m`);

const breakCode = 1_000;

/** Begins a new line within a text of ours. */
export const lineBreak = mark(breakCode);

const styles = ['bold', 'dim', 'red', 'green', 'yellow', 'cyan'] as const;

/** Colours for text of ours. */
export type Paint = Record<(typeof styles)[number], (text: string) => string>;

export function newPaint(isColoured: boolean): Paint {
  const painters = styles.map((style) => {
    const [open, close] = inspect.colors[style] as [number, number];
    return [style, (text: string) => (isColoured ? mark(open) + text + mark(close) : text)];
  });
  return Object.fromEntries(painters) as Paint;
}

/** What a terminal is given: printable, with our marks as colours and line breaks. */
export function shown(text: string): string {
  return withoutMarks(text, printable, (code) => `\u001b[${code}m`);
}

/** What a program is given: the text as it is, without colours. */
export function plain(text: string): string {
  return withoutMarks(
    text,
    (part) => part,
    () => '',
  );
}

/** Text of several lines, of another program for instance: those after its first are set in, and pass for none of ours. */
export function indented(output: string): string {
  return output.trim().split(/\r?\n/).join(`${lineBreak}  `);
}

function withoutMarks(
  text: string,
  between: (part: string) => string,
  colour: (code: number) => string,
): string {
  // What the expression captures stands between the parts.
  const parts = text.split(marks).map((part, i) => {
    if (i % 2 === 0) return between(part);
    return Number(part) === breakCode ? '\n' : colour(Number(part));
  });
  return parts.join('');
}
