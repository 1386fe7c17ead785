/** HTML as text that cannot be broken out of: whatever is put in is escaped, unless it is markup itself. */
import { lineBreak, printable } from '../../command/printable.ts';

/** A piece of HTML. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

/** What may stand in a template. Nothing is shown for false and undefined, so that parts can be left out. */
export type Content = Markup | string | number | false | undefined | readonly Content[];

/** Builds {@link Markup} from a template; everything that is filled in is escaped, in attributes as well. */
export function html(parts: TemplateStringsArray, ...contents: readonly Content[]): Markup {
  return new Markup(parts.reduce((text, part, i) => text + asText(contents[i - 1]) + part));
}

function asText(content: Content): string {
  if (content === false || content === undefined) return '';
  if (content instanceof Markup) return content.text;
  if (typeof content === 'object') return content.map(asText).join('');
  return escaped(String(content));
}

const entities: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escaped(text: string): string {
  const lines = text.split(lineBreak).map(printable);
  return lines.join('\n').replaceAll(/[&<>"']/g, (character) => entities[character] ?? '');
}
